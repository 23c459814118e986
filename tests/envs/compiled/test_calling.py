"""Calls by address: of the right function, with its errors, and of the type that was promised."""

from typing import Any

import numba
import numpy as np
import pytest
from numba import njit, types
from numba.core.errors import TypingError

from envs.compiled.calling import BY_ADDRESS, address_of, prototype, record_at
from envs.compiled.rows import bytes_of, states_of

POINT = np.dtype([("x", "i4"), ("y", "f8")], align=True)
OTHER = np.dtype([("y", "f8"), ("z", "i2"), ("x", "i4"), ("w", "f8")], align=True)

call_move: Any = prototype(types.float64, types.voidptr, types.int64)


@njit(**BY_ADDRESS)
def _move(point: Any, steps: Any) -> Any:
    if steps < 0:
        raise ValueError("expected 0 steps or more")
    record = record_at(point)
    record.x += steps
    return record.x + record.y


@njit(**BY_ADDRESS)
def _place(point: Any, steps: Any) -> Any:
    return record_at(point).x + steps


@njit
def move_all(points: Any, address: int, steps: int) -> float:
    total, records = 0.0, states_of(points)
    for i in range(len(records)):
        total += call_move(address, (records[i], steps))
    return total


@njit
def copy_first(points: Any) -> None:
    records = states_of(points)
    for i in range(1, len(records)):
        records[i] = records[0]


def points_of(kind: np.dtype[Any]) -> Any:
    points = np.zeros(3, kind)
    points["x"], points["y"] = [1, 2, 3], [0.5, 0.25, 0.125]
    return points


def test_one_caller_calls_functions_of_several_records() -> None:
    for kind in (POINT, OTHER):
        points = points_of(kind)
        address = address_of(call_move, _move, numba.from_dtype(kind))
        assert move_all(bytes_of(points), address, 10) == 36.875
        assert points["x"].tolist() == [11, 12, 13]
    assert len(move_all.signatures) == 1


def test_an_error_of_the_function_is_the_callers() -> None:
    address = address_of(call_move, _move, numba.from_dtype(POINT))
    with pytest.raises(ValueError, match="expected 0 steps or more"):
        move_all(bytes_of(points_of(POINT)), address, -1)


def test_a_function_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match=r"_place returns int64 for .*: expected float64"):
        address_of(call_move, _place, numba.from_dtype(POINT))


@pytest.mark.parametrize("kind", [POINT, OTHER])
def test_records_of_any_size_are_copied_whole(kind: np.dtype[Any]) -> None:
    points = points_of(kind)
    first = points[0].tobytes()
    copy_first(bytes_of(points))
    assert [point.tobytes() for point in points] == [first] * 3


def test_the_bytes_are_those_of_the_records() -> None:
    grid = np.zeros((2, 3), POINT)
    assert bytes_of(grid).shape == (2, 3, POINT.itemsize)
    assert np.shares_memory(bytes_of(grid), grid)
    assert bytes_of(np.zeros((4, 0), POINT)).shape == (4, 0, POINT.itemsize)
    with pytest.raises(TypingError, match="expected a C-contiguous array"):
        copy_first(bytes_of(np.zeros(6, POINT))[::2])
    with pytest.raises(ValueError, match=r"expected contiguous positions, got strides of \(32,\)"):
        bytes_of(np.zeros(6, POINT)[::2])
