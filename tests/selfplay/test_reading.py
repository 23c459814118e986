"""A learner reads what workers announce: without listing, in slices, and nothing is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import ray

from agents.alphazero.config import AlphaZeroConfig, LearnerConfig, NetworkConfig, SelfPlayConfig
from agents.alphazero.network import build_network
from agents.torch_state import dump_state
from agents.training import ClusterConfig
from envs.registry import find_game
from mcts.config import SearchConfig
from selfplay.cluster import learner_node
from selfplay.cluster.announcements import Announcements, must_wait
from selfplay.cluster.learner_node import LearnerNode
from selfplay.cluster.worker import Worker
from selfplay.trainer import SEGMENTS_AT_ONCE, Trainer
from store import checkpoints
from store.errors import StoreWriteError
from store.replay.segments import SegmentWriter
from store.run import Run, create_run, open_run
from tests.store.counting_files import CountingFiles

CONFIG = AlphaZeroConfig(
    game="tic_tac_toe",
    workers=2,
    device="cpu",
    search=SearchConfig(simulations=4, lookahead=1, cache_size=64),
    network=NetworkConfig(1, 8, 4, 8, precision="float32"),
    learner=LearnerConfig(batch_size=32, window_rows=2000, window_start_rows=500),
    selfplay=SelfPlayConfig(games=8, shards=2, fast_simulations=2, opening_plies=3),
    cluster=ClusterConfig(segment_rows=32),
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return create_run(str(tmp_path), "run", game="tic_tac_toe", config={}, seed=0, versions={})


@pytest.fixture
def store(run: Run, tmp_path: Path) -> str:
    return str(tmp_path)


@pytest.fixture(autouse=True)
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference is what it refers to."""
    monkeypatch.setattr(ray, "get", lambda reference, timeout=None: reference)
    monkeypatch.setattr(ray, "put", lambda value: value)


def weights() -> list[bytes]:
    game = find_game("tic_tac_toe")
    return [dump_state(build_network(game, CONFIG.network, 0).state_dict())]


def games_of(keys: tuple[str, ...]) -> int:
    return sum(int(Path(key).name.split("-")[1]) for key in keys)


def test_a_worker_names_what_it_committed_and_once_more_in_its_next_answer(store: str) -> None:
    playing = Worker(store, "run", CONFIG)
    first = playing.play_round(32, 0, weights())
    second = playing.play_round(32, 0, weights())
    assert games_of(first.segments) == first.counters["games"] > 0
    assert second.segments[: len(first.segments)] == first.segments
    assert games_of(second.segments) == first.counters["games"] + second.counters["games"]
    found = Path(store, "run").glob("replay/*/*.arrow")
    assert {str(path.relative_to(Path(store, "run"))) for path in found} == {*second.segments}


