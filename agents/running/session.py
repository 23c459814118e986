"""One session of a self-driven run: its clock, its counters, its checkpoints and its reports.

session = Session(run, config, method)
if session.checkpoint: ...load it...
with session.saved_at_end(files):
if session.begins():
yield session.report("compiling")
...compile...
session.start()
yield session.report("started")
while session.goes_on(stop):
...an iteration...
session.note(steps, learned, games=..., rows=...)
yield session.report("learned")
if session.checkpoint_due():
session.save(files())
yield session.report("checkpoint")
yield session.report("finished")
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from agents.learning_method import LearningMethod
from agents.progress import Event, Progress
from agents.running.budget import Budget
from agents.running.episode_log import EpisodeLog
from agents.running.reporting import Reports
from agents.running.saving import Saving, checkpoint_rows
from agents.training import TrainConfig
from store.checkpoints import Checkpoint
from store.replay.episodes import EpisodeBatch, EpisodeSchema
from store.replay.log import segment_key
from store.replay.segments import Compression, SegmentName
from store.replay.window import WINDOW_FILE, SavedWindow, TakenSegment, TakenSegments
from store.run import Run

MakeFiles = Callable[[], Mapping[str, bytes]]
"""Makes the files of a checkpoint of now, of at least `store.checkpoints.MODEL_FILE`."""


class Session:
    """What a self-driven run keeps from its beginning to the end of this session.

    Args:
        run: the run, locked by the caller.
        config: its settings.
        method: its algorithm.
        clock: monotonic seconds.

    Attributes:
        checkpoint: to continue from, None in a new run; its metadata has "rest", as it was saved.
        budget: its clock runs from `start`.
        steps: of the learner, since the run began.
        policy: what acts now, for those who measure it; None by default.
    """

    def __init__(
        self,
        run: Run,
        config: TrainConfig,
        method: LearningMethod[Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run, self._config = run, config
        self._window = method.kept_replay(config)
        self._taken = TakenSegments(self._window.rows)
        self._saving = Saving(
            run,
            config,
            window=self._window,
            keep_minutes=method.keep_minutes,
            rows_between=checkpoint_rows(config),
            clock=clock,
        )
        saved = self._saving.metadata
        self.budget = Budget(config, saved.get("elapsed_s", 0.0), clock)
        self._reports = Reports(method, config, self.budget, clock)
        self._before: dict[str, float] = saved.get("counters", {})
        self._made: Counter[str] = Counter()
        self._learned: Mapping[str, float] = {}
        self._logs: list[EpisodeLog] = []
        self.policy: Any = None
        self.checkpoint: Checkpoint | None = self._saving.checkpoint
        self.steps = self._steps_before = self.checkpoint.step if self.checkpoint else 0
        if self.checkpoint:
            self._saving.continue_from(self.checkpoint, self._rows(), self._saved_window())

    @property
    def totals(self) -> dict[str, float]:
        """Return the counters over all sessions, at least "games" and "rows"."""
        names = {"games": 0, "rows": 0, **self._before, **self._made}
        return {name: self._before.get(name, 0) + self._made[name] for name in names}

    @property
    def share(self) -> float:
        """Return the used share of the budget, 0 to 1, for schedules."""
        return self.budget.share(self.totals)

    def _rows(self) -> int:
        return int(self.totals["rows"])

    def _saved_window(self) -> SavedWindow | None:
        """Return the newest segments that the checkpoint knows, and go on from them."""
        assert self.checkpoint is not None
        if WINDOW_FILE not in self.checkpoint.files:
            return None
        window = SavedWindow.from_bytes(self.checkpoint.files[WINDOW_FILE])
        for segment in window.segments:
            self._taken.add(segment)
        return window

    def _note_segment(self, writer: str, name: SegmentName, batch: EpisodeBatch) -> None:
        self._saving.upkeep.note_segment(writer, name, batch)
        self._taken.add(TakenSegment(segment_key(writer, name), batch.rows(self._window.of)))

    def open_episodes(
        self, schema: EpisodeSchema, *, number: int = 0, compression: Compression = "zstd"
    ) -> EpisodeLog:
        """Open the log of an actor's episodes, of which `kept_replay` says how much stays."""
        opened = EpisodeLog(
            self._run,
            schema,
            seed=self._config.seed,
            number=number,
            compression=compression,
            note=self._note_segment,
        )
        cursor = self.checkpoint.metadata["cursor"] if self.checkpoint else {}
        opened.note_from(min((cursor.get(writer, 0) for writer in opened.cursor), default=0))
        self._logs.append(opened)
        return opened

    def begins(self) -> bool:
        """Return whether any of the budget is left, so that there is something to compile for."""
        return not self.budget.is_used(self.totals)

    def start(self) -> None:
        """Start the clock, when all is loaded and compiled."""
        self.budget.start()

    def goes_on(self, stop: Callable[[], bool]) -> bool:
        """Return whether to train on.

        A session that begins with budget left makes a training step before time can end it. Without
        one no checkpoint would record the time that it used.
        """
        if not self.budget.runs or stop() or self.budget.counts_are_up(self.totals):
            return False
        return self.steps == self._steps_before or not self.budget.time_is_up()

    def note(self, steps: int, learned: Mapping[str, float], **made: float) -> None:
        """Note an iteration: the learner's steps by now, its results, and what was made since.

        `made` are counters to add, at least `games` and `rows`.
        """
        self.steps, self._learned = steps, learned
        self._made.update(made)
        self._reports.note(self._made)

    def report(self, event: Event, notices: tuple[str, ...] = ()) -> Progress:
        """Return the state of the run."""
        return self._reports.report(
            event,
            policy=self.policy,
            totals=self.totals,
            made=self._made,
            learned=self._learned,
            steps=self.steps,
            version=self.steps,
            notices=notices,
        )

    def checkpoint_due(self) -> bool:
        """Return whether the configured rows or minutes since the last checkpoint have passed."""
        return self._saving.is_due(self.budget.elapsed(), self._rows())

    def save(self, files: Mapping[str, bytes], rest: Mapping[str, Any] | None = None) -> None:
        """Save a checkpoint, named by the learner's step, unless there is one of this step.

        Args:
            files: see `MakeFiles`.
            rest: JSON values, kept as "rest" in its metadata.
        """
        for log in self._logs:
            log.commit()
        if self.steps == self._saving.saved_step:
            return
        cursor = dict(self.checkpoint.metadata["cursor"]) if self.checkpoint else {}
        for log in self._logs:
            cursor |= log.cursor
        metadata = {"rest": dict(rest or {}), **self.budget.metadata(self.totals)}
        window = SavedWindow(tuple(self._taken))
        self._saving.save(
            self.steps,
            files,
            metadata,
            rows=self._rows(),
            cursor=cursor,
            window=window if self._logs or window.segments else None,
        )

    @contextmanager
    def saved_at_end(
        self, files: MakeFiles, rest: Callable[[], Mapping[str, Any]] = dict
    ) -> Iterator[None]:
        """Save a last checkpoint when the enclosed code ends, or is closed while it yields.

        After any other exception the newest checkpoint is kept: an iteration was interrupted, and
        what is in memory may be half of it.
        """
        try:
            yield
        except GeneratorExit:
            self.save(files(), rest())
            raise
        self.save(files(), rest())
