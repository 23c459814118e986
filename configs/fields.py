"""The fields of a run's configuration: dotted names, types, meanings, and parsing of values.

Presets and the command line share one parser, so both refuse the same values with the same message.
The dataclasses themselves are the only description: nothing is listed a second time here.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import inspect
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from agents.training import TrainConfig
from envs.settings import check_value, expected_bounds, plain_type, setting_types


class ConfigError(ValueError):
    """An invalid preset or option."""


@dataclass(frozen=True)
class ConfigField:
    """One setting of a run."""

    name: str  # dotted, as in TOML: "learner.batch_size"
    type: Any  # int, float, bool or str, perhaps with bounds, or a Literal of strings
    default: Any

    @property
    def option(self) -> str:
        """Return the option of the command line: `--learner.batch-size`."""
        return "--" + self.name.replace("_", "-")

    @property
    def placeholder(self) -> str:
        """What stands for a value in help: its choices where they are few, else its type."""
        if get_origin(self.type) is Literal:
            return "|".join(get_args(self.type))
        return {int: "N", float: "X", bool: "true|false", str: "TEXT"}[plain_type(self.type)]

    @property
    def bounds(self) -> str:
        """Describe the bounds of its values: "0 to 1"; "" for none."""
        return expected_bounds(self.type)

    def read_text(self, text: str) -> Any:
        """Parse a word of the command line. Raises ConfigError quoting it."""
        readings: dict[Any, Any] = {int: int, float: float, bool: _BOOLEANS.__getitem__}
        try:
            value = readings.get(plain_type(self.type), str)(text)
        except (ValueError, KeyError):
            value = text  # of the wrong type, which the check says
        if isinstance(value, float) and not math.isfinite(value):
            value = text
        return self.check(value)

    def check(self, value: Any) -> Any:
        """Return the value as the field's type; a whole number is a float where one is expected.

        Raises ConfigError quoting a value that the field does not take.
        """
        try:
            return check_value(self.name, value, self.type)
        except ValueError as error:
            choices = get_args(self.type) if get_origin(self.type) is Literal else ()
            raise ConfigError(f"{error}{did_you_mean(str(value), choices)}") from None


_BOOLEANS = {"true": True, "false": False}


def did_you_mean(word: str, known: Collection[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest known word, else nothing."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def train_fields(config: type[TrainConfig]) -> dict[str, ConfigField]:
    """Return every setting of an algorithm by its dotted name."""
    return {found.name: found for found in _fields_of(config, "")}


def _fields_of(config: type, prefix: str) -> Iterator[ConfigField]:
    types = setting_types(config)
    for found in dataclasses.fields(config):
        kind = types[found.name]
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            yield from _fields_of(kind, f"{prefix}{found.name}.")
        else:
            yield ConfigField(prefix + found.name, kind, found.default)


def meanings(config: type[TrainConfig]) -> dict[str, str]:
    """Return each setting's meaning by dotted name: the texts under the dataclasses' fields."""
    return dict(_meanings_of(config, ""))


def _meanings_of(config: type, prefix: str) -> Iterator[tuple[str, str]]:
    for base in reversed(config.__bases__):
        if dataclasses.is_dataclass(base):
            yield from _meanings_of(base, prefix)
    types = get_type_hints(config)
    (definition,) = ast.parse(inspect.getsource(config)).body
    assert isinstance(definition, ast.ClassDef)
    name = ""
    for statement in definition.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name = statement.target.id
            if dataclasses.is_dataclass(kind := types[name]) and isinstance(kind, type):
                yield from _meanings_of(kind, f"{prefix}{name}.")
        elif name and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            yield prefix + name, inspect.cleandoc(str(statement.value.value))
            name = ""
