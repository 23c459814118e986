"""The words of the Go Text Protocol as text alone (G. Farnebäck, GTP version 2, draft 2, 2002)."""

from __future__ import annotations

import re
from typing import NamedTuple

from arena.engine.protocols.lines import one_line

MOST_ID = 2**31 - 1
MOST_SHOWN = 40  # characters of a word that is quoted in one
COLOURS = {"b": 0, "black": 0, "w": 1, "white": 1}


class GtpError(ValueError):
    """A command is refused; the text is the answer."""


class Command(NamedTuple):
    """One command; `number` is its id as text, "" for none."""

    number: str
    name: str
    args: tuple[str, ...]


def read_line(line: str) -> Command | None:
    """Read a line without its control characters and its comment; None if nothing is left.

    A command without a name, such as a lone id, has the name "".
    """
    plain = "".join(
        c for c in line.partition("#")[0].replace("\t", " ") if c >= " " and c != "\x7f"
    )
    words = plain.split()
    if not words:
        return None
    number = words[0] if re.fullmatch(r"[0-9]{1,10}", words[0]) else ""
    if number and int(number) <= MOST_ID:
        del words[0]
    else:
        number = ""
    return Command(number, words[0] if words else "", tuple(words[1:]))


def accepted(command: Command, text: str) -> str:
    """Return the answer to a command, which an empty line still has to follow."""
    return f"={command.number} {text}".rstrip()


def refused(command: Command, text: str) -> str:
    """Return the refusal of a command, on one line, which an empty line still has to follow."""
    return f"?{command.number} {one_line(text)}"


def quoted(word: str) -> str:
    """Return a word of a command as a refusal shows it."""
    return repr(word if len(word) <= MOST_SHOWN else word[:MOST_SHOWN] + "...")


def colour_of(word: str) -> int:
    """Return 0 for Black and 1 for White. Raises GtpError."""
    if word.lower() not in COLOURS:
        raise GtpError(f"invalid color {quoted(word)}: expected b or w")
    return COLOURS[word.lower()]


def require(args: tuple[str, ...], fewest: int, most: int, usage: str) -> None:
    """Raise GtpError for another number of words after a command than it takes."""
    if not fewest <= len(args) <= most:
        raise GtpError(f"syntax error: expected {usage}")


def number_of(word: str, what: str, least: float, most: float) -> float:
    """Return a number between two others, both allowed. Raises GtpError."""
    try:
        number = float(word) if re.fullmatch(r"[-+.0-9eE]{1,20}", word) else None
    except ValueError:
        number = None
    if number is None or not least <= number <= most:
        raise GtpError(
            f"syntax error: {what} {quoted(word)}: expected a number from {least:g} to {most:g}"
        )
    return number


def whole_number_of(word: str, what: str, least: int, most: int) -> int:
    """Return a whole number between two others, both allowed. Raises GtpError."""
    if not re.fullmatch(r"[0-9]{1,10}", word) or not least <= int(word) <= most:
        raise GtpError(
            f"syntax error: {what} {quoted(word)}: expected a whole number from {least} to {most}"
        )
    return int(word)


# --- analysis -------------------------------------------------------------------------------------

FORMATS = ("lz", "kata")
IGNORED_KEYS = frozenset(  # what else KataGo can show; none of it is known here
    ("ownership", "ownershipstdev", "movesownership", "movesownershipstdev", "pvvisits")
    + ("pvedgevisits", "noresultvalue", "rootinfo", "details", "minmoves")
)
USUAL_MOVES = 20
MOST_CENTISECONDS = 10**6


class AnalysisWords(NamedTuple):
    """What an analysis is asked for; moves are (colour, vertices as text)."""

    colour: int | None  # of the side to move
    seconds: float  # at least between two lines
    moves: int  # that are shown, at most
    allow: tuple[tuple[int, tuple[str, ...]], ...]
    avoid: tuple[tuple[int, tuple[str, ...]], ...]


def read_analysis(args: tuple[str, ...]) -> AnalysisWords:
    """Read `[COLOUR] [CENTISECONDS] [KEY VALUE]...`. Raises GtpError."""
    rest = list(args)
    colour = COLOURS[rest.pop(0).lower()] if rest and rest[0].lower() in COLOURS else None
    interval, moves = 100, USUAL_MOVES
    if rest and rest[0].isdecimal():
        interval = whole_number_of(rest.pop(0), "interval", 0, MOST_CENTISECONDS)
    limits: dict[str, list[tuple[int, tuple[str, ...]]]] = {"allow": [], "avoid": []}
    while rest:
        key = rest.pop(0).lower()
        if not rest:
            raise GtpError(f"syntax error: expected a value after {quoted(key)}")
        if key == "interval":
            interval = whole_number_of(rest.pop(0), key, 0, MOST_CENTISECONDS)
        elif key == "maxmoves":
            moves = whole_number_of(rest.pop(0), key, 1, 1000)
        elif key in limits:
            if len(rest) < 3:
                raise GtpError(f"syntax error: expected {key} COLOUR VERTEX,VERTEX DEPTH")
            side, vertices = colour_of(rest.pop(0)), tuple(rest.pop(0).split(","))
            whole_number_of(rest.pop(0), f"{key}'s depth", 1, 10_000)
            limits[key].append((side, vertices))
        elif key in IGNORED_KEYS:
            rest.pop(0)
        else:
            raise GtpError(f"syntax error: there is no {quoted(key)} in an analysis")
    allow, avoid = tuple(limits["allow"]), tuple(limits["avoid"])
    return AnalysisWords(colour, interval / 100, moves, allow, avoid)
