"""A training is deterministic, resumable bit for bit, and loses nothing that it reported."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.alphazero.algorithm import AlphaZero
from agents.alphazero.config import AlphaZeroConfig, LearnerConfig, NetworkConfig, SelfPlayConfig
from agents.alphazero.episodes import SCHEMA
from agents.running.budget import Budget
from envs.registry import find_game
from mcts.config import SearchConfig
from selfplay import loop
from selfplay.loop import train
from store import checkpoints
from store.errors import RunLockedError, RunMismatchError
from store.replay.log import ReplayLog
from store.run import list_runs, open_run

CONFIG = AlphaZeroConfig(
    game="tic_tac_toe",
    minutes=0,
    games=120,
    publish_rows=64,
    checkpoint_rows=64,
    device="cpu",
    search=SearchConfig(simulations=16, lookahead=1, cache_size=256),
    network=NetworkConfig(1, 8, 4, 8, precision="float32"),
    learner=LearnerConfig(batch_size=32, window_rows=2000, window_start_rows=500),
    selfplay=SelfPlayConfig(games=8, fast_simulations=6, opening_plies=3, resign_value=-0.9),
)


def _finish(store, name="run", config=CONFIG, **kwargs):
    return list(train(config, store_url=str(store), run_name=name, **kwargs))


def _weights(store, name="run"):
    return checkpoints.latest_valid(open_run(store, name)).files[checkpoints.MODEL_FILE]


def _episodes(store, name="run"):
    return ReplayLog(open_run(store, name), SCHEMA).poll()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A store with a finished run, and what was last reported of it."""
    store = tmp_path_factory.mktemp("whole")
    return store, _finish(store)[-1]


def test_the_clock_decides_nothing_where_games_end_a_training(tmp_path):
    """Whose checkpoints would come after every round by the clock, or never."""
    for name, minutes in (("often", 1e-9), ("never", 1e9)):
        config = replace(CONFIG, games=60, checkpoint_rows=0, checkpoint_minutes=minutes)
        _finish(tmp_path, name, config)
    assert _weights(tmp_path, "often") == _weights(tmp_path, "never")


def test_no_run_begins_on_a_card_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device 'cuda': no CUDA device is available"):
        _finish(tmp_path, config=replace(CONFIG, device="cuda"))
    assert list_runs(tmp_path) == []


def test_two_runs_of_one_seed_are_the_same_and_another_seed_is_not(whole, tmp_path):
    store, final = whole
    assert final.event == "finished"
    assert final.games >= CONFIG.games
    assert final.learner_steps > 0
    assert np.isfinite([final.metrics[name] for name in ("policy_loss", "value_loss")]).all()
    _finish(tmp_path, "b")
    _finish(tmp_path, "c", replace(CONFIG, seed=1))
    assert _weights(store) == _weights(tmp_path, "b") != _weights(tmp_path, "c")


def test_every_reported_game_is_stored_once_and_legal(whole):
    store, final = whole
    game = find_game(CONFIG.game)
    uuids = set()
    for batch in _episodes(store):
        for i in range(len(batch)):
            episode = batch.episode(i)
            uuids.add(episode.uuid)
            state = game.new_state()
            for move in episode.arrays["move"]:
                assert game.legal_mask(state)[move]
                game.rules.step(state, move)
    assert len(uuids) == final.games


CHILD = textwrap.dedent(
    """
    import os, signal, sys
    sys.path.insert(0, {root!r}); sys.path.insert(0, {here!r})
    import test_loop
    from selfplay.loop import train
    count = 0
    for progress in train(test_loop.CONFIG, store_url={store!r}, run_name="run"):
        count += 1
        if count == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
    """
)


def _run_until_killed(store, reports):
    root = Path(__file__).resolve().parents[2]
    code = CHILD.format(root=str(root), here=str(Path(__file__).parent), store=str(store))
    child = subprocess.run([sys.executable, "-c", code, str(reports)], env=os.environ, check=False)
    return child.returncode


@pytest.mark.slow
def test_a_killed_training_resumes_bit_for_bit(tmp_path):
    _finish(tmp_path / "whole")
    assert _run_until_killed(tmp_path / "cut", 9) == -signal.SIGKILL
    assert _run_until_killed(tmp_path / "cut", 7) == -signal.SIGKILL
    _finish(tmp_path / "cut")
    assert _weights(tmp_path / "cut") == _weights(tmp_path / "whole")
    whole, cut = (
        np.concatenate([b.uuids for b in _episodes(tmp_path / name)]) for name in ("whole", "cut")
    )
    np.testing.assert_array_equal(whole, cut)


