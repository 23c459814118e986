"""The journal of a run's progress in the store, for readers elsewhere."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from agents.progress import Progress
from store.files.opening import open_files
from store.progress.log import ProgressWriter, Record

INTERVAL_S = 10.0  # between two records, while nothing was learned
LEAST_INTERVAL_S = 2.0  # between two files; more records than that go into one
RETRY_S = 60.0  # after a failure to write
MOST_NOTICES = 20  # in a record that stands for others
OF_THEIR_OWN = frozenset({"policy", "metrics", "measured", "notices"})  # not written as they are
_logger = logging.getLogger("ludens.selfplay")


class Journal:
    """Writes a record every INTERVAL_S, after every training stage and at the end.

    It observes every stage, like other displays. A failed write is logged once and tried again
    later: a run never ends because of its journal. Its files are those of `store.progress.log`; the
    first is made at the first stage, when this process holds the run.

    Args:
        store_url, run_name: where to write.
        about: facts of the machine and the versions, JSON values.
        clock: monotonic seconds.
        now: seconds since 1970.
    """

    def __init__(
        self,
        store_url: str,
        run_name: str,
        about: Mapping[str, Any],
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        files = open_files(store_url).within(run_name)
        self._writer = ProgressWriter(files, about, stand_in, now)
        self._clock, self._now = clock, now
        self._due = self._file_due = -math.inf
        self._notices: list[str] = []
        self._last: Progress | None = None
        self._warned = False

    def show(self, progress: Progress) -> None:
        """Record a stage if the interval has passed."""
        self._notices += progress.notices
        self._last = progress
        now = self._clock()
        if progress.event in ("learned", "finished") or now >= self._due:
            self._append()
            self._due = now + INTERVAL_S
        if progress.event == "finished" or now >= self._file_due:
            self._write(self._writer.flush)

    def _append(self) -> None:
        if self._last is not None:
            self._writer.append(to_record(self._last, self._notices, self._now()))
            self._notices, self._last = [], None

    def _write(self, how: Callable[[], None]) -> None:
        try:
            how()
        except Exception as error:  # whatever a store's driver may raise
            self._file_due = self._clock() + RETRY_S
            if not self._warned:
                _logger.warning("the training's progress cannot be recorded: %s", error)
            self._warned = True
        else:
            self._file_due = self._clock() + LEAST_INTERVAL_S

    def close(self) -> None:
        """Write what is left."""
        self._append()
        self._write(self._writer.close)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def to_record(progress: Progress, notices: Sequence[str], now: float) -> Record:
    """Convert a stage to JSON values: the fields of Progress and the metrics, by name."""
    figures = {name: value for name, value in vars(progress).items() if name not in OF_THEIR_OWN}
    figures |= {
        **progress.metrics,
        "measured": [asdict(found) for found in progress.measured],
        "notices": list(notices),
    }
    return {"time": round(now, 1), **_as_json(figures)}


def stand_in(records: Sequence[Record]) -> Record:
    """Return the last of several records with the notices of all, the newest if there are many."""
    notices = [notice for record in records for notice in record["notices"]]
    left_out = len(notices) - MOST_NOTICES
    if left_out > 0:
        notices = [f"({left_out:,} notices left out)", *notices[left_out:]]
    return {**records[-1], "notices": notices}


def _as_json(value: Any) -> Any:
    """Convert NaN to None, which JSON lacks, and round to six significant digits."""
    if isinstance(value, list):
        return [_as_json(inner) for inner in value]
    if isinstance(value, Mapping):
        return {name: _as_json(inner) for name, inner in value.items()}
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
