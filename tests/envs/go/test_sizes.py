"""Go of several sizes: on each, what Go on that size alone does, point for point."""

import numpy as np
import pytest

from envs.game import GameError, NotationError, advance
from envs.go.game import GO_9_FROM_7, make_go
from envs.go.rules import GoRules, inside
from envs.go.sgf import parse_games

SEVERAL = {True: make_go(5, smallest=3, suicide=True, end_settled=True), False: GO_9_FROM_7}
RULES = {True: GoRules(5, 5, 7.5, smallest=3), False: GoRules(9, 9, 7.5, smallest=7)}


def single(size, small):
    return make_go(size, suicide=True, end_settled=True) if small else make_go(size)


def to_largest(size, small):
    """The action of the largest board for each one of a board of `size` rows."""
    rules = RULES[small]
    return np.array([*inside(rules, size), rules.rows * rules.columns])


@pytest.mark.parametrize(
    ("small", "size", "games"),
    [(True, 3, 40), (True, 4, 40), (True, 5, 20), (False, 7, 8), (False, 8, 5), (False, 9, 3)],
)
def test_each_size_plays_as_its_own_game(small, size, games):
    """Legal moves in order, superko, captures, ends, results, owners and texts agree."""
    several, alone, wide = SEVERAL[small], single(size, small), to_largest(size, small)
    empty, rng = "/".join([str(size)] * size) + " b", np.random.default_rng(size)
    forbidden = scored = 0
    for _ in range(games):
        one, two = alone.new_state(), several.parse_position(empty)
        two["vacated"] = 0  # a position as text does not know what was taken before
        keys, wide_keys = np.zeros((2, alone.max_plies), np.uint64)
        for ply in range(alone.max_plies + 1):
            assert several.format_position(two) == alone.format_position(one)
            assert two["over"] == one["over"]
            if one["over"]:
                break
            legal = alone.legal_actions(one)
            assert several.legal_actions(two).tolist() == wide[legal].tolist()
            forbidden += one["forbidden"].any()
            choice = rng.choice(legal[:-1] if len(legal) > 1 and rng.random() < 0.98 else legal)
            advance(one, keys, ply, int(choice))
            advance(two, wide_keys, ply, int(wide[choice]))
        assert one["over"]
        assert several.rules.value_to_play(two) == alone.rules.value_to_play(one)
        owners = np.zeros(size**2, np.int8)
        wide_owners = np.full(several.num_actions - 1, 3, np.int8)
        lead = alone.rules.final_ownership(one, owners)
        assert several.rules.final_ownership(two, wide_owners) == lead
        assert wide_owners[wide[:-1]].tolist() == owners.tolist()
        assert not np.delete(wide_owners, wide[:-1]).any()
        scored += owners.any()
    assert scored
    assert forbidden or size > 4


@pytest.mark.parametrize("size", [7, 8, 9])
def test_planes_show_the_board_and_its_stones(size):
    game, plays = GO_9_FROM_7, "A1 G7 B2"
    start = game.parse_position("/".join([str(size)] * size) + " b")
    state = start.copy()
    for move in plays.split():
        game.rules.step(state, game.parse_action(move))
    planes = game.encode(state)
    assert planes.shape == (18, 9, 9)
    expected = np.zeros((9, 9))
    expected[9 - size :, :size] = 1
    np.testing.assert_array_equal(planes[17], expected)
    black, white = np.zeros((2, 9, 9))
    black[8, 0] = black[7, 1] = white[2, 6] = 1
    np.testing.assert_array_equal(planes[0], white)
    np.testing.assert_array_equal(planes[1], black)


def test_empty_boards_of_different_sizes_have_different_keys():
    game = GO_9_FROM_7
    boards = [game.parse_position("/".join([str(n)] * n) + " b") for n in (7, 8, 9)]
    assert len({int(game.rules.evaluation_key(board)) for board in boards}) == 3
    assert boards[2]["key"] == game.new_state()["key"]


def test_each_size_has_its_komi_and_its_length():
    game = GO_9_FROM_7
    for size, komi in ((7, 9), (8, 7.5), (9, 7.5)):
        state = game.parse_position("/".join([str(size)] * size) + " b")
        assert game.format_position(state).endswith(f" b 0 0 {komi:g}")
        assert f"komi {komi:g}" in game.render(state)
        late = "/".join([str(size)] * size) + f" b 0 {2 * size * size - 1}"
        assert not game.parse_position(late)["over"]
        assert game.parse_position(late.replace(str(2 * size * size - 1), str(2 * size**2)))["over"]


def test_points_outside_the_board_are_no_moves():
    state = GO_9_FROM_7.parse_position("7/7/7/7/7/7/7 b")
    legal = {GO_9_FROM_7.format_action(action) for action in GO_9_FROM_7.legal_actions(state)}
    assert len(legal) == 50
    assert {"A1", "G7", "pass"} <= legal
    assert not legal & {"H1", "A8", "J9"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("6/6/6/6/6/6 b", "has 6 rows, expected 7 to 9"),
        ("7/7/7/7/7/7/8 b", "has 8 points, expected 7"),
        ("7/7/7/7/7/7/7 b 0 0 7.5", "has komi 7.5, but this game has 9"),
        ("XO5/OX5/7/7/7/7/7 b", "the stones at A7 have no liberty"),
    ],
)
def test_a_position_that_fits_no_size_is_refused(text, message):
    with pytest.raises(NotationError, match=message):
        GO_9_FROM_7.parse_position(text)


@pytest.mark.parametrize("size", [7, 9])
def test_a_record_has_the_size_it_was_played_on(size):
    game = GO_9_FROM_7
    (sgf,) = game.record_formats
    text = f"(;GM[1]FF[4]SZ[{size}];B[cd];W[ee];B[];W[aa])"
    (record,) = sgf.read(text)
    assert [game.format_action(a) for a in record.moves] == [
        f"C{size - 3}", f"E{size - 4}", "pass", f"A{size}",
    ]  # fmt: skip
    (again,) = parse_games(sgf.write(record))
    assert (again.rows, again.columns, again.komi) == (size, size, {7: 9.0, 9: 7.5}[size])
    assert again.moves == [(0, 3 * size + 2), (1, 4 * size + 4), (0, size * size), (1, 0)]
    with pytest.raises(NotationError, match="on 13x13, expected 7x7, 8x8, 9x9"):
        sgf.read("(;GM[1]FF[4]SZ[13];B[aa])")


@pytest.mark.parametrize("sizes", [(9, 9, 9), (9, 9, 10), (9, 9, 1), (9, 7, 5)])
def test_other_sizes_are_refused(sizes):
    rows, columns, smallest = sizes
    with pytest.raises(GameError, match="expected a square, and a smallest size from 2"):
        make_go(rows, columns, smallest=smallest)
