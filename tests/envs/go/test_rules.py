"""Go against a slow reference, and against counts that others have published.

J. Tromp and G. Farnebäck, Combinatorics of Go (2007): legal positions and games on small boards. A
game is there a simple path in the graph of positions, in which either side may move next (passes
are free). Best play: J. Tromp, tromp.github.io/go/1xn.html and 2x2.html.
"""

import itertools
import os

import numpy as np
import pytest

from envs.checks.trial import trace
from envs.go.game import USUAL_KOMI
from envs.go.rules import BLACK, GoRules, record_fields
from envs.registry import find_game
from tests.envs.go.driving import Driver
from tests.envs.go.slow_go import SlowGo

GAMES = int(os.environ.get("LUDENS_GO_GAMES", "1"))  # times as many games as usual


def compare_with_reference(driver, games, seed, keeps_passing=0.05):
    """Play random games by both rules; return the number of positions that were compared."""
    rng, rules, compared = np.random.default_rng(seed), driver.rules, 0
    for _ in range(games):
        slow = SlowGo(rules.rows, rules.columns, rules.suicide)
        driver.reset()
        while not driver.over():
            legal = slow.legal()
            assert driver.legal() == legal
            assert driver.stones() == slow.stones
            assert driver.state["side"] == slow.side
            points = legal[:-1]
            action = legal[-1]
            if points and rng.random() > keeps_passing:
                action = int(rng.choice(points))
            driver.step(action)
            slow.step(action)
            compared += 1
            assert driver.over() == (slow.passes == 2 or len(slow.history) >= rules.cap)
        lead = (slow.area() - rules.komi) * (1 - 2 * slow.side)
        assert driver.value_to_play() == np.sign(lead)
    return compared


@pytest.mark.parametrize("suicide", [False, True])
@pytest.mark.parametrize(("rows", "columns", "games"), [(2, 2, 40), (3, 5, 6)])
def test_interpreted_rules_equal_the_slow_reference(rows, columns, games, suicide):
    driver = Driver(GoRules(rows, columns, 0.0, suicide, max_plies=60), compiled=False)
    assert compare_with_reference(driver, GAMES * games, seed=columns) > games * 4


def test_compiled_rules_with_suicide_equal_the_slow_reference():
    driver = Driver(GoRules(4, 4, 7.5, suicide=True))
    assert compare_with_reference(driver, GAMES * 30, seed=4, keeps_passing=0.01) > 600


@pytest.mark.parametrize(
    ("name", "plies", "games"),
    [
        ("go9", 200, 3),
        pytest.param("go9", 200, 6, marks=pytest.mark.slow),
        pytest.param("go19", 250, 1, marks=pytest.mark.slow),
    ],
)
def test_registered_games_equal_the_slow_reference(name, plies, games):
    game, rng, compared = find_game(name), np.random.default_rng(6), 0
    size = game.planes_shape[1]
    for _ in range(GAMES * games):
        slow, actions, boards, legal = SlowGo(size, size), [], [], []
        while len(actions) < min(plies, game.max_plies):
            boards.append(slow.stones)
            legal.append(slow.legal())
            points = legal[-1][:-1]
            actions.append(int(rng.choice(points)) if points else legal[-1][-1])
            slow.step(actions[-1])
            if slow.passes == 2:
                break
        t = trace(game, actions, compiled=True)
        assert t.actions == actions
        for ply in range(len(actions)):
            assert t.legal_at(ply).tolist() == legal[ply]
            stones = {
                divmod(p, size): side - 1
                for p, side in enumerate(game.cells(t.states[ply]).tolist())
            }
            assert {p: s for p, s in stones.items() if s in (0, 1)} == boards[ply]
        if t.over[-1]:
            lead = (slow.area() - USUAL_KOMI) * (1 - 2 * slow.side)
            assert t.values[-1] == np.sign(lead)
        compared += len(actions)
    assert compared > games * 100


def is_legal_position(rows, columns, stones):
    slow = SlowGo(rows, columns)
    slow.stones = stones
    return not any(slow.without_liberties(stones, point) for point in stones)


@pytest.mark.parametrize(
    ("rows", "columns", "count"), [(1, 2, 5), (1, 3, 15), (2, 2, 57), (2, 3, 489), (3, 3, 12675)]
)
def test_the_reference_knows_the_legal_positions(rows, columns, count):
    points = list(itertools.product(range(rows), range(columns)))
    found = 0
    for sides in itertools.product((None, 0, 1), repeat=len(points)):
        stones = {p: side for p, side in zip(points, sides, strict=True) if side is not None}
        found += is_legal_position(rows, columns, stones)
    assert found == count


