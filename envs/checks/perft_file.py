"""Files of positions for perft: a position a line, with the depths to count to.

    FEN                          to the depth that the caller gives
    FEN ; 4                      to depth 4
    FEN ;D1 20 ;D2 400           two depths, with the counts that are expected (EPD)
    {"position": FEN, "depth": 4, "nodes": 197281}      as `ludens perft --json` writes it

A position is its text (FEN, SFEN...), or the moves that lead to it. # begins a comment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from envs.checks.perft import PerftResult, run
from envs.game import Game, GameError, NotationError

MOST_DEPTH = 99

_DEPTH = re.compile(r"(?:d|depth)?\s*([0-9]{1,2})(?:[\s:=]+([0-9][0-9,_]{0,24}))?", re.IGNORECASE)


@dataclass(frozen=True)
class PerftTask:
    """A position to count from; `expected` is the number of lines, where the file says it."""

    position: str
    depth: int
    expected: int | None = None

    def count(self, game: Game) -> PerftResult:
        """Count the lines."""
        return run(game, self.depth, self.position)


def read_tasks(
    game: Game, lines: Iterable[str], source: str, depth: int | None = None
) -> list[PerftTask]:
    """Read the tasks of a file, all of them checked.

    `depth` is for lines that name none; of the others, deeper counts are left out. Raises
    NotationError with the source, the number of the line and its text for what cannot be read, and
    for a file without positions.
    """
    if depth is not None and depth < 0:
        raise GameError(f"perft depth {depth} is negative: expected 0 or more plies")
    tasks: list[PerftTask] = []
    is_empty = True
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        is_empty = False
        try:
            tasks += _read_line(game, text, depth)
        except ValueError as error:
            why = str(error) if text in str(error) else f"{text!r}: {error}"
            raise NotationError(f"{source}, line {number}: {why}") from None
    if is_empty:
        raise NotationError(f"{source}: no positions; expected one in each line")
    return tasks


def _read_line(game: Game, text: str, depth: int | None) -> Iterator[PerftTask]:
    """Yield the tasks of a line. Raises ValueError for text that is none."""
    position, counts = _read_json(text) if text.startswith("{") else _split(game, text)
    game.read_position(position)  # raises for what is no position
    if not counts and depth is None:
        raise ValueError("no depth: expected one after the position, as in '; 4', or as DEPTH")
    for at, expected in counts.items():
        if depth is None or at <= depth:
            yield PerftTask(position, at, expected)
    if not counts and depth is not None:
        yield PerftTask(position, depth)


def _split(game: Game, text: str) -> tuple[str, dict[int, int | None]]:
    """Return a line's position, and the count expected at each depth, None where it names none."""
    position, *parts = (part.strip() for part in re.split(r"[;\t]", text))
    counts: dict[int, int | None] = {}
    for part in filter(None, parts):
        found = _DEPTH.fullmatch(part)
        if found is None:
            raise ValueError(f"{part!r} is no depth: expected one such as D4, or D4 197281")
        counts[int(found[1])] = int(re.sub("[,_]", "", found[2])) if found[2] else None
    if not counts:
        return _split_number(game, position)
    return position, counts


def _split_number(game: Game, text: str) -> tuple[str, dict[int, int | None]]:
    """Take a last number for the depth, if the line is no position with it but is one without."""
    before, _, last = text.rpartition(" ")
    if re.fullmatch("[0-9]{1,2}", last):
        try:
            game.read_position(text)
        except NotationError:
            return before.strip(), {int(last): None}
    return text, {}


def _read_json(text: str) -> tuple[str, dict[int, int | None]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is no JSON object: {error}") from None
    position, depth, nodes = (found.get(name) for name in ("position", "depth", "nodes"))
    if not isinstance(position, str):
        raise ValueError(f"its position is {position!r:.80}, expected text")
    if depth is None:
        return position, {}
    if type(depth) is not int or not 0 <= depth <= MOST_DEPTH:
        raise ValueError(f"its depth is {depth!r:.80}, expected 0 to {MOST_DEPTH}")
    if nodes is not None and (type(nodes) is not int or nodes < 0):
        raise ValueError(f"its nodes are {nodes!r:.80}, expected a number")
    return position, {depth: nodes}
