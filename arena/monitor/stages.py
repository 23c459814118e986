"""Watching a training: its stages go by, to whoever shows, measures or writes them down."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from types import FrameType
from typing import Any, Protocol

from agents.progress import Progress
from arena.monitor.solver_errors import Truth


class Watcher(Protocol):
    """Something that is told of every stage."""

    def show(self, progress: Progress, truth: Truth) -> None:
        """Take note of a stage and of the latest measurements."""


# A measurement, if one is due, of the network that plays.
Measure = Callable[[Progress], Truth]


def watch(stages: Iterable[Progress], measure: Measure, watchers: Sequence[Watcher]) -> Progress:
    """Let a training go on to its end, telling the watchers; returns its last stage."""
    last = None
    for last in stages:
        truth = measure(last)
        for watcher in watchers:
            watcher.show(last, truth)
    if last is None:
        raise RuntimeError("the training ended before it began")
    return last


class StopSignal:
    """Ctrl-C and SIGTERM: the first asks for a clean end, the second ends the process at once."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __call__(self) -> bool:
        """Whether somebody asked to stop."""
        return self.received is not None

    def __enter__(self) -> StopSignal:
        for number in self.SIGNALS:
            self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            if sys.stdout.isatty():
                sys.stdout.write("\x1b[?25h\n")  # the panel hid the cursor
                sys.stdout.flush()
            os._exit(128 + number)
        self.received = number
        self.say("stopping: writing a checkpoint (once more to stop at once, without one)")
