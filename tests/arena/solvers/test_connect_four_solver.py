import numpy as np
import pytest

from arena.solvers.connect_four.solver import ILLEGAL, ConnectFourSolver, bitboards, read_book
from envs.connect_four import COLUMNS, ROWS, has_four

CELLS = COLUMNS * ROWS


@pytest.fixture(scope="module")
def solver():
    return ConnectFourSolver(table_bits=20, book=False)


def is_over(own, mask):
    return bool(has_four(np.uint64(own)) or has_four(np.uint64(own ^ mask)))


def random_positions(seed, count, first_ply, last_ply):
    """Distinct unfinished positions as lists of columns, from quiet random games."""
    rng = np.random.default_rng(seed)
    found = {}
    while len(found) < count:
        grid, moves = Grid([]), []
        for _ in range(rng.integers(first_ply, last_ply + 1)):
            quiet = [c for c in grid.open_columns() if not grid.wins(c)]
            if not quiet:
                break
            moves.append(int(rng.choice(quiet)))
            grid.push(moves[-1])
        else:
            found[bitboards(moves)] = moves
    return list(found.values())


LINES = [
    [(c + i * dc, r + i * dr) for i in range(4)]
    for c in range(COLUMNS)
    for r in range(ROWS)
    for dc, dr in ((1, 0), (0, 1), (1, 1), (1, -1))
    if c + 3 * dc < COLUMNS and 0 <= r + 3 * dr < ROWS
]
LINES_AT = {
    (c, r): [line for line in LINES if (c, r) in line] for c in range(COLUMNS) for r in range(ROWS)
}


class Grid:
    """A slow Connect Four with nothing in common with the solver: lists, lines, alpha-beta."""

    def __init__(self, moves):
        self.columns = [[] for _ in range(COLUMNS)]
        self.ply = 0
        for column in moves:
            self.push(column)
        self.known = {}

    def open_columns(self):
        return [column for column in range(COLUMNS) if len(self.columns[column]) < ROWS]

    def push(self, column):
        self.columns[column].append(self.ply % 2)
        self.ply += 1

    def pop(self, column):
        self.columns[column].pop()
        self.ply -= 1

    def wins(self, column):
        """Whether a stone of the side to move in `column` completes a line."""
        side, cell = self.ply % 2, (column, len(self.columns[column]))

        def is_own(c, r):
            return (c, r) == cell or (r < len(self.columns[c]) and self.columns[c][r] == side)

        return any(all(is_own(c, r) for c, r in line) for line in LINES_AT[cell])

    def score_of(self, column, alpha, beta):
        """Score of one move for the mover."""
        if self.wins(column):
            return (CELLS + 1 - self.ply) // 2
        self.push(column)
        score = -self.score(-beta, -alpha)
        self.pop(column)
        return score

    def score(self, alpha=-99, beta=99):
        """Fail-soft alpha-beta; the score for the side to move."""
        if self.ply == CELLS:
            return 0
        key = (str(self.columns), alpha, beta)
        if key not in self.known:
            best = -99
            for column in self.open_columns():
                best = max(best, self.score_of(column, max(alpha, best), beta))
                if best >= beta:
                    break
            self.known[key] = best
        return self.known[key]

    def move_scores(self):
        return [
            self.score_of(column, -99, 99) if len(self.columns[column]) < ROWS else None
            for column in range(COLUMNS)
        ]


def check_against_grid(solver, positions):
    for moves in positions:
        expected = Grid(moves).move_scores()
        assert solver.move_scores(moves) == expected, moves
        assert solver.score(moves) == max(s for s in expected if s is not None), moves


def test_late_positions_against_a_slow_twin(solver):
    check_against_grid(solver, random_positions(seed=1, count=200, first_ply=37, last_ply=41))


@pytest.mark.slow
def test_earlier_positions_against_a_slow_twin(solver):
    check_against_grid(solver, random_positions(seed=2, count=300, first_ply=33, last_ply=36))


