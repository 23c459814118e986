"""Settings: frozen dataclasses whose fields carry their bounds, checked on construction.

A field says what it takes in its type, once; msgspec holds every value to it, wherever it comes
from: a preset, the command line, a stored run or a caller.

    @dataclass(frozen=True)
    class NetworkConfig(Settings):
        table: ClassVar[str] = "network"
        filters: PositiveInt = 32
        dropout: Share = 0.0
"""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

PositiveInt = Annotated[int, Meta(ge=1)]
NonNegativeInt = Annotated[int, Meta(ge=0)]
PositiveFloat = Annotated[float, Meta(gt=0)]
NonNegativeFloat = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
PositiveShare = Annotated[float, Meta(gt=0, le=1)]

_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


class Settings:
    """Base of a frozen dataclass of settings.

    Construction and `dataclasses.replace` raise ValueError for a value that a field does not take,
    with the dotted name of the setting, the value and what is expected.
    """

    table: ClassVar[str] = ""
    """The TOML table of these settings, for messages; "" is the top level."""

    def __post_init__(self) -> None:
        prefix = f"{self.table}." if self.table else ""
        own: Any = type(self)
        for name, kind in setting_types(own).items():
            value = check_value(prefix + name, getattr(self, name), kind)
            object.__setattr__(self, name, value)
        self.check_combination()

    def check_combination(self) -> None:
        """Raise ValueError for values that are fine alone and do not go together."""


@cache
def setting_types(config: Any) -> dict[str, Any]:
    """Return the type of each setting of a dataclass by name, bounds included."""
    types = get_type_hints(config, include_extras=True)
    return {found.name: types[found.name] for found in dataclasses.fields(config)}


def check_value(name: str, value: Any, kind: Any) -> Any:
    """Return the value as the type has it: 2 becomes 2.0 where a float is expected.

    Raises ValueError with the setting's name, the value and what is expected.
    """
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if isinstance(value, kind):
            return value  # checked when it was made
        raise ValueError(f"{name} = {value!r}: expected a {kind.__name__}")
    try:
        if plain_type(kind) is float and not math.isfinite(value):
            raise TypeError
        return msgspec.convert(value, kind)
    except (TypeError, OverflowError, msgspec.ValidationError):
        raise ValueError(f"{name} = {value!r}: expected {expected_value(kind)}") from None


def plain_type(kind: Any) -> Any:
    """Return a setting's type without its bounds: int, float, bool, str or a Literal."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def expected_value(kind: Any) -> str:
    """Describe the values that a setting takes: "a whole number, 1 or more"."""
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(repr, get_args(kind)))
    plain, bounds = _NAMES[plain_type(kind)], expected_bounds(kind)
    return f"{plain}, {bounds}" if bounds else plain


def expected_bounds(kind: Any) -> str:
    """Describe the bounds of a setting's type: "0 to 1", "1 or more", "above 0"; "" for none."""
    for bound in get_args(kind)[1:] if get_origin(kind) is Annotated else ():
        if isinstance(bound, Meta):
            if bound.ge is None and bound.gt is None:
                return f"up to {bound.le}"
            least = f"above {bound.gt}" if bound.ge is None else f"{bound.ge}"
            if bound.le is not None:
                return f"{least}{' and up' if bound.ge is None else ''} to {bound.le}"
            return least if bound.ge is None else f"{least} or more"
    return ""
