"""One tree searched in small steps, between which the thinking may look, stop or go on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.game import Game
from mcts.config import SearchConfig
from mcts.forest import EDGE, NODE
from mcts.search import CompiledEvaluator, Evaluator, Leaves, Search

SLICE_S = 0.03  # of processor time, about, between two snapshots of a search
WAIT_S = 0.2  # of wall time, for an evaluator that computes elsewhere
STEP_S = 0.01  # of processor time, about, in which a compiled search cannot be stopped
FIRST_STEP = 16  # simulations; the next ones are fitted to STEP_S
KNOWN_STEP = 4096  # simulations in one call at most, of those that end at known results
LEAVES = 8  # of one tree in flight, at most: a network evaluates as many in the time of two
VISITS_PER_LEAF = 12  # of the root for each of them
ROWS_A_THREAD = 4  # of a batch at least: fewer take as long
MEMORY_BYTES = 1 << 30  # of a full tree by default; what is not used is not taken
MOST_NODES = 1 << 24  # a tree's numbers of nodes and edges are 32-bit

TREE = np.zeros(1, np.int64)  # the number of the only tree of a search


def room_in(game: Game, memory: int = MEMORY_BYTES) -> int:
    """Return the nodes of a tree that fit in `memory` bytes, with what re-rooting needs."""
    node_bytes = NODE.itemsize + game.dtype.itemsize + game.typical_legal * EDGE.itemsize
    return int(np.clip(memory // (2 * node_bytes), 1024, MOST_NODES))


def batched(
    config: SearchConfig, leaves: int = LEAVES, visits_per_leaf: int = VISITS_PER_LEAF
) -> SearchConfig:
    """Return the config of a single game's search: batches of at most `leaves` leaves of its tree.

    They grow with the tree, so that virtual loss distorts little of it. What the config itself says
    of leaves stays, and so do Gumbel roots, which plan each visit.
    """
    if leaves == 1 or config.leaves_per_tree > 1 or config.root == "gumbel":
        return config
    return replace(config, leaves_per_tree=leaves, visits_per_leaf=visits_per_leaf)


class SharedOut:
    """An evaluator that shares out large batches among several, each in a thread of its own."""

    def __init__(self, evaluators: Sequence[Evaluator]) -> None:
        self.evaluators = list(evaluators)
        others = len(self.evaluators) - 1
        self._pool = ThreadPoolExecutor(others, "ludens-evaluator") if others else None

    def __call__(self, leaves: Leaves) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Evaluate the leaves; see `mcts.search.Evaluator`."""
        parts = min(len(self.evaluators), max(1, len(leaves.counts) // ROWS_A_THREAD))
        if self._pool is None or parts == 1:
            return self.evaluators[0](leaves)
        cuts = [len(leaves.counts) * i // parts for i in range(parts + 1)]
        shares = [
            Leaves(leaves.planes[i:j], leaves.actions[i:j], leaves.counts[i:j])
            for i, j in pairwise(cuts)
        ]
        others = [self._pool.submit(e, share) for e, share in zip(self.evaluators[1:], shares[1:])]
        try:
            answers = [self.evaluators[0](shares[0])]
        finally:
            wait(others)
        answers += [other.result() for other in others]
        width = max(logits.shape[1] for logits, _ in answers)
        logits_NL = np.zeros((len(leaves.counts), width), np.float32)
        for cut, (logits, _) in zip(cuts, answers):
            logits_NL[cut : cut + len(logits), : logits.shape[1]] = logits
        return logits_NL, np.concatenate([values for _, values in answers])

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()


def steps(search: Search, evaluator: Evaluator | CompiledEvaluator, target: int) -> Iterator[None]:
    """Search the tree to `target` root visits, pausing after each batch or some simulations.

    There is at least one pause, and at each the tree is whole.
    """
    if isinstance(evaluator, CompiledEvaluator):
        return _compiled_steps(search, evaluator, target)
    return _evaluated_steps(search, evaluator, target)


def _compiled_steps(search: Search, evaluator: CompiledEvaluator, target: int) -> Iterator[None]:
    """Steps last about STEP_S; a Gumbel root is one step, as its visits are planned."""
    info = search.forest.info
    visits = root_visits(search)
    goal = target if search.config.root == "gumbel" else min(visits + FIRST_STEP, target)
    size = max(1, goal - visits)
    while True:
        began = time.thread_time()
        search.begin(TREE, goal, until_full=True)
        search.run(evaluator)
        yield
        if goal == target or bool(info["full"][0]) or is_proven(search):
            return
        took = max(time.thread_time() - began, 1e-4)
        size = max(1, min(2 * size, int(size * STEP_S / took)))
        goal = min(target, goal + size)


def _evaluated_steps(search: Search, evaluator: Any, target: int) -> Iterator[None]:
    """Known positions need no evaluator, so the search pauses after KNOWN_STEP of them too."""
    while True:
        goal = target
        if search.config.root != "gumbel":
            goal = min(target, root_visits(search) + KNOWN_STEP)
        search.begin(TREE, goal, until_full=True)
        while len((leaves := search.select()).counts):
            search.receive(*evaluator(leaves))
            yield
        yield
        if goal == target or bool(search.forest.info["full"][0]) or is_proven(search):
            return


def root_visits(search: Search) -> int:
    """Return the visits of the root's moves; they are those of its node but for its own."""
    return max(0, int(search.forest.nodes["visits"][0, 0]) - 1)


def is_proven(search: Search) -> bool:
    """Return whether the root's value is proven."""
    return not np.isnan(search.forest.nodes["exact"][0, 0])


class SnapshotClock:
    """When a search is due to be looked at.

    Measured in the thread's processor time. By wall time, slices would shrink on a busy machine to
    little more than the snapshots between them, for which the thread holds the interpreter's lock;
    and when it loses its core while holding that, the keyboard waits too.
    """

    def __init__(self) -> None:
        self._used, self._passed = time.thread_time(), time.monotonic()

    def is_due(self) -> bool:
        """Return whether SLICE_S of processor time or WAIT_S have passed; they begin again."""
        used, passed = time.thread_time(), time.monotonic()
        if used - self._used < SLICE_S and passed - self._passed < WAIT_S:
            return False
        self._used, self._passed = used, passed
        return True
