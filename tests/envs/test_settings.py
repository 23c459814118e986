"""Settings: every value is held to the type and the bounds of its field."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Literal

import pytest
from msgspec import Meta

from envs.settings import (
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    PositiveShare,
    Settings,
    Share,
    expected_value,
)


@dataclass(frozen=True)
class Inner(Settings):
    table: ClassVar[str] = "inner"
    width: PositiveInt = 1
    rate: PositiveFloat = 0.5
    kind: Literal["a", "b"] = "a"
    on: bool = True
    clip: Annotated[float, Meta(le=0)] = -1.0


@dataclass(frozen=True)
class Outer(Settings):
    share: Share = 0.5
    taken: NonNegativeInt = 0
    inner: Inner = field(default_factory=Inner)

    def check_combination(self) -> None:
        if self.taken > 10 * self.share:
            raise ValueError("taken and share do not go together")


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (Inner, {"width": 0}, "inner.width = 0: expected a whole number, 1 or more"),
        (Inner, {"width": 1.0}, "inner.width = 1.0: expected a whole number, 1 or more"),
        (Inner, {"width": True}, "inner.width = True: expected a whole number, 1 or more"),
        (Inner, {"rate": 0}, "inner.rate = 0: expected a number, above 0"),
        (Inner, {"rate": float("nan")}, "inner.rate = nan: expected a number, above 0"),
        (Inner, {"rate": float("inf")}, "inner.rate = inf: expected a number, above 0"),
        (Inner, {"rate": "1"}, "inner.rate = '1': expected a number, above 0"),
        (Inner, {"rate": 10**400}, f"inner.rate = {10**400}: expected a number, above 0"),
        (Inner, {"clip": 1}, "inner.clip = 1: expected a number, up to 0"),
        (Inner, {"kind": "c"}, "inner.kind = 'c': expected one of 'a', 'b'"),
        (Inner, {"on": 1}, "inner.on = 1: expected true or false"),
        (Outer, {"share": 1.5}, "share = 1.5: expected a number, 0 to 1"),
        (Outer, {"inner": {"width": 2}}, "inner = {'width': 2}: expected a Inner"),
        (Outer, {"taken": 9}, "taken and share do not go together"),
    ],
)
def test_a_value_out_of_bounds_is_refused(kind: Any, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        kind(**values)
    assert str(caught.value) == message
    with pytest.raises(ValueError):
        replace(kind(), **values)


def test_a_whole_number_becomes_a_float_where_one_is_expected() -> None:
    made = Inner(rate=2)
    assert made.rate == 2.0
    assert isinstance(made.rate, float)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (int, "a whole number"),
        (PositiveShare, "a number, above 0 and up to 1"),
        (Annotated[int, Meta(ge=2, le=6)], "a whole number, 2 to 6"),
    ],
)
def test_bounds_are_described(kind: Any, told: str) -> None:
    assert expected_value(kind) == told
