import pytest

from arena.play.pictures.plain import print_games
from arena.play.pictures.session import PictureSession
from tests.arena.play.pictures.screens import Scripted, Walk


def printed(agent, games=1, **walk):
    lines = []
    print_games(PictureSession(Walk(**walk), agent, now=lambda: 0.0), games, lines.append)
    return lines


def test_a_line_for_each_change_of_the_score_and_each_result():
    assert printed(Scripted(2), games=2) == [
        "walk, protocol nature: scripted plays",
        "step 3: score 1, lives 2",
        "game 1: score 1, 3 steps, past the middle 66.7%",
        "step 3: score 1, lives 2",
        "game 2: score 1, 3 steps, past the middle 66.7%",
        "2 games: mean score 1.00",
    ]


def test_lost_lives_are_lines_too():
    assert printed(Scripted(1))[1:] == [
        "step 1: score 0, lives 1",
        "step 2: score -1, lives 0",
        "game 1: score -1, 2 steps",
    ]


def test_a_game_that_a_limit_ended_says_so():
    assert printed(Scripted(0), limit=7)[1:] == ["game 1: score 0, 7 steps, ended by a limit"]


def test_a_person_needs_a_screen():
    with pytest.raises(ValueError, match="--agent"):
        printed(None)


def test_no_games_are_a_mistake():
    with pytest.raises(ValueError, match="games = 0: expected 1 or more"):
        printed(Scripted(2), games=0)
