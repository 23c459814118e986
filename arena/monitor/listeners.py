"""The stages of a training run, passed on to whatever shows them or writes them down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from agents.progress import Progress


class Listener(Protocol):
    """Something that shows every stage, or writes it down."""

    def show(self, progress: Progress, /) -> None:
        """Take note of a stage and of its latest measurements."""


# Measures the policy that acts, if that is due; the stage with the latest measurements.
Measure = Callable[[Progress], Progress]


def tell_listeners(
    stages: Iterable[Progress], measure: Measure, listeners: Sequence[Listener]
) -> Progress:
    """Run a training to its end, telling the listeners each stage; the last stage.

    Raises RuntimeError where there is no stage at all.
    """
    last = None
    for stage in stages:
        last = measure(stage)
        for listener in listeners:
            listener.show(last)
    if last is None:
        raise RuntimeError("the training ended before its first stage")
    return last
