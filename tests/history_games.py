"""Two games whose rules look back, small enough to search in plain Python.

In Shuttle repetition decides: two tokens walk on a ring of seven cells, who steps onto the other
wins, and a position that occurs a third time is a draw. Its planes show three earlier boards.
In Pebbles superko decides: Go on a row of four points, where no position may occur again.
"""

from typing import Any

import numpy as np
from numba.extending import register_jitable

from envs.game import Game, Rules, State

RING, SHUTTLE_PLIES = 7, 40
KEY = np.uint64(0x9E3779B97F4A7C15)


def reset_shuttle(state: State) -> None:
    state["own"] = 0
    state["other"] = 3
    state["ply"] = 0
    state["won"] = 0
    state["seen"] = 0


def steps(state: State, actions: Any) -> int:
    """List a step on (0), a step back (1) and, on even cells, standing still (2)."""
    actions[0], actions[1], actions[2] = 1, 0, 2
    return 2 + (state["own"] % 2 == 0)


def walk(state: State, action: int) -> None:
    place = state["own"]
    if action == 0:
        place = (place + 1) % RING
    elif action == 1:
        place = (place + RING - 1) % RING
    state["won"] = place == state["other"]
    state["own"] = state["other"]
    state["other"] = place
    state["ply"] += 1
    state["seen"] = 0


def shuttle_is_over(state: State) -> bool:
    return state["won"] != 0 or state["seen"] >= 2 or state["ply"] >= SHUTTLE_PLIES


def lost_or_drawn(state: State) -> float:
    return -1.0 if state["won"] != 0 else 0.0


def mover(state: State) -> int:
    return state["ply"] & 1


@register_jitable
def shuttle_key(state: State) -> Any:
    place = (np.uint64(state["own"]) * np.uint64(8) + np.uint64(state["other"])) * np.uint64(2)
    key = ((place + np.uint64(state["ply"] & 1)) * np.uint64(2) + np.uint64(state["won"])) * KEY
    return key ^ (key >> np.uint64(31))


def shuttle_evaluation_key(state: State) -> Any:
    return (shuttle_key(state) + np.uint64(state["seen"])) * KEY


def count_repetitions(state: State, keys: Any, count: Any) -> None:
    key, seen = shuttle_key(state), 0
    for k in range(count):
        if keys[k] == key:
            seen += 1
    state["seen"] = seen


def show_shuttle(state: State, past: Any, planes: Any) -> None:
    """Write a plane [1, 7] for each token, now and three boards back; then repetitions."""
    planes[0, 0, state["own"]] = 1.0
    planes[1, 0, state["other"]] = 1.0
    for back in range(len(past)):
        planes[2 + 2 * back, 0, past[back]["own"]] = 1.0
        planes[3 + 2 * back, 0, past[back]["other"]] = 1.0
    planes[8, 0, :] = state["seen"] / 2.0


SHUTTLE = Game(
    name="shuttle",
    rules=Rules(
        reset_shuttle,
        steps,
        walk,
        shuttle_is_over,
        lost_or_drawn,
        mover,
        show_shuttle,
        shuttle_key,
        count_repetitions,
        shuttle_evaluation_key,
    ),
    fields=[("own", "i1"), ("other", "i1"), ("ply", "i1"), ("won", "u1"), ("seen", "u1")],
    num_actions=3,
    planes_shape=(9, 1, RING),
    max_plies=SHUTTLE_PLIES,
    max_legal=3,
    past_boards=3,
    format_action=str,
    parse_action=int,
    render=lambda state: f"{state['own']} {state['other']} {state['ply']} {state['seen']}",
)

POINTS, PASS, PEBBLES_PLIES = 4, 4, 30


@register_jitable
def liberties(board: Any, point: Any) -> int:
    """Count the empty points beside the chain on a point of a row; 0 is empty."""
    found = 0
    for way in (-1, 1):
        place = point
        while 0 <= place < POINTS and board[place] == board[point]:
            place += way
        if 0 <= place < POINTS and board[place] == 0:
            found += 1
    return found


@register_jitable
def take_off(board: Any, point: Any) -> None:
    colour = board[point]
    for way in (-1, 1):
        place = point + way
        while 0 <= place < POINTS and board[place] == colour:
            board[place] = 0
            place += way
    board[point] = 0


