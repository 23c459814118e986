"""The tree of a game's search, kept from one move to the next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arena.engine.position import Position
from arena.engine.searching import TREE
from envs.game import Game
from mcts.config import SearchConfig
from mcts.search import Search


class KeptTree:
    """One search with room for `room` nodes, moved on while a game goes on.

    It never grows: a tree that is full ends its search.
    """

    def __init__(self, game: Game, room: int) -> None:
        self.game = game
        self.room = room
        self._search: Search | None = None
        self._position: Position | None = None
        self._only: tuple[int, ...] = ()

    def search_at(
        self, position: Position, config: SearchConfig, only: Sequence[int], seed: int
    ) -> Search:
        """Return the search with this position at its root, and what is known of it.

        What is known stays if the position continues the last one by legal moves, or is the last
        one with the same `only` moves (none are all). At a root by Gumbel a search of the same
        position begins again: halving is planned for a root without visits. `seed` is for a new
        search.
        """
        search, moves = self._search, self._moves_to(position)
        same = moves is not None and (moves or tuple(only) == self._only)
        same = same and (bool(moves) or config.root != "gumbel")
        self._position = None  # until the search has come there
        if search is None or search.config != config:
            search = Search(self.game, config, 1, max_simulations=self.room, seed=seed)
            same = False
        if not same or moves is None:
            search.place(position.state, past=position.past)
        else:
            for action in moves:
                search.play(TREE, np.array([action], np.int64))
        if only and (moves or not same):
            search.restrict(TREE, np.array(only, np.int32))
        self._search, self._position, self._only = search, position, tuple(only)
        return search

    def _moves_to(self, position: Position) -> tuple[int, ...] | None:
        return None if self._position is None else position.moves_since(self._position)

    def forget(self) -> None:
        """Forget the tree, as after a failure that left it unfinished."""
        self._search = self._position = None
