"""A training's course as its journal in the store tells it, from the first session to the newest.

A session that was killed goes on from its last checkpoint: what it had reached beyond that is
gone, and is left out here too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, cast

from agents.progress import Progress
from arena.monitor.solver_errors import SolverErrors as Truth
from store import checkpoints
from store.errors import StoreError
from store.progress.log import ProgressReader, Record, Session
from store.run import Run

NOT_RECORDED: dict[str, Any] = {"evaluator": None, "notices": ()}
NAN_WHERE_NONE = ("policy_loss", "value_loss")


class NoHistoryError(StoreError):
    """A run has no journal: it was not trained yet, or by a version that wrote none."""


@dataclass(frozen=True)
class Moment:
    """A stage of a training, when it was, and what was known of the network that played.

    `progress.evaluator` is None: a journal holds figures, and the network is in the checkpoints.
    """

    time: float  # seconds since 1970, by the clock of the machine that trained
    progress: Progress
    truth: Truth


@dataclass
class Course:
    """A training so far: its moments, and the facts of each session's machine."""

    moments: list[Moment] = field(default_factory=list)
    sessions: list[Mapping[str, Any]] = field(default_factory=list)


class History:
    """Follows the journal of a run; writes nothing, and works from any machine."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._reader = ProgressReader(run.files)
        self._course = Course()

    def course(self) -> Course:
        """The course as it stands now.

        Raises:
            NoHistoryError: the run has no journal; the error says what it has.
        """
        if self._reader.poll():
            sessions = [s for s in self._reader.sessions if s.by_number]
            moments = continued([moments_of(s) for s in sessions])
            self._course = Course(moments, [s.about for s in sessions])
        if not self._course.moments:
            raise _no_history(self.run)
        return self._course


def moments_of(session: Session) -> list[Moment]:
    """The moments of a session; a record that is none is left out."""
    found = []
    for record in session.records:
        try:
            found.append(to_moment(record))
        except (TypeError, ValueError, KeyError, AttributeError):
            continue
    return found


def to_moment(record: Record) -> Moment:
    """The moment that a record of `selfplay.journal` tells of; raises KeyError for what is none.

    What this version does not know is left out, and what it lacks has its default.
    """
    given: dict[str, Any] = {**record, **NOT_RECORDED, "notices": tuple(record["notices"])}
    for name in NAN_WHERE_NONE:
        given[name] = math.nan if given[name] is None else given[name]
    progress = cast(Progress, _built(Progress, given))
    return Moment(float(record["time"]), progress, cast(Truth, _built(Truth, record["truth"])))


def _built(kind: type, given: Mapping[str, Any]) -> Any:
    return kind(**{f.name: given[f.name] for f in fields(kind) if f.name in given})


def continued(sessions: Sequence[Sequence[Moment]]) -> list[Moment]:
    """The moments of all sessions that led to the newest, in order."""
    kept: list[Moment] = []
    for number, moments in enumerate(sessions):
        # On a cluster a session learns what was before it only when its learner answers.
        known = [m for m in moments if not number or m.progress.games or m.progress.learner_steps]
        if known:
            begun = known[0].progress.elapsed_s
            kept = [moment for moment in kept if moment.progress.elapsed_s < begun] + known
    return kept


def _no_history(run: Run) -> NoHistoryError:
    steps = checkpoints.steps(run)
    has = f"the newest of its {len(steps):,} is of step {steps[-1]:,}" if steps else "it has none"
    return NoHistoryError(
        f"run {run.name!r} in {run.files.url!r} has no journal of its training, which "
        f"`ludens train` writes from the first stage on; of checkpoints, {has}"
    )
