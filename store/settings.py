"""Read a run's stored settings, by one rule for every version of the program.

A setting missing from the stored ones was added later: it has its default. One that the program no
longer knows is left out, with one warning. Everything else is as stored, whatever its default has
become. So a run survives both new settings and removed ones.
"""

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any, TypeVar, cast, get_type_hints

from store.errors import RunMismatchError
from store.run import Run

LIMITS = ("minutes", "games", "rows")
"""The settings that limit a run, together its budget; 0 is no limit."""

MOST_EXACT = 2.0**53  # whole numbers up to here are floats too

T = TypeVar("T")

_logger = logging.getLogger("ludens.store")
_told: set[str] = set()  # warnings that were given


def run_settings(run: Run, table: str, kind: type[T]) -> T:
    """Read a run's settings of one table, e.g. "network"; raises as `read_settings`."""
    return read_settings(kind, run.info.config.get(table, {}), f"run {run.name!r}", f"{table}.")


def read_settings(kind: type[T], stored: Any, whose: str, prefix: str = "") -> T:
    """Read settings of a kind from stored ones, with defaults for missing ones.

    Args:
        kind: a dataclass whose fields have defaults, or are such dataclasses themselves.
        stored: JSON values by name, tables as mappings.
        whose: for messages: "run 'x'".
        prefix: of the settings' names in messages: "network.".

    Raises:
        RunMismatchError: a value is of another type than the setting, or one that it cannot have.
    """
    if not isinstance(stored, Mapping):
        raise _refusal(whose, prefix.rstrip("."), stored, "a table of settings")
    fields = {field.name: field for field in dataclasses.fields(cast(Any, kind))}
    _tell_unknown([prefix + name for name in stored if name not in fields], whose)
    types = get_type_hints(kind)
    values: dict[str, Any] = {}
    for name in fields.keys() & stored.keys():
        if dataclasses.is_dataclass(types[name]):
            inner = cast(type[Any], types[name])
            values[name] = read_settings(inner, stored[name], whose, f"{prefix}{name}.")
        else:
            values[name] = _checked(stored[name], fields[name].default, whose, prefix + name)
    try:
        return kind(**values)
    except ValueError as error:  # the settings' own check, which names the setting
        raise RunMismatchError(f"{whose} was stored with {error}") from error


def newest_budget(config: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, float]:
    """Return a run's last budget, {"minutes": ..., "games": ..., "rows": ...}; 0 is no limit.

    Args:
        config: the run's settings, which have the budget of its first session.
        metadata: the newest checkpoint's, which have that of the session that saved it.
    """
    newest = metadata.get("budget")
    told = {**config, **newest} if isinstance(newest, Mapping) else config
    return {name: _number(told.get(name)) for name in LIMITS}


def _number(setting: Any) -> float:
    is_one = isinstance(setting, (int, float)) and abs(setting) < MOST_EXACT
    return float(setting) if is_one else 0.0


def _tell_unknown(names: list[str], whose: str) -> None:
    told = f"{whose} has settings that this version does not know; left out: {', '.join(names)}"
    if names and told not in _told:
        _told.add(told)
        _logger.warning(told)


def _checked(value: Any, default: Any, whose: str, name: str) -> Any:
    """Return a value as its default's type; 2 and 2.0 are both accepted for either number."""
    kind = type(default)
    if {kind, type(value)} == {int, float} and abs(value) < MOST_EXACT and value == int(value):
        return kind(value)
    if type(value) is not kind:
        raise _refusal(whose, name, value, f"a value like {default!r}")
    return value


def _refusal(whose: str, name: str, value: Any, expected: str) -> RunMismatchError:
    return RunMismatchError(f"{whose} was stored with {name} = {value!r:.80}: expected {expected}")
