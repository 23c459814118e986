"""Every setting of a run as an option of the command line."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, Namespace, _ArgumentGroup
from collections.abc import Mapping, Sequence

from agents.registry import ALGORITHMS, find_config
from configs.fields import ConfigField, meanings, train_fields

FLAGS = ("keep_all",)
"""Settings whose option takes no value: --keep-all, and --no-keep-all."""

ALIASES = {"game": "--env"}
"""Second options of settings: an environment is a game too, and few would call it one."""

_MARK = "setting:"  # before the field's name in the parsed namespace


def add_config_options(parser: ArgumentParser, first: Sequence[str] = ()) -> None:
    """An option a field, those of `first` beside the command's own, the others a group a table."""
    known: dict[str, ConfigField] = {}
    told: dict[str, dict[str, list[str]]] = {}  # by setting and text, the algorithms that have it
    for algorithm in ALGORITHMS:
        texts = meanings(find_config(algorithm))
        for name, found in train_fields(find_config(algorithm)).items():
            known.setdefault(name, found)
            text = _described(found, texts.get(name, ""), is_flag=name in FLAGS)
            told.setdefault(name, {}).setdefault(text, []).append(algorithm)
    groups: dict[str, ArgumentParser | _ArgumentGroup] = {}
    for name, found in known.items():
        table = "" if name in first else name.rpartition(".")[0] or "training"
        if table not in groups:
            title = f"{table} settings (defaults before the preset's)"
            groups[table] = parser.add_argument_group(title) if table else parser
        _add_option(groups[table], found, _joined(told[name]), is_flag=name in FLAGS)


def _described(found: ConfigField, text: str, *, is_flag: bool) -> str:
    """Return a setting's meaning in one line, with its default and bounds."""
    said = " ".join(text.split()).replace("%", "%%")
    if is_flag:
        return said
    default = str(found.default).lower() if isinstance(found.default, bool) else found.default
    bounds = f"; {found.bounds}" if found.bounds else ""
    return f"{said} [{default}{bounds}]"


def _joined(told: Mapping[str, Sequence[str]]) -> str:
    """Return the meaning of a setting; where algorithms differ, that of each after its name."""
    if len(told) == 1:
        return next(iter(told))
    return " -- ".join(f"{', '.join(names)}: {text}" for text, names in told.items())


def _add_option(
    parser: ArgumentParser | _ArgumentGroup, found: ConfigField, text: str, *, is_flag: bool
) -> None:
    spellings = [found.option]
    if "_" in found.name:
        spellings.append("--" + found.name)
    if found.name in ALIASES:
        spellings.append(ALIASES[found.name])
    place = _MARK + found.name
    if is_flag:
        parser.add_argument(
            *spellings, dest=place, action="store_const", const="true", default=SUPPRESS, help=text
        )
        parser.add_argument(
            f"--no-{spellings[0][2:]}",
            dest=place,
            action="store_const",
            const="false",
            default=SUPPRESS,
            help=f"not {spellings[0]}, where a run was begun with it",
        )
        return
    parser.add_argument(
        *spellings,
        dest=place,
        metavar=found.placeholder,
        default=SUPPRESS,
        help=text,
    )


def given_options(args: Namespace) -> dict[str, str]:
    """Return the settings given on the command line: their texts by dotted name."""
    given = vars(args).items()
    return {name.removeprefix(_MARK): text for name, text in given if name.startswith(_MARK)}
