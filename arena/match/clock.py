"""The time that each side has for a game: `10+0.1` is ten seconds, and 0.1 more after each move."""

from __future__ import annotations

import re
from typing import NamedTuple

MOST_S = 86_400.0  # of a game's main time

_CLOCK = re.compile(r"(?P<seconds>\d+(\.\d+)?)(\+(?P<increment>\d+(\.\d+)?))?", re.ASCII)


class TimeControl(NamedTuple):
    """Each side's seconds for a game, and those that it gains after each of its moves."""

    seconds: float
    increment: float = 0.0

    def __str__(self) -> str:
        return f"{self.seconds:g}+{self.increment:g}"


def parse_clock(text: str) -> TimeControl:
    """Parse `SECONDS` or `SECONDS+INCREMENT`. Raises ValueError for another text."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"clock {text!r}: expected seconds and an increment, such as 10+0.1")
    control = TimeControl(float(found["seconds"]), float(found["increment"] or 0))
    if not 0 < control.seconds <= MOST_S or control.increment > MOST_S:
        raise ValueError(f"clock {text!r}: expected seconds above 0, up to {MOST_S:,.0f}")
    return control