def test_stopping_checkpoints_and_the_same_command_goes_on(tmp_path):
    seen = 0

    def stop():
        return seen > 3

    for progress in train(CONFIG, store_url=str(tmp_path), run_name="run", stop=stop):
        seen += 1
        last = progress
    assert last.event == "finished"
    assert 0 < last.games < CONFIG.games
    before = sum(len(batch) for batch in _episodes(tmp_path))
    assert before == last.games
    final = _finish(tmp_path)[-1]
    assert final.games >= CONFIG.games
    assert final.learner_steps > last.learner_steps
    assert sum(len(batch) for batch in _episodes(tmp_path)) == final.games


def test_a_closed_generator_saves_what_was_played(tmp_path):
    training = train(CONFIG, store_url=str(tmp_path), run_name="run")
    games = 0
    for progress in training:
        games = progress.games
        if progress.event == "published":
            break
    training.close()
    assert sum(len(batch) for batch in _episodes(tmp_path)) == games > 0
    assert checkpoints.latest(open_run(tmp_path, "run")) is not None


def test_a_second_trainer_on_the_run_is_refused(tmp_path):
    training = train(CONFIG, store_url=str(tmp_path), run_name="run")
    next(training)
    with pytest.raises(RunLockedError, match=str(os.getpid())):
        next(train(CONFIG, store_url=str(tmp_path), run_name="run"))
    training.close()


def test_a_run_keeps_its_settings_but_may_be_extended(whole, tmp_path):
    shutil.copytree(whole[0], tmp_path, dirs_exist_ok=True)
    with pytest.raises(RunMismatchError, match=r"network.filters is 8, not 16"):
        _finish(tmp_path, config=replace(CONFIG, network=replace(CONFIG.network, filters=16)))
    longer = _finish(tmp_path, config=replace(CONFIG, games=160))[-1]
    assert longer.games >= 160
    again = _finish(tmp_path, config=replace(CONFIG, games=160))
    assert [p.event for p in again] == ["started", "finished"]


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(loop, "Budget", partial(Budget, clock=made))
    return made


TIMED = replace(CONFIG, minutes=1.0, games=0)


def test_the_budget_does_not_run_while_kernels_compile(tmp_path, clock, monkeypatch):
    compiled = []

    def slowly(self, config, *, acting, learning):
        compiled.append((config.game, acting, learning))
        clock.now += 1000.0

    monkeypatch.setattr(AlphaZero, "warm_up", slowly)
    seen = []
    training = train(TIMED, store_url=str(tmp_path), run_name="run")
    for progress in training:
        seen.append((progress.event, progress.elapsed_s))
        if progress.event == "published":
            break
    assert compiled == [("tic_tac_toe", True, True)]
    assert seen[:2] == [("compiling", 0.0), ("started", 0.0)]
    assert seen[-1] == ("published", 0.0)
    training.close()
    saved = checkpoints.latest_valid(open_run(tmp_path, "run"))
    assert saved.metadata["elapsed_s"] == 0.0


def test_a_session_with_some_budget_left_learns_something_however_slow_the_machine(tmp_path, clock):
    steps, elapsed = 0, 0.0
    for _ in range(2):
        config = replace(TIMED, minutes=elapsed / 60.0 + 0.1)
        for progress in train(config, store_url=str(tmp_path), run_name="run"):
            clock.now += 59.0  # more than is left, at every stage
            last = progress
        assert last.event == "finished"
        assert last.learner_steps > steps
        steps, elapsed = last.learner_steps, last.elapsed_s
        assert elapsed > 60.0 * config.minutes
    again = list(train(config, store_url=str(tmp_path), run_name="run"))
    assert [progress.event for progress in again] == ["started", "finished"]  # nothing is compiled
    assert again[-1].learner_steps == steps


def test_a_round_longer_than_the_minutes_ends_with_the_rows_that_there_are(tmp_path):
    config = replace(CONFIG, games=0, rows=0, minutes=0.02, publish_rows=10**6)
    *_, last = train(config, store_url=str(tmp_path), run_name="run")
    assert last.event == "finished"
    assert last.learner_steps > 0
    assert 0 < last.positions < config.publish_rows
