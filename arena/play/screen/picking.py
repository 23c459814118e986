"""Turn clicks on cells into moves of pieces: first where a move leaves, then where it arrives."""

from __future__ import annotations

from typing import Any

from arena.play.screen.board import Cell, hand_cell
from envs.game import Game
from envs.notation.boards import NOWHERE

Ends = tuple[Cell, Cell]  # where a move leaves, a cell or a hand, and where it arrives


class Picker:
    """The piece that was clicked, in a game whose moves go from cell to cell.

    Attributes:
        chosen: where the piece stands, a cell or one in hand; None where none is chosen.
        choices: moves between the two cells clicked, if there are several: a piece may promote.
    """

    def __init__(self, game: Game) -> None:
        self.chosen: Cell | None = None
        self.choices: list[int] = []
        self._game = game
        self._position = b""
        self._moves: dict[Ends, list[int]] = {}

    @property
    def moves_pieces(self) -> bool:
        """Whether the game's moves go from cell to cell."""
        return self._game.board is not None and self._game.board.move_cells is not None

    def click(self, state: Any, cell: Cell) -> int | None:
        """Return the move that a click completes.

        None if the click chose a piece, or let go of it, or if there are `choices` now.
        """
        moves = self._read(state)
        actions = [] if self.chosen is None else moves.get((self.chosen, cell), [])
        if len(actions) == 1:
            self.drop()
            return actions[0]
        self.choices = actions
        if not actions:
            begins = any(leave == cell for leave, _ in moves)
            self.chosen = cell if begins and cell != self.chosen else None
        return None

    def choose(self, number: int) -> int | None:
        """Return the choice of that number, counted from 1, or None."""
        if not 1 <= number <= len(self.choices):
            return None
        action = self.choices[number - 1]
        self.drop()
        return action

    def drop(self) -> None:
        """Let go of the piece."""
        self.chosen, self.choices = None, []

    def targets(self, state: Any) -> list[Cell]:
        """List the cells where the chosen piece may go."""
        moves = self._read(state)
        return [arrive for leave, arrive in moves if leave == self.chosen is not None]

    def question(self, state: Any) -> str:
        """Ask which of the choices is meant."""
        words = [self._game.written(state, action) for action in self.choices]
        return "which? " + "  ".join(f"{n} {word}" for n, word in enumerate(words, start=1))

    def _read(self, state: Any) -> dict[Ends, list[int]]:
        """Return the legal moves by their ends; another position lets go of the piece."""
        if state.tobytes() != self._position:
            self.drop()
            self._position, self._moves = state.tobytes(), {}
            for action in sorted(map(int, self._game.legal_actions(state))):
                leave, arrive = move_ends(self._game, state, action)
                if leave is not None and arrive is not None:
                    self._moves.setdefault((leave, arrive), []).append(action)
        return self._moves


def move_ends(game: Game, state: Any, action: int) -> tuple[Cell | None, Cell | None]:
    """Return where a legal action leaves and arrives; None for a new stone, and for a pass."""
    _, height, width = game.planes_shape
    if game.board is None or game.board.move_cells is None:
        return None, divmod(action, width) if action < height * width else None
    leave, arrive = game.board.move_cells(state, action)
    to = divmod(arrive, width) if arrive >= 0 else None
    if leave >= 0:
        return divmod(leave, width), to
    if leave == NOWHERE:
        return None, to
    return hand_cell(int(game.rules.to_play(state)), -2 - leave), to
