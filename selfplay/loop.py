"""The training loop: an actor and a learner that meet through the store.

    actor plays -> segments -> learner samples and trains -> weights -> actor

`train` is a generator of `Progress`; panels, logs and solver checks consume it and the loop knows
none of them. Everything needed to continue is in the newest checkpoint and the segments before it:
a run resumed with a budget in games goes on exactly as if it had never stopped.
"""

from __future__ import annotations

import math
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib import metadata
from typing import Any

import torch

from agents.alphazero.episodes import SCHEMA
from agents.alphazero.learner import Learner, Losses
from agents.inference import dump_state, dump_trainer, load_trainer
from agents.progress import Event, Progress
from envs.registry import find_game
from selfplay.actor import Actor
from selfplay.config import TrainConfig
from store import checkpoints
from store.errors import RunMismatchError
from store.replay import ReplayLog
from store.run import Run, config_differences, resume_or_create_run

TRAINER_FILE, ACTOR_FILE = "trainer.pt", "actor.safetensors"
REPORT_SECONDS = 0.5  # between two reports of games in progress
CHANGEABLE = frozenset({"minutes", "games", "device", "checkpoint_minutes"})  # when resuming


def versions() -> dict[str, str]:
    """Versions of what makes the numbers."""
    names = ("ludens", "numpy", "numba", "torch", "pyarrow")
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # run from a checkout that is not installed
            found[name] = "not installed"
    return found


