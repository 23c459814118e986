"""The Universal Chess Interface: what it has of its own (Meyer-Kahlen, Huber; April 2006)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from arena.engine.protocols.universal.dialect import Dialect
from arena.engine.protocols.universal.options import (
    MULTIPV,
    NODES,
    TEMPERATURE,
    THREADS,
    Option,
    Options,
    hash_option,
    overhead_option,
)

if TYPE_CHECKING:
    from envs.game import Game, State

CENTIPAWNS = 90.0  # about that of a value of 0.5
STEEPNESS = 1.5637541897  # below pi / 2, so that a value of 1 is 12780 centipawns
NO_MOVE = "0000"
VARIANTS = {"chess": "chess", "chess5": "gardner"}


def centipawns(value_to_play: float) -> int:
    """Return a value in [-1, 1] in centipawns: 90 tan(1.5637541897 value).

    Leela Chess Zero's score type `centipawn`.
    """
    return round(CENTIPAWNS * math.tan(STEEPNESS * max(-1.0, min(1.0, value_to_play))))


def value_of(score: int) -> float:
    """Return centipawns as a value in [-1, 1]: the inverse of `centipawns`."""
    return math.atan(score / CENTIPAWNS) / STEEPNESS


def moves_to_mate(exact: float, plies: int) -> int:
    """Return the moves of the winning side until mate, below 0 for a side that is mated."""
    return (plies + 1) // 2 if exact > 0 else -(plies // 2)


def options_of(game: str) -> tuple[Option, ...]:
    """List the options of an engine that plays `game`."""
    own = {
        "chess": [Option("UCI_Chess960", "chess960", "check")],
        "chess5": [Option("UCI_Variant", "variant", "combo", only=VARIANTS["chess5"])],
    }
    return (
        THREADS,
        hash_option("Hash"),
        MULTIPV,
        overhead_option("Move Overhead"),
        NODES,
        TEMPERATURE,
        Option("Ponder", "ponder", "check"),
        Option("UCI_ShowWDL", "show_wdl", "check"),
        Option("UCI_AnalyseMode", "analyse", "check"),
        *own.get(game, []),
    )


def written(game: Game, options: Options, state: State, action: int) -> str:
    """Return a legal move; with Chess960's option, castling as the king's move onto its rook."""
    if not options.chess960:
        return game.written(state, action)
    from envs.chess.board import STANDARD
    from envs.chess.notation import format_uci

    return format_uci(state, action, STANDARD, chess960=True)


UCI = Dialect(
    name="uci",
    position_word="fen",
    first="w",
    variants=VARIANTS,
    options_of=options_of,
    centipawns=centipawns,
    value_of=value_of,
    mate=lambda exact, plies: str(moves_to_mate(exact, plies)),
    no_move=lambda value_to_play: NO_MOVE,
    written=written,
)
