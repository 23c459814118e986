"""Perft: the number of move sequences of a given length, the standard test of a game's rules.

Every ply counts, passes included. A game that ends before the depth is reached is not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from envs.game import Game, GameError, is_terminal, legal_actions, step


@njit(cache=True, nogil=True)
def _count_lines(stack_D: NDArray[Any], masks_DA: NDArray[np.bool_]) -> int:
    """Count the sequences of exactly D plies from `stack_D[0]`; the other records are scratch.

    Depth first over a stack of records: `masks_DA[d]` holds the legal actions at depth d,
    `cursor[d]` the next one to try. At the last ply the legal actions are counted, not played.
    """
    depth, num_actions = masks_DA.shape
    cursor = np.zeros(depth, np.int64)
    total = 0
    level = 0
    fresh = True
    while level >= 0:
        if fresh:
            masks_DA[level, :] = False
            cursor[level] = 0
            if not is_terminal(stack_D[level]):
                legal_actions(stack_D[level], masks_DA[level])
            fresh = False
        if level == depth - 1:
            for action in range(num_actions):
                total += masks_DA[level, action]
            level -= 1
            continue
        action = cursor[level]
        while action < num_actions and not masks_DA[level, action]:
            action += 1
        cursor[level] = action + 1
        if action >= num_actions:
            level -= 1
            continue
        stack_D[level + 1] = stack_D[level]
        level += 1
        step(stack_D[level], action)
        fresh = True
    return total


def perft(game: Game, depth: int, moves: Sequence[int] = ()) -> int:
    """Count the legal sequences of exactly `depth` plies after `moves`.

    Raises GameError for a negative depth.
    """
    if depth < 0:
        raise GameError(f"perft depth {depth} is negative: expected 0 or more plies")
    if depth == 0:
        return 1
    stack = game.new_states(depth)
    stack[0] = game.position(moves)
    return int(_count_lines(stack, np.zeros((depth, game.num_actions), np.bool_)))


def divide(game: Game, depth: int, moves: Sequence[int] = ()) -> dict[str, int]:
    """Split `perft` by the first move, in the game's notation; the values sum to `perft`.

    Raises GameError for a depth below 1.
    """
    if depth < 1:
        raise GameError(f"perft cannot be divided at depth {depth}: expected 1 or more plies")
    legal = np.flatnonzero(game.legal_mask(game.position(moves)))
    return {game.format_action(int(a)): perft(game, depth - 1, [*moves, int(a)]) for a in legal}


@dataclass(frozen=True)
class PerftResult:
    """The result of `ludens perft`; `divided` is None unless it was asked for."""

    game: str
    position: str
    depth: int
    nodes: int
    divided: dict[str, int] | None


def run(game: Game, depth: int, position_text: str = "", divided: bool = False) -> PerftResult:
    """Run perft from the position after the game record `position_text`.

    Raises NotationError for a record with an illegal move, GameError for a bad depth.
    """
    moves = game.parse_moves(position_text)
    split = divide(game, depth, moves) if divided else None
    nodes = sum(split.values()) if split is not None else perft(game, depth, moves)
    return PerftResult(game.name, game.format_moves(moves), depth, nodes, split)
