"""A game with 12,000 actions of which up to 600 are legal, and up to 500 plies: Leap.

A stone lies on one of 12,000 cells. A move is the cell that it leaps to; who reaches a cell whose
number 997 divides wins, and after 500 plies the game is a draw.
"""

from typing import Any

import numpy as np
from numba.extending import register_jitable

from envs.game import Game, Rules, State

CELLS, PLIES, PLANES, SIZE = 12_000, 500, 30, 20
FEWEST, MOST = 100, 600  # legal leaps
STRIDE, SPREAD, GOAL = 17, 7, 997  # the stride has no divisor in common with the cells


@register_jitable
def leaps_from(cell: Any) -> Any:
    return FEWEST + (cell * 31) % (MOST - FEWEST + 1)


def reset(state: State) -> None:
    state["cell"] = 1
    state["ply"] = 0
    state["won"] = 0


def legal_actions(state: State, actions: Any) -> Any:
    cell = np.int64(state["cell"])
    count = leaps_from(cell)
    for k in range(count):
        actions[k] = (cell * SPREAD + (k + 1) * STRIDE) % CELLS
    return count


def step(state: State, action: int) -> None:
    state["cell"] = action
    state["ply"] += 1
    state["won"] = action % GOAL == 0


def is_terminal(state: State) -> bool:
    return state["won"] != 0 or state["ply"] >= PLIES


def value_to_play(state: State) -> float:
    return -1.0 if state["won"] != 0 else 0.0


def to_play(state: State) -> int:
    return state["ply"] & 1


def encode(state: State, planes: Any) -> None:
    """Write three planes [20, 20]: the stone's place, its plane among the actions', the ply."""
    cell = np.int64(state["cell"])
    place = cell % (SIZE * SIZE)
    planes[0, place // SIZE, place % SIZE] = 1.0
    planes[1, :, :] = (cell // (SIZE * SIZE)) / PLANES
    planes[2, :, :] = state["ply"] / PLIES


def position_key(state: State) -> Any:
    key = np.uint64(state["cell"]) * np.uint64(512) + np.uint64(state["ply"])
    key = (key * np.uint64(2) + np.uint64(state["won"]) + np.uint64(1)) * np.uint64(
        0x9E3779B97F4A7C15
    )
    return key ^ (key >> np.uint64(29))


GAME = Game(
    name="leap",
    rules=Rules(
        reset, legal_actions, step, is_terminal, value_to_play, to_play, encode, position_key
    ),
    fields=[("cell", "i4"), ("ply", "i2"), ("won", "u1")],
    num_actions=CELLS,
    planes_shape=(3, SIZE, SIZE),
    max_plies=PLIES,
    max_legal=MOST,
    mean_legal=350,
    policy_planes=PLANES,
    format_action=str,
    parse_action=int,
    render=lambda state: f"cell {int(state['cell'])} after {int(state['ply'])} plies",
)
