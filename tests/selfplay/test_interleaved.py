from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path
from types import SimpleNamespace

import pytest

from agents.alphazero.config import AlphaZeroConfig, LearnerConfig, NetworkConfig, SelfPlayConfig
from mcts.config import SearchConfig
from selfplay.interleaved import train_in_turns
from store import checkpoints
from store.run import open_run

CONFIG = AlphaZeroConfig(
    game="tic_tac_toe",
    minutes=0,
    games=150,
    publish_rows=64,
    device="cpu",
    search=SearchConfig(simulations=8, lookahead=1, cache_size=256),
    network=NetworkConfig(1, 8, 4, 8, precision="float32"),
    learner=LearnerConfig(batch_size=32, window_rows=2000, window_start_rows=500),
    selfplay=SelfPlayConfig(games=8, shards=1, fast_simulations=6, opening_plies=3),
)
CONFIGS = {"a": CONFIG, "b": replace(CONFIG, seed=1)}


def turns(store: Path, stop: Callable[[], bool] = lambda: False, turn_s: float = 0.0) -> list[str]:
    """Whose turn it was, one after the other."""
    stages = train_in_turns(CONFIGS, store_url=str(store), turn_s=turn_s, stop=stop)
    return [run for run, progress in stages if progress.event == "finished"]


def games(store: Path, run: str) -> int:
    found = open_run(store, run)
    newest = checkpoints.steps(found)[-1]
    return int(checkpoints.read_metadata(found, newest)["counters"]["games"])


def test_runs_take_turns_until_both_have_used_their_budget(tmp_path: Path) -> None:
    order = turns(tmp_path)  # as short as a turn can be: until something is learned
    assert sorted(order[:2]) == ["a", "b"]
    assert 2 < len(order) < 20
    assert all(games(tmp_path, run) >= 150 for run in "ab")
    assert sorted(turns(tmp_path)) == ["a", "b"]  # each has all it needs, and says so at once


def test_a_turn_lasts_until_something_is_learned_since_the_checkpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cluster's training reports no steps before its learner answers, and then all of them."""
    saved = {"a": (0.0, 0)}  # seconds, steps

    def clustered(
        config: AlphaZeroConfig,
        *,
        store_url: str,
        run_name: str,
        stop: Callable[[], bool],
        changed_game: bool,
    ) -> Iterator[SimpleNamespace]:
        def stage(event: str, seconds: float, steps: int) -> SimpleNamespace:
            return SimpleNamespace(
                event=event,
                elapsed_s=seconds,
                learner_steps=steps,
                budget_is_used=seconds >= 3.0,
            )

        seconds, steps = saved[run_name]
        yield stage("started", seconds, 0)
        yield stage("games", seconds, steps)
        if not stop():
            saved[run_name] = seconds + 1.0, steps + 10
        yield stage("finished", *saved[run_name])

    monkeypatch.setattr("selfplay.interleaved.train", clustered)
    monkeypatch.setattr("selfplay.interleaved._saved", lambda store_url, name: saved[name])
    stages = train_in_turns({"a": CONFIG}, store_url="memory://x", turn_s=0.0)
    finished = [p.learner_steps for _, p in islice(stages, 60) if p.event == "finished"]
    assert finished == [10, 20, 30]


def test_a_long_turn_is_the_whole_training(tmp_path: Path) -> None:
    assert turns(tmp_path, turn_s=600.0) == ["a", "b"]


def test_the_least_trained_goes_on_after_a_stop(tmp_path: Path) -> None:
    stages = train_in_turns(CONFIGS, store_url=str(tmp_path), turn_s=600.0, stop=lambda: done)
    done = False
    for run, _ in stages:
        done = run == "b"  # a is finished, b has only begun
    assert games(tmp_path, "a") >= 150
    resumed = train_in_turns(CONFIGS, store_url=str(tmp_path), turn_s=600.0)
    assert [run for run, _ in groupby(run for run, _ in resumed)] == ["b", "a"]
    assert games(tmp_path, "b") >= 150


def test_nobody_begins_after_a_stop(tmp_path: Path) -> None:
    assert turns(tmp_path, stop=lambda: True) == []
    assert not list(tmp_path.iterdir())


def test_a_training_without_end_has_no_turn() -> None:
    with pytest.raises(ValueError, match="run 'a': expected a budget in minutes, games or rows"):
        list(train_in_turns({"a": replace(CONFIG, games=0)}, store_url="memory://x", turn_s=1.0))
