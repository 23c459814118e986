"""Matches of Lanes: the scripts as agents, from both sides of one seed."""

from arena.teams.match import play_team_match
from envs.registry import find_team_game


def test_the_better_script_wins_and_the_seed_repeats_it() -> None:
    game = find_team_game("lanes_1v1")
    found = [
        play_team_match(game, game.make_script("fighter"), game.make_script("wanderer"), 6)[0]
        for _ in range(2)
    ]
    assert found[0] == found[1]
    assert found[0].total.wins == 6
    assert 0 < found[0].mean_minutes <= 10
    assert found[0].mean_minutes == found[0].mean_decisions * 0.8 / 60
