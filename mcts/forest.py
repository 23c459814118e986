"""The forest: B search trees in flat arrays.

Shapes: B trees, N nodes per tree, E edges per tree, L most legal actions, K leaves in flight per
tree, D longest path, W actions of a cached position, H earlier boards that the game's planes show,
M keys of earlier positions. One more tree, index B, is scratch space for tree reuse.

Invariants:
- Node 0 is the root. A node is created when a simulation first reaches it, so a parent's index is
  lower than its children's.
- The edges of a node are contiguous, `first_edge` to `first_edge + num_edges`, in the order of the
  rules' list. Statistics are stored on the edge, from the perspective of the player to move there.
- What the rules say of a position's past is in its record, written once when the node is made: a
  tree gives each node one past, so that it stays true when the root moves on.
- `exact` is NaN until a result is proven; then it is the value under best play, from the same
  perspective as `value_sum`, and `plies` is the number of plies to that end.

Nodes and edges are records of 32 bytes, half a cache line: selection reads every field of an edge.
Compiled code works on one tree at a time, a `Tree` of `Rows` (see `envs.compiled.rows`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.compiled.jitable import jitable
from envs.compiled.rows import part_of, row_of, rows_of, states_of, states_row
from envs.compiled.rule_table import TABLE
from envs.game import Game
from mcts.config import SearchConfig
from mcts.rng import seed_streams

WIDE = 24  # legal moves in most positions from which on there is no lookahead by default
DEFAULT_LOOKAHEAD = 2  # plies
MOST_CACHE_BYTES = 1 << 26  # of a forest's evaluation cache
NO_NODE = -1  # a child not created yet; a slot with no leaf
NEW, PENDING, EXPANDED = 0, 1, 2  # stage of a node: no edges, awaiting its evaluation, evaluated

NODE = np.dtype(
    [
        ("value_sum", "f8"),  # value_to_play summed over its visits
        ("visits", "i4"),  # evaluations backed up through it, including its own
        ("first_edge", "i4"),
        ("num_edges", "i4"),
        ("raw_value", "f4"),  # the evaluator's value_to_play
        ("exact", "f4"),  # proven value_to_play, or NaN
        ("plies", "i2"),  # plies to the proven end
        ("stage", "u1"),  # NEW, PENDING or EXPANDED
        ("to_play", "i1"),  # 0 or 1
    ],
    align=True,
)
EDGE = np.dtype(
    [
        ("value_sum", "f8"),  # for the mover, including virtual losses
        ("prior", "f4"),
        ("logit", "f4"),  # the evaluator's, whose softmax over the node's edges is the prior
        ("visits", "i4"),  # including those in flight
        ("child", "i4"),  # node or NO_NODE
        ("exact", "f4"),  # proven value for the mover, or NaN
        ("plies", "i2"),
        ("action", "u2"),
    ],
    align=True,
)
INFO = np.dtype(
    [
        ("stream", "u8"),  # the tree's random numbers
        ("num_nodes", "i4"),
        ("num_edges", "i4"),
        ("num_keys", "i4"),  # positions of the game before the root
        ("in_flight", "i4"),  # leaves awaiting their evaluation
        ("num_only", "i4"),  # the only moves that the root has; 0 is all that are legal
        ("deepest", "i4"),  # plies of the longest path since the tree began
        ("target", "i4"),  # visits of the root's edges at which the search ends; 0 is idle
        ("noise", "f8"),  # scale of the root's Gumbel noise; 0 is none
        ("explore", "u1"),  # Dirichlet noise and forced playouts
        ("ready", "u1"),  # the root has its noise
        ("full", "u1"),  # out of nodes or edges: the search ends early
    ],
    align=True,
)
SLOT = np.dtype(  # a leaf awaiting its evaluation, and the path that leads to it
    [("leaf", "i4"), ("length", "i4"), ("first_hop", "i4")]
)
HOP = np.dtype([("node", "i4"), ("edge", "i4")])  # an edge of a path and its node
FRAME = np.dtype(  # one level of the lookahead: its side to move, and its moves' results so far
    [("best", "f8"), ("next", "i4"), ("moves", "i4"), ("open_moves", "i4"), ("to_play", "i4")],
    align=True,
)
CACHE = np.dtype([("key", "u8"), ("value", "f4"), ("edges", "i4")], align=True)  # key 0 is empty

# The addresses of a game's rules, and of what `mcts.game_calls` compiles for it; 0 if not needed.
CALLS = np.dtype([*TABLE.descr, ("play_child", "i8"), ("look_at_edges", "i8"), ("rollout", "i8")])

COUNTERS = ("simulations", "evaluations", "cache_hits", "proven_leaves", "proven_roots")


class Forest(NamedTuple):
    """The flat arrays; the module's docstring explains shapes and invariants."""

    info: NDArray[Any]  # INFO [B+1]
    nodes: NDArray[Any]  # NODE [B+1, N]
    edges: NDArray[Any]  # EDGE [B+1, E]
    states: NDArray[np.uint8]  # [B+1, N, bytes of the game's record]
    slots: NDArray[Any]  # SLOT [B+1, K]
    path: NDArray[Any]  # HOP [B+1, K * D]
    root_gumbel: NDArray[np.float64]  # [B+1, L] noise of the root's edges, scaled
    root_prior: NDArray[np.float32]  # [B+1, L] the evaluator's prior of the root's edges, no noise
    improved: NDArray[np.float64]  # [L] scratch: logits of a node's improved policy (Gumbel)
    considered: NDArray[np.int32]  # [B+1, simulations] visit count for each (Gumbel)
    exploration: NDArray[np.float64]  # [N] of PUCT by a node's visits, see `mcts.scores`
    batch: NDArray[np.int32]  # [B*K, 2] tree and slot of each row of the batch
    queue: NDArray[np.int32]  # [N] scratch of tree reuse
    only: NDArray[np.int32]  # [B+1, L] the moves that a root is restricted to
    keys: NDArray[np.uint64]  # [B+1, M] position keys of the game, then of the path
    boards: NDArray[np.uint8]  # [B+1, H, bytes] the boards before the root, newest first
    past: NDArray[np.uint8]  # [H, bytes] scratch: the boards before a leaf
    look_states: NDArray[np.uint8]  # [lookahead + 1, bytes] scratch
    look_actions: NDArray[np.int32]  # [lookahead + 1, L] scratch
    look_frames: NDArray[Any]  # FRAME [lookahead + 1] scratch
    cache: NDArray[Any]  # CACHE [C]
    cache_prior: NDArray[np.float32]  # [C, W] priors (Gumbel: logits) in the order of the edges
    counters: NDArray[np.int64]  # [5] see COUNTERS
    calls: NDArray[Any]  # CALLS [1]


