"""An agent's thinking for the screen, and the strengths that it offers."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from threading import Event
from typing import Any

from agents.alphazero.player import RawNetworkPlayer
from agents.players import Player, RandomPlayer, SearchPlayer
from arena.engine.engine import Engine
from arena.engine.limits import Limit
from arena.engine.position import position_of
from arena.engine.snapshot import Snapshot
from arena.engine.thinking import Request
from arena.engine.threads import start_thread
from envs.game import Game
from envs.positions import Past
from mcts.config import SearchConfig
from mcts.forest import Forest
from mcts.search import CompiledEvaluator

LEVELS = (0, 10, 25, 50, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600)  # simulations


class Thought:
    """One player's thinking about one position, to all of its simulations, on a new tree.

    When `finished` is set, `action` is the move, or None where the thought was cancelled or `error`
    says what failed.
    """

    def __init__(
        self,
        game: Game,
        player: Player,
        state: Any,
        seed: list[int] | None = None,
        past: Past | None = None,
    ) -> None:
        self.player = player
        position = position_of(game, state, past)
        self.states = position.state
        simulations = simulations_of(player) or 1
        limit = Limit(nodes=simulations, early=False)
        engine = Engine(game, player, room=simulations)
        self._thinking = engine.think(Request(position, limit, seed=seed))
        self.finished = Event()
        self._cancelled = Event()

    @property
    def snapshot(self) -> Snapshot | None:
        """Return what is known so far."""
        return self._thinking.snapshot

    @property
    def forest(self) -> Forest | None:
        """Return the tree of a finished search."""
        return self._thinking.forest

    @property
    def error(self) -> Exception | None:
        """Return what the player raised."""
        result = self._thinking.result
        return None if result is None else result.error

    @property
    def action(self) -> int | None:
        """Return the move."""
        result = self._thinking.result
        return None if result is None or self._cancelled.is_set() else result.best

    def start(self, turn: AbstractContextManager[Any] | None = None) -> None:
        """Start to think; it holds `turn`, as players serve one thread at a time."""
        start_thread(self.run, turn)

    def stop(self) -> None:
        """End the thinking early, and choose a move by what is known so far."""
        self._thinking.stop()

    def cancel(self) -> None:
        """Cancel the thinking: there will be no move."""
        self._cancelled.set()
        self._thinking.stop()

    def run(self, turn: AbstractContextManager[Any] | None = None) -> None:
        """Think to the end, in this thread."""
        try:
            self._thinking.run(turn)
        finally:
            self.finished.set()


# --- strength -----------------------------------------------------------------------------------


def simulations_of(player: Player) -> int | None:
    """Return simulations a move, 0 for a network alone; None for other players."""
    if isinstance(player, SearchPlayer):
        return player.config.simulations
    return 0 if isinstance(player, RawNetworkPlayer) else None


def with_simulations(player: Player, simulations: int) -> Player:
    """Return the player with that many simulations a move; 0 plays without search.

    A rollout player without a search moves at random. Raises ValueError for a
    player whose strength cannot be changed.
    """
    if isinstance(player, RawNetworkPlayer):
        searching = SearchPlayer(
            player.game, [player.evaluator], SearchConfig(tree_reuse=False), name=player.name
        )
        return with_simulations(searching, simulations) if simulations else player
    if not isinstance(player, SearchPlayer):
        raise ValueError(f"{player.name} has no simulations to change")
    if simulations:
        config = replace(player.config, simulations=simulations)
        return SearchPlayer(player.game, player.evaluators, config, name=player.name)
    evaluator = player.evaluators[0]
    if isinstance(evaluator, CompiledEvaluator):
        return RandomPlayer(player.game)
    return RawNetworkPlayer(player.game, evaluator, player.name)


def next_level(simulations: int, up: bool) -> int:
    """Return the next of LEVELS above or below, within the ends."""
    if up:
        return next(
            (level for level in LEVELS if level > simulations), max(simulations, LEVELS[-1])
        )
    return next((level for level in reversed(LEVELS) if level < simulations), LEVELS[0])
