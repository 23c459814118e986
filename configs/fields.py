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


class ConfigError(ValueError):
    """An invalid preset or option."""


@dataclass(frozen=True)
class ConfigField:
    """One setting of a run."""

    name: str  # dotted, as in TOML: "learner.batch_size"
    type: Any  # int, float, bool, str, or a Literal of strings
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
        return {int: "N", float: "X", bool: "true|false", str: "TEXT"}[self.type]

    @property
    def expected(self) -> str:
        """Describe the values that the field takes."""
        if get_origin(self.type) is Literal:
            return "one of " + ", ".join(map(repr, get_args(self.type)))
        return {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[
            self.type
        ]

    def read_text(self, text: str) -> Any:
        """Parse a word of the command line. Raises ConfigError quoting it."""
        readings: dict[Any, Any] = {int: int, float: float, bool: _BOOLEANS.__getitem__}
        try:
            return self.check(readings.get(self.type, str)(text))
        except (ValueError, KeyError):
            raise self._refusal(text) from None

    def check(self, value: Any) -> Any:
        """Return the checked value, with a whole number converted where a float is expected.

        Raises ConfigError quoting it if its type is not the field's.
        """
        if get_origin(self.type) is Literal:
            if value not in get_args(self.type):
                raise self._refusal(value)
            return value
        if self.type is float and type(value) is int:
            value = float(value)
        if type(value) is not self.type or (self.type is float and not math.isfinite(value)):
            raise self._refusal(value)
        return value

    def _refusal(self, value: Any) -> ConfigError:
        near = ""
        if get_origin(self.type) is Literal:
            near = did_you_mean(str(value), get_args(self.type))
        return ConfigError(f"{self.name} = {value!r}: expected {self.expected}{near}")


_BOOLEANS = {"true": True, "false": False}


def did_you_mean(word: str, known: Collection[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest known word, else nothing."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def train_fields(config: type[TrainConfig]) -> dict[str, ConfigField]:
    """Return every setting of an algorithm by its dotted name."""
    return {found.name: found for found in _fields_of(config, "")}


def _fields_of(config: type, prefix: str) -> Iterator[ConfigField]:
    types = get_type_hints(config)
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
