import dataclasses
import math
import tomllib
from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import pytest

from agents.alphazero.config import AlphaZeroConfig
from agents.alphazero.episodes import ring_fields
from agents.alphazero.game import game_of
from configs.fields import ConfigError, meanings, train_fields
from configs.loader import FOLDER, default_run_name, load_config, preset_names
from configs.options import add_config_options, given_options
from mcts.forest import params_of


def _presets_of(algorithm: str) -> list[str]:
    documents = {
        name: tomllib.loads((FOLDER / f"{name}.toml").read_text()) for name in preset_names()
    }
    return [name for name, document in documents.items() if document["algorithm"] == algorithm]


BOARDS = {"chess_small": "chess", "connect_four_gpu": "connect_four"}


@pytest.mark.parametrize("name", _presets_of("alphazero"))
def test_every_preset_of_a_board_game_trains_that_game(name: str) -> None:
    config = load_config(name)
    assert isinstance(config, AlphaZeroConfig)
    assert config.game == BOARDS.get(name, name)
    game = game_of(config)
    assert game.name == config.game
    params_of(game, config.search)  # raises where the search refuses the game
    row = sum(np.dtype(dtype).itemsize * math.prod(n) for dtype, n in ring_fields(game).values())
    most = 4 if config.minutes else 16  # GiB; those without a time are for a cluster
    assert config.learner.window_rows * row < most * 2**30
    assert config.learner.window_start_rows <= config.learner.window_rows
    assert config.learner.batch_size <= config.learner.window_start_rows


def test_a_preset_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    preset = tmp_path / "mine.toml"
    preset.write_text('game = "othello6"\nminutes = 3\n[learner]\nbatch_size = 64\n')
    default = AlphaZeroConfig()
    assert load_config(str(preset)) == dataclasses.replace(
        default,
        game="othello6",
        minutes=3.0,
        learner=dataclasses.replace(default.learner, batch_size=64),
    )


def test_options_win_over_the_preset_and_dashes_equal_underscores() -> None:
    config = load_config(
        "tic_tac_toe",
        {"learner.batch-size": "512", "search.tree_reuse": "false", "minutes": "0.5"},
    )
    assert (config.learner.batch_size, config.search.tree_reuse) == (512, False)
    assert config.minutes == 0.5
    assert config.network == load_config("tic_tac_toe").network


def test_keeping_all_is_an_option_without_a_value() -> None:
    parser = ArgumentParser()
    parser.add_argument("preset")
    add_config_options(parser, first=("keep_all",))
    cases = {"": False, "--keep-all": True, "--keep_all": True, "--keep-all --no-keep-all": False}
    for options, kept in cases.items():
        words = [*options.split(), "othello"]
        args = parser.parse_args(words)
        assert load_config(args.preset, given_options(args)).keep_all is kept


def test_a_game_without_a_preset_has_the_defaults(tmp_path: Path) -> None:
    game = tmp_path / "my_game.py"
    game.write_text("GAME = None\n")
    assert load_config(str(game)) == dataclasses.replace(AlphaZeroConfig(), game=str(game))


def test_a_game_file_is_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = load_config("connect_four", {"game": "my_game.py"})
    assert config.game == str(tmp_path / "my_game.py")


def test_runs_are_named_after_their_presets() -> None:
    named = [default_run_name(p) for p in ("othello", "a/b/wide.toml", "games/gomoku.py")]
    assert named == ["othello", "wide", "gomoku"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"learner.bath_size": "3"}, "'learner.bath_size'; did you mean 'learner.batch_size'?"),
        ({"filters": "3"}, "did you mean 'network.filters'?"),
        ({"network.filters": "3.5"}, "network.filters = '3.5': expected a whole number"),
        ({"learner.learning_rate": "fast"}, "'fast': expected a number"),
        ({"learner.learning_rate": "nan"}, "'nan': expected a number"),
        ({"search.solve": "yes"}, "'yes': expected true or false"),
        ({"search.root": "gumble"}, "'gumble': expected one of 'puct', 'gumbel'; did you mean"),
        ({"network.filters": "0"}, "network.filters = 0: expected a whole number, 1 or more"),
    ],
)
def test_wrong_options_are_quoted_with_what_was_expected(
    options: dict[str, str], told: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("connect_four", options)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[learner]\nbatchsize = 3\n", "did you mean 'learner.batch_size'?"),
        ("minutes = true\n", "minutes = True: expected a number"),
        ("seed = 1.0\n", "seed = 1.0: expected a whole number"),
        ('[search]\nsolve = "true"\n', "search.solve = 'true': expected true or false"),
        ("search = 3\n", "unknown setting 'search'"),
        ("minutes = \n", "line 1"),
    ],
)
def test_wrong_presets_name_file_and_field(tmp_path: Path, text: str, told: str) -> None:
    preset = tmp_path / "mine.toml"
    preset.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(str(preset))
    assert str(preset) in str(caught.value)
    assert told in str(caught.value)


@pytest.mark.parametrize("preset", ["conect_four", "missing.toml", "missing.py"])
def test_unknown_presets_are_refused(preset: str) -> None:
    with pytest.raises(ConfigError, match=preset):
        load_config(preset)


def test_every_field_has_a_meaning_and_its_own_option() -> None:
    fields, texts = train_fields(AlphaZeroConfig), meanings(AlphaZeroConfig)
    assert texts.keys() == fields.keys()
    assert all(texts.values())
    assert len({found.option for found in fields.values()}) == len(fields)


@pytest.mark.parametrize(
    ("name", "game", "preset"),
    [
        ("pong", "pong", "breakout"),
        ("ALE/Pong-v5", "pong", "breakout"),
        ("Acrobot-v1", "Acrobot-v1", "dqn"),
    ],
)
def test_an_environment_without_a_preset_has_that_of_its_kind(
    name: str, game: str, preset: str
) -> None:
    assert load_config(name) == dataclasses.replace(load_config(preset), game=game)