def test_a_round_whose_commit_failed_is_named_when_it_is_committed(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    playing = Worker(store, "run", CONFIG)
    first = playing.play_round(32, 0, weights())
    with monkeypatch.context() as patch:

        def full(writer: SegmentWriter, key: str, data: bytes) -> None:
            raise StoreWriteError("disk full")

        patch.setattr(SegmentWriter, "_create", full)
        with pytest.raises(StoreWriteError, match="stay in memory"):
            playing.play_round(32, 0, weights())
    third = playing.play_round(32, 0, weights())
    assert len(third.segments) == 3  # the first answer's, the failed round's, its own
    assert games_of(third.segments) == first.counters["games"] + third.counters["games"]


class Counted:
    """The learner of a run whose requests are counted."""

    def __init__(self, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def opened(*arguments: Any, **options: Any) -> Run:
            run = open_run(*arguments, **options)
            self.files = CountingFiles(run.files)
            return replace(run, files=self.files)

        monkeypatch.setattr(learner_node, "open_run", opened)
        self.node = LearnerNode(store, "run", CONFIG)
        self.node.report()

    def learn(self, *segments: str) -> tuple[Any, Counter[str]]:
        """The report of a stretch, and its requests."""
        self.files.reset()
        report = self.node.learn(0.0, {}, segments)
        return report, Counter(self.files.calls)


@pytest.fixture
def counted(store: str, monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(store, monkeypatch)


def test_a_stretch_asks_for_what_was_announced_and_for_nothing_else(
    counted: Counted, store: str
) -> None:
    report, requests = counted.learn()
    assert requests == {}
    played = Worker(store, "run", CONFIG).play_round(64, 0, weights())
    report, requests = counted.learn(*played.segments)
    assert requests == {"read": 1}
    assert report.rows == played.counters["rows"]
    assert report.trained > 0
    assert report.unread_rows == 0
    report, requests = counted.learn(*played.segments)
    assert requests == {}
    assert report.rows == played.counters["rows"]


def test_what_a_worker_committed_before_it_died_is_found_by_the_sweep(
    counted: Counted, store: str
) -> None:
    dead = Worker(store, "run", CONFIG).play_round(32, 0, weights())  # its answer never came
    report, _ = counted.learn()
    assert report.rows == 0
    counted.node._sweep_at = 0.0
    report, requests = counted.learn()
    assert report.rows == dead.counters["rows"]
    assert requests == {"folders": 1, "names": 1, "read": 1}
    _, requests = counted.learn()
    assert requests == {}


def test_the_last_checkpoint_is_after_what_a_worker_committed_before_it_died(
    counted: Counted, store: str
) -> None:
    dead = Worker(store, "run", CONFIG).play_round(32, 0, weights())
    report = counted.node.learn(0.0, {"elapsed_s": 1.0}, finish=True)
    counted.node.close()
    assert report.rows == dead.counters["rows"]
    found = checkpoints.latest_valid(open_run(store, "run"))
    assert found is not None
    assert found.metadata["cursor"] == {dead.writer: 1}


def test_a_checkpoint_is_saved_after_all_that_was_announced_and_resumes_there(
    counted: Counted, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    playing = Worker(store, "run", CONFIG)
    rounds = [playing.play_round(32, 0, weights()) for _ in range(3)]
    monkeypatch.setattr(learner_node, "STRETCH_S", 0.0)  # nothing is read on the way
    last = rounds[-1].segments
    counted.node.learn(0.0, {"elapsed_s": 1.0}, (*rounds[0].segments, *last))
    assert counted.node.trainer.unread_rows > 0
    report = counted.node.learn(0.0, {"elapsed_s": 1.0}, finish=True)
    rows = sum(played.counters["rows"] for played in rounds)
    assert (report.rows, report.unread_rows) == (rows, 0)
    unheard = playing.play_round(32, 0, weights())
    counted.node.close()
    found = checkpoints.latest_valid(open_run(store, "run"))
    assert found is not None
    assert found.metadata["cursor"] == {rounds[0].writer: 3}
    again = LearnerNode(store, "run", CONFIG)
    assert again.report().rows == rows + unheard.counters["rows"]
    again.close()


def test_a_learner_that_is_behind_keeps_names_and_reads_in_slices(
    store: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    playing = Worker(store, "run", CONFIG)
    rounds = [playing.play_round(8, 0, weights()) for _ in range(2 * SEGMENTS_AT_ONCE + 1)]
    trainer = Trainer(run, CONFIG)
    sizes = slices_taken(trainer, monkeypatch)
    for played in rounds:
        trainer.announce(played.segments)
    games = sum(played.counters["games"] for played in rounds)
    assert trainer.log.unread_episodes == games
    assert trainer.unread_rows == games  # nothing is known of them yet
    trainer.read_some()
    rows = sum(played.counters["rows"] for played in rounds)
    assert 0 < trainer.unread_rows < rows
    assert trainer.unread_rows + trainer.rows_read == pytest.approx(rows, rel=0.2)
    trainer.read()
    assert sizes == [SEGMENTS_AT_ONCE, SEGMENTS_AT_ONCE, 1]
    assert (trainer.unread_rows, trainer.rows_read) == (0, rows)


def slices_taken(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many segments are held at a time, filled as the trainer reads."""
    sizes: list[int] = []
    take: Callable[..., Any] = trainer.log.take

    def noted(*arguments: Any, **options: Any) -> Any:
        batches = take(*arguments, **options)
        sizes.append(len(batches))
        return batches

    monkeypatch.setattr(trainer.log, "take", noted)
    return sizes


def test_announcements_stay_until_the_learner_has_answered() -> None:
    announced = Announcements()
    announced.add(["a", "b"], rows=10)
    assert announced.hand_over() == ["a", "b"]
    announced.add(["c"], rows=5)
    announced.call_failed()
    assert announced.rows == 15
    assert announced.hand_over() == ["a", "b", "c"]
    announced.add(["d"], rows=1)
    announced.taken_over()
    assert announced.rows == 1
    announced.taken_over()  # a call that named nothing has answered
    assert announced.hand_over() == ["d"]


def test_workers_wait_for_what_is_committed_and_unread_too() -> None:
    config = replace(CONFIG, cluster=ClusterConfig(segment_rows=100, backlog_rows=1000))
    assert not must_wait(config, 1200)
    assert must_wait(config, 1201)
