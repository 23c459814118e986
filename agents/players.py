"""Players, which choose moves for batches of positions: by chance, a network or a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from agents.cores import allowed_cores
from envs.batch import legal_actions_many
from envs.game import Game
from envs.positions import Past
from mcts.config import SearchConfig
from mcts.forest import EDGE, NODE
from mcts.search import (
    ROLLOUT,
    CompiledEvaluator,
    Evaluator,
    RootResults,
    Search,
    by_action,
    empty_results,
    run_parallel,
)

MOST_TREES = 512  # searched at once by one Search; more positions follow in further rounds
FULL_BATCH = 64  # positions that a network evaluates about as fast, each, as any larger number
FOREST_BYTES = 1 << 27  # about the most memory of one Search
THREADS = max(1, min(2, allowed_cores()))  # more gain little for a few hundred trees


class Analysis(NamedTuple):
    """A player's analysis of n positions; values are for the side to move."""

    best_action: NDArray[np.int64]  # [n]
    value_to_play: NDArray[np.float32]  # [n] in [-1, 1]; NaN where the player has no opinion
    policy: NDArray[np.float32]  # [n, A] sums to 1
    visits: NDArray[np.int32]  # [n, A] zero for players that do not search
    q: NDArray[np.float32]  # [n, A] value of each move for the mover, NaN where unknown
    exact: NDArray[np.float32]  # [n] proven value, or NaN
    plies: NDArray[np.int16]  # [n] plies to the proven end, 0 where nothing is proven


class ForfeitError(Exception):
    """A player has no legal move to offer in some of n positions; a match counts them as lost.

    Attributes:
        player: its name.
        chosen: int64 [n], the moves of the other positions; -1 where there is none.
        reasons: {index of a position without a move: why}.
    """

    def __init__(self, player: str, chosen: NDArray[np.int64], reasons: dict[int, str]) -> None:
        super().__init__(player, chosen, reasons)
        self.player = player
        self.chosen = chosen
        self.reasons = reasons

    def __str__(self) -> str:
        return f"{self.player} forfeits: {next(iter(self.reasons.values()))}"


class Player(Protocol):
    """Chooses moves. Positions are records [n] of its game, none of them finished.

    `past` is what lies before them, in games with history; None is nothing.
    """

    name: str

    def choose(
        self, states: NDArray[Any], rng: np.random.Generator, past: Past | None = None
    ) -> NDArray[np.int64]:
        """Choose one legal action a position, int64 [n]; `rng` decides whatever is random.

        Raises ForfeitError, if the player is a program that may fail.
        """

    def analyze(self, states: NDArray[Any], past: Past | None = None) -> Analysis:
        """Analyse each position."""


class Probe(NamedTuple):
    """A player to measure a run by, against positions whose best moves are known.

    Attributes:
        name: how it plays, as a column's title.
        player: it.
        cost: its share of the time that all measuring may take, in parts.
        interval_s: seconds between two measurements at least.
        positions: the most of each set that it is asked; 0 for all.
    """

    name: str
    player: Player
    cost: float
    interval_s: float
    positions: int = 0


