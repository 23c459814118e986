"""The journal: what is recorded when, and that it never stops a training."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

import pytest

from agents.alphazero.config import AlphaZeroConfig
from agents.progress import Event, Measured, Progress
from selfplay.journal import INTERVAL_S, MOST_NOTICES, RETRY_S, Journal, stand_in, to_record
from selfplay.loop import train
from store.files.local import LocalFiles
from store.files.opening import open_files
from store.progress.log import ProgressReader, Record


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def progress(event: Event, **changes: Any) -> Progress:
    numbers = {f.name: 1 for f in dataclasses.fields(Progress)}
    given: dict[str, Any] = {**numbers, "notices": (), "policy": None, "metrics": {}}
    given |= {"measured": (), **changes}
    return Progress(**{**given, "event": event})


def records(store: str | Path, run: str = "r") -> list[Record]:
    reader = ProgressReader(open_files(store).within(run))
    reader.poll()
    return [record for session in reader.sessions for record in session.records]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(tmp_path: Path, clock: Clock) -> Journal:
    return Journal(str(tmp_path), "r", {"cores": 2}, clock=clock, now=lambda: 1.7e9)


def test_it_records_what_is_learned_and_otherwise_every_interval(
    journal: Journal, tmp_path: Path, clock: Clock
) -> None:
    for _ in range(round(4 * INTERVAL_S)):  # two reports a second
        journal.show(progress("games"))
        clock.now += 0.5
    measured = (Measured("no search", 3.0, {"easy": 0.25}),)
    journal.show(progress("learned", measured=measured))
    assert [r["event"] for r in records(tmp_path)] == ["games", "games", "learned"]
    newest = records(tmp_path)[-1]
    assert newest["measured"] == [{"name": "no search", "at_s": 3.0, "shares": {"easy": 0.25}}]
    assert newest["time"] == 1.7e9


def test_stages_in_quick_succession_share_a_file(
    journal: Journal, tmp_path: Path, clock: Clock
) -> None:
    for step in range(50):
        journal.show(progress("learned", learner_steps=step))
        clock.now += 0.1
    with journal:
        journal.show(progress("finished", learner_steps=50))
    assert [r["learner_steps"] for r in records(tmp_path)] == list(range(51))
    assert len(list(tmp_path.glob("r/progress/*/*"))) == 2  # the facts, and one of records


def test_every_notice_is_recorded_once(journal: Journal, tmp_path: Path, clock: Clock) -> None:
    with journal:
        for number in range(40):
            journal.show(progress("games", notices=(f"notice {number}",)))
            clock.now += 1.0
    told = [notice for record in records(tmp_path) for notice in record["notices"]]
    assert told == [f"notice {number}" for number in range(40)]


def test_a_failing_store_is_told_once_tried_again_and_never_raised(
    tmp_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    journal = Journal(str(tmp_path), "r", {}, clock=clock)
    tries = []

    def refuse(self: LocalFiles, key: str, data: bytes) -> bool:
        tries.append(clock.now)
        raise RuntimeError("a driver's own")

    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(LocalFiles, "create_same", refuse)
        for step in range(100):
            journal.show(progress("learned", learner_steps=step))
            clock.now += 1.0
    assert tries == [1000.0, 1000.0 + RETRY_S]
    assert len(caplog.records) == 1
    with journal:
        pass
    assert [r["learner_steps"] for r in records(tmp_path)] == list(range(100))


def test_numbers_that_json_has_not_become_none() -> None:
    record = to_record(progress("started", metrics={"policy_loss": float("nan")}), (), 1.0)
    assert record["policy_loss"] is None
    assert "policy" not in record


def test_the_notices_of_many_records_are_the_newest() -> None:
    many = [{"games": i, "notices": [f"{i}"]} for i in range(100)]
    one = stand_in(many)
    assert one["games"] == 99
    assert one["notices"][0] == f"({100 - MOST_NOTICES} notices left out)"
    assert one["notices"][1:] == [f"{i}" for i in range(100 - MOST_NOTICES, 100)]


def test_a_real_training_is_recorded(tmp_path: Path) -> None:
    from agents.alphazero.config import LearnerConfig, NetworkConfig, SelfPlayConfig
    from mcts.config import SearchConfig

    config = AlphaZeroConfig(
        game="tic_tac_toe",
        minutes=0,
        games=8,
        publish_rows=20,
        search=SearchConfig(simulations=8),
        network=NetworkConfig(blocks=1, filters=4),
        learner=LearnerConfig(batch_size=4),
        selfplay=SelfPlayConfig(games=4, shards=1),
    )
    url = "memory://journal"
    with Journal(url, "r", {}) as journal:
        for stage in train(config, store_url=url, run_name="r"):
            journal.show(stage)
    found = records(url)
    assert found[0]["event"] == "compiling"
    assert found[-1]["event"] == "finished"
    assert found[-1]["games"] >= 8
    assert found[-1]["learner_steps"] > 0


def test_a_training_that_never_began_leaves_no_journal(tmp_path: Path) -> None:
    with Journal(str(tmp_path), "r", {"cores": 2}):
        pass  # refused: another process trains the run
    assert [*tmp_path.rglob("*.json")] == []
