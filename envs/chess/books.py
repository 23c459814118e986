"""Books of openings: positions as EPD, and Polyglot's binary files through the package `chess`.

EPD (Edwards 1994, PGN standard, section 16.2) has a position a line: the first four fields of a
FEN, then opcodes with operands, each ended by `;`. Of these `hmvc` and `fmvn` belong to the
position.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from envs.chess.pgn import action_on
from envs.game import NotationError, State
from envs.notation.records import GameRecord

if TYPE_CHECKING:
    import chess.polyglot

EPD_FIELDS = 4  # board, side to move, castling, en passant
POLYGLOT_PLIES = 8  # of a line, where no other number is asked for
MOST_LINES = 20_000  # of a Polyglot book

_CLOCKS = re.compile(r"(\d+)\s+(\d+)(\s+(?P<rest>.*))?", re.ASCII)  # as in a FEN
_QUOTED = re.compile(r'"[^"]*"')


def read_epd(path: Path, parse_position: Callable[[str], State]) -> list[GameRecord]:
    """Read the positions of an EPD file, as games without moves; # at its start is a comment.

    Full FENs are read too. Raises NotationError with the line's number for what is no position;
    OSError for a file that cannot be read.
    """
    records = []
    text = path.read_bytes().decode("utf-8", errors="replace").removeprefix("\ufeff")
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            records.append(GameRecord(parse_position(_fen(line)), ()))
        except NotationError as error:
            raise NotationError(f"{path}:{number}: {error}") from None
    return records


def _fen(line: str) -> str:
    """Return the FEN of a line of EPD."""
    words = line.split(None, EPD_FIELDS)
    if len(words) < EPD_FIELDS:
        raise NotationError(
            f"{line.strip()!r:.90}: expected the board, the side to move, castling and en passant"
        )
    rest = words[EPD_FIELDS] if len(words) > EPD_FIELDS else ""
    clocks = {"hmvc": "0", "fmvn": "1"}
    if found := _CLOCKS.fullmatch(rest.strip()):
        clocks = {"hmvc": found[1], "fmvn": found[2]}
        rest = found["rest"] or ""
    for operation in _QUOTED.sub("", rest).split(";"):
        name, _, operand = operation.strip().partition(" ")
        if name in clocks:
            if not (operand.isascii() and operand.strip().isdecimal()):
                raise NotationError(f"{name} {operand!r:.40}: expected a whole number")
            clocks[name] = operand.strip()
    return " ".join([*words[:EPD_FIELDS], *clocks.values()])


def read_polyglot(path: Path, plies: int | None) -> list[GameRecord]:
    """Read the lines of a Polyglot book from the initial position, of `plies` moves or shorter.

    A line ends earlier where the book does; moves of weight 0 are not played. A position that
    several lines reach after as many moves is followed once. Raises NotationError for a file that
    is no such book, and for one with over MOST_LINES lines; OSError for one that cannot be read.
    """
    import chess.polyglot

    most = POLYGLOT_PLIES if plies is None else plies
    try:
        reader = chess.polyglot.open_reader(path)
    except OSError as error:
        if error.errno is not None:
            raise
        raise NotationError(f"{path}: its size is not that of a Polyglot book") from None
    with reader:
        lines = _lines(reader, most)
    if len(lines) > MOST_LINES:
        raise NotationError(
            f"{path}: over {MOST_LINES:,} lines of {most} plies; expected fewer --opening-plies"
        )
    return [GameRecord(None, line) for line in lines if line]


def _lines(reader: chess.polyglot.MemoryMappedReader, most: int) -> list[tuple[int, ...]]:
    """Return the lines of a book, depth first; at most one more than MOST_LINES."""
    import chess
    import chess.polyglot

    board, line, lines = chess.Board(), list[int](), list[tuple[int, ...]]()
    followed: set[tuple[int, int]] = set()

    def follow() -> None:
        place = len(line), chess.polyglot.zobrist_hash(board)
        if place in followed or len(lines) > MOST_LINES:
            return
        followed.add(place)
        entries = [*reader.find_all(board)] if len(line) < most else []
        if not entries:
            lines.append(tuple(line))
        for entry in entries:
            line.append(action_on(board, entry.move))
            board.push(entry.move)
            follow()
            board.pop()
            line.pop()

    follow()
    return lines
