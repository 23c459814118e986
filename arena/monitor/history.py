"""Read a run's timeline from its journal in the store, from the first session to the newest.

A killed session is resumed from its last checkpoint: what it had reached after that is lost, and is
left out of the timeline too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from agents.progress import Measured, Progress
from store import checkpoints
from store.errors import StoreError
from store.printable import printable
from store.progress.log import ProgressReader, Record, Session
from store.run import Run

NUMBERS = frozenset(f.name for f in fields(Progress) if f.type in ("float", "int", "float | None"))
NO_METRICS = frozenset({"time", "notices", "measured"})  # of a record, beside Progress's fields


class NoHistoryError(StoreError):
    """The run has no journal: it was not trained yet, or by a version that wrote none."""


@dataclass(frozen=True)
class Moment:
    """A stage of a training run and its time.

    `progress.policy` is None: a journal holds figures, and the weights are in the checkpoints.
    """

    time: float  # seconds since 1970, by the clock of the machine that trained
    progress: Progress


@dataclass
class Timeline:
    """The progress of a run so far: its moments, and facts about each session's machine."""

    moments: list[Moment] = field(default_factory=list)
    sessions: list[Mapping[str, Any]] = field(default_factory=list)


class History:
    """Follows the journal of a run; writes nothing, and works from any machine."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._reader = ProgressReader(run.files)
        self._timeline = Timeline()

    def timeline(self) -> Timeline:
        """Read the journal and return the timeline so far.

        Raises:
            NoHistoryError: the run has no journal; the error says what it has.
        """
        if self._reader.poll():
            sessions = [s for s in self._reader.sessions if s.by_number]
            moments = continued([moments_of(s) for s in sessions])
            self._timeline = Timeline(moments, [s.about for s in sessions])
        if not self._timeline.moments:
            raise _no_history(self.run)
        return self._timeline


def moments_of(session: Session) -> list[Moment]:
    """List the moments of a session, without records that are no moments."""
    found = []
    for record in session.records:
        try:
            found.append(to_moment(record))
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError):
            continue
    return found


def to_moment(record: Record) -> Moment:
    """Decode a record of `selfplay.journal`; raises KeyError if it is no moment.

    What is not a field of Progress is a metric. What the record lacks has its default.
    """
    names = {f.name for f in fields(Progress)}
    given = {name: value for name, value in record.items() if name in names}
    for name in NUMBERS & set(given):
        _check_number(name, given[name])
    given |= {
        "policy": None,
        "notices": tuple(printable(str(notice)) for notice in record["notices"]),
        "metrics": {
            name: value
            for name, value in record.items()
            if name not in names | NO_METRICS and isinstance(value, int | float | None)
        },
        "measured": tuple(_measured(record)),
    }
    return Moment(float(record["time"]), Progress(**given))


def _check_number(name: str, value: Any) -> None:
    """Raise ValueError for what is no number; only a time that has not come yet is None."""
    if value is None and name == "first_game_s":
        return
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} is {value!r:.80}")


def _measured(record: Record) -> Iterator[Measured]:
    """Decode the measurements of a record.

    Before they had names of their own, a record held them as {name: shares, name_at: seconds}.
    """
    if "measured" in record:
        for found in record["measured"]:
            yield _measurement(found["name"], found["at_s"], found["shares"])
        return
    for table in record.values():
        for name, shares in table.items() if isinstance(table, dict) else ():
            if isinstance(shares, dict) and shares and f"{name}_at" in table:
                yield _measurement(name, table[f"{name}_at"], shares)


def _measurement(name: Any, at_s: Any, shares: Mapping[Any, Any]) -> Measured:
    shown = {printable(str(of)): float(share) for of, share in shares.items()}
    return Measured(printable(str(name)), float(at_s), shown)


def continued(sessions: Sequence[Sequence[Moment]]) -> list[Moment]:
    """Join the moments of all sessions that led to the newest, in order."""
    kept: list[Moment] = []
    for number, moments in enumerate(sessions):
        # On a cluster a session knows the earlier progress only once its learner answers.
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
