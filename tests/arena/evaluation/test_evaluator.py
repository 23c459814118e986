"""Which games an evaluation of a checkpoint has, and that they are played once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arena.evaluation import evaluator as evaluators
from arena.evaluation.evaluator import Evaluator, evaluate_random
from arena.evaluation.following import evaluate_one
from arena.evaluation.settings import EvaluationSettings
from arena.names import AgentNameError
from envs.vector import EnvironmentClass, EnvironmentNameError
from store.errors import CheckpointNotFoundError, StoreWriteError
from store.run import create_run
from tests.arena.evaluation.scripted import ACTIONS, CORRIDOR, LENGTH, evaluator, make_run

RANDOM_MEAN = LENGTH * (ACTIONS - 1) / 2


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many games each call played."""
    found: list[int] = []
    before = evaluators.play_games

    def play_games(agent: Any, environment: Any, games: int, *more: Any) -> Any:
        found.append(games)
        return before(agent, environment, games, *more)

    monkeypatch.setattr(evaluators, "play_games", play_games)
    return found


def test_a_greedy_checkpoint_has_the_score_of_its_actions(tmp_path: Path) -> None:
    found = evaluator(make_run(tmp_path, "r", {60: 2, 90: 3}))
    one = found.evaluate(60)
    assert one.scores.tolist() == [2.0 * LENGTH] * 4
    assert one.lengths.tolist() == [LENGTH] * 4
    assert one.frames == 4 * LENGTH
    assert (one.minutes, one.rows) == (1.0, 600)
    assert (one.key.environment, one.key.step, one.key.protocol) == (CORRIDOR, 60, "")
    assert one.key.epsilon == 0.0  # outside of Atari, where a protocol says it
    assert found.evaluate(90).mean == 3.0 * LENGTH
    assert [e.key.step for e in found.recorded()] == [60, 90]


def test_a_game_of_atari_says_what_it_measures() -> None:
    found = evaluate_random("breakout", EvaluationSettings(games=2, environments=2))
    assert found.to_json()["tunnelling"] == 0.0  # random play digs no tunnel
    assert found.counts["tunnelling"].shape == (2,)
    plain = evaluate_random("CartPole-v1", EvaluationSettings(games=2))
    assert (plain.measured, "counts" in plain.to_json()) == ({}, False)


def test_epsilon_is_the_share_of_random_actions(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", {1: 3})
    found = evaluator(run, games=400, environments=50, epsilon=0.5).evaluate(1)
    expected = 0.5 * 3 * LENGTH + 0.5 * RANDOM_MEAN
    assert found.mean == pytest.approx(expected, abs=0.5)
    assert evaluator(run, epsilon=1.0, games=400).evaluate(1).mean == pytest.approx(
        RANDOM_MEAN, abs=0.5
    )


def test_the_same_evaluation_is_not_played_twice(tmp_path: Path, played: list[int]) -> None:
    run = make_run(tmp_path, "r", {1: 3, 2: 1})
    first = evaluator(run, epsilon=0.5).evaluate(1)
    assert evaluator(run, epsilon=0.5).evaluate(1).to_json() == first.to_json()
    assert evaluator(run, epsilon=0.5, games=3).evaluate(1).games == 4  # more is as good
    assert played == [4]
    others: list[dict[str, Any]] = [{"epsilon": 0.4}, {"seed": 1}, {"games": 5}]
    for other in others:
        evaluator(run, **{"epsilon": 0.5, **other}).evaluate(1)
    evaluator(run, epsilon=0.5).evaluate(2)
    assert played == [4, 4, 4, 5, 4]


def test_the_same_seed_plays_the_same_games(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, name, {1: 3}) for name in ("one", "other")]
    one, other = (evaluator(run, epsilon=0.5, games=12).evaluate(1) for run in runs)
    assert one.scores.tolist() == other.scores.tolist()
    another = evaluator(runs[1], epsilon=0.5, games=12, seed=1).evaluate(1)
    assert one.scores.tolist() != another.scores.tolist()


def test_a_seed_repeats_games_of_as_many_environments_and_a_record_stands_for_all(
    tmp_path: Path, played: list[int]
) -> None:
    runs = [make_run(tmp_path, name, {1: 3}) for name in ("one", "other")]
    one = evaluator(runs[0], epsilon=0.5, games=12, environments=2).evaluate(1)
    other = evaluator(runs[1], epsilon=0.5, games=12, environments=3).evaluate(1)
    assert one.scores.tolist() != other.scores.tolist()
    assert one.key == other.key
    found = evaluator(runs[0], epsilon=0.5, games=12, environments=3).evaluate(1)
    assert found.scores.tolist() == one.scores.tolist()
    assert played == [12, 12]
    for told in (evaluators.__doc__, evaluators.Setting.play.__doc__):
        assert "environments at once" in (told or "")


