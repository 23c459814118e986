"""Search a position in a separate thread, in slices, with a snapshot after each."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from threading import Event, Thread
from typing import Any

import numpy as np

from agents.alphazero.player import RawNetworkPlayer
from agents.players import Analysis, Player, RandomPlayer, SearchPlayer
from arena.play.screen.tree import ROOT, branches, node_value, principal_variation
from envs.game import Game
from envs.positions import Past
from mcts.config import SearchConfig
from mcts.forest import Forest
from mcts.search import CompiledEvaluator, Search

THREAD_NAME = "ludens-thought"
SLICE_S = 0.03  # of processor time, about, between two snapshots of a search
WAIT_S = 0.2  # of wall time, for an evaluator that computes elsewhere
FIRST_SLICE = 16  # simulations; the next ones are fitted to SLICE_S
LEVELS = (0, 10, 25, 50, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600)  # simulations


@dataclass(frozen=True)
class Candidate:
    """A legal move as an agent sees it; values are for the side that makes it."""

    action: int
    share: float  # of the visits, else of the policy
    visits: int  # 0 for an agent that does not search
    prior: float | None
    value: float | None
    exact: float | None


@dataclass(frozen=True)
class Snapshot:
    """An agent's analysis of a position at one moment; values are for the side to move."""

    candidates: tuple[Candidate, ...]  # the best first
    simulations: int
    target: int  # simulations of the finished search, 0 for an agent that does not search
    value_to_play: float | None
    exact: float | None
    plies: int
    line: tuple[int, ...]  # the principal variation


def look_at(forest: Forest, target: int) -> Snapshot:
    """Make a snapshot of the forest's first tree, which no search may be changing."""
    found = branches(forest, ROOT)
    total = sum(branch.visits for branch in found)
    value, exact, plies = node_value(forest, ROOT)
    line = principal_variation(forest)
    candidates = [
        Candidate(
            b.action, b.visits / total if total else b.prior, b.visits, b.prior, b.value, b.exact
        )
        for b in found
    ]
    candidates.sort(key=lambda c: c.action != (line[0] if line else None))  # stable
    return Snapshot(tuple(candidates), total, target, value, exact, plies, tuple(line))


def opinion_of(analysis: Analysis, legal: list[int]) -> Snapshot:
    """Make a snapshot of an agent's analysis of one position."""
    best, exact = int(analysis.best_action[0]), _known(analysis.exact[0])
    candidates = [
        Candidate(a, float(analysis.policy[0, a]), 0, None, _known(analysis.q[0, a]), None)
        for a in legal
    ]
    candidates.sort(key=lambda c: (c.action != best, -c.share))
    value, plies = _known(analysis.value_to_play[0]), int(analysis.plies[0])
    return Snapshot(tuple(candidates), 0, 0, value, exact, plies, (best,))


def _known(number: float) -> float | None:
    return None if math.isnan(number) else float(number)


def start_thread(target: Callable[..., None], *words: Any) -> None:
    """Run a function in a thread that `all_threads_end` waits for.

    A daemon: a solver at work cannot be interrupted, and must not keep the program alive.
    """
    Thread(target=target, args=words, name=THREAD_NAME, daemon=True).start()


def all_threads_end(within_s: float) -> bool:
    """Wait for the searching threads; False if one still runs."""
    last = time.monotonic() + within_s
    ours = [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]
    for thread in ours:
        thread.join(max(0.0, last - time.monotonic()))
    return not any(thread.is_alive() for thread in ours)