@pytest.mark.parametrize(
    ("size", "count"), [(2, 57), pytest.param(3, 12675, marks=pytest.mark.slow)]
)
def test_moves_reach_exactly_the_legal_positions(size, count):
    """From the empty board, either side to move: what capturing leaves is what may stand there."""
    driver = Driver(GoRules(size, size, 0.0, suicide=True))
    seen, pending = {driver.state["stones"].tobytes()}, [driver.state.copy()]
    while pending:
        start = pending.pop()
        for side in (0, 1):
            driver.states[0] = start
            driver.state["side"] = side
            for action in driver.legal()[:-1]:
                driver.states[0] = start
                driver.state["side"] = side
                driver._step(driver.state, action)
                board = driver.state["stones"].tobytes()
                if board not in seen:
                    seen.add(board)
                    driver.state["ply"] = 0
                    pending.append(driver.state.copy())
    assert len(seen) == count


def count_games(driver):
    """Count the simple paths of positions from this one, either side to move at each."""
    start, count = driver.state.copy(), 1
    for side in (0, 1):
        driver.states[0] = start
        driver.state["side"] = side
        driver.recall()
        here = driver.state.copy()
        for action in driver.legal()[:-1]:
            driver.states[0] = here
            driver.state["ply"] = 0
            driver.step(action)
            count += count_games(driver)
            driver.keys.pop()
    return count


@pytest.mark.parametrize(("columns", "count"), [(1, 1), (2, 9), (3, 907)])
def test_games_under_superko(columns, count):
    assert count_games(Driver(GoRules(1, columns, 0.0, suicide=True), compiled=False)) == count


def best_score(driver, alpha=-99, beta=99):
    """Black's area under best play from here, by alpha-beta; komi is chosen by the caller."""
    start, black = driver.state.copy(), driver.state["side"] == BLACK
    legal = driver.legal()
    for action in legal if driver.state["passes"] == 0 else legal[::-1]:
        driver.states[0] = start
        driver.step(action)
        if driver.over():
            score = driver.area()
        else:
            score = best_score(driver, alpha, beta)
        driver.keys.pop()
        driver.states[0] = start
        if black:
            alpha = max(alpha, score)
        else:
            beta = min(beta, score)
        if alpha >= beta:
            break
    return alpha if black else beta


@pytest.mark.parametrize(
    ("rows", "columns", "score"), [(1, 1, 0), (1, 2, 0), (1, 3, 3), (1, 4, 4), (2, 2, 1)]
)
def test_best_play_on_tiny_boards(rows, columns, score):
    rules = GoRules(rows, columns, 0.0, max_plies=1000)
    assert best_score(Driver(rules, compiled=rows == 2)) == score


def test_the_record_of_the_largest_board_is_small():
    assert np.dtype(record_fields(19, 19)).itemsize <= 240


def play(driver, moves):
    for row, column in moves:
        driver.step(row * driver.rules.columns + column)


def test_a_ko_is_forbidden_once_and_allowed_after_a_threat():
    #   . X O . .
    #   X O * O .    Black takes at the star, White must not take back at once.
    #   . X O . .
    driver = Driver(GoRules(5, 5, 0.5), compiled=False)
    play(driver, [(0, 1), (0, 2), (1, 0), (1, 3), (2, 1), (2, 2), (4, 4), (1, 1), (1, 2)])
    retake = 1 * 5 + 1
    assert retake not in driver.legal()
    play(driver, [(4, 0), (4, 1)])
    assert retake in driver.legal()


def test_a_pass_is_never_forbidden_and_repeats_the_board():
    driver = Driver(GoRules(3, 3, 0.5), compiled=False)
    for expected in (False, True):
        assert 9 in driver.legal()
        driver.step(9)
        assert driver.over() is expected


def test_without_the_past_nothing_is_forbidden_by_superko():
    driver = Driver(GoRules(5, 5, 0.5), compiled=False)
    play(driver, [(0, 1), (0, 2), (1, 0), (1, 3), (2, 1), (2, 2), (4, 4), (1, 1)])
    driver._step(driver.state, 1 * 5 + 2)
    assert 1 * 5 + 1 in driver.legal()
    driver._remember(driver.state, np.zeros(0, np.uint64), 0)
    assert 1 * 5 + 1 in driver.legal()
