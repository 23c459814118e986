import itertools

import numpy as np
import pytest

from envs.game import NotationError, position_key
from envs.registry import find_game

GAME = find_game("connect_four")
DISTINCT_POSITIONS = [1, 7, 49, 238, 1120, 4263, 16422, 54859, 184275]  # a ply; Tromp's table


def distinct_positions(plies):
    """Distinct positions of each ply by breadth-first play, and the keys of all."""
    level = {(0, 0): GAME.new_state()}
    counts, keys = [1], {position_key(GAME.new_state())}
    for _ in range(plies):
        following = {}
        for state in level.values():
            for action in np.flatnonzero(GAME.legal_mask(state)):
                child = state.copy()
                GAME.rules.step(child, int(action))
                following[int(child["own"]), int(child["mask"])] = child
        level = following
        counts.append(len(level))
        keys |= {position_key(state) for state in level.values()}
    return counts, keys


@pytest.mark.parametrize("plies", [5, pytest.param(8, marks=pytest.mark.slow)])
def test_distinct_positions_a_ply_and_their_keys(plies):
    counts, keys = distinct_positions(plies)
    assert counts == DISTINCT_POSITIONS[: plies + 1]
    assert len(keys) == sum(counts)


def test_keys_tell_the_last_columns_apart():
    """High bits alone: multiplication never carries them down to where they would mix."""
    columns = [(own, (1 << height) - 1) for height in range(7) for own in range(1 << height)]
    state, keys = GAME.new_state(), set()
    for (own_6, mask_6), (own_7, mask_7) in itertools.product(columns, repeat=2):
        state["own"] = np.uint64(own_6 << 35 | own_7 << 42)
        state["mask"] = np.uint64(mask_6 << 35 | mask_7 << 42)
        keys.add(position_key(state))
    assert len(keys) == len(columns) ** 2


@pytest.mark.parametrize(
    "record",
    [
        "1122334",  # along the bottom
        "1212121",  # upwards
        "12233434474",  # rising to the right: a1 b2 c3 d4
        "76655454414",  # rising to the left, its mirror image
        "4455667",
    ],
)
def test_four_in_a_row_wins_for_the_player_who_moved(record):
    moves = GAME.parse_moves(record)
    for length in range(len(moves)):
        assert not GAME.rules.is_terminal(GAME.position(moves[:length])), record[:length]
    end = GAME.position(moves)
    assert GAME.rules.is_terminal(end)
    assert GAME.rules.value_to_play(end) == -1.0
    assert not GAME.legal_mask(end).any()


def test_a_line_does_not_go_on_from_the_top_of_a_column_to_the_next_one():
    state = GAME.position(GAME.parse_moves("71111616162"))
    planes = GAME.encode(state)
    assert planes[1, :3, 0].all()  # the top three cells of column 1
    assert planes[1, 5, 1]  # and the bottom one of column 2
    assert not GAME.rules.is_terminal(state)


def test_a_full_board_without_a_line_is_a_draw():
    moves = GAME.parse_moves("446323116125713546635334125521577677446722")
    end = GAME.position(moves)
    assert len(moves) == 42
    assert GAME.rules.is_terminal(end)
    assert GAME.rules.value_to_play(end) == 0.0


def test_a_full_column_is_not_legal():
    with pytest.raises(NotationError, match=r"move 7, '4', is not legal.*1 2 3 5 6 7$"):
        GAME.parse_moves("4444444")


@pytest.mark.parametrize("word", ["0", "8", "x", "٣"])
def test_nonsense_is_refused(word):
    with pytest.raises(NotationError, match="move 1"):
        GAME.parse_moves(word)


def test_planes_are_own_stones_then_the_opponents_from_the_top_row():
    planes = GAME.encode(GAME.position(GAME.parse_moves("447")))
    assert planes[0, 4, 3] == 1  # the second player, to move, lies on the first stone
    assert planes[1, 5, 3] == 1
    assert planes[1, 5, 6] == 1
    assert planes.sum() == 3
