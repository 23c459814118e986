"""An agent that thinks in the background, about one position after the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Thread
from types import TracebackType
from typing import Any

from agents.players import Player, SearchPlayer
from arena.engine.kept_tree import KeptTree
from arena.engine.limits import Limit
from arena.engine.position import position_after
from arena.engine.searching import LEAVES, VISITS_PER_LEAF, SharedOut, room_in
from arena.engine.thinking import Request, Result, Thinking
from arena.engine.threads import start_thread
from envs.game import Game, GameError
from mcts.search import CompiledEvaluator, Evaluator

CLOSING_S = 5.0
READY_NODES, READY_S = 2 * LEAVES * VISITS_PER_LEAF, 2.0  # to have seen batches of every size


class Engine:
    """A player that thinks in a thread of its own, for a screen or a protocol.

    One position at a time: a new start stops the thinking before it. A search keeps its tree while
    the positions continue each other. Every start has exactly one result.

    Args:
        game: whose positions it is asked about.
        player: any agent; only a search can be stopped early, within a batch.
        room: nodes of the search tree, or None for those that fit in a GiB, taken as it fills.
        threads: for evaluations: at most as many as the player has evaluators.
        leaves: of the tree that are evaluated together, at most; 1 is one after the other.
        turn: held while it thinks, as players serve one thread at a time.
        now: a clock in seconds.
    """

    def __init__(
        self,
        game: Game,
        player: Player,
        *,
        room: int | None = None,
        threads: int = 1,
        leaves: int = LEAVES,
        turn: AbstractContextManager[Any] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        if threads < 1:
            raise ValueError(f"threads = {threads}: expected 1 or more")
        if leaves < 1:
            raise ValueError(f"leaves = {leaves}: expected 1 or more")
        self.game = game
        self.player = player
        self.current: Thinking | None = None
        self._tree = KeptTree(game, room_in(game) if room is None else room)
        self._evaluator = _evaluator_of(player, threads)
        self._leaves = leaves
        self._turn = turn
        self._now = now
        self._thread: Thread | None = None

    def think(self, request: Request) -> Thinking:
        """Prepare the thinking about a position, to be run in the caller's thread.

        Raises ValueError for `only` moves that are not legal, and for fewer lines than 1.
        """
        if request.multipv < 1:
            raise ValueError(f"multipv = {request.multipv}: expected 1 or more")
        legal = self.game.legal_mask(request.position.state[0])
        for action in request.only:
            if not (0 <= action < len(legal) and legal[action]):
                raise GameError(f"only move {action} of {self.game.name} is not legal there")
        tree, evaluator = self._tree, self._evaluator
        return Thinking(self.game, self.player, request, tree, evaluator, self._leaves, self._now)

    def start(self, request: Request) -> Thinking:
        """Start to think about a position; thinking that goes on is stopped first."""
        thinking = self.think(request)
        self.stop()
        if self._thread is not None:
            self._thread.join()
        self.current = thinking
        self._thread = start_thread(thinking.run, self._turn)
        return thinking

    def stop(self) -> None:
        """End the thinking, if there is any; its result comes within a batch."""
        if self.current is not None:
            self.current.stop()

    def ponderhit(self) -> None:
        """Tell that the move pondered on was made."""
        if self.current is not None:
            self.current.ponderhit()

    def wait(self, timeout: float | None = None) -> Result:
        """Return the result of the last start; see `Thinking.wait`."""
        if self.current is None:
            raise RuntimeError("nothing was started")
        return self.current.wait(timeout)

    def get_ready(self) -> None:
        """Compile what thinking needs, so that later starts and stops take no time for that.

        Networks prepare for each size of a batch too. Agents that do not search have nothing to do.
        """
        if not isinstance(self.player, SearchPlayer):
            return
        start = position_after(self.game, ())
        first = int(self.game.legal_actions(start.state[0])[0])
        for request in (
            Request(start, Limit(nodes=2), only=(first,)),
            Request(start, Limit(nodes=READY_NODES, seconds=READY_S, early=False)),
            Request(position_after(self.game, (first,)), Limit(nodes=2)),
        ):
            self.start(request).wait()
        self._tree.forget()

    def close(self, within_s: float = CLOSING_S) -> None:
        """Stop, and end all threads; an agent that cannot be hurried is left to itself."""
        self.stop()
        if self._thread is not None:
            self._thread.join(within_s)
        if isinstance(self._evaluator, SharedOut):
            self._evaluator.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _evaluator_of(player: Player, threads: int) -> Evaluator | CompiledEvaluator | None:
    """Return the evaluator of a searching player, shared out among threads; else None."""
    if not isinstance(player, SearchPlayer):
        return None
    evaluators: list[Evaluator] = []
    for evaluator in player.evaluators[:threads]:
        if isinstance(evaluator, CompiledEvaluator):
            return evaluator  # runs the whole search, on one thread
        evaluators.append(evaluator)
    return SharedOut(evaluators) if len(evaluators) > 1 else evaluators[0]
