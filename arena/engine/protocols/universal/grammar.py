"""The words of the universal interfaces of chess and shogi, as text alone.

UCI is by Meyer-Kahlen and Huber (April 2006), USI by Romstad (2007) with Shogidokoro's additions.
"""

from __future__ import annotations

from typing import NamedTuple

from arena.engine.protocols.lines import one_line
from arena.engine.protocols.universal.dialect import GO_FLAGS, Dialect
from arena.engine.protocols.universal.options import is_number

MOST = 10**12  # of any number


def command_of(line: str, dialect: Dialect) -> list[str]:
    """Return a line's words from the first command on; none where there is no command."""
    words, commands = line.split(), dialect.commands
    first = next((i for i, word in enumerate(words) if word in commands), len(words))
    return words[first:]


def info_string(text: str) -> str:
    """Return a line for the user, on one line whatever the text holds."""
    return f"info string {one_line(text)}"


class PositionWords(NamedTuple):
    """The text of a position and the moves from it; "" is the game's start."""

    start: str
    moves: tuple[str, ...]


def read_position(words: list[str], dialect: Dialect) -> PositionWords:
    """Read what follows `position`. Raises ValueError."""
    at = words.index("moves") if "moves" in words else len(words)
    moves = tuple(words[at + 1 :])
    if words[:at] == ["startpos"]:
        return PositionWords("", moves)
    if words[:1] == [dialect.position_word] and at > 1:
        return PositionWords(" ".join(words[1:at]), moves)
    expected = f"expected startpos or {dialect.position_word}, then moves"
    raise ValueError(f"position {' '.join(words)!r}: {expected}")


class GoWords(NamedTuple):
    """What follows `go`: numbers by their names, flags, moves, and what could not be read.

    The flag `mate` is a search for a mate, for the milliseconds of the number `mate` if there is
    one; the number without the flag is a limit of moves.
    """

    numbers: dict[str, int]
    flags: frozenset[str]
    searchmoves: tuple[str, ...]
    ignored: tuple[str, ...]


def read_go(words: list[str], dialect: Dialect) -> GoWords:
    """Read what follows `go`; milliseconds and counts are whole numbers."""
    numbers: dict[str, int] = {}
    flags, moves, ignored = set[str](), list[str](), list[str]()
    names = dialect.numbers
    ends = {*names, *GO_FLAGS, "searchmoves", "mate"}
    rest = words[::-1]
    while rest:
        word = rest.pop()
        if word == "mate" and dialect.times_mate:
            flags.add("mate")
            if rest and is_number(rest[-1]):
                numbers["mate"] = _number(rest.pop())
            elif rest[-1:] == ["infinite"]:
                rest.pop()
        elif word in GO_FLAGS:
            flags.add(word)
        elif word in names and rest and is_number(rest[-1]):
            numbers[word] = _number(rest.pop())
        elif word == "searchmoves":
            while rest and rest[-1] not in ends:
                moves.append(rest.pop())
        else:
            ignored.append(word)
    return GoWords(numbers, frozenset(flags), tuple(moves), tuple(ignored))


def _number(word: str) -> int:
    return max(-MOST, min(MOST, int(word[:20])))
