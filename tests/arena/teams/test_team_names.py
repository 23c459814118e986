"""Names of agents of games of teams, and what is said to wrong ones."""

from pathlib import Path

import pytest

from arena.names import SCRIPTS, AgentNameError, find_agent
from arena.teams.names import (
    exact_team_name,
    find_team_agent,
    home_of_match,
    team_game_of,
)
from envs.registry import TEAM_GAMES, find_game, find_team_game
from store.errors import StoreError
from store.run import RunInfo, create_run
from tests.arena.team_games import TOY, TOY_TOO, make_run, toy

__all__ = ["toy"]


@pytest.fixture
def store(tmp_path: Path, toy: object) -> str:
    make_run(tmp_path, "five", 3, 5)
    make_run(tmp_path, "too", 4, game="toy_too")
    make_run(tmp_path, "empty")
    create_run(tmp_path, "board", game="tic_tac_toe", config={}, seed=0, versions={})
    return str(tmp_path)


def test_the_scripted_players_are_those_of_the_games() -> None:
    found = {name: find_team_game(name) for name in TEAM_GAMES}
    assert all(game.name == name == game.spec.name for name, game in found.items())
    assert {script for game in found.values() for script in game.scripts} == {*SCRIPTS}
    assert {name for game in found.values() for name in game.relatives} == {*TEAM_GAMES}


def test_agents_are_found_by_name(store: str) -> None:
    high = find_team_agent("high", TOY, store)
    assert (high.name, high.low, high.high) == ("high", 4, 9)
    assert find_team_agent("five@3", TOY, store).high == 5
    assert find_team_agent("five", TOY, store).high == 7
    assert find_team_agent("high", TOY, store) is not high
    assert exact_team_name("five", TOY, store) == "five@5"
    assert exact_team_name("high", TOY, store) == "high"


def test_an_agent_of_a_relative_plays_too(store: str) -> None:
    assert find_team_agent("too", TOY, store).high == 6
    assert home_of_match(["too@4", "high"], TOY, store) is None  # its ratings are of another game
    home = home_of_match(["too@4", "five@3"], TOY, store)
    assert home is not None
    assert home.name == "five"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hihg", "no agent 'hihg'; did you mean 'high'? (there are low, middle, high, board"),
        ("fvie", "did you mean 'five'?"),
        ("mcts:100", "agent 'mcts:100' does not play 'toy': expected low, middle, high, or a run"),
        ("random", "agent 'random' does not play 'toy'"),
        ("fighter", "agent 'fighter' does not play 'toy'"),
        ("board", "run 'board' learned 'tic_tac_toe', it cannot play 'toy'"),
        ("five@4", "agent 'five@4': run 'five' has no checkpoint 4; it has 3, 5"),
        ("five:sims=3", "agent 'five:sims=3': it takes no options"),
    ],
)
def test_what_plays_no_such_game_is_refused(store: str, text: str, told: str) -> None:
    with pytest.raises(AgentNameError) as raised:
        find_team_agent(text, TOY, store)
    assert told in str(raised.value)


def test_a_run_without_a_checkpoint_has_no_exact_name(store: str) -> None:
    with pytest.raises(StoreError, match="'empty' has no checkpoint yet"):
        exact_team_name("empty", TOY, store)


def test_a_script_plays_no_board_game(store: str) -> None:
    with pytest.raises(AgentNameError, match=r"'fighter' plays games of teams \(lanes_1v1, .*not"):
        find_agent("fighter", find_game("tic_tac_toe"), store)
    with pytest.raises(AgentNameError, match="'five' learned 'toy', it cannot play 'tic_tac_toe'"):
        find_agent("five", find_game("tic_tac_toe"), store)


@pytest.mark.usefixtures("toy")
def test_a_file_of_the_same_name_is_no_game_of_teams() -> None:
    assert team_game_of(RunInfo("toy_too", {}, 0)) is TOY_TOO
    assert team_game_of(RunInfo("toy", {}, 0, game_source="a" * 64)) is None
    assert team_game_of(RunInfo("tic_tac_toe", {}, 0)) is None