class Tree(NamedTuple):
    """One tree of a forest in compiled code: its own `Rows`, and those shared by the forest."""

    info: Any  # INFO [1]
    nodes: Any  # NODE [N]
    edges: Any  # EDGE [E]
    states: Any  # States [N]
    slots: Any  # SLOT [K]
    path: Any  # HOP [K * D], a slot's begin at its first_hop
    root_gumbel: Any  # [L]
    root_prior: Any  # [L]
    improved: Any  # [L]
    considered: Any  # [simulations]
    only: Any  # [L]
    keys: Any  # [M]
    boards: Any  # States [H]
    past: Any  # States [H]
    look_states: Any  # States [lookahead + 1]
    look_actions: Any  # [(lookahead + 1) * L]
    look_frames: Any
    exploration: Any
    cache: Any
    cache_prior: Any  # [C * W]
    cache_width: Any  # W
    counters: Any
    calls: Any  # CALLS [1]


@jitable
def tree_at(forest: Any, t: int) -> Tree:
    """Return tree t of the forest, as rows that own no memory."""
    return Tree(
        part_of(rows_of(forest.info), t, 1),
        row_of(forest.nodes, t),
        row_of(forest.edges, t),
        states_row(forest.states, t),
        row_of(forest.slots, t),
        row_of(forest.path, t),
        row_of(forest.root_gumbel, t),
        row_of(forest.root_prior, t),
        rows_of(forest.improved),
        row_of(forest.considered, t),
        row_of(forest.only, t),
        row_of(forest.keys, t),
        states_row(forest.boards, t),
        states_of(forest.past),
        states_of(forest.look_states),
        rows_of(forest.look_actions),
        rows_of(forest.look_frames),
        rows_of(forest.exploration),
        rows_of(forest.cache),
        rows_of(forest.cache_prior),
        forest.cache_prior.shape[1],
        rows_of(forest.counters),
        rows_of(forest.calls),
    )


class Params(NamedTuple):
    """The numbers of a SearchConfig for compiled code."""

    gumbel: bool
    fpu_reduction: bool
    fpu_value: float
    noisy_root_fpu: bool
    dirichlet_alpha: float
    dirichlet_fraction: float
    forced_playouts: float
    solve: bool
    lookahead: int  # plies; 0 is none
    considered_actions: int
    maxvisit_init: float
    value_scale: float
    leaves_per_tree: int
    virtual_loss: float
    visits_per_leaf: int


def lookahead_of(game: Game, config: SearchConfig) -> int:
    """Return the plies of lookahead of a config in a game.

    Raises ValueError for 2 plies or more in a game that looks back: the lookahead plays on without
    the game's past, so it would take a move that repeats a position for an ordinary one.
    """
    wide = game.typical_legal > WIDE
    if not config.solve:
        return 0
    if config.lookahead < 0:
        return 0 if wide or game.rules.remember is not None else DEFAULT_LOOKAHEAD
    if config.lookahead > 1 and game.rules.remember is not None:
        raise ValueError(
            f"search.lookahead = {config.lookahead}: expected at most 1 in {game.name}, whose "
            "rules look back at earlier positions"
        )
    return config.lookahead


