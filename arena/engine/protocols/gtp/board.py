"""A board of Go as the Go Text Protocol has it: either side plays, also after the end of a game."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.engine.position import Position, position_after
from arena.engine.protocols.gtp.grammar import GtpError
from envs.boards.stones import stone_cells
from envs.game import Game, NotationError, final_ownership, is_terminal, remember, to_play
from envs.go.notation import LETTERS, on_largest, on_own_board
from envs.go.sgf import GoRecord
from envs.positions import play_moves

MOST_MOVES = 5000  # of a game: each is kept, to be taken back
ROW = np.zeros(1, np.int64)  # of the only position


class _Moment(NamedTuple):
    """A position, and whether its past lacks the oldest boards, which do not fit."""

    position: Position
    is_cut: bool = False


class GtpBoard:
    """A square board and the moves on it, of the game's size or a smaller one that it has.

    Points are counted on the board itself, a pass behind them; `to_game` and `from_game` convert.
    A side that moves out of turn moves after a pass of the other one. Such a pass, and passes
    before a game that goes on, do not count towards its end. A game that is over by its length
    goes on as well. Superko knows every board of the game.
    """

    def __init__(self, game: Game, start: GoRecord | None = None, size: int = 0) -> None:
        self.game = game
        self._largest = game.planes_shape[1]
        start = start or GoRecord(size or self._largest, size or self._largest, 0.0, [])
        self.size = start.rows
        self.stones: tuple[list[int], list[int]] = ([], [])  # from the start: Black's, White's
        self.first_side = 0
        self.moves: list[tuple[int, int]] = []  # colour, action
        record = None
        if self.size < self._largest or start.first_side or any(start.stones):
            assert game.parse_position is not None
            record = game.parse_position(start.position())
            self.stones, self.first_side = start.stones, start.first_side
        self._line = [_Moment(position_after(game, (), record))]

    @property
    def to_play(self) -> int:
        """Return whose turn it is, 0 for Black."""
        return int(to_play(self._line[-1].position.state[0]))

    @property
    def is_empty(self) -> bool:
        """Return whether no stone is on the board."""
        return not self.cells().any()

    def cells(self) -> NDArray[np.uint8]:
        """Return what stands on each point, uint8 [size * size]: 1 Black, 2 White."""
        state = self._line[-1].position.state[0]
        return self._own(stone_cells(state, self._largest, self._largest))

    def owners(self) -> NDArray[np.int8]:
        """Return who owns each point if no stone is dead: 1 Black, -1 White, 0 neither."""
        owners = np.zeros(self._largest**2, np.int8)
        final_ownership(self._line[-1].position.state[0], owners)
        return self._own(owners)

    def _own(self, cells: NDArray[Any]) -> NDArray[Any]:
        """Return this board's points of the game's, whose lower left corner it is."""
        square = cells.reshape(self._largest, self._largest)
        return square[self._largest - self.size :, : self.size].ravel()

    def to_game(self, action: int) -> int:
        """Return the game's action for a point of this board or a pass."""
        return on_largest(action, self.size, self._largest)

    def from_game(self, action: int) -> int:
        """Return the point of this board, or the pass, of a legal action of the game."""
        return on_own_board(action, self.size, self._largest)

    def position(self, colour: int) -> Position:
        """Return the position with a colour to move, in a game that goes on."""
        return self._turned(colour).position

    def play(self, colour: int, action: int) -> None:
        """Play a move. Raises GtpError for one that is not legal, and in a game without end."""
        if len(self.moves) >= MOST_MOVES:
            raise GtpError(f"the game has {MOST_MOVES} moves, more cannot be kept")
        self._line.append(self._after(self._turned(colour), action))
        self.moves.append((colour, action))

    def undo(self) -> None:
        """Take the last move back. Raises GtpError where there is none."""
        if not self.moves:
            raise GtpError("cannot undo")
        self._line.pop()
        self.moves.pop()

    def _after(self, before: _Moment, action: int) -> _Moment:
        now = _copy(before.position)
        played = self.to_game(action)
        if play_moves(self.game, now.state, now.past, ROW, np.array([played])) >= 0:
            raise GtpError("illegal move")
        if before.is_cut:
            self._forbid(now)
        return _Moment(replace(now, moves=(*now.moves, played)), before.is_cut)

    def _turned(self, colour: int) -> _Moment:
        """Return the last position as one that a colour may play in."""
        moment = self._line[-1]
        if is_terminal(moment.position.state[0]):
            moment = self._resumed(moment)
        if to_play(moment.position.state[0]) != colour:
            moment = self._resumed(self._after(moment, self.size**2))
        return moment

    def _resumed(self, moment: _Moment) -> _Moment:
        """Return the position as one of an unfinished game without passes.

        Where the game has come to its longest, the older half of its past is cut off.
        """
        now, is_cut = _copy(moment.position), moment.is_cut
        most = self.game.max_plies * self.size**2 // self._largest**2
        state, past = now.state[0], now.past
        if state["ply"] >= most:
            kept, count = most // 2, int(past.counts[0])
            kept = min(kept, count)
            past.keys[0, :kept] = past.keys[0, count - kept : count].copy()
            past.counts[0], state["ply"], is_cut = kept, kept, True
        state["passes"] = state["over"] = 0
        if is_cut:
            self._forbid(now)
        else:
            remember(state, past.keys[0], int(past.counts[0]))
        start = None if is_cut else now.state.tobytes()  # no tree goes on where a past is cut
        return _Moment(replace(now, start=start, moves=()), is_cut)

    def _forbid(self, now: Position) -> None:
        """Forbid what superko does by all boards of the game."""
        keys = np.array([moment.position.state[0]["key"] for moment in self._line], np.uint64)
        remember(now.state[0], keys, len(keys))

    # --- for people ---

    def chains(self) -> list[list[int]]:
        """Return the points of each chain of stones."""
        cells, seen, chains = self.cells(), set[int](), list[list[int]]()
        for point in np.flatnonzero(cells).tolist():
            if point in seen:
                continue
            chain = [point]
            for stone in chain:  # grows
                beside = [p for p in self._beside(stone) if cells[p] == cells[point]]
                chain += [p for p in beside if p not in chain]
            seen.update(chain)
            chains.append(sorted(chain))
        return chains

    def _beside(self, point: int) -> list[int]:
        row, column = divmod(point, self.size)
        places = ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1))
        return [r * self.size + c for r, c in places if 0 <= r < self.size and 0 <= c < self.size]

    def draw(self) -> list[str]:
        """Return the board as lines, X for Black."""
        rows = self.cells().reshape(self.size, self.size)
        letters = "   " + " ".join(LETTERS[: self.size])
        lines = [
            f"{self.size - i:>2} {' '.join('.XO'[stone] for stone in row)} {self.size - i}"
            for i, row in enumerate(rows)
        ]
        return [letters, *lines, letters]

    def record(self, komi: float) -> GoRecord:
        """Return the game."""
        return GoRecord(self.size, self.size, komi, list(self.moves), self.stones, self.first_side)


def board_of(game: Game, record: GoRecord, moves: int) -> GtpBoard:
    """Return the board after some moves of a record. Raises GtpError if they cannot be played."""
    try:
        board = GtpBoard(game, record)
    except NotationError as error:
        raise GtpError(f"cannot load file: {error}") from None
    for number, (colour, action) in enumerate(record.moves[:moves], start=1):
        try:
            board.play(colour, action)
        except GtpError as error:
            raise GtpError(f"cannot load file: move {number}: {error}") from None
    return board


def _copy(position: Position) -> Position:
    return replace(position, state=position.state.copy(), past=position.past.take(ROW))