def test_an_atari_game_has_the_protocol_of_its_run_and_its_epsilon(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", {1: 0}, game="alien", protocol="sticky")
    key = evaluator(run).setting.key(1)
    assert (key.environment, key.protocol, key.epsilon) == ("alien", "sticky", 0.001)
    key = evaluator(run, protocol="nature").setting.key(1)
    assert (key.protocol, key.epsilon) == ("nature", 0.05)
    assert evaluator(run, epsilon=0.2).setting.key(1).epsilon == 0.2
    plain = make_run(tmp_path, "plain", {1: 0}, game="breakout")
    assert evaluator(plain).setting.key(1).protocol == "nature"


def test_a_protocol_with_other_actions_is_refused(tmp_path: Path) -> None:
    """Action 3 is LEFT of the four of Breakout, and RIGHT of the joystick's eighteen."""
    run = make_run(tmp_path, "r", {1: 0}, game="breakout", protocol="nature")
    told = "learned the 4 actions of protocol 'nature', and 'sticky' has 18 in 'breakout'"
    with pytest.raises(AgentNameError, match=told):
        evaluator(run, protocol="sticky")


def test_frames_are_the_emulators(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ale_py")
    found = evaluate_random("breakout", EvaluationSettings(games=2, environments=2))
    assert found.frames == 4 * found.lengths.sum()
    assert found.key.step is None
    assert (found.key.protocol, found.key.epsilon) == ("nature", 1.0)


def test_random_play_has_its_mean() -> None:
    found = evaluate_random(CORRIDOR, EvaluationSettings(games=300, environments=30))
    assert found.mean == pytest.approx(RANDOM_MEAN, abs=0.5)
    assert len(np.unique(found.scores)) > 3


# --- what is refused ------------------------------------------------------------------------------


def test_a_run_of_a_board_game_is_told_to_rate(tmp_path: Path) -> None:
    run = create_run(tmp_path, "b", game="othello", config={}, seed=0, versions={})
    with pytest.raises(AgentNameError, match=r"'othello', where .* no scores: `ludens rate b`"):
        evaluator(run)


def test_a_stored_text_never_names_a_class(tmp_path: Path) -> None:
    own = f"{__name__}:Nothing"
    run = make_run(tmp_path, "r", {1: 0}, game=own)
    with pytest.raises(AgentNameError, match=f"name it: --env {own}"):
        evaluator(run)
    module = "tests.arena.evaluation.scripted"
    run = make_run(tmp_path, "own", {1: 2}, game=f"{module}:Corridor")
    named = EnvironmentClass(module, "Corridor")
    found = Evaluator(run, EvaluationSettings(games=2), named).evaluate(1)
    assert found.mean == 2.0 * LENGTH
    with pytest.raises(AgentNameError, match=f"learned '{module}:Corridor', not '{CORRIDOR}'"):
        Evaluator(run, EvaluationSettings(), CORRIDOR)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", {1: 0})
    with pytest.raises(CheckpointNotFoundError, match=r"no checkpoint 5 of run 'r'; it has 1"):
        evaluator(run).evaluate(5)
    with pytest.raises(ValueError, match="'Corridor-v0' is no game of Atari"):
        evaluator(run, protocol="nature")
    with pytest.raises(ValueError, match="did you mean 'nature'"):
        evaluator(run, protocol="natur")
    unknown = make_run(tmp_path, "u", {1: 0}, game="Corridr-v0")
    with pytest.raises(EnvironmentNameError, match="did you mean 'Corridor-v0'"):
        evaluator(unknown)


@pytest.mark.parametrize(
    "wrong",
    [{"games": 0}, {"seed": -1}, {"environments": 0}, {"threads": 0}, {"epsilon": 1.5}],
)
def test_settings_have_bounds(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} = "):
        EvaluationSettings(**wrong)


def test_scores_are_returned_where_the_store_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any) -> Any:
        raise StoreWriteError("read-only file system")

    monkeypatch.setattr(evaluators, "store_evaluation", refuse)
    found = evaluator(make_run(tmp_path, "r", {60: 2}))
    with pytest.raises(StoreWriteError, match="read-only"):
        found.evaluate(60)
    assert evaluate_one(found, 60, lambda *_: None).mean == 2.0 * LENGTH
    assert "the evaluation of r is not recorded: read-only file system" in caplog.text
    assert found.recorded() == []
