"""Every setting of a run as an option of the command line."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, Namespace, _ArgumentGroup
from collections.abc import Sequence

from agents.registry import ALGORITHMS, find_config
from configs.fields import ConfigField, meanings, train_fields

FLAGS = ("keep_all",)
"""Settings whose option takes no value: --keep-all, and --no-keep-all."""

ALIASES = {"game": "--env"}
"""Second options of settings: an environment is a game too, and few would call it one."""

_MARK = "setting:"  # before the field's name in the parsed namespace


def add_config_options(parser: ArgumentParser, first: Sequence[str] = ()) -> None:
    """An option a field, those of `first` beside the command's own, the others a group a table."""
    texts: dict[str, str] = {}
    known: dict[str, ConfigField] = {}
    for algorithm in ALGORITHMS:
        texts |= meanings(find_config(algorithm))
        known |= train_fields(find_config(algorithm))
    groups: dict[str, ArgumentParser | _ArgumentGroup] = {}
    for name, found in known.items():
        table = "" if name in first else name.rpartition(".")[0] or "training"
        if table not in groups:
            title = f"{table} settings (defaults before the preset's)"
            groups[table] = parser.add_argument_group(title) if table else parser
        _add_option(groups[table], found, texts.get(name, ""), is_flag=name in FLAGS)


def _add_option(
    parser: ArgumentParser | _ArgumentGroup, found: ConfigField, text: str, *, is_flag: bool
) -> None:
    spellings = [found.option]
    if "_" in found.name:
        spellings.append("--" + found.name)
    if found.name in ALIASES:
        spellings.append(ALIASES[found.name])
    said = " ".join(text.split()).replace("%", "%%")
    place = _MARK + found.name
    if is_flag:
        parser.add_argument(
            *spellings, dest=place, action="store_const", const="true", default=SUPPRESS, help=said
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
    default = str(found.default).lower() if isinstance(found.default, bool) else found.default
    bounds = f"; {found.bounds}" if found.bounds else ""
    parser.add_argument(
        *spellings,
        dest=place,
        metavar=found.placeholder,
        default=SUPPRESS,
        help=f"{said} [{default}{bounds}]",
    )


def given_options(args: Namespace) -> dict[str, str]:
    """Return the settings given on the command line: their texts by dotted name."""
    given = vars(args).items()
    return {name.removeprefix(_MARK): text for name, text in given if name.startswith(_MARK)}
