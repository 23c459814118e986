"""The game of a configuration, given by its name or by the path of its file."""

from __future__ import annotations

from agents.alphazero.config import AlphaZeroConfig
from envs.game import Game
from envs.game_file import find_or_load, typed_game


def game_of(config: AlphaZeroConfig) -> Game:
    """Return the game to learn; raises GameError."""
    return find_or_load(typed_game(config.game))
