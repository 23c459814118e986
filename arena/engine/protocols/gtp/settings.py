"""What GTP sets for a game: komi, rules, and the clocks, which it updates before each move."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import NamedTuple

from arena.engine.protocols.gtp.grammar import (
    GtpError,
    colour_of,
    number_of,
    quoted,
    require,
    whole_number_of,
)

MOST_SECONDS = 10**7
MOST_STONES = 10_000
KINDS = ("none", "absolute", "byoyomi", "canadian", "fischer")


class TimeSettings(NamedTuple):
    """Seconds of a side: of the whole game, after each move, and of overtime.

    The overtime is for `stones` moves, or 0 for none; `is_limited` is False for games without.
    """

    is_limited: bool = False
    main: float = 0.0
    increment: float = 0.0
    period: float = 0.0
    stones: int = 1
    is_byoyomi: bool = False  # a period for each move, else Canadian


NO_LIMIT = TimeSettings()


class TimeLeft(NamedTuple):
    """Seconds that a side has left: of the main time, or for `stones` of overtime."""

    seconds: float
    stones: int = 0


@dataclass
class GameTime:
    """The settings, and what is left for Black and White."""

    settings: TimeSettings = NO_LIMIT
    left: list[TimeLeft] = field(default_factory=lambda: [TimeLeft(0.0), TimeLeft(0.0)])

    def set(self, settings: TimeSettings) -> None:
        """Begin a game of these settings."""
        self.settings = settings
        self.restart()

    def restart(self) -> None:
        """Give both sides all of their time."""
        self.left = [TimeLeft(self.settings.main)] * 2

    def tell(self, args: tuple[str, ...]) -> None:
        """Read what follows `time_left`. Raises GtpError."""
        require(args, 3, 3, "time_left COLOUR SECONDS STONES")
        colour = colour_of(args[0])
        seconds = number_of(args[1], "time", -MOST_SECONDS, MOST_SECONDS)
        left = TimeLeft(seconds, whole_number_of(args[2], "stones", 0, MOST_STONES))
        self.left[colour] = left
        if not self.settings.is_limited:
            self.settings = TimeSettings(True)
            self.left[1 - colour] = left

    def spend(self, colour: int, seconds: float) -> None:
        """Take the time of a move off; the other program may tell what is left more exactly."""
        left, settings = self.left[colour], self.settings
        if left.stones == 0:
            rest = max(0.0, left.seconds - seconds)
            self.left[colour] = TimeLeft(rest + settings.increment)
        elif left.stones == 1 or settings.is_byoyomi:
            self.left[colour] = TimeLeft(0.0)  # the next period
        else:
            self.left[colour] = TimeLeft(max(0.0, left.seconds - seconds), left.stones - 1)


def read_time_settings(args: tuple[str, ...]) -> TimeSettings:
    """Read `MAIN PERIOD STONES` (Canadian). Raises GtpError."""
    require(args, 3, 3, "time_settings MAIN_SECONDS PERIOD_SECONDS STONES")
    main, period = (_seconds(word) for word in args[:2])
    stones = whole_number_of(args[2], "stones", 0, MOST_STONES)
    if (period and not stones) or not (main or period):
        return NO_LIMIT
    return TimeSettings(True, main, period=period, stones=max(1, stones))


def read_time_system(args: tuple[str, ...]) -> TimeSettings:
    """Read what follows `kgs-time_settings` or `kata-time_settings`. Raises GtpError."""
    require(args, 1, 4, f"{', '.join(KINDS[:-1])} or {KINDS[-1]}, and its seconds")
    kind, numbers = args[0].lower(), args[1:]
    wanted = {"none": 0, "absolute": 1, "byoyomi": 3, "canadian": 3, "fischer": 2}
    if kind not in wanted:
        raise GtpError(f"unknown time system {quoted(args[0])}: expected {', '.join(KINDS)}")
    if len(numbers) != wanted[kind]:
        raise GtpError(f"syntax error: expected {wanted[kind]} numbers after {kind}")
    if kind == "none":
        return NO_LIMIT
    main = _seconds(numbers[0])
    if kind == "absolute":
        return TimeSettings(True, main)
    if kind == "fischer":
        return TimeSettings(True, main, increment=_seconds(numbers[1]))
    period = _seconds(numbers[1])
    count = whole_number_of(numbers[2], "stones" if kind == "canadian" else "periods", 1, 10_000)
    if kind == "byoyomi":
        return TimeSettings(True, main, period=period, is_byoyomi=True)
    return TimeSettings(True, main, period=period, stones=count)


def _seconds(word: str) -> float:
    return number_of(word, "time", 0, MOST_SECONDS)


@dataclass
class Settings:
    """What holds for the games to come."""

    komi: float | None = None  # None is the game's
    time: GameTime = field(default_factory=GameTime)


# --- rules, in KataGo's words ---------------------------------------------------------------------

RULES = {
    "ko": "POSITIONAL",
    "scoring": "AREA",
    "suicide": False,
    "tax": "NONE",
    "hasButton": False,
    "whiteHandicapBonus": "0",
}
RULES_TEXT = json.dumps(RULES, separators=(",", ":"))
RULES_NAMES = ("chinese-ogs", "chinese-kgs")  # the same, if there is no handicap


def check_rules(text: str) -> None:
    """Raise GtpError for rules other than those that are played here."""
    if text.lower() in RULES_NAMES:
        return
    try:
        wanted = json.loads(text)
    except (ValueError, RecursionError):
        wanted = None
    if not isinstance(wanted, dict):
        raise GtpError(f"unknown rules {quoted(text)}: the rules here are {RULES_TEXT}")
    for key, value in wanted.items():
        if key not in RULES or str(value).upper() != str(RULES[key]).upper():
            told = f"{quoted(key)} {quoted(str(value))}"
            raise GtpError(f"the rules here are {RULES_TEXT}, not {told}")