class Training:
    """One training in progress: the parts, the clock, and what a checkpoint holds."""

    def __init__(self, run: Run, config: TrainConfig) -> None:
        self.run = run
        self.config = config
        self.started = time.monotonic()
        self.elapsed_before = 0.0  # seconds of earlier sessions
        self.first_game_s: float | None = None
        self.losses = Losses(float("nan"), float("nan"))
        self.counted_before: dict[str, int] = {}
        self.session_counters: dict[str, int] = {}
        self.play_seconds = 0.0
        self.version = 0
        self.saved_step = -1
        self.between_stages = True  # what is in memory can be saved
        game = find_game(config.game)
        self.learner = Learner(
            game, config.network, config.learner, seed=config.seed, device=config.device
        )
        self.log = ReplayLog(run, SCHEMA)
        checkpoint = checkpoints.latest_valid(run)
        saved = checkpoint.metadata if checkpoint else {}
        self.actor = Actor(run, config, next_seq=saved.get("actor", {}).get("next_seq", 0))
        if checkpoint:
            self._restore(checkpoint)
        self.last_checkpoint = time.monotonic()
        self.rows_at_checkpoint = self.learner.ring.total_added
        self.games_before = self.actor.games_finished()
        self.publish()

    def _restore(self, checkpoint: checkpoints.Checkpoint) -> None:
        """Continue from a checkpoint: weights, window, running games, counters."""
        trainer = load_trainer(checkpoint.files[TRAINER_FILE])
        saved = checkpoint.metadata
        newest = self.log.load_newest(
            self.config.learner.window_rows, of="row_ply", until=saved["cursor"]
        )
        self.learner.load_window(newest, trainer["rows_added"])
        self.learner.load_state_dict(trainer)
        self.actor.load_state(checkpoint.files[ACTOR_FILE], saved["actor"])
        self.saved_step = checkpoint.step
        self.elapsed_before = saved["elapsed_s"]
        self.counted_before = saved["counters"]

    def elapsed(self) -> float:
        """Seconds of training over all sessions."""
        return self.elapsed_before + time.monotonic() - self.started

    def progress_share(self) -> float:
        """How much of the budget is used, 0 to 1; by games where there is no time limit."""
        if self.config.minutes > 0:
            return min(self.elapsed() / (60.0 * self.config.minutes), 1.0)
        if self.config.games > 0:
            return min(self.totals()["games"] / self.config.games, 1.0)
        return 0.0

    def totals(self) -> dict[str, int]:
        """Counters over all sessions; the games' own totals are restored with them."""
        now = self.actor.counters()
        kept = ("games", "rows", "plies")
        return {
            name: count + (0 if name in kept else self.counted_before.get(name, 0))
            for name, count in now.items()
        }

    def play(self, interrupted: Callable[[], bool]) -> Iterator[Progress]:
        """Let the actor play until there are enough rows for the next network, then commit them.

        Reports every half second on the way.
        """
        self.actor.begin_round(self._rows_of_round())
        reached = False
        while not (reached or interrupted()):
            with self.in_stage():
                begun = time.monotonic()
                reached = self.actor.play(_until(begun + REPORT_SECONDS, interrupted))
                self.play_seconds += time.monotonic() - begun
            if self.first_game_s is None and self.actor.games_finished() > self.games_before:
                self.first_game_s = time.monotonic() - self.started
            yield self.report("games")
        with self.in_stage():
            self.actor.commit()

    def _rows_of_round(self) -> int:
        """Training rows to play for: to the next network, or to the end of a budget in games.

        Such a budget ends with a round, never within one: how far each shard is at the moment when
        the last game wanted ends is a matter of threads, and a training must end the same always.
        """
        if not self.config.games:
            return self.config.publish_rows
        totals = self.totals()
        rows_per_game = totals["rows"] / totals["games"] if totals["games"] else 1.0
        left = math.ceil((self.config.games - totals["games"]) * rows_per_game)
        return max(1, min(self.config.publish_rows, left))

    def learn(self) -> None:
        """Take the new games from the store and train as much as the rate limit admits."""
        self.learner.add(self.log.poll(until=self.actor.writer.cursor))
        steps = self.learner.steps_allowed()
        if steps:
            self.losses = self.learner.train(steps, self.progress_share())

    def publish(self) -> None:
        """Hand the learner's averaged weights to the actor."""
        self.version = self.learner.steps
        self.actor.load_weights(dump_state(self.learner.published()), self.version)

    def checkpoint_due(self) -> bool:
        """Whether the configured rows or minutes since the last checkpoint are over."""
        if self.config.checkpoint_rows:
            added = self.learner.ring.total_added - self.rows_at_checkpoint
            return added >= self.config.checkpoint_rows
        return time.monotonic() - self.last_checkpoint >= 60.0 * self.config.checkpoint_minutes

    def save_checkpoint(self) -> None:
        """Commit everything needed to continue; the running searches begin anew, as on resuming.

        A checkpoint is named by the learner's step: with nothing learned since the last, it stands,
        and games played since are recognised by their identity when they are played again.
        """
        if self.learner.steps == self.saved_step:
            return
        actor_bytes, actor_rest = self.actor.state()
        checkpoints.save(
            self.run,
            self.learner.steps,
            {
                checkpoints.MODEL_FILE: dump_state(self.learner.published()),
                TRAINER_FILE: dump_trainer(_canonical(self.learner.state_dict())),
                ACTOR_FILE: actor_bytes,
            },
            {
                "actor": actor_rest,
                "cursor": self.log.cursor,
                "elapsed_s": self.elapsed(),
                "counters": self.totals(),
            },
        )
        self.saved_step = self.learner.steps
        self.actor.forget_trees()
        self.last_checkpoint = time.monotonic()
        self.rows_at_checkpoint = self.learner.ring.total_added

    @contextmanager
    def in_stage(self) -> Iterator[None]:
        """Marks memory as unfit for a checkpoint if what it encloses is broken off."""
        self.between_stages = False
        yield
        self.between_stages = True

    def close(self) -> None:
        """Save what can be saved and release the threads.

        Where a stage was broken off the last checkpoint stands; nothing in the store is lost.
        """
        try:
            if self.between_stages:
                self.actor.commit()
                self.save_checkpoint()
        finally:
            self.actor.close()

    def time_is_up(self) -> bool:
        """Whether the budget in minutes is used up."""
        return self.config.minutes > 0 and self.elapsed() >= 60.0 * self.config.minutes

    def finished(self) -> bool:
        """Whether a budget is used up."""
        return self.time_is_up() or 0 < self.config.games <= self.totals()["games"]

    def report(self, event: Event) -> Progress:
        """The training's state as its consumers see it."""
        totals = self.totals()
        session = self.actor.counters()
        seconds = max(self.play_seconds, 1e-9)
        return Progress(
            event=event,
            evaluator=self.actor.evaluator,
            elapsed_s=self.elapsed(),
            budget_s=60.0 * self.config.minutes,
            games=totals["games"],
            games_goal=self.config.games,
            positions=totals["rows"],
            moves=totals["plies"],
            simulations=totals["simulations"],
            evaluations=totals["evaluations"],
            cache_hits=totals["cache_hits"],
            proven_leaves=totals["proven_leaves"],
            proven_roots=totals["proven_roots"],
            simulations_per_s=session["simulations"] / seconds,
            evaluations_per_s=session["evaluations"] / seconds,
            learner_steps=self.learner.steps,
            policy_loss=self.losses.policy,
            value_loss=self.losses.value,
            learning_rate=self.learner.learning_rate(self.progress_share()),
            network_version=self.version,
            games_in_flight=self.config.selfplay.games,
            mean_plies=totals["plies"] / max(totals["games"], 1),
            resign_false_positive=self.actor.resign_statistics().rate(),
            first_game_s=self.first_game_s,
        )