def test_a_tiny_table_that_overflows_changes_no_score(solver):
    positions = random_positions(seed=3, count=60, first_ply=16, last_ply=24)
    tiny = ConnectFourSolver(table_bits=10, book=False)
    assert [tiny.move_scores(m) for m in positions] == [solver.move_scores(m) for m in positions]
    assert tiny.nodes > 10 * 2**10  # or nothing would have overflowed


def test_a_score_is_the_best_of_the_moves_and_a_move_the_opponents_score_reversed(solver):
    for moves in random_positions(seed=4, count=200, first_ply=15, last_ply=28):
        scores = solver.move_scores(moves)
        legal = [score for score in scores if score is not None]
        assert solver.score(moves) == max(legal)
        for column, score in enumerate(scores):
            if score is not None and not is_over(*bitboards([*moves, column])):
                assert solver.score([*moves, column]) == -score


def test_the_mirror_image_has_the_mirrored_scores():
    for moves in random_positions(seed=5, count=100, first_ply=14, last_ply=24):
        image = [COLUMNS - 1 - column for column in moves]
        scores = ConnectFourSolver(16, book=False).move_scores(moves)
        assert ConnectFourSolver(16, book=False).move_scores(image) == scores[::-1]


def test_solve_many_equals_one_by_one(solver):
    positions = random_positions(seed=6, count=50, first_ply=20, last_ply=41)
    boards = np.array([bitboards(moves) for moves in positions], dtype=np.uint64)
    scores = solver.solve_many(boards[:, 0], boards[:, 1])
    assert scores.shape == (50, COLUMNS)
    for moves, row in zip(positions, scores.tolist()):
        assert [None if s == ILLEGAL else s for s in row] == solver.move_scores(moves)


@pytest.mark.parametrize(("columns", "score"), [("112233", 18), ("41315", -18)])
def test_scores_count_the_stones_left_in_the_winners_hand(solver, columns, score):
    assert solver.score([int(column) - 1 for column in columns]) == score


def test_a_finished_game_is_refused(solver):
    with pytest.raises(ValueError, match="finished game"):
        solver.score([0, 0, 1, 1, 2, 2, 3])


@pytest.mark.parametrize(
    ("moves", "message"),
    [
        ([0, 7], r"move 2: expected a column from 0 to 6, got 7"),
        ([0] * 7, r"move 7: column 0 already holds 6"),
        ([0, 1] * 4, r"move 8: the game was over after 7"),
    ],
)
def test_moves_that_cannot_be_played_are_refused(solver, moves, message):
    with pytest.raises(ValueError, match=message):
        solver.score(moves)


@pytest.mark.parametrize(("own", "mask"), [(1, 0), (0, 2), (0, 1 << 6), (0, 1 << 49)])
def test_boards_that_are_no_position_are_refused(solver, own, mask):
    with pytest.raises(ValueError, match="not a Connect Four position"):
        solver.score_bitboards(own, mask)


@pytest.mark.parametrize("bits", [9, 33])
def test_impossible_table_sizes_are_refused(bits):
    with pytest.raises(ValueError, match=f"got {bits}"):
        ConnectFourSolver(table_bits=bits)


def test_the_book_answers_the_empty_board_at_once():
    solver = ConnectFourSolver(table_bits=16)
    assert solver.move_scores([]) == [-2, -1, 0, 1, 0, -1, -2]
    assert solver.score([]) == 1
    assert solver.nodes < 1000


def test_the_book_is_consistent():
    """Where the book holds every move of a position, its score is the best of theirs."""
    book = {}
    for moves, score in read_book():
        own, mask = bitboards(moves)
        book[own, mask] = score
        own, mask = bitboards([COLUMNS - 1 - column for column in moves])
        book[own, mask] = score
    checked = 0
    for moves, score in read_book():
        children = [bitboards([*moves, c]) for c in range(COLUMNS) if moves.count(c) < ROWS]
        if all(child in book for child in children):
            assert score == max(-book[child] for child in children)
            checked += 1
    assert checked >= 1
