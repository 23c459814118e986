"""Perft by the rules of movement alone: draws do not end a line, and the last ply is counted."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

from envs.chess.board import ONE, Variant, decode_action
from envs.chess.listing import list_legal
from envs.chess.moves import count_legal
from envs.chess.rules import make_move


@njit(cache=True, nogil=True)
def _count_lines(stack_D, actions_DA, variant):
    depth = len(stack_D)
    left = np.zeros(depth, np.int64)
    total, level, fresh = 0, 0, True
    while level >= 0:
        if level == depth - 1:
            total += count_legal(stack_D[level], variant)
            level -= 1
            fresh = False
            continue
        if fresh:
            left[level] = list_legal(stack_D[level], actions_DA[level], variant)
        if left[level] == 0:
            level -= 1
            fresh = False
            continue
        left[level] -= 1
        leave, arrive, promotion = decode_action(actions_DA[level, left[level]], variant)
        level += 1
        stack_D[level] = stack_D[level - 1]
        make_move(
            stack_D[level], ONE << np.uint64(leave), ONE << np.uint64(arrive), promotion, variant
        )
        fresh = True
    return total


def count_lines(state, depth: int, variant: Variant, max_legal: int) -> int:
    """Return the number of lines of `depth` plies, 1 or more, from a record."""
    stack = np.zeros(depth, state.dtype)
    stack[0] = state
    return int(_count_lines(stack, np.zeros((depth, max_legal), np.int32), variant))
