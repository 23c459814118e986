"""The game of a configuration, and the positions that its games begin from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.alphazero.config import AlphaZeroConfig
from envs.game import Game, GameError
from envs.game_file import find_or_load, typed_game
from envs.positions import read_start


def game_of(config: AlphaZeroConfig) -> Game:
    """Return the game to learn; raises GameError, also if the settings do not fit it."""
    game = find_or_load(typed_game(config.game))
    if config.learner.counts_points and game.rules.final_ownership is None:
        name = "ownership" if config.learner.ownership_weight else "score"
        raise GameError(
            f"learner.{name}_weight = {getattr(config.learner, name + '_weight')}: expected 0 in "
            f"{game.name}, which counts no points"
        )
    read_starts(game, config.selfplay.starts)
    return game


@dataclass(frozen=True)
class Start:
    """A position that games begin from: its text, or moves from the game's start."""

    text: str  # "" if it is given by moves
    state: Any  # a record, the game's start if it is given by moves
    moves: Sequence[int] = ()


def read_starts(game: Game, text: str) -> list[Start]:
    """Read positions or moves, one a line; empty lines are skipped.

    Raises GameError for a line that is neither, and for a position in which the game is over.
    """
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not (words := line.strip()):
            continue
        try:
            state, moves = game.read_position(words)
            start = Start("", game.new_state(), moves)
            if state is not None:
                start = Start(words, read_start(game, words))
            if game.rules.is_terminal(game.line(start.moves, start.state)[-1]):
                raise GameError(f"the game is over in {words!r}")
        except GameError as error:
            raise GameError(f"selfplay.starts, line {number}: {error}") from error
        found.append(start)
    return found
