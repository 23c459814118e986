"""The best checkpoint by score: which it is, that it is noted, and that pruning keeps it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ludens
from arena.evaluation.best import BestScore, best_score
from arena.evaluation.records import Evaluation, EvaluationKey
from arena.monitor.runs_text import runs_table
from arena.rating.recorded import best_checkpoint, best_checkpoints
from store import checkpoints
from store.progress.summary import summarize_store
from store.upkeep.keeps import kept_names
from store.upkeep.retention import Retention, plan_pruning, prune
from tests.arena.evaluation.scripted import evaluator, make_run, save


def evaluation(step: int, scores: list[float], **other: Any) -> Evaluation:
    key = {"environment": "pong", "protocol": "nature", "epsilon": 0.05, "seed": 0, **other}
    counts = np.full(len(scores), 9)
    return Evaluation(EvaluationKey(step=step, **key), np.array(scores), counts, 36)


def test_the_highest_mean_is_best_and_of_equal_ones_the_later_step() -> None:
    found = [evaluation(step, scores) for step, scores in ((1, [4.0]), (2, [9.0]), (3, [9.0]))]
    assert best_score(found, {1, 2, 3}) == BestScore(3, 1, 9.0, None, "nature", 0.05)
    assert best_score(found, {1, 2}) == BestScore(2, 1, 9.0, None, "nature", 0.05)
    assert best_score(found, {7}) is best_score([], {1}) is None


def test_scores_of_two_protocols_are_not_compared() -> None:
    """The way that most checkpoints were evaluated by counts, though another has higher scores."""
    nature = [evaluation(1, [4.0, 2.0]), evaluation(2, [1.0, 3.0])]
    greedy = evaluation(2, [50.0] * 9, epsilon=0.0)
    sticky = evaluation(3, [90.0] * 9, protocol="sticky")
    found = best_score([sticky, greedy, *nature], {1, 2, 3})
    assert found is not None
    assert (found.step, found.score, found.protocol, found.epsilon) == (1, 3.0, "nature", 0.05)
    more = best_score([sticky, evaluation(2, [50.0], epsilon=0.0)], {1, 2, 3})
    assert more is not None
    assert more.protocol == "sticky"  # of one checkpoint each, that of more games


def test_of_a_step_the_evaluation_with_the_most_games_counts() -> None:
    lucky = evaluation(1, [900.0], seed=1)
    found = best_score([lucky, evaluation(1, [4.0, 6.0]), evaluation(2, [7.0, 9.0])], {1, 2})
    assert found is not None
    assert (found.step, found.score, found.games) == (2, 8.0, 2)


def test_an_evaluated_run_has_its_best_noted_and_kept(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", {1: 3, 2: 1, 3: 2})
    for step in (2, 1):
        evaluator(run).evaluate(step)
        assert kept_names(run.files).best_score[-1][1] == step  # the better one of those so far
    evaluator(run).evaluate(3)
    assert kept_names(run.files).best_score == [(3, 1)]  # earlier notes are removed
    for step in range(4, 12):
        save(run, step, 0)
    (summary,) = summarize_store(tmp_path)
    noted = best_checkpoints(tmp_path, [summary])["r"]
    assert noted == BestScore(1, 4, 9.0, 0.0, "", 0.0) == best_checkpoint(run)
    assert runs_table([summary], {"r": noted}, "x").endswith("  1 (9.0 +-0.000, epsilon 0)")
    prune(run, plan_pruning(run, Retention(keep_last=1)))
    assert checkpoints.steps(run) == [1, 11]


def test_a_best_that_is_not_noted_is_found_by_reading(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", {1: 3, 2: 1})
    for step in (1, 2):
        evaluator(run).evaluate(step)
    run.files.remove_many([entry.key for entry in run.files.tree("kept")])
    (summary,) = summarize_store(tmp_path)
    assert (summary.evaluations, summary.best_score) == (2, None)
    found = best_checkpoints(tmp_path, [summary])["r"]
    assert isinstance(found, BestScore)
    assert found.step == 1


def test_each_evaluation_is_read_once_in_a_long_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path, "r", dict.fromkeys(range(1, 9), 1))
    read: list[str] = []
    before = type(run.files).read

    def noted(files: Any, key: str, most: int | None = None) -> bytes:
        read.append(key)
        return before(files, key, most)

    monkeypatch.setattr(type(run.files), "read", noted)
    judge = evaluator(run)
    for step in range(1, 9):
        judge.evaluate(step)
    evaluations = [key for key in read if key.startswith("evaluations/")]
    assert len(evaluations) == len(set(evaluations)) == 8


def test_the_commands_note_and_show_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path / "runs", "r", {60: 3, 120: 1})
    monkeypatch.chdir(tmp_path)
    for line in ("rate r --games 4", "evaluate r@120 --games 3"):
        assert ludens.main(line.split()) == 0
    capsys.readouterr()
    assert ludens.main(["runs", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["runs"]
    told = {"step": 60, "games": 4, "score": 9.0, "error": 0.0, "protocol": "", "epsilon": 0.0}
    assert found["best"] == told
