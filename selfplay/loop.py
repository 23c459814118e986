"""The training loop: an actor and a learner that communicate through the store.

    actor plays -> segments -> learner samples and trains -> weights -> actor

`train` is a generator of `Progress`; panels, logs and solver checks consume it, and the loop is
independent of them. Everything needed to continue is in the newest checkpoint and the segments
before it. With a budget in games or rows and checkpoints by rows, a killed run is reproduced bit
for bit from its newest checkpoint; but an algorithm that writes through keeps what was sealed since
(`selfplay.writing_through`), and begins new games. A requested stop adds a checkpoint, and running
searches restart there: the run is equally good afterwards, but plays other games.

With `overlap` a round is played in a thread beside the training on the rounds before it. The two
meet between rounds, where rows and weights change hands, so it is as deterministic.
"""

from __future__ import annotations

import math
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from importlib import metadata
from typing import Any

import torch

from agents.progress import Elapsed, Event, Progress
from agents.registry import algorithm_of, method_of
from agents.running.budget import Budget, start_notice
from agents.running.compiling import one_at_a_time
from agents.running.episode_log import fresh_number, writer_name
from agents.running.reporting import Reports
from agents.running.run_game import source_of
from agents.self_driven import SelfDriven
from agents.torch_device import choose_device
from agents.training import TrainConfig
from selfplay.committing import CommittingActor
from selfplay.driving import drive
from selfplay.own_game import check_same_game, game_of, stored_settings
from selfplay.resuming import check_resumable, extension_notice
from selfplay.trainer import Trainer
from selfplay.writing_through import WritingThrough
from store.run import Run, resume_or_create_run

ACTOR_FILE = "actor.safetensors"
REPORT_SECONDS = 0.5  # between two reports of games in progress


def versions() -> dict[str, str]:
    """Return the versions of packages that affect results."""
    names = ("ludens", "numpy", "numba", "torch", "pyarrow")
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # run from a checkout that is not installed
            found[name] = "not installed"
    return found


class ActingThread:
    """Acts in a thread of its own, beside what its caller does meanwhile.

    Args:
        threads: that networks compute with in it.
    """

    def __init__(self, threads: int) -> None:
        self._is_closed = threading.Event()
        self._thread = ThreadPoolExecutor(1, "act", torch.set_num_threads, (threads,))
        # starts it: one that Ctrl-C hits while it is being started is not waited for by `close`
        self._thread.submit(_nothing).result()

    def act(
        self,
        play: Callable[[Callable[[], bool]], bool],
        interrupted: Callable[[], bool],
        meanwhile: Callable[[], None],
    ) -> bool:
        """Call `play` there and `meanwhile` here; return what `play` returns when both have ended.

        `play` is passed a function that says when to pause: if interrupted, or when `meanwhile` has
        ended and it is time for a report. Raises what either raises, after both have ended.
        """
        report_due = _until(time.monotonic() + REPORT_SECONDS, lambda: False)
        has_ended = threading.Event()

        def pause() -> bool:
            is_due = has_ended.is_set() and report_due()
            return is_due or self._is_closed.is_set() or interrupted()

        playing = self._thread.submit(play, pause)
        try:
            meanwhile()
        finally:
            has_ended.set()
            wait([playing])
        return playing.result()

    def close(self) -> None:
        """Let `play` pause, wait for that, and end the thread."""
        self._is_closed.set()
        self._thread.shutdown()


