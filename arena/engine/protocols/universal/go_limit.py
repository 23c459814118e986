"""How long `go` wants an engine to think: its numbers as a limit."""

from __future__ import annotations

from arena.engine.limits import Clock, Clocks, Limit
from arena.engine.protocols.universal.dialect import Dialect
from arena.engine.protocols.universal.grammar import GoWords
from arena.engine.protocols.universal.options import Options
from mcts.search import MOST_VISITS

SHORTEST_S = 0.001  # of a move whose time is less than the overhead


def limit_of(words: GoWords, options: Options, own_nodes: int, dialect: Dialect) -> Limit:
    """Return the limit that `go` asks for; without one the agent's own number of nodes.

    That number is also the most of an agent whose strength is limited: with more it is stronger.

    `depth` and `mate` are not limits of an engine: with these alone it goes on until its tree is
    full, and whoever follows its snapshots stops it.
    """
    numbers = words.numbers
    if "mate" in words.flags:
        seconds = _seconds(numbers["mate"], options) if "mate" in numbers else 0.0
        return Limit(options.nodes or MOST_VISITS, seconds, early=False)
    if "infinite" in words.flags:
        return Limit()
    seconds = _seconds(numbers["movetime"], options) if "movetime" in numbers else 0.0
    clocks = None
    if not numbers.keys().isdisjoint(("wtime", "btime", "byoyomi")):
        clocks = Clocks(
            _clock(numbers, dialect.first, dialect.second),
            _clock(numbers, dialect.second, dialect.first),
            overhead=options.overhead / 1000,
        )
    nodes = min(MOST_VISITS, max(1, numbers["nodes"])) if "nodes" in numbers else 0
    for most in (options.nodes, own_nodes if options.limit_strength else 0):
        if most:
            nodes = min(nodes, most) if nodes else most
    if not (nodes or seconds or clocks):
        nodes = MOST_VISITS if {"depth", "mate"} & set(numbers) else own_nodes
    return Limit(nodes, seconds, clocks, early=clocks is not None and not options.analyse)


def _seconds(milliseconds: int, options: Options) -> float:
    return max(SHORTEST_S, (milliseconds - options.overhead) / 1000)


def _clock(numbers: dict[str, int], side: str, other: str) -> Clock:
    """Return a side's clock; one that is not given is like the other's."""
    left = numbers.get(f"{side}time", numbers.get(f"{other}time", 0))
    gained, period = (max(0, numbers.get(word, 0)) / 1000 for word in (f"{side}inc", "byoyomi"))
    return Clock(left / 1000, gained, max(0, numbers.get("movestogo", 0)), period)
