"""The words of the Universal Chess Interface, as text alone (Meyer-Kahlen, Huber; April 2006)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from agents.cores import allowed_cores
from arena.engine.protocols.lines import one_line

COMMANDS = frozenset(
    ("uci", "debug", "isready", "setoption", "register", "ucinewgame")
    + ("position", "go", "stop", "ponderhit", "quit")
)
GO_NUMBERS = ("wtime", "btime", "winc", "binc", "movestogo", "depth", "nodes", "mate", "movetime")
GO_FLAGS = ("infinite", "ponder")
MOST = 10**12  # of any number


class OptionError(ValueError):
    """An option that does not exist, or a value that it cannot have."""


def command_of(line: str) -> list[str]:
    """Return a line's words from the first command on; none where there is no command."""
    words = line.split()
    first = next((i for i, word in enumerate(words) if word in COMMANDS), len(words))
    return words[first:]


def info_string(text: str) -> str:
    """Return a line for the user, on one line whatever the text holds."""
    return f"info string {one_line(text)}"


class PositionWords(NamedTuple):
    """The text of a position and the moves from it; "" is the game's start."""

    start: str
    moves: tuple[str, ...]


def read_position(words: list[str]) -> PositionWords:
    """Read what follows `position`. Raises ValueError."""
    at = words.index("moves") if "moves" in words else len(words)
    moves = tuple(words[at + 1 :])
    if words[:at] == ["startpos"]:
        return PositionWords("", moves)
    if words[:1] == ["fen"] and at > 1:
        return PositionWords(" ".join(words[1:at]), moves)
    raise ValueError(f"position {' '.join(words)!r}: expected startpos or fen, then moves")


class GoWords(NamedTuple):
    """What follows `go`: numbers by their names, flags, moves, and what could not be read."""

    numbers: dict[str, int]
    flags: frozenset[str]
    searchmoves: tuple[str, ...]
    ignored: tuple[str, ...]


def read_go(words: list[str]) -> GoWords:
    """Read what follows `go`; milliseconds and counts are whole numbers."""
    numbers: dict[str, int] = {}
    flags, moves, ignored = set[str](), list[str](), list[str]()
    rest = words[::-1]
    while rest:
        word = rest.pop()
        if word in GO_FLAGS:
            flags.add(word)
        elif word in GO_NUMBERS and rest and _is_number(rest[-1]):
            numbers[word] = max(-MOST, min(MOST, int(rest.pop()[:20])))
        elif word == "searchmoves":
            while rest and rest[-1] not in (*GO_NUMBERS, *GO_FLAGS, "searchmoves"):
                moves.append(rest.pop())
        else:
            ignored.append(word)
    return GoWords(numbers, frozenset(flags), tuple(moves), tuple(ignored))


def _is_number(word: str) -> bool:
    return word.isascii() and word.removeprefix("-").isdigit()


# --- options --------------------------------------------------------------------------------------


@dataclass
class Options:
    """The options of an engine, by their values at the moment."""

    threads: int = 1
    hash: int = 1024
    multipv: int = 1
    overhead: int = 50
    nodes: int = 0
    temperature: float = 0.0
    ponder: bool = False  # whether the other program may ask for it: nothing changes
    show_wdl: bool = False
    analyse: bool = False
    chess960: bool = False
    variant: str = ""
    debug: bool = False  # set by `debug`, not by `setoption`


class Option(NamedTuple):
    """One option: its name in UCI, the field that holds its value, and what it may be."""

    name: str
    field: str
    kind: str  # spin, check, string or combo
    least: int = 0
    most: int = 0

    def line(self, default: object) -> str:
        """Return the line that offers it."""
        value = str(default).lower() if self.kind == "check" else str(default)
        head = f"option name {self.name} type {self.kind} default {value}"
        if self.kind == "spin":
            return f"{head} min {self.least} max {self.most}"
        return f"{head} var {value}" if self.kind == "combo" else head

    def read(self, text: str, default: object) -> int | bool | float | str:
        """Return the value that a text says. Raises OptionError."""
        expected = "true or false"
        if self.kind == "check" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if self.kind == "spin":
            expected = f"{self.least} to {self.most}"
            if _is_number(text) and len(text) < 20 and self.least <= int(text) <= self.most:
                return int(text)
        if self.kind == "combo":
            expected = str(default)
            if text == default:
                return text
        if self.kind == "string":
            expected = f"a number from {self.least} to {self.most}"
            try:
                if self.least <= float(text) <= self.most:
                    return float(text)
            except ValueError:
                pass
        raise OptionError(f"{self.name} = {text!r}: expected {expected}")


def options_of(game: str) -> tuple[Option, ...]:
    """List the options of an engine that plays `game`."""
    own = {
        "chess": [Option("UCI_Chess960", "chess960", "check")],
        "chess5": [Option("UCI_Variant", "variant", "combo")],
    }
    return (
        Option("Threads", "threads", "spin", 1, allowed_cores()),
        Option("Hash", "hash", "spin", 1, 1 << 16),
        Option("MultiPV", "multipv", "spin", 1, 256),
        Option("Move Overhead", "overhead", "spin", 0, 10_000),
        Option("Nodes", "nodes", "spin", 0, 10**9),
        Option("Temperature", "temperature", "string", 0, 10),
        Option("Ponder", "ponder", "check"),
        Option("UCI_ShowWDL", "show_wdl", "check"),
        Option("UCI_AnalyseMode", "analyse", "check"),
        *own.get(game, []),
    )


def set_option(words: list[str], offered: tuple[Option, ...], options: Options) -> Option:
    """Set what follows `setoption`, and return the option. Raises OptionError."""
    at = words.index("value") if "value" in words else len(words)
    name, value = " ".join(words[1:at]), " ".join(words[at + 1 :])
    found = next((o for o in offered if o.name.lower() == name.lower()), None)
    if words[:1] != ["name"] or found is None:
        names = ", ".join(option.name for option in offered)
        raise OptionError(f"there is no option {name!r}: expected one of {names}")
    default = getattr(default_options(offered), found.field)
    setattr(options, found.field, found.read(value, default))
    return found


def default_options(offered: tuple[Option, ...]) -> Options:
    """Return the options as they are at the start."""
    has_variant = any(option.field == "variant" for option in offered)
    return Options(variant="gardner" if has_variant else "")