@register_jitable
def put_down(board: Any, point: Any, colour: Any) -> bool:
    """Put a stone on an empty point and take off what it captures; False if it is suicide."""
    board[point] = colour
    for way in (-1, 1):
        place = point + way
        if 0 <= place < POINTS and board[place] == 3 - colour and liberties(board, place) == 0:
            take_off(board, place)
    return liberties(board, point) > 0


@register_jitable
def board_key(board: Any) -> Any:
    key = np.uint64(1)
    for point in range(POINTS):
        key = key * np.uint64(3) + np.uint64(board[point])
    key = key * KEY
    return key ^ (key >> np.uint64(31))


def reset_pebbles(state: State) -> None:
    state["board"][:] = 0
    state["banned"][:] = 0
    state["ply"] = 0
    state["passes"] = 0


def points(state: State, actions: Any) -> int:
    count = 1
    actions[0] = PASS
    board = state["board"].copy()
    colour = 1 + (state["ply"] & 1)
    for point in range(POINTS):
        if board[point] == 0 and not state["banned"][point]:
            for place in range(POINTS):
                board[place] = state["board"][place]
            if put_down(board, point, colour):
                actions[count] = point
                count += 1
            board[point] = 0
    return count


def put(state: State, action: int) -> None:
    if action == PASS:
        state["passes"] += 1
    else:
        state["passes"] = 0
        put_down(state["board"], action, 1 + (state["ply"] & 1))
    state["ply"] += 1
    state["banned"][:] = 0


def pebbles_is_over(state: State) -> bool:
    return state["passes"] >= 2 or state["ply"] >= PEBBLES_PLIES


def area(state: State) -> float:
    """The side to move wins with more stones and points that only they reach; komi is 0.5."""
    board, lead = state["board"], -0.5
    for point in range(POINTS):
        reaches = np.zeros(3, np.int64)
        if board[point] != 0:
            reaches[board[point]] = 1
        else:
            for way in (-1, 1):
                place = point
                while 0 <= place < POINTS and board[place] == 0:
                    place += way
                if 0 <= place < POINTS:
                    reaches[board[place]] = 1
        lead += float(reaches[1] - reaches[2])
    black = 1.0 if lead > 0 else -1.0
    return black if state["ply"] & 1 == 0 else -black


def pebbles_key(state: State) -> Any:
    return board_key(state["board"])


def pebbles_evaluation_key(state: State) -> Any:
    return (board_key(state["board"]) + np.uint64(state["ply"] * 4 + state["passes"])) * KEY


def ban_repetitions(state: State, keys: Any, count: Any) -> None:
    board = state["board"].copy()
    for point in range(POINTS):
        state["banned"][point] = 0
        if state["board"][point] != 0:
            continue
        for place in range(POINTS):
            board[place] = state["board"][place]
        put_down(board, point, 1 + (state["ply"] & 1))
        key = board_key(board)
        for k in range(count):
            if keys[k] == key:
                state["banned"][point] = 1


def show_pebbles(state: State, planes: Any) -> None:
    """Write planes [1, 4]: own stones, the other's, the ply, the passes."""
    own = 1 + (state["ply"] & 1)
    for point in range(POINTS):
        planes[0, 0, point] = state["board"][point] == own
        planes[1, 0, point] = state["board"][point] == 3 - own
    planes[2, 0, :] = state["ply"] / PEBBLES_PLIES
    planes[3, 0, :] = state["passes"] / 2.0


PEBBLES = Game(
    name="pebbles",
    rules=Rules(
        reset_pebbles,
        points,
        put,
        pebbles_is_over,
        area,
        mover,
        show_pebbles,
        pebbles_key,
        ban_repetitions,
        pebbles_evaluation_key,
    ),
    fields=[
        ("board", "u1", (POINTS,)),
        ("banned", "u1", (POINTS,)),
        ("ply", "i1"),
        ("passes", "u1"),
    ],
    num_actions=POINTS + 1,
    planes_shape=(4, 1, POINTS),
    max_plies=PEBBLES_PLIES,
    max_legal=POINTS + 1,
    format_action=lambda action: "pass" if action == PASS else str(action),
    parse_action=lambda text: PASS if text == "pass" else int(text),
    render=lambda state: f"{state['board']} {state['ply']} {state['passes']}",
)
