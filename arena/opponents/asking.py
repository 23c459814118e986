"""What every protocol's client has: questions, answers, and options that are numbers."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol, runtime_checkable

from arena.engine.limits import Clocks
from arena.opponents.known_lines import KnownLine
from arena.opponents.process import Program, ProgramError
from envs.game import Game

ANSWER_S = 60.0  # for a move without a limit of time
LATE_S = 2.0  # that a program may overstep its clock before it is killed


class Answer(NamedTuple):
    """A program's move as it wrote it, and its value for the side to move; NaN where unknown.

    `mate` is the moves until then, below 0 for a side that is mated, and 0 where unknown;
    `seconds` passed from the question to the answer.
    """

    word: str
    value_to_play: float
    mate: int = 0
    seconds: float = 0.0


class Engine(Protocol):
    """Another program that plays a game; all methods raise ProgramError."""

    def start(self) -> None:
        """Start the program, again if it runs."""

    def stop(self) -> None:
        """Kill the program, if it runs."""

    def forget(self) -> None:
        """Forget earlier games, so that what follows does not depend on them."""

    def ask(self, game: Game, line: KnownLine, state: Any) -> Answer:
        """Ask for a move in a position, to which the line leads."""


@runtime_checkable
class TimedEngine(Engine, Protocol):
    """A program that can be told of clocks."""

    def ask_by_clock(self, game: Game, line: KnownLine, state: Any, clocks: Clocks) -> Answer:
        """Ask for a move, as `ask`, of a side that has the time of its clock."""


class Client:
    """What every client has: its program, while that runs."""

    _program: Program | None = None

    def stop(self) -> None:
        """Kill the program, if it runs."""
        if self._program is not None:
            self._program.stop()
        self._program = None


def whole_option(options: dict[str, str], key: str) -> int | None:
    """Return an option that is a whole number above 0, None without it. Raises ProgramError."""
    text = options.get(key)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 13 and int(text)):
        raise ProgramError(f"{key}={text}: expected a whole number above 0")
    return int(text)


def seconds_option(options: dict[str, str], key: str) -> float | None:
    """Return an option in seconds, None without it. Raises ProgramError."""
    text = options.get(key)
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 86400:
        raise ProgramError(f"{key}={text}: expected seconds above 0, such as 0.1")
    return seconds
