import pickle

import numpy as np
import pytest
from pettingzoo.test import api_test, seed_test

from envs.game import GameError
from envs.pettingzoo_env import env, raw_env
from envs.registry import find_game
from tests.envs.sizes import SMALL

# What api_test says of every environment with an action mask, and of a board that starts empty.
EXPECTED_REMARKS = [
    "ignore:Observation is not a NumPy array:UserWarning",
    "ignore:Observation space for each agent probably should be:UserWarning",
    "ignore:Observation numpy array is all zeros:UserWarning",
    "ignore:Action mask numpy array is all zeros:UserWarning",
]


def allow_expected_remarks(test):
    for remark in EXPECTED_REMARKS:
        test = pytest.mark.filterwarnings(remark)(test)
    return test


@allow_expected_remarks
@pytest.mark.parametrize("name", SMALL)
def test_passes_the_api_test(name, capsys):
    api_test(env(name), num_cycles=150)  # raises AssertionError at the first broken rule
    assert capsys.readouterr().out.endswith("Passed API test\n")


@pytest.mark.parametrize("name", SMALL)
def test_passes_the_seed_test(name):
    boards = []

    def make():
        boards.append(env(name))
        return boards[-1]

    seed_test(make, num_cycles=20)  # raises AssertionError where the two do not go the same way
    one, other = (board.unwrapped.state for board in boards)
    assert one == other != find_game(name).new_state()


def play(board, text):
    for action in board.unwrapped.game.parse_moves(text):
        board.step(action)


def test_the_winner_gets_one_and_the_loser_minus_one():
    board = env("connect_four")
    board.reset()
    play(board, "1212121")
    assert board.rewards == {"player_0": 1.0, "player_1": -1.0}
    assert all(board.terminations.values())


def test_the_second_player_can_win():
    board = env("tic_tac_toe")
    board.reset()
    play(board, "a1 b1 a2 b2 c1 b3")
    assert board.rewards == {"player_0": -1.0, "player_1": 1.0}


def test_a_draw_pays_nothing():
    board = env("tic_tac_toe")
    board.reset()
    play(board, "b2 a1 a2 c2 c1 a3 b3 b1 c3")
    assert board.rewards == {"player_0": 0.0, "player_1": 0.0}
    assert all(board.terminations.values())


def test_observation_is_the_position_of_the_side_to_move():
    game = find_game("connect_four")
    board = env("connect_four")
    board.reset()
    play(board, "443")
    seen, *_ = board.last()
    state = game.position(game.parse_moves("443"))
    np.testing.assert_array_equal(seen["observation"], game.encode(state))
    np.testing.assert_array_equal(seen["action_mask"], game.legal_mask(state))
    assert seen["observation"].shape == (2, 6, 7)
    assert not board.observe("player_0")["action_mask"].any()


def test_othello_passes_by_the_mask_and_gives_the_move_back():
    board = env("othello")
    board.reset()
    play(board, "c4 c3 c2 b2 e6 c1 a1 a3")
    assert board.agent_selection == "player_0"
    assert np.flatnonzero(board.observe("player_0")["action_mask"]).tolist() == [64]
    board.step(64)
    assert board.agent_selection == "player_1"
    assert board.observe("player_1")["action_mask"].sum() > 1


def test_an_illegal_move_loses(monkeypatch):
    warned = []
    monkeypatch.setattr(
        "pettingzoo.utils.env_logger.EnvLogger.warn_on_illegal_move", lambda: warned.append(True)
    )
    board = env("tic_tac_toe")
    board.reset()
    board.step(4)
    board.step(4)
    assert warned
    assert board.rewards["player_1"] == -1.0
    assert board.rewards["player_0"] == 0.0
    assert all(board.terminations.values())


def test_the_raw_environment_refuses_an_illegal_move_by_name():
    board = raw_env("tic_tac_toe")
    board.reset()
    board.step(4)
    with pytest.raises(GameError, match=r"action 4 of player_1 is not legal.*a1 b1 c1 a2 c2"):
        board.step(4)
    with pytest.raises(GameError, match="action -1"):
        board.step(-1)


def test_render_modes(capsys):
    board = env("connect_four", render_mode="ansi")
    board.reset()
    assert board.render() == find_game("connect_four").render(find_game("connect_four").new_state())
    board = env("connect_four", render_mode="human")
    board.reset()
    board.step(3)
    assert capsys.readouterr().out.count("1 2 3 4 5 6 7") == 2
    with pytest.raises(GameError, match=r"unknown render_mode 'rgb_array'.*human, ansi"):
        env("connect_four", render_mode="rgb_array")


def test_an_environment_can_be_pickled():
    board = pickle.loads(pickle.dumps(raw_env("othello6")))  # noqa: S301 - our own bytes
    board.reset()
    assert board.game.name == "othello6"


def test_an_unknown_game_is_refused_with_the_nearest():
    with pytest.raises(GameError, match="did you mean 'othello'"):
        env("othelo")