def train(
    config: TrainConfig,
    *,
    store_url: str,
    run_name: str,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Progress]:
    """Train, or continue training, until the budget is used, `stop` answers True, or it is closed.

    In each case a checkpoint is written last. Yields a Progress after every stage of the loop.
    Raises the store's errors: a run of another game, a second trainer on the run, a full disk.
    """
    run = resume_or_create_run(
        store_url,
        run_name,
        game=config.game,
        config=asdict(config),
        seed=config.seed,
        versions=versions(),
    )
    _check_resumable(run, config)
    with run.lock_trainer():
        torch.set_num_threads(config.selfplay.shards)
        training = Training(run, config)
        try:
            yield training.report("started")
            yield from _rounds(training, stop)
        finally:
            training.close()
        yield training.report("finished")


def _check_resumable(run: Run, config: TrainConfig) -> None:
    """A run goes on with the settings that it began with; raises RunMismatchError."""
    differences = config_differences(run.info.config, asdict(config))
    changed = {name: pair for name, pair in differences.items() if name not in CHANGEABLE}
    if changed:
        listed = ", ".join(
            f"{name} is {old!r}, not {new!r}" for name, (old, new) in changed.items()
        )
        raise RunMismatchError(
            f"run {run.name!r} was begun with other settings: {listed}; leave them as they were, "
            "or choose another run name"
        )


def _canonical(state: Any) -> Any:
    """The same values, every string one object and every container one of its own.

    Pickle refers back to an object that it meets again. A new learner shares some strings and
    tuples that a resumed one holds twice, and equal states would make different bytes.
    """
    if isinstance(state, dict):
        return {_canonical(key): _canonical(value) for key, value in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(map(_canonical, state))
    return sys.intern(state) if isinstance(state, str) else state


def _until(deadline: float, interrupted: Callable[[], bool]) -> Callable[[], bool]:
    return lambda: interrupted() or time.monotonic() > deadline


def _rounds(training: Training, stop: Callable[[], bool]) -> Iterator[Progress]:
    def interrupted() -> bool:
        return stop() or training.time_is_up()

    while not (interrupted() or training.finished()):
        yield from training.play(interrupted)
        with training.in_stage():
            training.learn()
        yield training.report("learned")
        with training.in_stage():
            training.publish()
        yield training.report("published")
        if training.checkpoint_due():
            training.save_checkpoint()
            yield training.report("checkpoint")
