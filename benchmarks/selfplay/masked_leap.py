"""The wide game of the tests by the protocol before lists of legal actions: masks of all actions.

`python -m benchmarks versions` hands this file to a checkout that has no wide game of its own. The
rules repeat those of tests/wide_game.py, which an older checkout cannot load: its `Game` lacks the
fields that the file sets.
"""

from typing import Any

import numpy as np
from numba.extending import register_jitable

from envs.game import Game, Rules, State

CELLS, PLIES, PLANES, SIZE = 12_000, 500, 30, 20
FEWEST, MOST = 100, 600  # legal leaps
STRIDE, SPREAD, GOAL = 17, 7, 997


@register_jitable
def leaps_from(cell: Any) -> Any:
    return FEWEST + (cell * 31) % (MOST - FEWEST + 1)


def reset(state: State) -> None:
    state["cell"] = 1
    state["ply"] = 0
    state["won"] = 0


def legal_actions(state: State, mask: Any) -> None:
    cell = np.int64(state["cell"])
    for k in range(leaps_from(cell)):
        mask[(cell * SPREAD + (k + 1) * STRIDE) % CELLS] = True


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
    format_action=str,
    parse_action=int,
    render=lambda state: f"cell {int(state['cell'])} after {int(state['ply'])} plies",
)
