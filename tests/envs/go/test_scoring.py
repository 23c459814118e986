"""Pass-alive points: shapes from Benson's paper and from play, and a slow reference."""

import numpy as np
import pytest
from numba import njit

from envs.batch import final_areas
from envs.go.board import make_board
from envs.go.game import make_go
from envs.go.scoring import make_scoring
from tests.envs.go.driving import random_line
from tests.envs.go.slow_go import SlowGo


def slow_pass_alive(slow, side):
    """Benson's algorithm on sets: the points of a side's pass-alive chains and their regions."""
    own = {p for p, s in slow.stones.items() if s == side}
    inside = {p: (p in own) for p in slow.points()}  # regions are connected by not being own
    chains, regions = set(), set()
    for point in slow.points():
        (chains if point in own else regions).add(frozenset(slow.connected(inside, point)[0]))

    def vital(region, chain):
        points = region if slow.suicide else region - set(slow.stones)
        return all(any(near in chain for near in slow.around(p)) for p in points)

    changed = True
    while changed:
        alive = set().union(*chains)
        regions = {r for r in regions if slow.connected(inside, next(iter(r)))[1] <= alive}
        kept = {c for c in chains if sum(touches(slow, r, c) and vital(r, c) for r in regions) > 1}
        changed, chains = kept != chains, kept
    found = set().union(*chains)
    for region in regions:
        if any(touches(slow, region, chain) and vital(region, chain) for chain in chains):
            found |= region
    return found


def touches(slow, region, chain):
    return any(near in chain for p in region for near in slow.around(p))


def compiled_scoring(rows, columns, suicide):
    board = make_board(rows, columns)
    scoring = make_scoring(board, suicide)
    return board, njit(scoring.pass_alive), njit(scoring.settled), njit(scoring.settled_area)


def points_of(words, board):
    bits = int.from_bytes(words.tobytes(), "little")
    return {divmod(p, board.stride) for p in range(board.rows * board.stride) if bits >> p & 1}


@pytest.mark.parametrize("count", [200, pytest.param(600, marks=pytest.mark.slow)])
@pytest.mark.parametrize("suicide", [False, True])
def test_random_boards_equal_the_slow_reference(suicide, count):
    """Boards of random games and of random stones: most of the latter have large chains."""
    board, pass_alive, settled, settled_area = compiled_scoring(5, 5, suicide)
    game, rng, some = make_go(5, suicide=suicide), np.random.default_rng(3), 0
    boards = [state["stones"] for seed in range(4) for state in random_line(game, 50, seed)]
    for _ in range(count):
        sides = rng.choice(3, 25, p=[0.3, 0.55, 0.15])
        text = "/".join("".join(".XO"[s] for s in sides[r * 5 : r * 5 + 5]) for r in range(5))
        boards.append(stones_of(text))
    for stones in boards:
        slow = SlowGo(5, 5, suicide)
        slow.stones = {p: s for s in (0, 1) for p in points_of(stones[s], board)}
        found = [np.zeros(board.words, np.uint64) for _ in (0, 1)]
        for side in (0, 1):
            pass_alive(stones, side, found[side])
            assert points_of(found[side], board) == slow_pass_alive(slow, side)
        black, white = (points_of(f, board) for f in found)
        assert settled(stones) == (len(black | white) == 25)
        assert settled_area(stones) == len(black) - len(white)
        some += bool(black or white)
    assert some > count // 15


def stones_of(text):
    """The stones of a drawing of 5x5, uint64 [2, 1]; a dot is an empty point."""
    rows = text.split("/")
    bits = [
        sum(1 << r * 6 + c for r in range(5) for c in range(5) if rows[r][c] == letter)
        for letter in "XO"
    ]
    return np.array(bits, np.uint64).reshape(2, 1)


@pytest.mark.parametrize(
    ("text", "black", "white"),
    [
        (".X.X./XXXXX/...../...../.....", 10, 0),  # two small eyes at the edge
        (".XX../XX.../...../...../.....", 0, 0),  # one
        (".X.OX/XXXXX/...../...../.....", 10, 0),  # a white stone in an eye with a liberty
        ("..X../..X../XXX../...../.....", 0, 0),  # an eye of four points, one no liberty
        (".XXX./XX.XX/.X.X./XXXXX/OOOO.", 25, 0),  # white below has one liberty, black's too
        (".X.XO/XXXXO/OOOOO/O.O.O/OOOOO", 8, 17),  # both, everywhere
        (".X.XO/XXXXO/.OOOO/O.O.O/OOOOO", 8, 16),  # but one point, next to both
    ],
)
def test_shapes(text, black, white):
    board = make_board(5, 5)
    scoring, stones = make_scoring(board, suicide=False), stones_of(text)
    counts = []
    for side in (0, 1):
        found = np.zeros(1, np.uint64)
        scoring.pass_alive(stones, side, found)
        counts.append(len(points_of(found, board)))
    assert counts == [black, white]
    assert scoring.settled(stones) == (black + white == 25)


def test_a_settled_game_ends_and_dead_stones_count_for_the_other_side():
    game = make_go(5, komi=0.0, end_settled=True)
    state = game.parse_position("1X1OX/XXXXX/5/XXXX1/1X1X1 b")
    assert not game.rules.is_terminal(state)  # E1 to E3 are not all next to one chain
    game.rules.step(state, game.parse_action("E2"))
    assert game.rules.is_terminal(state)
    assert state["passes"] == 0
    assert game.rules.value_to_play(state) == -1.0  # White is to move
    usual = make_go(5, komi=0.0)
    assert not usual.rules.is_terminal(usual.parse_position(usual.format_position(state)))


@pytest.mark.parametrize("columns", [5, pytest.param(4, marks=pytest.mark.slow)])
def test_a_finished_board_is_owned_as_the_slow_reference_counts_it(columns):
    game = make_go(5, columns)
    for seed in range(6):
        slow, line = SlowGo(5, columns), random_line(game, 60, seed)
        states = line[-1:]
        for point in slow.points():
            row, column = point
            stone = int(game.cells(states[0])[row * columns + column])
            if stone:
                slow.stones[point] = stone - 1
        states["over"] = 1
        owners, leads = np.zeros((1, 5 * columns), np.int8), np.zeros(1, np.float32)
        final_areas(states, owners, leads)
        assert owners[0].tolist() == [slow.owner(point) for point in sorted(slow.points())]
        assert leads[0] == slow.area() - 7.5 == owners[0].sum() - 7.5
        written = np.zeros_like(owners[0])
        assert game.rules.final_ownership(states[0], written) == leads[0]
        assert written.tolist() == owners[0].tolist()


def test_a_settled_board_is_owned_by_what_is_alive():
    """Two eyes each; a dead white stone in Black's corner counts for Black."""
    game = make_go(5, end_settled=True)
    state = game.parse_position("O1XOO/1XXOO/XXXO1/1XXOO/X1XO1 b 0 0 7.5")
    assert state["over"] == 2
    owners = np.zeros(25, np.int8)
    state["over"] = 1
    assert game.rules.final_ownership(state, owners) < 15 - 10 - 7.5  # its stone stands
    state["over"] = 2
    assert game.rules.final_ownership(state, owners) == 15 - 10 - 7.5
    assert owners.reshape(5, 5).tolist() == [[1, 1, 1, -1, -1]] * 5


def test_an_unfinished_board_has_no_owners():
    game = make_go(5)
    owners, leads = np.full((1, 25), 7, np.int8), np.zeros(1, np.float32)
    final_areas(game.new_states(1), owners, leads)
    assert np.isnan(leads[0])
    assert (owners == 7).all()
