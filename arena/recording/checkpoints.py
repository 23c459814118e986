"""Choose the checkpoints of a run for a strip: those kept at minutes of training, the newest."""

from __future__ import annotations

from typing import NamedTuple

from store import checkpoints
from store.errors import StoreError
from store.run import Run
from store.upkeep.keeps import kept_names
from store.upkeep.minutes import at_minutes

MOST = 3  # checkpoints of a run without named ones


class Shown(NamedTuple):
    """A checkpoint of a strip: its step, and its title such as "after 10 minutes"."""

    step: int
    title: str


def shown_checkpoints(run: Run) -> list[Shown]:
    """Return the checkpoints that were kept at minutes of training, in order, then the newest.

    Without kept ones, the first, the newest and the one between are chosen, of those that are left.
    Raises StoreError for a run without checkpoints.
    """
    left = set(checkpoints.steps(run))
    kept = {at: step for at, step in at_minutes(kept_names(run.files)).items() if step in left}
    if kept:
        shown = [Shown(step, f"after {at:g} minutes") for at, step in kept.items()]
        newest = Shown(max(left), _title(run, max(left)))
        is_shown = newest.step == shown[-1].step or newest.title == shown[-1].title
        return shown if is_shown else [*shown, newest]
    if not left:
        raise StoreError(f"run {run.name!r} has no checkpoint yet")
    rising = sorted(left)
    places = sorted({0, len(rising) // 2, len(rising) - 1})[-MOST:]
    return [Shown(rising[place], _title(run, rising[place])) for place in places]


def _title(run: Run, step: int) -> str:
    """Return how long a checkpoint was trained, or its step where that is not known."""
    elapsed_s = checkpoints.read_metadata(run, step).get("elapsed_s")
    if elapsed_s is None:
        return f"step {step:,}"
    minutes = float(elapsed_s) / 60.0
    return f"after {minutes:.0f} minutes" if minutes >= 1 else f"after {minutes:.1f} minutes"
