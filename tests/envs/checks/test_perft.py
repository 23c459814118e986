import json
from pathlib import Path

import pytest

from envs.checks.perft import divide, perft, run
from envs.game import GameError, NotationError
from envs.registry import find_game
from tests.envs.sizes import SMALL

GOLDEN = json.loads((Path(__file__).parent / "data" / "perft.json").read_text())
CASES = [(name, d + 1, n) for name, counts in GOLDEN.items() for d, n in enumerate(counts)]


@pytest.mark.parametrize(("name", "depth", "nodes"), CASES)
def test_published_counts(name, depth, nodes):
    game = find_game(name)
    got = perft(game, depth)
    assert got == nodes, f"{name} at depth {depth}: {divide(game, depth)}"


def slow_perft(game, depth, moves):
    """Interpreted, recursive, with a fresh replay at every node."""
    legal = game.legal_actions(game.position(moves)).tolist()
    if depth == 1:
        return len(legal)
    return sum(slow_perft(game, depth - 1, [*moves, a]) for a in legal)


@pytest.mark.parametrize("name", SMALL)
def test_equals_a_slow_recursion(name):
    game = find_game(name)
    depth = 4 if game.max_legal < 30 or name == "othello" else 2
    assert perft(game, depth) == slow_perft(game, depth, [])


def test_games_that_end_early_are_not_counted_on():
    game = find_game("connect_four")
    moves = game.parse_moves("121212")
    assert perft(game, 1, moves) == 7
    assert perft(game, 2, moves) == 42  # the seventh move, column 1, wins: nothing follows
    assert divide(game, 2, moves)["1"] == 0


def test_passes_count_as_plies():
    game = find_game("othello")
    moves = game.parse_moves("c4 c3 c2 b2 e6 c1 a1 a3")
    assert divide(game, 1, moves) == {"pass": 1}
    assert perft(game, 2, moves) == game.legal_mask(game.position([*moves, 64])).sum()


@pytest.mark.parametrize("name", SMALL)
def test_divide_sums_to_perft(name):
    game = find_game(name)
    depth = 5 if game.max_legal < 30 or name == "othello" else 3
    split = divide(game, depth)
    assert sum(split.values()) == perft(game, depth)
    start = game.new_state()
    assert set(split) == {game.written(start, int(a)) for a in game.legal_actions(start)}


def test_depth_zero_is_the_position_itself():
    assert perft(find_game("tic_tac_toe"), 0) == 1


def test_run_reads_a_position_and_splits():
    result = run(find_game("connect_four"), 3, "44", divided=True)
    assert result.nodes == 343
    assert result.divided is not None
    assert result.divided["4"] == 49
    assert (result.game, result.position, result.depth) == ("connect_four", "44", 3)
    assert run(find_game("connect_four"), 3, "44").divided is None


def test_bad_requests_are_refused():
    game = find_game("connect_four")
    with pytest.raises(GameError, match="depth -1 is negative"):
        perft(game, -1)
    with pytest.raises(GameError, match="cannot be divided at depth 0"):
        divide(game, 0)
    with pytest.raises(NotationError, match="move 2, '8'"):
        run(game, 1, "48")


def test_counting_leaves_no_trace():
    game = find_game("othello6")
    assert perft(game, 6) == perft(game, 6)
