"""The whole tree search again, slowly: objects and lists, one tree, plain Python.

Written from the papers that `mcts` cites, not from its code; of `mcts` only the options are used.
What is stored in single precision there is rounded here too (`single`), or the two would part at
the first near tie. Random numbers come from outside (`Noise`), so that both may be given the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from envs.game import Game, position_key, remember
from mcts.config import SearchConfig
from mcts.forest import lookahead_of

Evaluate = Callable[[Any, Any], tuple[Any, float]]  # state, past -> (logits [A], value_to_play)


class Noise(Protocol):
    """The random draws of a search, in the order in which it makes them."""

    def gammas(self, alpha: float, count: int) -> list[float]: ...
    def gumbels(self, count: int) -> list[float]: ...
    def uniform(self) -> float: ...


def single(x: float) -> float:
    return float(np.float32(x))


@dataclass(eq=False)
class Edge:
    action: int
    prior: float = 0.0
    logit: float = 0.0
    visits: int = 0
    value_sum: float = 0.0
    child: Node | None = None
    exact: float | None = None
    plies: int = 0

    @property
    def is_loss(self) -> bool:
        return self.exact == -1.0

    def value(self, otherwise: float) -> float:
        if self.exact is not None:
            return self.exact
        return self.value_sum / self.visits if self.visits else otherwise


@dataclass(eq=False)
class Node:
    state: Any
    to_play: int
    exact: float | None
    earlier: list[Any]  # the positions of its game before it, oldest first
    edges: list[Edge] = field(default_factory=list)
    visits: int = 0
    value_sum: float = 0.0
    raw_value: float = 0.0
    plies: int = 0
    pending: bool = False
    expanded: bool = False


@dataclass
class Result:
    policy: dict[int, float]
    value_to_play: float
    action: int
    best_action: int
    exact: float | None
    plies: int
    visits: dict[int, int]
    q: dict[int, float]


class ReferenceTree:
    def __init__(
        self,
        game: Game,
        config: SearchConfig,
        evaluate: Evaluate,
        noise: Noise,
        capacity: int = 1 << 30,
    ) -> None:
        self.game, self.config, self.evaluate, self.noise = game, config, evaluate, noise
        self.capacity = capacity
        self.cache: dict[tuple[bytes, ...], tuple[list[float], float]] = {}  # logits and value
        self.lookahead = lookahead_of(game, config)

    # --- a search, from outside -----------------------------------------------------------

    def place(self, state: Any, earlier: Sequence[Any] = ()) -> None:
        self.root = self.new_node(state.copy(), list(earlier))

    def begin(self, simulations: int, explore: bool = False, temperature: float = 0.0) -> None:
        self.target, self.explore, self.ready = simulations, explore, False
        self.scale = 1.0 if explore else temperature
        self.in_flight: list[tuple[Node, list[tuple[Node, Edge]]]] = []

    def run(self) -> None:
        while leaves := self.select():
            for leaf, path in leaves:
                logits, value = self.evaluate(leaf.state, self.past(leaf))
                self.expand(leaf, [single(logits[e.action]) for e in leaf.edges], single(value))
                if self.config.cache_size:
                    key = self.key(leaf)
                    self.cache[key] = ([e.logit for e in leaf.edges], leaf.raw_value)
                self.back_up(path, leaf, leaf.raw_value)

    def play(self, action: int) -> None:
        child = next((e.child for e in self.root.edges if e.action == action), None)
        if not self.config.keeps_tree or not self.root.expanded:
            child = None
        if child is not None and (child.expanded or child.exact is not None):
            self.root = child
        else:
            state = self.root.state.copy()
            self.game.rules.step(state, action)
            self.place(state, [*self.root.earlier, self.root.state])

    def read(self, temperature: float = 0.0) -> Result:
        edges = self.root.edges
        best = self.best_edge(temperature)
        return Result(
            policy=self.policy(),
            value_to_play=self.root_value(),
            action=self.sample(best, temperature).action,
            best_action=self.best_edge(0.0).action,
            exact=self.root.exact,
            plies=self.root.plies,
            visits={e.action: e.visits for e in edges},
            q={e.action: e.value(math.nan) for e in edges},
        )

    # --- simulations ----------------------------------------------------------------------

    def size(self) -> int:
        count, stack = 0, [self.root]
        while stack:
            node = stack.pop()
            count += 1
            stack.extend(e.child for e in node.edges if e.child is not None)
        return count

    def is_done(self) -> bool:
        visits = self.root.visits - 1 + len(self.in_flight)
        return self.root.exact is not None or visits >= self.target

    def select(self) -> list[tuple[Node, list[tuple[Node, Edge]]]]:
        self.in_flight = []
        allowed = self.config.leaves_per_tree
        if self.config.visits_per_leaf:
            allowed = min(allowed, 1 + self.root.visits // self.config.visits_per_leaf)
        while len(self.in_flight) < allowed:
            if self.root.expanded and not self.ready:
                self.add_noise()
            if self.is_done() or self.size() >= self.capacity or not self.simulate():
                break
        leaves, self.in_flight = self.in_flight, []
        return leaves

    def simulate(self) -> bool:
        """One simulation; False where it ran into a leaf in flight."""
        node, path = self.root, []
        loss = self.config.virtual_loss if self.config.leaves_per_tree > 1 else 0.0
        while node.expanded and node.exact is None:
            edge = self.select_edge(node)
            edge.visits += 1
            edge.value_sum -= loss
            path.append((node, edge))
            if edge.exact is not None:
                self.back_up_path(path, edge.exact, node.to_play)
                return True
            if edge.child is None:
                state = node.state.copy()
                self.game.rules.step(state, edge.action)
                edge.child = self.new_node(state, [*node.earlier, node.state])
            node = edge.child
        if node.pending and node.exact is None:
            for _, edge in path:
                edge.visits -= 1
                edge.value_sum += loss
            return False
        self.resolve(node, path)
        return True

    def resolve(self, node: Node, path: list[tuple[Node, Edge]]) -> None:
        if node.exact is None:
            self.make_edges(node)
            if not (self.lookahead and self.prove(node)):
                key = self.key(node)
                if key in self.cache:
                    self.expand(node, *self.cache[key])
                    self.back_up(path, node, node.raw_value)
                else:
                    self.in_flight.append((node, path))
                return
        if self.config.solve:
            self.carry_proof(node, path)
        self.back_up(path, node, node.exact)

    def past(self, node: Node) -> Any:
        """The boards before a node, newest first; the oldest is repeated."""
        boards = node.earlier or [node.state]
        back = range(1, self.game.past_boards + 1)
        return np.array([boards[max(len(boards) - b, 0)] for b in back], self.game.dtype)

    def key(self, node: Node) -> tuple[bytes, ...]:
        """All that the network sees of a node, and its legal actions."""
        seen = self.game.encode(node.state, self.past(node))
        return seen.tobytes(), np.array([e.action for e in node.edges]).tobytes()

    def new_node(self, state: Any, earlier: list[Any]) -> Node:
        rules = self.game.rules
        if rules.remember is not None:
            keys = np.array([position_key(board) for board in earlier], np.uint64)
            remember(state, keys, len(keys))
        exact = float(rules.value_to_play(state)) if rules.is_terminal(state) else None
        return Node(state, int(rules.to_play(state)), exact, earlier)

    def make_edges(self, node: Node) -> None:
        node.pending = True
        node.edges = [Edge(int(a)) for a in self.game.legal_actions(node.state)]
        for edge in node.edges:
            self.look_along(node, edge)

    def expand(self, node: Node, logits: list[float], value: float) -> None:
        weights = [math.exp(logit - max(logits)) for logit in logits]
        for edge, logit, weight in zip(node.edges, logits, weights, strict=True):
            edge.logit, edge.prior = logit, single(single(weight) / sum(weights))
        node.raw_value, node.pending, node.expanded = value, False, True

    def back_up(self, path: list[tuple[Node, Edge]], leaf: Node, value: float) -> None:
        leaf.visits += 1
        leaf.value_sum += value
        self.back_up_path(path, value, leaf.to_play)

    def back_up_path(self, path: list[tuple[Node, Edge]], value: float, mover: int) -> None:
        for node, edge in path:
            seen = value if node.to_play == mover else -value
            edge.value_sum += seen
            if self.config.leaves_per_tree > 1:
                edge.value_sum += self.config.virtual_loss
            node.visits += 1
            node.value_sum += seen

    # --- selection ------------------------------------------------------------------------

    def select_edge(self, node: Node) -> Edge:
        if self.config.root == "puct":
            return self.select_puct(node)
        return self.select_halving() if node is self.root else self.select_improved(node)

    def exploration(self, visits: int) -> float:
        c = self.config
        return (math.log((visits + c.c_base + 1) / c.c_base) + c.c_init) * math.sqrt(visits)

    def select_puct(self, node: Node) -> Edge:
        c = self.config
        unvisited = c.fpu_value
        if c.fpu == "reduction":
            noisy = node is self.root and self.explore
            seen = sum(e.prior for e in node.edges if e.visits)
            reduction = 0.0 if noisy and not c.noisy_root_fpu else c.fpu_value * math.sqrt(seen)
            unvisited = node.value_sum / max(1, node.visits) - reduction
        forced = node is self.root and self.explore and c.forced_playouts > 0
        scale = self.exploration(node.visits)
        scores: list[tuple[float, Edge]] = []
        for edge in node.edges:
            if edge.is_loss:
                continue
            score = edge.value(unvisited)
            if edge.exact is None:
                score += scale * edge.prior / (1 + edge.visits)
                if forced and edge.visits:
                    if edge.visits < math.sqrt(c.forced_playouts * edge.prior * (node.visits - 1)):
                        return edge
            scores.append((score, edge))
        return max(scores, key=lambda pair: pair[0])[1]

    def improved_logits(self, node: Node) -> list[float]:
        """logits + sigma(completed Q): Gumbel AlphaZero, equations 8, 10 and 33."""
        seen = [e for e in node.edges if e.visits]
        mixed, visits = node.raw_value, sum(e.visits for e in seen)
        mass = sum(e.prior for e in seen)
        if seen and mass > 0:
            weighted = sum(e.prior * e.value(0.0) for e in seen) / mass
            mixed = (node.raw_value + visits * weighted) / (1 + visits)
        completed = [e.value(mixed) for e in node.edges]
        low, span = min(completed), max(max(completed) - min(completed), 1e-8)
        scale = (self.config.maxvisit_init + max(e.visits for e in node.edges)) * (
            self.config.value_scale
        )
        return [
            e.logit + scale * (q - low) / span for e, q in zip(node.edges, completed, strict=True)
        ]

    def select_improved(self, node: Node) -> Edge:
        logits = self.improved_logits(node)
        weights = [math.exp(x - max(logits)) for x in logits]
        visits = sum(e.visits for e in node.edges)
        scores = [
            (weight / sum(weights) - edge.visits / (1 + visits), edge)
            for weight, edge in zip(weights, node.edges, strict=True)
            if not edge.is_loss
        ]
        return max(scores, key=lambda pair: pair[0])[1]

    def select_halving(self) -> Edge:
        edges = self.root.edges
        wanted = self.schedule[min(sum(e.visits for e in edges), len(self.schedule) - 1)]
        logits = self.improved_logits(self.root)
        open_edges = [(e, i) for i, e in enumerate(edges) if not e.is_loss]
        right = [(e, i) for e, i in open_edges if e.visits == wanted]
        if right:
            return max(right, key=lambda pair: self.gumbels[pair[1]] + logits[pair[1]])[0]
        return min(open_edges, key=lambda pair: pair[0].visits)[0]

    def add_noise(self) -> None:
        self.ready = True
        edges, c = self.root.edges, self.config
        if c.root == "gumbel":
            drawn = self.noise.gumbels(len(edges)) if self.scale else [0.0] * len(edges)
            self.gumbels = [self.scale * g for g in drawn]
            self.schedule = halving_schedule(min(c.considered_actions, len(edges)), self.target)
        elif self.explore and c.dirichlet_fraction > 0:
            gammas = self.noise.gammas(c.dirichlet_alpha, len(edges))
            for edge, gamma in zip(edges, gammas, strict=True):
                share = c.dirichlet_fraction * (gamma / sum(gammas))
                edge.prior = single((1 - c.dirichlet_fraction) * edge.prior + share)

    # --- proofs ---------------------------------------------------------------------------

    def look_along(self, node: Node, edge: Edge) -> None:
        """Mark the edge with the shortest forced end within the look ahead, if there is one."""
        rules = self.game.rules
        state = node.state.copy()
        rules.step(state, edge.action)
        sign = 1 if rules.to_play(state) == node.to_play else -1
        for plies in range(1, self.lookahead + 1):
            value = self.forced(state, plies - 1)
            if value is not None:
                edge.exact, edge.plies = sign * value, plies
                return

    def forced(self, state: Any, plies: int) -> float | None:
        """The value of a position to play if its game is over within so many plies of best play."""
        rules = self.game.rules
        if rules.is_terminal(state):
            return float(rules.value_to_play(state))
        if plies == 0:
            return None
        values = []
        for action in np.flatnonzero(self.game.legal_mask(state)):
            after = state.copy()
            rules.step(after, action)
            value = self.forced(after, plies - 1)
            if value is not None and rules.to_play(after) != rules.to_play(state):
                value = -value
            values.append(value)
        if 1.0 in values:
            return 1.0
        return None if None in values else max(values)

    def prove(self, node: Node) -> bool:
        wins = [e.plies for e in node.edges if e.exact == 1.0]
        if wins:
            node.exact, node.plies = 1.0, min(wins)
        elif all(e.exact is not None for e in node.edges):
            node.exact = max(e.exact for e in node.edges)
            node.plies = max(e.plies for e in node.edges if e.exact == node.exact)
        return node.exact is not None

    def carry_proof(self, leaf: Node, path: list[tuple[Node, Edge]]) -> None:
        child = leaf
        for node, edge in reversed(path):
            edge.exact = child.exact if child.to_play == node.to_play else -child.exact
            edge.plies = child.plies + 1
            if node.exact is not None or not self.prove(node):
                return
            child = node

    # --- what a search has found ----------------------------------------------------------

    def proves_root(self, edge: Edge) -> bool:
        root = self.root
        return edge.exact == root.exact and (root.exact == 0.0 or edge.plies == root.plies)

    def best_edge(self, temperature: float) -> Edge:
        edges = self.root.edges
        if self.root.exact is not None:
            ranks = [(e.visits, e.value(-1.0), e.prior, e) for e in edges if self.proves_root(e)]
        elif self.config.root == "gumbel":
            logits = self.improved_logits(self.root)
            chance = temperature / self.scale if self.scale else 0.0
            ranks = [
                (e.visits, logits[i] + chance * self.gumbels[i], e.prior, e)
                for i, e in enumerate(edges)
                if not e.is_loss
            ]
        else:
            ranks = [(e.visits, e.value(-1.0), e.prior, e) for e in edges if not e.is_loss]
        return max(ranks, key=lambda rank: rank[:3])[3]

    def sample(self, best: Edge, temperature: float) -> Edge:
        if not temperature or self.config.root == "gumbel" or self.root.exact is not None:
            return best
        edges = [e for e in self.root.edges if not e.is_loss]
        by_prior = not best.visits  # only losses were visited
        raw = [max(e.prior, 1e-38) if by_prior else e.visits for e in edges]
        weights = [(x / max(raw)) ** (1 / temperature) for x in raw]
        left = self.noise.uniform() * sum(weights)
        for edge, weight in zip(edges, weights, strict=True):
            left -= weight
            if left <= 0:
                return edge
        return best

    def root_value(self) -> float:
        if self.root.exact is not None:
            return self.root.exact
        kept = [e for e in self.root.edges if e.visits and not e.is_loss]
        total = self.root.raw_value + sum(e.visits * e.value(0.0) for e in kept)
        return total / (1 + sum(e.visits for e in kept))

    def policy(self) -> dict[int, float]:
        edges = self.root.edges
        if self.root.exact is not None:
            weights = [float(self.proves_root(e)) for e in edges]
        elif self.config.root == "gumbel":
            logits = self.improved_logits(self.root)
            top = max(x for e, x in zip(edges, logits) if not e.is_loss)
            weights = [0.0 if e.is_loss else math.exp(x - top) for e, x in zip(edges, logits)]
        else:
            weights = [0.0 if e.is_loss else float(self.target_visits(e)) for e in edges]
        if not sum(weights):
            weights = [0.0 if e.is_loss else max(e.prior, 1e-38) for e in edges]
        return {e.action: w / sum(weights) for e, w in zip(edges, weights)}

    def target_visits(self, edge: Edge) -> int:
        """Visits without the forced ones, taken off while PUCT would still prefer the best edge."""
        c = self.config
        best = max(self.root.edges, key=lambda e: -1 if e.is_loss else e.visits)
        if not self.explore or not c.forced_playouts or edge is best or not edge.visits:
            return edge.visits
        total = self.root.visits - 1
        scale = self.exploration(total + 1)
        goal = best.value(0.0) + scale * best.prior / (1 + best.visits)
        forced = math.sqrt(c.forced_playouts * edge.prior * total)
        visits, q = edge.visits, edge.value(0.0)
        if q >= goal:
            return visits  # no number of visits makes PUCT prefer the best edge
        fewest = max(edge.visits - forced, 0.0)
        while visits > fewest and q + scale * edge.prior / visits <= goal:
            visits -= 1  # one fewer and it would score q + scale P / (1 + (visits - 1))
        kept = max(fewest, float(visits))
        return int(kept) if kept > 1 else 0


def halving_schedule(considered: int, simulations: int) -> list[int]:
    """The visit count of the edge to simulate next, for every simulation (mctx, seq_halving)."""
    if considered <= 1:
        return list(range(simulations))
    rounds = math.ceil(math.log2(considered))
    sequence: list[int] = []
    visits, left = [0] * considered, considered
    while len(sequence) < simulations:
        for _ in range(max(1, int(simulations / (rounds * left)))):
            sequence.extend(visits[:left])
            visits[:left] = [n + 1 for n in visits[:left]]
        left = max(2, left // 2)
    return sequence[:simulations]