def legal_lists(game: Game, states: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the legal actions of each position, int32 [n, L], and their numbers [n]."""
    actions = np.zeros((len(states), game.max_legal), np.int32)
    counts = np.zeros(len(states), np.int32)
    legal_actions_many(states, actions, counts)
    return actions, counts


def opinion(policy: NDArray[np.float32], value_to_play: NDArray[np.float32]) -> Analysis:
    """Return the analysis of a policy [n, A] and values [n] without search."""
    count = len(policy)
    return Analysis(
        best_action=policy.argmax(axis=1),
        value_to_play=value_to_play,
        policy=policy,
        visits=np.zeros(policy.shape, np.int32),
        q=np.full(policy.shape, np.nan, np.float32),
        exact=np.full(count, np.nan, np.float32),
        plies=np.zeros(count, np.int16),
    )


class RandomPlayer:
    """Chooses any legal move with equal probability."""

    def __init__(self, game: Game) -> None:
        self.game = game
        self.name = "random"

    def choose(
        self, states: NDArray[Any], rng: np.random.Generator, past: Past | None = None
    ) -> NDArray[np.int64]:
        """See Player."""
        legal_NL, count_N = legal_lists(self.game, states)
        draws_NA = rng.random((len(states), self.game.num_actions))  # a number for every action
        draws_NL = np.take_along_axis(draws_NA, legal_NL.astype(np.int64), 1)
        draws_NL[np.arange(legal_NL.shape[1]) >= count_N[:, None]] = -1.0
        return legal_NL[np.arange(len(states)), draws_NL.argmax(axis=1)].astype(np.int64)

    def analyze(self, states: NDArray[Any], past: Past | None = None) -> Analysis:
        """Return the uniform policy, and no value."""
        legal_NL, count_N = legal_lists(self.game, states)
        equal_NL = np.broadcast_to((1.0 / count_N)[:, None], legal_NL.shape).astype(np.float32)
        policy_NA = by_action(equal_NL, legal_NL, count_N, self.game.num_actions, 0.0)
        return opinion(policy_NA, np.full(len(states), np.nan, np.float32))


# observations [n, ...] -> (values of the actions float32 [n, A], values of the states [n])
ActionValues = Callable[[NDArray[Any]], tuple[NDArray[np.float32], NDArray[np.float32]]]


class GreedyPlayer:
    """Chooses the action that a policy values most, for environments of one player.

    `policy` answers the values [n, A] of the actions and those of the states [n].
    """

    def __init__(self, policy: ActionValues, name: str = "greedy") -> None:
        self.policy = policy
        self.name = name

    def choose(
        self, states: NDArray[Any], rng: np.random.Generator, past: Past | None = None
    ) -> NDArray[np.int64]:
        """See Player; deterministic."""
        return self.analyze(states).best_action

    def analyze(self, states: NDArray[Any], past: Past | None = None) -> Analysis:
        """Return the policy's values; all weight is on its chosen action."""
        values_NA, value_N = self.policy(states)
        best_NA = np.eye(values_NA.shape[1], dtype=np.float32)[values_NA.argmax(axis=1)]
        found = opinion(best_NA, np.asarray(value_N, np.float32))
        return found._replace(q=np.asarray(values_NA, np.float32))


def analysis_of(found: RootResults, game: Game) -> Analysis:
    """Return the results of n searches as an analysis of all actions."""
    actions = game.num_actions
    return Analysis(
        best_action=found.best_action,
        value_to_play=found.value_to_play,
        policy=by_action(found.policy, found.legal, found.counts, actions, 0.0),
        visits=by_action(found.visits, found.legal, found.counts, actions, 0),
        q=by_action(found.q, found.legal, found.counts, actions, np.nan),
        exact=found.exact,
        plies=found.plies,
    )


class SearchPlayer:
    """Searches a tree with an evaluator: a network, or random rollouts. It never explores.

    Positions are shared out to one Search an evaluator, each run in a thread of its own. Nothing is
    kept from one call to the next, so an answer does not depend on earlier calls.
    """

    def __init__(
        self,
        game: Game,
        evaluators: Sequence[Evaluator | CompiledEvaluator],
        config: SearchConfig,
        *,
        name: str = "search",
    ) -> None:
        self.game = game
        self.evaluators = list(evaluators)
        self.config = config
        self.name = name

    def choose(
        self, states: NDArray[Any], rng: np.random.Generator, past: Past | None = None
    ) -> NDArray[np.int64]:
        """Choose the best move of each search; only the rollouts are random."""
        return self._search(states, int(rng.integers(1 << 62)), past).best_action

    def analyze(self, states: NDArray[Any], past: Past | None = None) -> Analysis:
        """Analyse by search; always the same for the same positions."""
        return analysis_of(self._search(states, 0, past), self.game)

    def _search(self, states: NDArray[Any], seed: int, past: Past | None) -> RootResults:
        """Search all positions, as many at once as fit in memory."""
        at_once = len(self.evaluators) * trees_that_fit(self.game, self.config)
        parts = np.split(np.arange(len(states)), range(at_once, len(states), at_once))
        found = [
            self._search_together(states[part], seed + i, past.take(part) if past else None)
            for i, part in enumerate(parts)
            if len(part)
        ]
        return _joined(found, self.game)

    def _search_together(self, states: NDArray[Any], seed: int, past: Past | None) -> RootResults:
        shares = [s for s in np.array_split(np.arange(len(states)), len(self.evaluators)) if len(s)]
        searches = []
        for i, share in enumerate(shares):
            search = Search(self.game, self.config, len(share), seed=seed ^ i << 62)
            search.place(states[share], past=past.take(share) if past else None)
            search.begin(np.arange(len(share)), self.config.simulations)
            searches.append(search)
        run_parallel(searches, self.evaluators[: len(searches)])
        return _joined([s.read(np.arange(s.trees)) for s in searches], self.game)


def side_by_side(player: Player, positions: int) -> Player:
    """Return the player for a batch of this size while another thinks in a parallel thread.

    A small batch costs a network nearly as much as a larger one, so with few positions a thread the
    player leaves all threads but one to the other player. The moves are the same.
    """
    if not isinstance(player, SearchPlayer) or positions >= len(player.evaluators) * FULL_BATCH:
        return player
    if isinstance(player.evaluators[0], CompiledEvaluator):
        return player  # rollouts have no batches
    return SearchPlayer(player.game, player.evaluators[:1], player.config, name=player.name)


def trees_that_fit(game: Game, config: SearchConfig) -> int:
    """Count the trees of one forest that fit in FOREST_BYTES, 1 to MOST_TREES."""
    node_bytes = NODE.itemsize + game.dtype.itemsize + game.typical_legal * EDGE.itemsize
    return int(np.clip(FOREST_BYTES // (config.simulations * node_bytes), 1, MOST_TREES))


def _joined(parts: Sequence[RootResults], game: Game) -> RootResults:
    if not parts:
        return empty_results(0, game.max_legal)
    return RootResults(*(np.concatenate(column) for column in zip(*parts, strict=True)))


# Vanilla rollout MCTS (Kocsis & Szepesvari 2006): no priors, no proofs, every leaf one random game.
# Of c_init 0.7 to 14, 4 scored best against the others in Connect Four at 500 and 1000 simulations.
ROLLOUT_CONFIG = SearchConfig(
    c_init=4.0,
    fpu="fixed",
    fpu_value=0.0,
    solve=False,
    lookahead=0,
    tree_reuse=False,
    cache_size=0,
    forced_playouts=0.0,
)


def rollout_player(game: Game, config: SearchConfig, *, name: str = "mcts") -> SearchPlayer:
    """Create a tree search that values leaves by one random game each, on two threads."""
    return SearchPlayer(game, [ROLLOUT] * THREADS, replace(config, cache_size=0), name=name)
