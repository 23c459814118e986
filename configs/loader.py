"""Loading of a TrainConfig from a preset and options.

The reading is done by hand over the dataclasses (`configs.fields`) and not by a command-line
package: a field is an int, a float, a bool, a string or one of a few words, the same values come
from TOML, and an unknown name has to suggest the nearest; a package would read the command line
alone, and cost more start-up time than `ludens --help` has altogether.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from agents.registry import FIRST, find_config
from agents.training import TrainConfig
from configs.fields import ConfigError, did_you_mean, train_fields
from envs.atari.games import find_atari

FOLDER = Path(__file__).parent
ATARI_PRESET, GYMNASIUM_PRESET = "breakout", "dqn"  # of environments without a preset of their own
_GYMNASIUM_ID = re.compile(r"(?:[\w.-]+/)?[\w.]+-v\d+")
Config = TypeVar("Config", bound=TrainConfig)


def preset_names() -> list[str]:
    """Return the names of the presets that come with the program."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_config(preset: str, options: Mapping[str, str] | None = None) -> TrainConfig:
    """Return the configuration of a preset, overridden by the given options.

    Args:
        preset: a preset's name, a `.toml` file, the name of a game or an environment, or a game's
            `.py` file; a game
            without a preset has the defaults, and an environment has those of its kind.
        options: texts by dotted field name, dashes as good as underscores.

    Raises:
        ConfigError: unknown preset, field or value; the error names the nearest known one.
    """
    config, values, source = _read_preset(preset)
    for name, text in (options or {}).items():
        name = name.replace("-", "_")
        values[name] = _field(config, name, "option").read_text(text)
    game = str(values.get("game", ""))
    if game.endswith(".py"):  # to be found from any folder
        values["game"] = str(Path(game).resolve())
    elif atari := find_atari(game):  # one name, however it is spelled
        values["game"] = atari
    try:
        built: TrainConfig = _build(config, values, "")
    except ConfigError:
        raise
    except ValueError as error:  # a dataclass refused a combination, and says which
        raise ConfigError(f"{error} (preset {source})") from error
    return built


def load_config_of(
    kind: type[Config], preset: str, options: Mapping[str, str] | None = None
) -> Config:
    """Call `load_config` for a caller that needs the settings of one algorithm.

    Raises ConfigError, for a preset of another algorithm too.
    """
    found = load_config(preset, options)
    if not isinstance(found, kind):
        raise ConfigError(
            f"{preset!r} is a preset of the algorithm {found.algorithm!r}, not {kind.algorithm!r}"
        )
    return found


def asked_settings(preset: str, options: Mapping[str, str]) -> frozenset[str]:
    """Return dotted names of requested settings: the options, and those in a user's preset file.

    Presets that come with the program may change with it, which is not a request by the user.
    """
    own = read_toml(Path(preset))[1] if preset.endswith(".toml") else {}
    return frozenset({*own, *(name.replace("-", "_") for name in options)})


def default_run_name(preset: str) -> str:
    """Return the default run of a preset: its own name."""
    return Path(preset).stem if preset.endswith((".toml", ".py")) else preset


def _read_preset(preset: str) -> tuple[type[TrainConfig], dict[str, Any], str]:
    """Return the class of the settings, checked values by dotted name, and their sources."""
    if preset.endswith(".toml"):
        return *read_toml(Path(preset)), preset
    if preset in preset_names():
        return *read_toml(FOLDER / f"{preset}.toml"), repr(preset)
    config = find_config(FIRST)
    if preset.endswith(".py"):
        if not Path(preset).is_file():
            raise ConfigError(f"no game file {preset!r}")
        return config, {"game": preset}, preset
    from envs.atari.games import SOLO_GAMES
    from envs.registry import BUILT_IN

    if preset in BUILT_IN:
        return config, {"game": preset}, f"{preset!r}, the defaults"
    if base := _preset_of_environment(preset):
        config, values = read_toml(FOLDER / f"{base}.toml")
        return config, {**values, "game": preset}, f"{base!r} for {preset!r}"
    known = sorted({*preset_names(), *BUILT_IN})
    near = did_you_mean(preset, [*known, *SOLO_GAMES])
    raise ConfigError(
        f"no preset {preset!r}{near} (there are {', '.join(known)}; the games of Atari, such as "
        "pong, ids of Gymnasium, such as Acrobot-v1, a .toml file or a game's .py file will do too)"
    )


def _preset_of_environment(name: str) -> str | None:
    """Return the preset that trains an environment without one of its own; None if it is none.

    An id of Gymnasium is known by its form; whether it is registered is seen when it is made.
    """
    from envs.atari.games import find_atari

    if find_atari(name):
        return ATARI_PRESET
    return GYMNASIUM_PRESET if _GYMNASIUM_ID.fullmatch(name) else None


def read_toml(path: Path) -> tuple[type[TrainConfig], dict[str, Any]]:
    """Return the class of a preset file's settings and its values by dotted name.

    The file names its algorithm (`algorithm = "..."`); one of before there was a choice does not.
    Raises ConfigError naming file and field.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"no preset file {str(path)!r}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    try:
        config = find_config(document.pop("algorithm", FIRST))
        return config, {
            name: _field(config, name, "setting").check(value)
            for name, value in _flatten(document, "").items()
        }
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


def _flatten(table: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _field(config: type[TrainConfig], name: str, what: str) -> Any:
    fields = train_fields(config)
    if name not in fields:
        same_ending = [known for known in fields if known.rpartition(".")[2] == name]
        near = f"; did you mean {same_ending[0]!r}?" if same_ending else did_you_mean(name, fields)
        raise ConfigError(f"unknown {what} {name!r}{near}")
    return fields[name]


def _build(config: Any, values: Mapping[str, Any], prefix: str) -> Any:
    """Build a config dataclass from the values under `prefix`; the rest are its defaults."""
    own = {
        name.removeprefix(prefix): value
        for name, value in values.items()
        if name.startswith(prefix) and "." not in name.removeprefix(prefix)
    }
    for name, kind in get_type_hints(config).items():
        if is_dataclass(kind):
            own[name] = _build(kind, values, f"{prefix}{name}.")
    return config(**own)
