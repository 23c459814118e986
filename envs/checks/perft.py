"""Perft: the number of move sequences of a given length, the standard test of a game's rules.

Every ply counts, passes included. A game that ends before the depth is reached is not counted; in
chess, as everywhere, draws do not end a line (`Game.count_lines`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from envs.game import Game, GameError, State, advance, is_terminal, legal_actions, position_key


@njit(cache=True, nogil=True)
def _count_lines(
    stack_D: NDArray[Any], actions_DL: NDArray[np.int32], keys: NDArray[np.uint64], past: int
) -> int:
    """Count the sequences of exactly D plies from `stack_D[0]`; the other records are scratch.

    Depth first over a stack of records: `actions_DL[d]` holds the legal actions at depth d, from
    `cursor[d]` on those to try. At the last ply the legal actions are counted, not played. `keys`
    uint64 [past + D] begins with the position keys of the game's `past` earlier positions.
    """
    depth = len(actions_DL)
    cursor, counts = np.zeros(depth, np.int64), np.zeros(depth, np.int64)
    total = 0
    level = 0
    fresh = True
    while level >= 0:
        if fresh:
            cursor[level] = counts[level] = 0
            if not is_terminal(stack_D[level]):
                counts[level] = legal_actions(stack_D[level], actions_DL[level])
            fresh = False
        if level == depth - 1:
            total += counts[level]
            level -= 1
            continue
        if cursor[level] == counts[level]:
            level -= 1
            continue
        stack_D[level + 1] = stack_D[level]
        action = actions_DL[level, cursor[level]]
        cursor[level] += 1
        advance(stack_D[level + 1], keys, past + level, action)
        level += 1
        fresh = True
    return total


def perft(game: Game, depth: int, moves: Sequence[int] = (), start: State | None = None) -> int:
    """Count the legal sequences of exactly `depth` plies after `moves`, from `start` if given.

    Raises GameError for a negative depth.
    """
    if depth < 0:
        raise GameError(f"perft depth {depth} is negative: expected 0 or more plies")
    if depth == 0:
        return 1
    line = game.line(moves, start)
    if game.count_lines is not None:
        return game.count_lines(line[-1], depth)
    stack = np.repeat(line[-1:], depth)
    keys = np.zeros(len(moves) + depth, np.uint64)
    if game.rules.remember is not None:
        keys[: len(moves)] = [position_key(state) for state in line[:-1]]
    actions = np.zeros((depth, game.max_legal), np.int32)
    return int(_count_lines(stack, actions, keys, len(moves)))


def divide(
    game: Game, depth: int, moves: Sequence[int] = (), start: State | None = None
) -> dict[str, int]:
    """Split `perft` by the first move, in the game's notation; the values sum to `perft`.

    Raises GameError for a depth below 1.
    """
    if depth < 1:
        raise GameError(f"perft cannot be divided at depth {depth}: expected 1 or more plies")
    state = game.line(moves, start)[-1]
    if game.count_lines is not None:
        actions = np.zeros(game.max_legal, np.int32)
        legal = np.sort(actions[: game.rules.legal_actions(state, actions)]).tolist()
    else:
        legal = np.sort(game.legal_actions(state)).tolist()
    return {game.written(state, a): perft(game, depth - 1, [*moves, a], start) for a in legal}


@dataclass(frozen=True)
class PerftResult:
    """The result of `ludens perft`; `divided` is None unless it was asked for."""

    game: str
    position: str
    depth: int
    nodes: int
    divided: dict[str, int] | None


def run(game: Game, depth: int, position_text: str = "", divided: bool = False) -> PerftResult:
    """Run perft from a position: its text (FEN, say), or the moves that lead to it.

    Raises NotationError for text that is no position, GameError for a bad depth.
    """
    return _count(game, depth, position_text, *game.read_position(position_text), divided)


def _count(
    game: Game, depth: int, text: str, start: State | None, moves: list[int], divided: bool = False
) -> PerftResult:
    split = divide(game, depth, moves, start) if divided else None
    nodes = sum(split.values()) if split is not None else perft(game, depth, moves, start)
    place = game.format_moves(moves) if start is None else text.strip()
    return PerftResult(game.name, place, depth, nodes, split)
