import numpy as np
import pytest

from arena.solvers.connect_four.positions import set_name
from arena.solvers.connect_four.solver import ILLEGAL, ConnectFourSolver, plies_left
from arena.solvers.connect_four.test_set import SET_NAMES, SET_SIZES, good_moves, load_test_sets
from envs.connect_four import COLUMNS, ROWS, has_four


@pytest.fixture(scope="module")
def scored():
    return load_test_sets()


def test_sets_come_in_their_order_and_sizes_without_repetition(scored):
    assert tuple(scored) == SET_NAMES
    assert {name: len(positions) for name, positions in scored.items()} == SET_SIZES
    boards = [board for s in scored.values() for board in zip(s.own.tolist(), s.mask.tolist())]
    assert len(set(boards)) == len(boards)


def test_positions_are_unfinished_and_full_columns_are_the_illegal_ones(scored):
    for positions in scored.values():
        for i, moves in enumerate(positions.moves):
            own, mask = positions.own[i], positions.mask[i]
            assert not has_four(own)
            assert not has_four(own ^ mask)
            full = [moves.count(column) == ROWS for column in range(COLUMNS)]
            assert (positions.scores[i] == ILLEGAL).tolist() == full


def test_every_position_is_in_the_set_of_its_stage_and_difficulty(scored):
    for name, positions in scored.items():
        for moves, scores in zip(positions.moves, positions.scores):
            assert set_name(len(moves), int(scores.max())) == name


def assert_scores_are_the_solvers(positions, chosen):
    solver = ConnectFourSolver(table_bits=22, book=False)
    solved = solver.solve_many(positions.own[chosen], positions.mask[chosen])
    np.testing.assert_array_equal(solved, positions.scores[chosen])


@pytest.mark.parametrize(
    ("name", "every"), [("middle_easy", 1), ("end_easy", 1), ("middle_medium", 5)]
)
def test_scores_are_those_of_the_solver(scored, name, every):
    assert_scores_are_the_solvers(scored[name], slice(None, None, every))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "count"), [("begin_easy", 20), ("begin_medium", 20), ("middle_medium", 300)]
)
def test_scores_of_early_positions_are_those_of_the_solver(scored, name, count):
    assert_scores_are_the_solvers(scored[name], slice(-count, None))


@pytest.mark.parametrize(
    ("ply", "score", "left"),
    [(0, 1, 41), (6, 18, 1), (5, -18, 2), (7, 18, 1), (41, 1, 1), (20, 0, 22), (1, -1, 40)],
)
def test_plies_left_follow_from_the_score(ply, score, left):
    assert plies_left(ply, score) == left


SCORES = [
    [1, 5, 0, -3, ILLEGAL, 1, -1],  # won
    [-2, -1, 0, -1, -1, -1, -2],  # drawn
    [-2, -1, ILLEGAL, -4, -1, -1, -2],  # lost whatever is played
]


def test_good_moves_keep_the_result_and_a_full_column_is_never_one():
    assert good_moves(np.array(SCORES, np.int8)).tolist() == [
        [True, True, False, False, False, True, False],
        [False, False, True, False, False, False, False],
        [True, True, False, True, True, True, True],
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("begin_hrad 44 0 0 0 0 0 0 0", r":2: no set 'begin_hrad', did you mean 'begin_hard'\?"),
        ("begin_hard 44 0 0 0", ":2: expected a set, columns and 7 scores"),
        ("begin_hard 48 0 0 0 0 0 0 0", ":2: move 2: expected a column"),
    ],
)
def test_a_broken_line_is_named(tmp_path, line, message):
    path = tmp_path / "test_set.txt"
    path.write_text(f"# header\n{line}\n")
    with pytest.raises(ValueError, match=message):
        load_test_sets(path)