def params_of(game: Game, config: SearchConfig) -> Params:
    """Return the numbers of a config for compiled code; raises as `lookahead_of`."""
    values = {name: getattr(config, name) for name in Params._fields if hasattr(config, name)}
    values["lookahead"] = lookahead_of(game, config)
    return Params(gumbel=config.root == "gumbel", fpu_reduction=config.fpu == "reduction", **values)


def exploration_table(config: SearchConfig, count: int) -> NDArray[np.float64]:
    """Return c(s) sqrt(N) for N from 0 to count - 1 visits (AlphaZero 2018), float64 [count].

    c(s) = log((N + c_base + 1) / c_base) + c_init. A table, because every selection needs it.
    """
    visits = np.arange(count, dtype=np.float64)
    growth = np.log((visits + config.c_base + 1.0) / config.c_base)
    return (growth + config.c_init) * np.sqrt(visits)


def cache_shape(game: Game, config: SearchConfig) -> tuple[int, int]:
    """Return the actions of a position that is cached at most, and the entries: a power of two.

    As many as asked for, rounded up, or those that MOST_CACHE_BYTES hold.
    """
    width = min(2 * game.typical_legal, game.max_legal)
    if not config.cache_size:
        return width, 0
    entry = CACHE.itemsize + np.dtype(np.float32).itemsize * width
    most = 1 << ((MOST_CACHE_BYTES // entry).bit_length() - 1)
    return width, min(1 << (config.cache_size - 1).bit_length(), most)


def edges_for(game: Game, nodes: int) -> int:
    """Return the edges of a tree with this many nodes, one to write past among them."""
    edges = nodes * game.typical_legal + 1
    if game.typical_legal < game.max_legal:
        edges += game.max_legal  # room for one more node, whatever it has
    return edges


def _bytes_of(game: Game, *shape: int) -> NDArray[np.uint8]:
    """Allocate positions as bytes [*shape, bytes of a record]: one type of array for all games."""
    return np.zeros((*shape, game.dtype.itemsize), np.uint8)


def allocate(
    game: Game, config: SearchConfig, trees: int, max_simulations: int, seed: int
) -> Forest:
    """Allocate an empty forest with room for `max_simulations` per tree, kept ones included.

    A simulation creates at most one node, and nodes kept by tree reuse count as simulations. Raises
    ValueError if the game has more actions than an edge can store.
    """
    most_actions = np.iinfo(EDGE["action"]).max + 1
    if game.num_actions > most_actions:
        raise ValueError(
            f"{game.name} has {game.num_actions} actions: the search takes up to {most_actions}"
        )
    nodes = max_simulations + config.leaves_per_tree + 2
    depth = min(game.max_plies, nodes) + 2
    keys = game.max_plies + depth if game.rules.remember is not None else 1
    edges = edges_for(game, nodes)
    lookahead, leaves = lookahead_of(game, config), config.leaves_per_tree
    planned = max_simulations if config.root == "gumbel" else 1
    width, cache = cache_shape(game, config)
    forest = Forest(
        info=np.zeros(trees + 1, INFO),
        nodes=np.zeros((trees + 1, nodes), NODE),
        edges=np.zeros((trees + 1, edges), EDGE),
        states=_bytes_of(game, trees + 1, nodes),
        slots=np.zeros((trees + 1, leaves), SLOT),
        path=np.zeros((trees + 1, leaves * depth), HOP),
        root_gumbel=np.zeros((trees + 1, game.max_legal)),
        root_prior=np.zeros((trees + 1, game.max_legal), np.float32),
        improved=np.zeros(game.max_legal),
        considered=np.zeros((trees + 1, planned), np.int32),
        batch=np.zeros((trees * leaves, 2), np.int32),
        queue=np.zeros(nodes, np.int32),
        exploration=exploration_table(config, nodes),
        only=np.zeros((trees + 1, game.max_legal), np.int32),
        keys=np.zeros((trees + 1, keys), np.uint64),
        boards=_bytes_of(game, trees + 1, game.past_boards),
        past=_bytes_of(game, game.past_boards),
        look_states=_bytes_of(game, lookahead + 1),
        look_actions=np.zeros((lookahead + 1, game.max_legal), np.int32),
        look_frames=np.zeros(lookahead + 1, FRAME),
        cache=np.zeros(cache, CACHE),
        cache_prior=np.zeros((cache, width), np.float32),
        counters=np.zeros(len(COUNTERS), np.int64),
        calls=np.zeros(1, CALLS),
    )
    forest.info["stream"][:trees] = seed_streams(seed, trees)
    forest.slots["leaf"] = NO_NODE
    forest.slots["first_hop"] = np.arange(leaves) * depth
    return forest
