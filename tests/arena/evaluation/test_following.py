"""Which checkpoints are evaluated, and when it ends."""

from pathlib import Path
from typing import Any

import pytest

from arena.evaluation.following import POLL_S, evaluate_chosen, evaluate_new
from arena.evaluation.table import table_of
from store import checkpoints
from store.upkeep.holds import read_holds
from tests.arena.evaluation.scripted import evaluator, make_run, save


class Watch:
    """A run's lock, held for so many looks."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def may_be_held(self) -> bool:
        self.looks -= 1
        return self.looks >= 0


def quiet(agent: str, finished: int, games: int) -> None:
    """No progress is shown."""


def follow(run: Any, looks: int, pause: Any) -> list[int | None]:
    found = evaluate_new(evaluator(run), progress=quiet, pause=pause, watch=Watch(looks))  # type: ignore[arg-type]
    return [evaluation.key.step for evaluation in found]


def test_new_checkpoints_are_evaluated_as_they_come_and_the_last_one_too(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", {1: 0, 2: 1})
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            save(run, 3, 2)
            save(run, 4, 3)  # two at once: the newest is next

    assert follow(run, 4, pause) == [2, 4]
    assert pauses == [POLL_S, POLL_S]


def test_a_checkpoint_saved_as_the_training_ends_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes between the look at the lock, which was free already, and the listing."""
    run = make_run(tmp_path, "r", {1: 0})
    listed = checkpoints.latest

    def latest(of: Any) -> int | None:
        if (found := listed(of)) == 1 and calls:
            save(run, 2, 1)
            return listed(of)
        calls.append(1)
        return found

    calls: list[int] = []
    monkeypatch.setattr(checkpoints, "latest", latest)
    assert follow(run, 0, lambda seconds: None) == [1, 2]


def test_a_run_that_nobody_trains_ends_after_its_newest(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", {1: 0, 5: 3})
    assert [e.mean for e in evaluate_new(evaluator(run), progress=quiet)] == [9.0]
    assert follow(make_run(tmp_path, "none", {}), 0, None) == []


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, caplog: Any) -> None:
    run = make_run(tmp_path, "r", {1: 0, 2: 1})
    (tmp_path / "r/checkpoints/000000002/model.safetensors").write_bytes(b"x")
    assert follow(run, 0, None) == []
    assert "r@2:epsilon=0 is not evaluated" in caplog.text


def chosen(run: Any, most: int = 12, **more: Any) -> tuple[bool, list[int]]:
    """Whether it came to its end, and how many were evaluated each time that it was settled."""
    told: list[int] = []
    found = evaluator(run)
    ended = evaluate_chosen(
        [found],
        most,
        progress=more.pop("progress", quiet),
        settled=lambda: told.append(len(table_of([found]).rows)),
        **more,
    )
    return ended, told


def test_chosen_checkpoints_are_the_first_the_newest_and_some_between(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", dict.fromkeys(range(1, 41), 2))
    assert chosen(run, 5) == (True, [4])
    steps = [row.step for row in table_of([evaluator(run)]).rows]
    assert (steps[0], steps[-1]) == (1, 40)


def test_what_was_evaluated_before_is_in_the_table_and_not_played(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", {1: 1, 2: 2, 3: 3})
    evaluator(run).evaluate(2)
    games: list[str] = []

    def progress(agent: str, finished: int, of: int) -> None:
        games.append(agent)

    assert chosen(run, 2, progress=progress) == (True, [3])
    assert set(games) == {"r@1:epsilon=0", "r@3:epsilon=0"}
    assert chosen(run, 2) == (True, [3])
    assert [row.mean for row in table_of([evaluator(run)]).rows] == [3.0, 6.0, 9.0]


def test_pruned_checkpoints_stay_in_the_table(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", {60: 1, 120: 2})
    chosen(run)
    checkpoints.delete(run, [60])
    first, _ = table_of([evaluator(run)]).rows
    assert (first.step, first.minutes, first.rows) == (60, 1.0, 600)


def test_checkpoints_are_held_while_they_are_evaluated(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", {1: 1, 2: 2})
    held: list[list[int]] = []

    def progress(agent: str, finished: int, of: int) -> None:
        held.extend(sorted(hold.checkpoints) for hold in read_holds(run.files))

    chosen(run, progress=progress)
    assert held
    assert all(steps == [1, 2] for steps in held)
    assert read_holds(run.files) == []


def test_following_adds_new_checkpoints_until_training_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path, "r", {1: 1})
    watch = Watch(4)
    monkeypatch.setattr("arena.evaluation.following.LockWatch", lambda files: watch)
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            save(run, 2, 2)

    assert chosen(run, follow=True, pause=pause) == (True, [1, 2])
    assert pauses == [POLL_S, POLL_S]


def test_a_damaged_checkpoint_is_tried_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    run = make_run(tmp_path, "r", {1: 1, 2: 1})
    (tmp_path / "r/checkpoints/000000002/model.safetensors").write_bytes(b"x")
    monkeypatch.setattr("arena.evaluation.following.LockWatch", lambda files: Watch(3))
    assert chosen(run, follow=True, pause=lambda seconds: None) == (True, [1])
    assert caplog.text.count("r@2:epsilon=0 is not evaluated") == 1


def test_what_is_known_at_an_interruption_is_told(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", {1: 1, 2: 2})

    def progress(agent: str, finished: int, of: int) -> None:
        if agent.startswith("r@2") and finished:
            raise KeyboardInterrupt

    assert chosen(run, progress=progress) == (False, [1])
