"""The game of docs/new-game.md works as the page says."""

import re
from pathlib import Path

import pytest

from envs.checks.contract import check, check_symmetries, make_trial
from envs.checks.perft import perft
from envs.checks.trial import ContractError
from envs.game_file import load_game_file
from envs.pettingzoo_env import env

PAGE = (Path(__file__).parents[2] / "docs" / "new-game.md").read_text()
GAME_CODE, TEST_CODE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def load(folder, code=GAME_CODE):
    path = folder / "gomoku.py"
    path.write_text(code)
    return load_game_file(path)


@pytest.fixture(scope="module")
def game(tmp_path_factory):
    return load(tmp_path_factory.mktemp("user"))


def test_the_game_takes_less_than_eighty_lines_of_code():
    lines = [line for line in GAME_CODE.splitlines() if line.strip()]
    assert len(lines) < 80
    assert all(len(line) <= 100 for line in lines)


def test_it_passes_the_contract(game):
    report = check(game, games=8)
    assert report.ok, report


def test_its_counts_are_the_products_that_the_page_gives(game):
    assert "81 x 80 x 79 x 78" in PAGE
    assert perft(game, 3) == 81 * 80 * 79
    assert f"{81 * 80 * 79 * 78:,}" in PAGE


def test_the_test_of_the_page_passes_and_sees_a_wrong_winner(game, tmp_path):
    names = {"GAME": game}
    exec(TEST_CODE, names)  # the page's own code
    names["test_five_in_a_row_wins"]()  # asserts
    wrong = GAME_CODE.replace("return -1.0 if", "return 1.0 if").replace('"gomoku"', '"wrong"')
    names["GAME"] = load(tmp_path, wrong)
    with pytest.raises(AssertionError):
        names["test_five_in_a_row_wins"]()


def test_five_in_a_row_wins_in_every_direction(game):
    for record in (
        "a1 a2 b1 b2 c1 c2 d1 d2 e1",
        "a1 b1 a2 b2 a3 b3 a4 b4 a5",
        "a1 a2 b2 b3 c3 c4 d4 d5 e5",
        "e1 a2 d2 b3 c3 c4 b4 d5 a5",
        "a1 a2 b1 b2 d1 c2 e1 e2 c1",  # the gap is filled last
    ):
        moves = game.parse_moves(record)
        assert not game.rules.is_terminal(game.position(moves[:-1])), record
        assert game.rules.is_terminal(game.position(moves)), record


def test_a_line_does_not_wrap_around_the_edge(game):
    moves = game.parse_moves("f1 a9 g1 c9 h1 e9 i1 g9 a2")
    assert not game.rules.is_terminal(game.position(moves))


def test_the_failure_that_the_page_shows_is_what_a_forgotten_diagonal_gives(tmp_path):
    forgetful = GAME_CODE.replace(", (1, -1))", ")").replace('name="gomoku"', 'name="forgetful"')
    assert forgetful.count("(1, -1)") == 0
    trial = make_trial(load(tmp_path, forgetful), games=40)
    with pytest.raises(ContractError, match="symmetry 1 does not commute with is_terminal"):
        check_symmetries(trial)
    assert "FAILED  symmetries       gomoku after" in PAGE


def test_it_is_a_pettingzoo_environment(game, tmp_path):
    path = tmp_path / "gomoku.py"
    path.write_text(GAME_CODE)
    board = env(str(path))
    board.reset()
    board.step(40)
    assert board.agent_selection == "player_1"
    assert board.observe("player_1")["action_mask"].sum() == 80
