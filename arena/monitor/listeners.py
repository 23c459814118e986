"""Pass the stages of a training run to the listeners that show or record them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from agents.progress import Progress


class Listener(Protocol):
    """An object that shows or records every stage."""

    def show(self, progress: Progress, /) -> None:
        """Show or record a stage with its latest measurements."""


# Measures the policy that acts, if that is due; the stage with the latest measurements.
Measure = Callable[[Progress], Progress]


def tell_listeners(
    stages: Iterable[Progress], measure: Measure, listeners: Sequence[Listener]
) -> Progress:
    """Train to the end, passing each stage to the listeners; return the last stage.

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
