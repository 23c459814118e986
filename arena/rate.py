"""Rating as it happens: play until it is known, tell it, go on while training goes on."""

from __future__ import annotations

import time
from collections.abc import Callable

from arena.ladder import Ladder, Position
from store.summary import summarize_run

POLL_S = 10.0  # between looks for a new checkpoint

Tell = Callable[[Position], None]


def rate(
    ladder: Ladder,
    *,
    follow: bool = False,
    progress: Tell = lambda position: None,
    settled: Tell,
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Play the ladder; False if it was interrupted (Ctrl-C), with what was known told all the same.

    Args:
        ladder: what is played.
        follow: let new checkpoints join, and go on until no run is being trained any more.
        progress: is told every position.
        settled: is told the position when nothing is left to play for now, or at the interruption.
        pause: sleeps so many seconds.
    """
    position = ladder.position()
    try:
        while True:
            for position in ladder.climb():
                progress(position)
                if follow:
                    ladder.refresh()
            settled(position)
            if not (follow and _more_comes(ladder, pause)):
                return True
    except KeyboardInterrupt:
        settled(position)
        return False


def _more_comes(ladder: Ladder, pause: Callable[[float], None]) -> bool:
    """Wait for a checkpoint; False when there is none and nobody trains, or games are used up."""
    while ladder.new_games + 2 <= ladder.settings.games:  # another pair of games
        is_training = _is_training(ladder)  # asked first: its last checkpoint may come in between
        if ladder.refresh():
            return True
        if not is_training:
            return False
        pause(POLL_S)
    return False


def _is_training(ladder: Ladder) -> bool:
    return any(summarize_run(run.files, run.name).state == "training" for run in ladder.runs)