class Training:
    """A run in one process: its parts, the clock, and the contents of a checkpoint."""

    def __init__(self, run: Run, config: TrainConfig) -> None:
        self.config = config
        self.algorithm = algorithm_of(config)
        self.acting: ActingThread | None = None
        threads = self.algorithm.acting_threads(config)
        if config.overlap:  # more threads than cores would wait for each other
            self.acting = ActingThread(max(1, threads // 2))
            threads = max(1, threads - threads // 2)
        torch.set_num_threads(threads)
        self.budget = Budget(config)
        self.reports = Reports(self.algorithm, config, self.budget)
        self.between_stages = True  # memory is consistent and can be saved
        self.trainer = Trainer(run, config)
        saved = self.trainer.saved
        self.budget.elapsed_before = saved.get("elapsed_s", 0.0)
        self.counted_before: dict[str, float] = saved.get("counters", {})
        self.writes_through = self.algorithm.writes_through(config)
        self.steps_before = self.trainer.learner.steps
        if self.writes_through:  # what was sealed since the checkpoint is not made again
            self.trainer.find()
            self.counted_before = {**self.trainer.counters_on()}
        self.writing = self._actor(run, saved)
        self.actor = self.writing.actor
        if not self.writes_through:
            # What the actor committed after the learner had read, before this session.
            self.trainer.find(until=self.writing.writer.cursor)
        self.notices = (
            *extension_notice(config, run.info.config, saved),
            *start_notice(config.rows, self.algorithm.start_rows(config)),
        )
        self.publish()

    def _actor(self, run: Run, saved: dict[str, Any]) -> CommittingActor | WritingThrough:
        """Create the actor, with the running games of the checkpoint if it has any."""
        actor: CommittingActor | WritingThrough
        is_resumed = "actor" in saved
        # Of a run on a cluster, or killed before its first checkpoint: actor 0 must not repeat its
        # earlier games. Without writing through it may: they are made again as they were.
        has_begun = bool(saved) or self.trainer.rows_read > 0
        number = fresh_number() if has_begun and not is_resumed else 0
        if self.writes_through:
            # A run imported under another name has none of this writer's segments: as actor 0 it
            # would name its streams as its first session did.
            cursor = self.trainer.checkpoint.metadata["cursor"] if self.trainer.checkpoint else {}
            if is_resumed and writer_name(run.name, self.config.seed, 0) not in cursor:
                number = fresh_number()
            actor = WritingThrough(run, self.config, number=number)
        else:
            next_seq = saved["actor"]["next_seq"] if is_resumed else None if number else 0
            actor = CommittingActor(run, self.config, number=number, next_seq=next_seq)
        if is_resumed and self.trainer.checkpoint:
            actor.load_state(self.trainer.checkpoint.files[ACTOR_FILE], saved["actor"])
        return actor

    def has_learned(self) -> bool:
        """Return whether this session has made a training step."""
        return self.trainer.learner.steps > self.steps_before

    def totals(self) -> dict[str, float]:
        """Return the counters over all sessions."""
        before, session = self.counted_before, self.actor.counters()
        return {name: before.get(name, 0) + session.get(name, 0) for name in {**before, **session}}

    def play(self, interrupted: Callable[[], bool]) -> Iterator[Progress]:
        """Play until there are enough rows for the next network, then commit them.

        Yields a report every half second meanwhile, with nothing under way. With `overlap` the
        learner trains beside the first part of it.
        """
        self.actor.begin_round(self._rows_of_round(), self._elapsed())
        meanwhile: Callable[[], None] = partial(self.learn, self.totals())
        enough = max(self.totals()["rows"], self.algorithm.start_rows(self.config))

        def is_over() -> bool:  # a round of a slow game may be longer than all of the minutes
            is_late = self.budget.time_is_up()
            return interrupted() or (is_late and self.totals()["rows"] > enough)

        reached = False
        while not (reached or is_over()):
            with self.in_stage():
                reached = self._act(is_over, meanwhile)
            meanwhile = _nothing
            self.reports.note(self.actor.counters())
            yield self.report("games")
        with self.in_stage():
            self._hand_over()

    def _act(self, interrupted: Callable[[], bool], meanwhile: Callable[[], None]) -> bool:
        """Play until a report is due; return whether the round is over. `meanwhile`: see `play`."""
        if self.acting is not None:
            return self.acting.act(self.actor.play, interrupted, meanwhile)
        return self.actor.play(_until(time.monotonic() + REPORT_SECONDS, interrupted))

    def _hand_over(self) -> None:
        """Commit the round and name it to the learner, or pass it on as it is."""
        if isinstance(self.writing, CommittingActor):
            self.trainer.announce(self.writing.commit())
            return
        if (batch := self.writing.take()) is not None:
            self.trainer.add([batch])
        self._note_sealed(all_of_it=False)

    def _note_sealed(self, *, all_of_it: bool) -> None:
        """Record the segments that were sealed; with `all_of_it` seal the rest first."""
        if isinstance(self.writing, WritingThrough):
            for key, batch in self.writing.sealed(all_of_it=all_of_it):
                self.trainer.mark_sealed(key, batch)

    def _elapsed(self) -> Elapsed:
        totals = self.totals()
        return Elapsed(self.budget.share(totals), int(totals["rows"]))

    def _rows_of_round(self) -> int:
        """Return the training rows to play: to the next network, or to the end of the budget.

        A budget in games ends with a round, never within one: the progress of each thread at the
        end of the last game varies, and a run must always end the same.
        """
        totals, left = self.totals(), [self.config.publish_rows]
        if self.config.games:
            rows_per_game = totals["rows"] / totals["games"] if totals["games"] else 1.0
            left.append(math.ceil((self.config.games - totals["games"]) * rows_per_game))
        if self.config.rows:
            left.append(self.config.rows - int(totals["rows"]))
        return max(1, min(left))

    def learn(self, totals: Mapping[str, float]) -> None:
        """Read the new games from the store and train as much as the rate limit admits.

        `totals` are the counters by now: with `overlap` more is being played.
        """
        self.trainer.read()
        self.trainer.learn(self.budget.share(totals), is_last=self.budget.is_used(totals))

    def publish(self) -> None:
        """Pass the learner's weights to the actor."""
        self.trainer.publish_to(self.actor)

    def save_checkpoint(self) -> None:
        """Save everything needed to continue; the actor restarts what a resumed one would restart.

        A checkpoint is named by the learner's step: without a training step since the last one,
        that is kept, and games played since are recognised by their id when they are played again.
        """
        if self.trainer.is_saved():
            return
        self.trainer.read()  # with `overlap`, the round that was played last
        self._note_sealed(all_of_it=True)
        actor_bytes, actor_rest = self.writing.state()
        self.trainer.save(
            {ACTOR_FILE: actor_bytes},
            {"actor": actor_rest, **self.budget.metadata(self.totals())},
        )
        self.actor.on_checkpoint()

    @contextmanager
    def in_stage(self) -> Iterator[None]:
        """Mark memory as unfit for a checkpoint if the enclosed stage is interrupted."""
        self.between_stages = False
        yield
        self.between_stages = True

    def close(self) -> None:
        """Save what can be saved and release the threads.

        After an interrupted stage the last checkpoint is kept; nothing in the store is lost.
        """
        try:
            if self.between_stages:
                self._seal_the_rest()
                self.save_checkpoint()
        finally:
            if self.acting is not None:
                self.acting.close()
            self.writing.close()

    def _seal_the_rest(self) -> None:
        if isinstance(self.writing, CommittingActor):
            self.writing.commit()
        else:
            self._hand_over()
            self._note_sealed(all_of_it=True)

    def report(self, event: Event) -> Progress:
        """Return the state of the run; each notice is returned once."""
        notices, self.notices = self.notices, ()
        return self.reports.report(
            event,
            policy=self.actor.policy,
            totals=self.totals(),
            made=self.actor.counters(),
            learned=self.trainer.learned,
            steps=self.trainer.learner.steps,
            version=self.trainer.version,
            notices=notices,
        )


def train(
    config: TrainConfig,
    *,
    store_url: str,
    run_name: str,
    stop: Callable[[], bool] = lambda: False,
    changed_game: bool = False,
) -> Iterator[Progress]:
    """Train or continue until the budget is used, `stop` returns True, or the generator closes.

    A checkpoint is always written last. Yields a Progress after every stage of the loop.
    Raises the store's errors: a run of another game, a second trainer on the run, a full disk.
    A user's game whose file has changed since the run began is another game unless `changed_game`
    says that the rules are the same.
    """
    run = _opened(config, store_url, run_name, changed_game=changed_game)
    method = method_of(config)
    if isinstance(method, SelfDriven):
        yield from drive(method, run, config, store_url, stop)
    elif config.workers:
        from selfplay.cluster.driver import train_on_cluster  # Ray takes a second to import

        yield from train_on_cluster(run, config, store_url, stop)
    else:
        yield from _train_here(run, config, stop)


def _opened(config: TrainConfig, store_url: str, run_name: str, *, changed_game: bool) -> Run:
    """Open or create the run of these settings, which must be those that it began with."""
    game = game_of(config)
    if not config.workers:  # whose learner may be on another machine
        choose_device(config.device)  # before there is a run that could not train
    run = resume_or_create_run(
        store_url,
        run_name,
        algorithm=config.algorithm,
        game=game.name,
        game_source=source_of(game),
        config=stored_settings(config, game),
        seed=config.seed,
        versions=versions(),
    )
    check_same_game(run, game, may_have_changed=changed_game)
    check_resumable(run, config)
    return run


def _train_here(run: Run, config: TrainConfig, stop: Callable[[], bool]) -> Iterator[Progress]:
    """Train an actor and a learner in this process, as the run's only trainer."""
    with run.lock_trainer():
        training = Training(run, config)
        try:
            if not training.budget.is_used(training.totals()):
                yield training.report("compiling")
                with one_at_a_time():
                    training.algorithm.warm_up(config, acting=True, learning=True)
                training.budget.start()
            yield training.report("started")
            yield from _rounds(training, stop)
        finally:
            training.close()
        yield training.report("finished")


def _until(deadline: float, interrupted: Callable[[], bool]) -> Callable[[], bool]:
    return lambda: interrupted() or time.monotonic() > deadline


def _nothing() -> None:
    """Do nothing."""


def _rounds(training: Training, stop: Callable[[], bool]) -> Iterator[Progress]:
    """Play and train in turn, or both at once, until the budget is used or `stop` returns True.

    A session that begins with budget left makes a training step before time can end it; once the
    time is up, it makes one on the first rows that there are.
    """
    budget = training.budget
    if not budget.runs:  # it was used up before this session
        return

    def interrupted() -> bool:
        return stop() or (training.has_learned() and budget.time_is_up())

    while not (interrupted() or budget.counts_are_up(training.totals())):
        yield from training.play(interrupted)
        if training.acting is None:
            with training.in_stage():
                training.learn(training.totals())
        yield from _published(training)
        if training.trainer.checkpoint_due(budget.elapsed()):
            training.save_checkpoint()
            yield training.report("checkpoint")
    if training.acting is not None:  # the rows of the last round
        with training.in_stage():
            training.learn(training.totals())
        yield from _published(training)


def _published(training: Training) -> Iterator[Progress]:
    """Report what was learned, and act by it from now on."""
    yield training.report("learned")
    with training.in_stage():
        training.publish()
    yield training.report("published")
