"""A training of a user's own game: its file travels in the configuration and never in a store."""

import json
import pickle
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from agents.alphazero.config import AlphaZeroConfig
from agents.running.run_game import source_of
from configs.loader import load_config
from envs.game_file import file_of
from selfplay import loop
from selfplay.loop import train
from selfplay.own_game import game_of, stored_settings
from selfplay.resuming import continue_run, settings_of
from store.errors import RunMismatchError
from store.run import Run, create_run, open_run

CODE = """
from dataclasses import asdict, replace
from envs import tic_tac_toe
GAME = replace(tic_tac_toe.GAME, name="{name}")
"""


def own_game(folder: Path, name: str, more: str = "") -> AlphaZeroConfig:
    path = folder / f"{name}.py"
    path.write_text(CODE.format(name=name) + more)
    return load_config("tic_tac_toe", {"game": str(path)})


def begun(store: Path, config: AlphaZeroConfig, **changes: Any) -> Run:
    """The run as its first training makes it."""
    game = game_of(config)
    kept: dict[str, Any] = {"game": game.name, "game_source": source_of(game), **changes}
    settings = {**stored_settings(config, game), "game": kept["game"]}
    return create_run(store, "r", config=settings, seed=0, versions={}, **kept)


def start(store: Path, config: AlphaZeroConfig, **options: Any) -> None:
    next(train(config, store_url=str(store), run_name="r", **options))


class BegunError(Exception):
    """The run is there, and would be trained now."""


def test_a_run_keeps_a_name_and_a_hash_and_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(*_: object) -> None:
        raise BegunError

    monkeypatch.setattr(loop, "Training", begin)
    config = own_game(tmp_path, "kept_game")
    for _ in ("begins", "goes on"):
        with pytest.raises(BegunError):
            start(tmp_path / "store", config)
    text = (tmp_path / "store/r/run.json").read_text()
    assert str(tmp_path) not in text
    assert ".py" not in text
    document = json.loads(text)
    assert document["game"] == document["config"]["game"] == "kept_game"
    assert document["game_source"] == source_of(game_of(config))


def test_the_file_reaches_other_processes_by_the_configuration(tmp_path: Path) -> None:
    config = own_game(tmp_path, "sent_game")
    arrived = pickle.loads(pickle.dumps(config))  # noqa: S301 (as Ray sends it)
    found = file_of(game_of(arrived))
    assert found is not None
    assert found.path == tmp_path / "sent_game.py"


def test_an_edited_game_goes_on_only_when_that_is_said(tmp_path: Path) -> None:
    config = own_game(tmp_path, "edited_game")
    begun(tmp_path / "store", config)
    (tmp_path / "later").mkdir()
    edited = own_game(tmp_path / "later", "edited_game", "# another drawing\n")
    with pytest.raises(RunMismatchError, match=r"has changed since .* add --changed-game"):
        start(tmp_path / "store", edited)
    with pytest.raises(RunMismatchError, match="seed is 0, not 1"):  # what is looked at next
        start(tmp_path / "store", replace(edited, seed=1), changed_game=True)


def test_a_namesake_of_a_built_in_game_is_another_game(tmp_path: Path) -> None:
    builtin, namesake = load_config("tic_tac_toe"), own_game(tmp_path, "tic_tac_toe")
    begun(tmp_path / "one", builtin)
    begun(tmp_path / "two", namesake)
    for store, config in (("one", namesake), ("two", builtin)):
        with pytest.raises(RunMismatchError, match=r"is of 'tic_tac_toe', .* not of 'tic_tac_toe'"):
            start(tmp_path / store, config)


def test_a_run_that_kept_a_path_goes_on_with_the_file_that_is_named(tmp_path: Path) -> None:
    """As runs of before did; here under another name than the game's own."""
    config = own_game(tmp_path, "named_game")
    path = tmp_path / "file_name.py"
    (tmp_path / "named_game.py").rename(path)
    config = replace(config, game=str(path))
    run = begun(tmp_path / "store", config)
    document = json.loads((tmp_path / "store/r/run.json").read_text())
    del document["seal"], document["game_source"]
    document |= {"schema_version": 1, "game": "/long/gone/file_name.py"}
    document["config"]["game"] = document["game"]
    (tmp_path / "store/r/run.json").write_text(json.dumps(document))
    info = open_run(tmp_path / "store", "r").info
    assert (info.game, info.config["game"], info.game_source) == ("file_name",) * 2 + ("unknown",)
    assert info.config == {**run.info.config, "game": "file_name"}
    with pytest.raises(RunMismatchError, match="seed is 0, not 1"):  # the game is accepted
        start(tmp_path / "store", replace(config, seed=1))
    with pytest.raises(RunMismatchError, match="is of 'file_name', defined by a file, and not"):
        start(tmp_path / "store", load_config("tic_tac_toe"))


def test_the_game_of_a_configuration_never_comes_from_a_store(tmp_path: Path) -> None:
    """A run's settings are taken up again where a training goes on: all but that one."""
    config = load_config("tic_tac_toe")
    forged = {**asdict(config), "game": str(tmp_path / "forged.py")}
    run = create_run(tmp_path, "r", game=config.game, config=forged, seed=0, versions={})
    assert settings_of(run).game == AlphaZeroConfig().game
    assert continue_run(str(tmp_path), "r", config, asked=["minutes"]).config.game == config.game
