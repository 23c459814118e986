"""The Universal Shogi Interface: what it has of its own.

By Tord Romstad (2007), with what Shogidokoro added: byo-yomi, `gameover`, `go mate` for some time
and its answer `checkmate`, resigning and declaring a win by `bestmove`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from arena.engine.protocols.universal.dialect import Dialect
from arena.engine.protocols.universal.options import (
    MULTIPV,
    NEVER,
    NODES,
    TEMPERATURE,
    THREADS,
    Option,
    Options,
    hash_option,
    overhead_option,
)

if TYPE_CHECKING:
    from arena.engine.snapshot import Snapshot
    from envs.game import Game, State

CENTIPAWNS = 600.0  # of even games won and lost as e to 1: 73%
MOST_CENTIPAWNS = 30_000
VARIANTS = {"shogi": "shogi", "minishogi": "minishogi"}


def centipawns(value_to_play: float) -> int:
    """Return a value in [-1, 1] in centipawns: 600 log((1 + value) / (1 - value)), within 30,000.

    Shogi programs take a score's expected result for the logistic function of score / 600, since
    Ponanza.
    """
    value = max(-1.0, min(1.0, value_to_play))
    if abs(value) == 1.0:
        return round(math.copysign(MOST_CENTIPAWNS, value))
    score = round(2 * CENTIPAWNS * math.atanh(value))
    return max(-MOST_CENTIPAWNS, min(MOST_CENTIPAWNS, score))


def value_of(score: int) -> float:
    """Return centipawns as a value in [-1, 1]: the inverse of `centipawns`."""
    return math.tanh(score / (2 * CENTIPAWNS))


def plies_to_mate(exact: float, plies: int) -> str:
    """Return the plies to the end with the winner's sign; the sign alone where they are unknown."""
    if exact > 0:
        return str(plies) if plies else "+"
    return f"-{plies}" if plies else "-"


def checkmate(
    snapshot: Snapshot | None, proves: bool, words_of: Callable[[Sequence[int]], Sequence[str]]
) -> str:
    """Return the answer to a search for a mate, which is any forced win."""
    exact = None if snapshot is None else snapshot.exact
    if snapshot is not None and exact == 1.0 and snapshot.line:
        return f"checkmate {' '.join(words_of(snapshot.line))}"
    if exact is not None:
        return "checkmate nomate"
    return "checkmate timeout" if proves else "checkmate notimplemented"


def options_of(game: str) -> tuple[Option, ...]:
    """List the options of an engine that plays `game`; names have no spaces."""
    return (
        THREADS,
        hash_option("USI_Hash"),
        MULTIPV,
        overhead_option("NetworkDelay"),
        NODES,
        TEMPERATURE,
        Option("ResignValue", "resign", "spin", 0, NEVER),
        Option("USI_Ponder", "ponder", "check"),
        Option("USI_AnalyseMode", "analyse", "check"),
        Option("USI_Variant", "variant", "combo", only=VARIANTS[game], also="UCI_Variant"),
    )


def written(game: Game, options: Options, state: State, action: int) -> str:
    """Return a legal move."""
    return game.written(state, action)


USI = Dialect(
    name="usi",
    position_word="sfen",
    first="b",
    variants=VARIANTS,
    options_of=options_of,
    centipawns=centipawns,
    value_of=value_of,
    mate=plies_to_mate,
    no_move=lambda value_to_play: "win" if value_to_play > 0 else "resign",
    written=written,
    checkmate=checkmate,
    more_commands=("gameover",),
    more_numbers=("byoyomi",),
    prefixes=("usi", "uci"),  # some programs for both keep the names of UCI
)
