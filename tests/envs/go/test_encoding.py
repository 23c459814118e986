"""The 17 planes: a golden position as text, and a decoder that recovers positions from planes."""

from pathlib import Path

import numpy as np
import pytest

from envs.batch import no_past
from envs.game import encode
from envs.go.encoding import CHANNELS, PAST_BOARDS
from envs.registry import find_game
from tests.envs.go.driving import random_line

GOLDEN = Path(__file__).parent / "data" / "planes_go7.txt"
RECORD = "B7 C7 A6 D6 B5 C5 pass B6 C6"  # the last move takes a ko, White is to move


def past_of(line, ply):
    """The boards before a position of a game, newest first, the first one repeated."""
    return line[np.maximum(ply - 1 - np.arange(PAST_BOARDS), 0)]


def as_text(planes):
    """Three groups of planes as text: own stones, opposing stones, colour; newest board first."""
    names = [f"{who}, {age} plies ago" for age in range(8) for who in ("own", "opponent")]
    blocks = []
    for name, plane in zip([*names, "black to move"], planes, strict=True):
        rows = ["".join(".1"[int(cell)] for cell in row) for row in plane]
        blocks.append("\n".join([name, *rows]))
    return "\n\n".join(blocks) + "\n"


def golden_text():
    game = find_game("go7")
    line = game.line(game.parse_moves(RECORD))
    return as_text(game.encode(line[-1], past_of(line, len(line) - 1)))


def test_planes_are_as_they_were():
    assert golden_text() == GOLDEN.read_text()


def decode(planes):
    """The boards that planes show, newest first, as `cells` gives them, and the side to move."""
    side = 0 if planes[-1].all() else 1
    assert planes[-1].all() or not planes[-1].any()
    own, opponent = planes[0:-1:2], planes[1:-1:2]
    black, white = (own, opponent) if side == 0 else (opponent, own)
    assert not (black * white).any()
    return (black + 2 * white).astype(np.uint8).reshape(PAST_BOARDS + 1, -1), side


@pytest.mark.parametrize(("name", "plies"), [("go7", 90), ("go19", 60)])
def test_positions_are_recovered_from_planes(name, plies):
    game = find_game(name)
    line = random_line(game, plies, seed=4)
    for ply, state in enumerate(line):
        planes = game.encode(state, past_of(line, ply))
        boards, side = decode(planes)
        assert side == game.rules.to_play(state)
        for age, board in enumerate(boards):
            np.testing.assert_array_equal(board, game.cells(line[max(ply - age, 0)]))
    assert planes.shape == (CHANNELS, *game.planes_shape[1:])
    assert set(np.unique(planes)) <= {0.0, 1.0}


def test_a_bare_position_repeats_its_board():
    game = find_game("go7")
    state = game.parse_position("7/7/2XO3/7/3O3/7/X6 w")
    boards, side = decode(game.encode(state))
    assert side == 1
    for board in boards:
        np.testing.assert_array_equal(board, game.cells(state))
    planes, past = np.zeros(game.planes_shape, np.float32), no_past(game, 1)[0]
    past[:] = state
    encode(state, past, planes)
    np.testing.assert_array_equal(planes, game.encode(state))


if __name__ == "__main__":
    GOLDEN.write_text(golden_text())
