"""The thinking of one agent about one position, from its start to its one result."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any

import numpy as np

from agents.players import Player, SearchPlayer
from arena.engine import deciding
from arena.engine.deciding import Moment, budget_for, reason_to_end
from arena.engine.kept_tree import KeptTree
from arena.engine.limits import Budget, Limit, moves_ahead
from arena.engine.position import Position
from arena.engine.searching import (
    LEAVES,
    SLICE_S,
    TREE,
    SnapshotClock,
    batched,
    is_proven,
    root_visits,
    steps,
)
from arena.engine.snapshot import Snapshot, Spent, look_at, opinion_of
from envs.game import Game
from mcts.config import SearchConfig
from mcts.forest import Forest
from mcts.search import MOST_VISITS, CompiledEvaluator, Evaluator, RootResults, Search

SLOW_STEPS = 8  # in a row that must take too long before batches become smaller


@dataclass(frozen=True)
class Request:
    """What to think about, and for how long.

    Attributes:
        position: with its past.
        limit: what ends the thinking; nothing but a stop while it ponders.
        multipv: how many of the best moves get a line.
        only: the legal moves to consider; none are all.
        prove: look for a forced result, whatever the agent's config; a search alone can.
        ponder: begin on the opponent's time; the limit counts from `Thinking.ponderhit` on.
        seed: of whatever is random; None asks for the agent's best move as `analyze` gives it.
        on_info: gets each snapshot, in the thinking thread.
        on_result: gets the result, in the thinking thread, once.
    """

    position: Position
    limit: Limit = field(default_factory=Limit)
    multipv: int = 1
    only: tuple[int, ...] = ()
    prove: bool = False
    ponder: bool = False
    seed: list[int] | None = None
    on_info: Callable[[Snapshot], None] | None = None
    on_result: Callable[[Result], None] | None = None


@dataclass(frozen=True)
class Result:
    """What an agent decided. `best` is None where the game is over, or `error` says what failed."""

    best: int | None
    ponder: int | None  # the reply that is expected
    reason: str  # one of those in `arena.engine.deciding`
    snapshot: Snapshot | None
    error: Exception | None = None


class Thinking:
    """One player's thinking about one position, to be run in a thread of its own.

    `snapshot` is replaced as a whole, so a reader sees one moment of it. When `finished` is set,
    `result` is there.

    Args:
        game: the position's.
        player: the agent; one that does not search answers once, and cannot be hurried.
        request: see Request.
        tree: where a search is kept.
        evaluator: of a search.
        leaves: of a tree in flight at most, see `batched`.
        now: a clock in seconds.
    """

    def __init__(
        self,
        game: Game,
        player: Player,
        request: Request,
        tree: KeptTree,
        evaluator: Evaluator | CompiledEvaluator | None,
        leaves: int = LEAVES,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.game = game
        self.player = player
        self.request = request
        self.snapshot: Snapshot | None = None
        self.forest: Forest | None = None  # of a finished search
        self.root: RootResults | None = None  # of a finished search
        self.result: Result | None = None
        self.finished = Event()
        self._tree, self._evaluator, self._leaves = tree, evaluator, leaves
        self._now = now
        self._began = now()
        self._counts_from: float | None = None if request.ponder else self._began
        self._stopped = Event()
        self._called = Event()  # by a stop or a ponderhit
        self._took: deque[float] = deque(maxlen=SLOW_STEPS)  # seconds of the last steps

    # --- control, from any thread ---

    def stop(self) -> None:
        """End the thinking early, with a result by what is known so far."""
        self._stopped.set()
        self._called.set()

    def ponderhit(self) -> None:
        """Tell that the expected move was made: the limit counts from now on."""
        if self._counts_from is None:
            self._counts_from = self._now()
            self._called.set()

    def wait(self, timeout: float | None = None) -> Result:
        """Return the result once it is there.

        Raises TimeoutError if it is not there in time, and what the agent raised if it failed.
        """
        if not self.finished.wait(timeout):
            raise TimeoutError(f"{self.player.name} has no result after {timeout} s")
        assert self.result is not None
        if self.result.error is not None:
            raise self.result.error
        return self.result

    # --- the thread ---

    def run(self, turn: AbstractContextManager[Any] | None = None) -> None:
        """Think to the end, in this thread, holding `turn`: players serve one thread at a time."""
        try:
            with turn or nullcontext():
                self.result = self._think()
        except Exception as error:  # for whoever waits: a thread has no caller to raise to
            self._tree.forget()
            self.result = Result(None, None, deciding.FAILED, self.snapshot, error)
        finally:
            try:
                if self.request.on_result is not None and self.result is not None:
                    self.request.on_result(self.result)
            finally:
                self.finished.set()

    def _think(self) -> Result:
        state = self.request.position.state
        if self.game.rules.is_terminal(state[0]):
            value = float(self.game.rules.value_to_play(state[0]))
            self._show(Snapshot((), (), 0, 0, value, value, 0))
            return self._decided(None, self._when_asked(deciding.OVER))
        if isinstance(self.player, SearchPlayer):
            return self._search(self.player.config)
        return self._ask()

    def _show(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        if self.request.on_info is not None:
            self.request.on_info(snapshot)

    def _decided(self, best: int | None, reason: str) -> Result:
        line = self.snapshot.line if self.snapshot is not None else ()
        reply = line[1] if len(line) > 1 and line[0] == best else None
        return Result(best, reply, reason, self.snapshot)

    def _when_asked(self, reason: str) -> str:
        """Return the reason for the end, once the result is wanted.

        While pondering, and where there is no limit, it is wanted when it is asked for.
        """
        while not self._stopped.is_set() and (
            self._counts_from is None or self.request.limit.is_infinite
        ):
            self._called.wait()
            self._called.clear()
        return reason

    # --- an agent that does not search ---

    def _ask(self) -> Result:
        position, wanted = self.request.position, self.request
        past = [position.past] if self.game.has_history else []
        legal = np.flatnonzero(self.game.legal_mask(position.state[0])).tolist()
        allowed = [a for a in legal if not wanted.only or a in wanted.only]
        found = self.player.analyze(position.state, *past)
        snapshot = opinion_of(found, allowed, wanted.multipv)
        self._show(replace(snapshot, seconds=self._now() - self._began))
        best = snapshot.candidates[0].action
        if wanted.seed is not None and found.policy[0, best] < 1:  # else nothing is left to choose
            chosen = self.player.choose(position.state, np.random.default_rng(wanted.seed), *past)
            best = int(chosen[0]) if int(chosen[0]) in allowed else best
        return self._decided(best, self._when_asked(deciding.ANSWERED))

    # --- a search ---

    def _search(self, own: SearchConfig) -> Result:
        wanted, config = self.request, self._config(own)
        seed = 0  # or as SearchPlayer draws it
        if wanted.seed is not None:
            seed = int(np.random.default_rng(wanted.seed).integers(1 << 62))
        search = self._tree.search_at(wanted.position, config, wanted.only, seed)
        search.limit_leaves(config.leaves_per_tree)  # all of them, after a slow search
        kept = root_visits(search)
        most = search.max_simulations if config.root == "gumbel" else MOST_VISITS
        target = min(kept + wanted.limit.nodes, most) if wanted.limit.nodes else most
        shown = target if wanted.limit.nodes else 0
        reason = self._steps(search, kept, target, shown)
        self._show(self._look(search, kept, shown))
        self.forest = search.forest
        self.root = search.read(TREE)
        best = int(self.root.best_action[0])
        ended = reason in (deciding.NODES, deciding.PROVEN, deciding.FULL)
        return self._decided(best, self._when_asked(reason) if ended else reason)

    def _config(self, own: SearchConfig) -> SearchConfig:
        """Return the search's config for a single game.

        A Gumbel root plans its visits for a number of them; without one the root is PUCT's.
        """
        if self.request.prove:
            own = replace(own, root="puct", solve=True, lookahead=max(1, own.lookahead))
        elif own.root == "gumbel" and not self.request.limit.nodes:
            own = replace(own, root="puct")
        own = replace(own, tree_reuse=True, simulations=1)  # how many is in the limit
        return own if isinstance(self._evaluator, CompiledEvaluator) else batched(own, self._leaves)

    def _steps(self, search: Search, kept: int, target: int, shown: int) -> str:
        """Search until a reason to end, and return it."""
        assert self._evaluator is not None
        limit, budget = self._limit_of(search), self._budget()
        look_clock, stepped = SnapshotClock(), self._now()
        for _ in steps(search, self._evaluator, target):
            if self._stopped.is_set():
                return deciding.STOPPED
            now = self._now()
            took, stepped = now - stepped, now
            if look_clock.is_due():
                self._show(self._look(search, kept, shown))
            self._keep_small(search, took)
            if self._counts_from is None:
                continue
            nodes = root_visits(search) - kept
            moment = Moment(nodes, now - self._counts_from, now - self._began, took)
            reason = reason_to_end(limit, budget, moment, search.forest)
            if reason is not None:
                return reason
        return self._why_no_more(search, kept)

    def _limit_of(self, search: Search) -> Limit:
        """Return the limit; only one line of a PUCT search is decided before its end."""
        limit = self.request.limit
        decides = search.config.root == "puct" and self.request.multipv == 1
        return replace(limit, early=limit.early and decides)

    def _budget(self) -> Budget:
        position = self.request.position
        side = int(self.game.rules.to_play(position.state[0]))
        return budget_for(
            self.request.limit, side, moves_ahead(self.game, int(position.past.counts[0]))
        )

    def _keep_small(self, search: Search, took: float) -> None:
        """Halve the batches where each holds up a stop, unless the visits must not depend on it.

        A few that took long say more of other work on the machine than of the network.
        """
        self._took.append(took)
        leaves = search.params.leaves_per_tree
        if len(self._took) < SLOW_STEPS or self.request.limit.nodes or leaves == 1:
            return
        if min(self._took) > SLICE_S:
            search.limit_leaves(leaves // 2)
            self._took.clear()

    def _why_no_more(self, search: Search, kept: int) -> str:
        if is_proven(search):
            return deciding.PROVEN
        limit = self.request.limit
        done = bool(limit.nodes) and root_visits(search) - kept >= limit.nodes
        return deciding.NODES if done else deciding.FULL

    def _look(self, search: Search, kept: int, shown: int) -> Snapshot:
        spent = Spent(root_visits(search) - kept, self._now() - self._began)
        return look_at(search.forest, shown, self.request.multipv, spent)
