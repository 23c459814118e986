"""Random playouts: every move is legal, none fills an own eye, and the ends are finished games."""

import numpy as np
import pytest

from envs.game import GameError, advance
from envs.go.game import GO_9
from envs.go.playouts import playouts, prepare, random_move
from envs.registry import find_game
from tests.envs.go.slow_go import SlowGo


def eyes_of(slow, side):
    """The eyes of a side: all neighbours own, at most one foreign diagonal, none at the edge."""
    eyes = []
    for row, column in slow.points():
        if (row, column) in slow.stones:
            continue
        diagonals = [(row + d, column + e) for d in (-1, 1) for e in (-1, 1)]
        inside = [(r, c) for r, c in diagonals if 0 <= r < slow.rows and 0 <= c < slow.columns]
        foreign = sum(slow.stones.get(point) == 1 - side for point in inside)
        own = all(slow.stones.get(near) == side for near in slow.around((row, column)))
        if own and foreign < (2 if len(inside) == 4 else 1):
            eyes.append(row * slow.columns + column)
    return eyes


def test_moves_are_legal_and_fill_no_eye():
    """Interpreted; a pass is drawn only where nothing else is left."""
    prepare(GO_9)
    state, slow, generator = GO_9.new_state(), SlowGo(9, 9), np.array([77], np.uint64)
    keys, met_eyes = np.zeros(200, np.uint64), 0
    for ply in range(160):
        eyes = set(eyes_of(slow, slow.side))
        met_eyes += len(eyes & set(slow.legal()))
        earlier = keys[ply - 1] if ply else np.uint64(0)
        with np.errstate(over="ignore"):
            action = random_move(state, generator, earlier, True)
        assert action in set(without_history(slow).legal()) - eyes
        if action not in slow.legal():
            break  # a superko that is no ko: playouts do not know it
        assert action != 81 or set(slow.legal()) - eyes == {81}
        advance(state, keys, ply, action)
        slow.step(action)
        if slow.passes == 2:
            break
    assert ply > 60
    assert met_eyes > 0


def without_history(slow):
    """The same position, as if it were the first."""
    free = SlowGo(slow.rows, slow.columns, slow.suicide)
    free.stones, free.side = slow.stones, slow.side
    return free


def test_playouts_end_finished_and_each_seed_differs():
    moves, values, states = playouts(GO_9, 200, seed=1)
    assert np.mean(states["passes"] == 2) > 0.9
    assert set(values) == {-1.0, 1.0}
    assert 80 < moves / 200 < 162
    for state in states[:50][states["passes"][:50] == 2]:
        slow = SlowGo(9, 9)
        board = GO_9.cells(state)
        slow.stones = {divmod(p, 9): int(s) - 1 for p, s in enumerate(board) if s}
        slow.side = int(state["side"])
        left = set(slow.legal()) - {81} - set(eyes_of(slow, slow.side))
        assert len(left) <= 1  # a ko that may not be taken back yet
    again = playouts(GO_9, 200, seed=1)
    assert again[0] == moves
    np.testing.assert_array_equal(again[2], states)
    assert playouts(GO_9, 200, seed=2)[0] != moves


def test_uniform_playouts_pass_now_and_then():
    moves, _, states = playouts(GO_9, 500, seed=1, eyes=False)
    assert 110 < moves / 500 < 130  # OpenSpiel's random games on 9x9 have 120 moves
    assert np.mean(states["passes"] == 2) > 0.7


def test_other_games_have_no_playouts_of_go():
    with pytest.raises(GameError, match="othello is no game of Go"):
        prepare(find_game("othello"))
