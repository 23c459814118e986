from dataclasses import replace

import pytest

from configs.fields import ConfigError
from configs.loader import load_config
from configs.sweep import plan_sweep

BOTH = {"game": "othello6, tic_tac_toe", "minutes": "3", "network.blocks": "2"}


def test_each_seed_of_each_environment_is_a_run() -> None:
    planned = plan_sweep("connect_four", {**BOTH, "seed": "5"}, 2)
    assert [v.suffix for v in planned] == [
        "othello6-5", "tic_tac_toe-5", "othello6-6", "tic_tac_toe-6",
    ]  # fmt: skip
    assert planned[3].label == "tic_tac_toe, seed 6"
    one = load_config("connect_four", {"minutes": "3", "network.blocks": "2"})
    assert planned[2].config == replace(one, game="othello6", seed=6)


def test_without_environments_it_is_the_presets_own() -> None:
    (planned,) = plan_sweep("connect_four", {}, 1)
    assert (planned.suffix, planned.config) == ("connect_four-0", load_config("connect_four"))


def test_a_name_is_what_a_run_may_be_called_and_a_game_of_atari_has_one() -> None:
    options = {"game": "ALE/Pong-v5,my_games:Own,MsPacman"}
    planned = plan_sweep("connect_four", options, 1)
    assert [v.suffix for v in planned] == ["ALE-Pong-v5-0", "my_games-Own-0", "MsPacman-0"]
    assert [v.config.game for v in planned] == ["pong", "my_games:Own", "ms_pacman"]


def test_rows_are_an_end() -> None:
    assert len(plan_sweep("connect_four", {"minutes": "0", "rows": "900"}, 2)) == 2
    assert plan_sweep("dqn_nature", {"game": "pong,qbert"}, 1)[1].config.rows == 50_000_000


@pytest.mark.parametrize(
    ("options", "seeds", "told"),
    [
        (BOTH, 0, "--seeds 0: expected 1 or more"),
        ({"game": "othello,othello"}, 1, "'othello' comes twice in 'othello,othello'"),
        ({"minutes": "0"}, 1, "expected a time for each run"),
        ({"game": " , "}, 1, "no environment in ' , '"),
    ],
)
def test_what_is_no_sweep_is_refused(options: dict[str, str], seeds: int, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        plan_sweep("connect_four", options, seeds)
