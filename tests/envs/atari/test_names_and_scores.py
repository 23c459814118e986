"""Games and protocols by name, and the scores that were published."""

from dataclasses import replace

import pytest
from ale_py import roms

from envs.atari.games import SOLO_GAMES, TWO_PLAYER_GAMES, camel_case, find_atari
from envs.atari.protocol import NATURE, STICKY, AtariProtocol, find_protocol
from envs.atari.scores import PUBLISHED, human_normalised


def test_the_games_are_ales() -> None:
    assert sorted([*SOLO_GAMES, *TWO_PLAYER_GAMES]) == sorted(roms.get_all_rom_ids())
    assert len(SOLO_GAMES) == 104


def test_every_game_is_found_in_each_way_to_write_it() -> None:
    for game in SOLO_GAMES:
        for name in (game, camel_case(game), f"ALE/{camel_case(game)}-v5"):
            assert find_atari(name) == game
    assert camel_case("ms_pacman") == "MsPacman"


@pytest.mark.parametrize("name", ["breakoutt", "ms pacman", "ALE/pong-v5", "ALE/Pong-v4", "combat"])
def test_other_texts_are_no_games(name: str) -> None:
    assert find_atari(name) is None


def test_two_protocols_have_names() -> None:
    assert find_protocol("nature") is NATURE
    assert find_protocol("sticky") is STICKY
    assert find_protocol(STICKY) is STICKY
    assert (NATURE.max_steps, STICKY.max_steps) == (4_500, 27_000)
    with pytest.raises(ValueError, match=r"unknown protocol 'natur'.*did you mean 'nature'"):
        find_protocol("natur")


def test_a_changed_protocol_takes_a_name_of_its_own() -> None:
    with pytest.raises(ValueError, match="'sticky': that protocol does not have noop_max = 30"):
        replace(STICKY, noop_max=30)
    assert replace(STICKY, noop_max=30, name="sticky_noop").noop_max == 30
    with pytest.raises(ValueError, match="max_frames = 3: expected 4"):
        AtariProtocol(name="short", max_frames=3)


def test_published_scores_are_of_49_games_and_rise_from_random_to_human() -> None:
    assert len(PUBLISHED) == 49
    assert set(PUBLISHED) <= set(SOLO_GAMES)
    assert all(scores.random < scores.human for scores in PUBLISHED.values())
    # The paper, in its text: DQN reaches three quarters of the human score or more in 29 games.
    reached = [human_normalised(game, scores.dqn) for game, scores in PUBLISHED.items()]
    assert sum(share >= 0.75 for share in reached if share is not None) == 29


def test_human_normalised_scores() -> None:
    assert human_normalised("breakout", 1.7) == 0.0
    assert human_normalised("breakout", 31.8) == pytest.approx(1.0)
    # Extended Data Table 2 gives DQN's share in percent: Breakout 1327, Pong 132, Montezuma 0.
    assert human_normalised("breakout", 401.2) == pytest.approx(13.27, abs=0.005)
    assert human_normalised("pong", 18.9) == pytest.approx(1.32, abs=0.005)
    assert human_normalised("montezuma_revenge", 0.0) == 0.0
    assert human_normalised("tetris", 100.0) is None