class Thought:
    """One player's search of one position, in a thread that never blocks the screen.

    `snapshot` is replaced as a whole after each slice of a search, so a reader sees one moment of
    it. When `finished` is set, `action` is the move, or None where the thought was cancelled or
    `error` says what failed. The search of the same seed in one piece makes the same move.

    A compiled evaluator under a Gumbel root runs in one slice: its plan of visits is made for the
    whole search.
    """

    def __init__(
        self,
        game: Game,
        player: Player,
        state: Any,
        seed: list[int] | None = None,
        past: Past | None = None,
    ) -> None:
        self.game = game
        self.player = player
        self.states = np.atleast_1d(state)
        self.past = past  # what lies before it, in games with history
        self._asked = [] if past is None else [past]
        self.seed = seed  # None asks for the player's opinion as `analyze` gives it
        self.snapshot: Snapshot | None = None
        self.forest: Forest | None = None  # of a finished search
        self.action: int | None = None
        self.error: Exception | None = None
        self.finished = Event()
        self._stop = Event()
        self._cancelled = Event()

    def start(self, turn: AbstractContextManager[Any] | None = None) -> None:
        """Start the search; it holds `turn`, as players serve one thread at a time."""
        start_thread(self.run, turn or nullcontext())

    def stop(self) -> None:
        """End the search early, and choose a move by its result so far."""
        self._stop.set()

    def cancel(self) -> None:
        """Cancel the search: there will be no move."""
        self._cancelled.set()
        self._stop.set()

    def run(self, turn: AbstractContextManager[Any] | None = None) -> None:
        """Search to the end, in this thread."""
        try:
            with turn or nullcontext():
                if not self._cancelled.is_set():
                    action = (
                        self._search() if isinstance(self.player, SearchPlayer) else self._ask()
                    )
                    self.action = None if self._cancelled.is_set() else action
        except Exception as error:  # shown on the screen: a thread has no caller to raise to
            self.error = error
        finally:
            self.finished.set()

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def _ask(self) -> int:
        legal = np.flatnonzero(self.game.legal_mask(self.states[0])).tolist()
        self.snapshot = opinion_of(self.player.analyze(self.states, *self._asked), legal)
        if self.seed is None:
            return self.snapshot.candidates[0].action
        return int(self.player.choose(self.states, self._rng(), *self._asked)[0])

    def _search(self) -> int:
        player = self.player
        assert isinstance(player, SearchPlayer)
        seed = 0 if self.seed is None else int(self._rng().integers(1 << 62))  # as SearchPlayer
        search = Search(self.game, player.config, 1, seed=seed)
        search.place(self.states, past=self.past)
        evaluator, target = player.evaluators[0], player.config.simulations
        for _ in _slices(search, evaluator, target):
            self.snapshot = look_at(search.forest, target)
            if self._stop.is_set():
                break
        self.forest = search.forest
        return int(search.read(np.zeros(1, np.int64)).best_action[0])


def _slices(search: Search, evaluator: Any, target: int) -> Iterator[None]:
    """Search tree 0 to `target` simulations, pausing every SLICE_S or so.

    Measured in the thread's processor time. By wall time, slices would shrink on a busy machine to
    little more than the snapshots between them, for which the thread holds the interpreter's lock;
    and when it loses its core while holding that, the keyboard waits too.
    """
    if isinstance(evaluator, CompiledEvaluator):
        return _compiled_slices(search, evaluator, target)
    return _evaluated_slices(search, evaluator, target)


def _compiled_slices(search: Search, evaluator: CompiledEvaluator, target: int) -> Iterator[None]:
    trees, info = np.zeros(1, np.int64), search.forest.info
    goal = target if search.config.root == "gumbel" else min(FIRST_SLICE, target)
    size = goal
    while True:
        began = time.thread_time()
        search.begin(trees, goal)
        search.run(evaluator)
        over = goal == target or bool(info["full"][0])
        if over or not np.isnan(search.forest.nodes["exact"][0, ROOT]):
            yield
            return
        yield
        took = max(time.thread_time() - began, 1e-4)
        size = max(1, min(2 * size, int(size * SLICE_S / took)))
        goal = min(target, goal + size)


def _evaluated_slices(search: Search, evaluator: Any, target: int) -> Iterator[None]:
    search.begin(np.zeros(1, np.int64), target)
    began, began_by_clock = time.thread_time(), time.monotonic()
    while len((leaves := search.select()).counts):
        search.receive(*evaluator(leaves))
        used, passed = time.thread_time() - began, time.monotonic() - began_by_clock
        if used >= SLICE_S or passed >= WAIT_S:
            yield
            began, began_by_clock = time.thread_time(), time.monotonic()
    yield


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
