import numpy as np
import pytest

from arena.solvers.connect_four.positions import plies_left, set_name
from arena.solvers.connect_four.solver import ILLEGAL, ConnectFourSolver
from arena.solvers.connect_four.test_set import (
    SET_NAMES,
    SET_SIZES,
    error_rate,
    exact_best_rate,
    load_truth,
    move_errors,
)
from envs.connect_four import COLUMNS, ROWS, has_four


@pytest.fixture(scope="module")
def truth():
    return load_truth()


def test_sets_come_in_their_order_and_sizes_without_repetition(truth):
    assert tuple(truth) == SET_NAMES
    assert {name: len(positions) for name, positions in truth.items()} == SET_SIZES
    boards = [board for s in truth.values() for board in zip(s.own.tolist(), s.mask.tolist())]
    assert len(set(boards)) == len(boards)


def test_positions_are_unfinished_and_full_columns_are_the_illegal_ones(truth):
    for positions in truth.values():
        for i, moves in enumerate(positions.moves):
            own, mask = positions.own[i], positions.mask[i]
            assert not has_four(own)
            assert not has_four(own ^ mask)
            full = [moves.count(column) == ROWS for column in range(COLUMNS)]
            assert (positions.scores[i] == ILLEGAL).tolist() == full


def test_every_position_is_in_the_set_of_its_stage_and_difficulty(truth):
    for name, positions in truth.items():
        for moves, scores in zip(positions.moves, positions.scores):
            assert set_name(len(moves), int(scores.max())) == name


def assert_scores_are_the_solvers(positions, chosen):
    solver = ConnectFourSolver(table_bits=22, book=False)
    solved = solver.solve_many(positions.own[chosen], positions.mask[chosen])
    np.testing.assert_array_equal(solved, positions.scores[chosen])


@pytest.mark.parametrize(
    ("name", "every"), [("middle_easy", 1), ("end_easy", 1), ("middle_medium", 5)]
)
def test_scores_are_those_of_the_solver(truth, name, every):
    assert_scores_are_the_solvers(truth[name], slice(None, None, every))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "count"), [("begin_easy", 20), ("begin_medium", 20), ("middle_medium", 300)]
)
def test_scores_of_early_positions_are_those_of_the_solver(truth, name, count):
    assert_scores_are_the_solvers(truth[name], slice(-count, None))


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


def test_an_error_lowers_the_result_and_only_the_best_score_is_exact():
    assert move_errors([0, 2, 3], SCORES).tolist() == [False, False, False]
    assert exact_best_rate([0, 2, 3], SCORES) == pytest.approx(1 / 3)
    assert move_errors([2, 1, 0], SCORES).tolist() == [True, True, False]
    assert error_rate([2, 1, 0], SCORES) == pytest.approx(2 / 3)
    assert exact_best_rate([1, 2, 4], SCORES) == 1


def test_a_full_column_is_an_error_even_in_a_lost_position():
    assert move_errors([4, 2, 2], SCORES).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [([0, 0, 7], "got 7"), ([0, 0, -1], "got -1"), ([0, 0], r"\(2,\)"), ([], r"\(0,\)")],
)
def test_choices_that_do_not_fit_are_refused(chosen, message):
    with pytest.raises(ValueError, match=message):
        error_rate(chosen, SCORES)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("begin_hrad 44 0 0 0 0 0 0 0", r":2: no set 'begin_hrad', did you mean 'begin_hard'\?"),
        ("begin_hard 44 0 0 0", ":2: expected a set, columns and 7 scores"),
        ("begin_hard 48 0 0 0 0 0 0 0", ":2: move 2: expected a column"),
    ],
)
def test_a_broken_line_is_named(tmp_path, line, message):
    path = tmp_path / "truth.txt"
    path.write_text(f"# header\n{line}\n")
    with pytest.raises(ValueError, match=message):
        load_truth(path)
