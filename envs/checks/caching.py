"""What Numba's on-disk cache needs of rules: small global tables, and no recursion.

A chain of calls that reads a table of over a megabyte is never cached, and a cached function that
calls itself crashes when it is loaded. Both are found by reading the functions' names.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np

from envs.game import Rules

LARGEST_TABLE = 10**6  # bytes; Numba's own limit for a constant that it stores


def plain_function(value: Any) -> types.FunctionType | None:
    """Return the Python function behind a compiled one, or the function; None for other values."""
    value = getattr(value, "py_func", value)
    return value if isinstance(value, types.FunctionType) else None


def rule_functions(rules: Rules) -> dict[str, types.FunctionType]:
    """Return the rules that a game has, by name."""
    names = [field.name for field in fields(rules)]
    found = {name: plain_function(getattr(rules, name)) for name in names}
    return {name: function for name, function in found.items() if function is not None}


def read_by(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield the global and enclosed values that a function's code reads, by name.

    What it reads of a module is `module.name`, for one level.
    """
    code = function.__code__
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        yield name, cell.cell_contents
    for name in code.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, types.ModuleType):
            for inner in code.co_names:
                if inner != name and inner in vars(value):
                    yield f"{name}.{inner}", vars(value)[inner]
        elif value is not None:
            yield name, value


def large_table(function: types.FunctionType) -> tuple[str, int] | None:
    """Return the name and bytes of a table over LARGEST_TABLE that a function's calls read."""
    seen, pending = {function}, [function]
    while pending:
        for name, value in read_by(pending.pop()):
            if isinstance(value, np.ndarray) and value.nbytes > LARGEST_TABLE:
                return name, value.nbytes
            called = plain_function(value)
            if called is not None and called not in seen:
                seen.add(called)
                pending.append(called)
    return None


def recursion(function: types.FunctionType) -> list[str] | None:
    """Return the names of functions that call each other in a circle, or None."""
    done: set[types.FunctionType] = set()

    def search(path: list[types.FunctionType]) -> list[str] | None:
        for _, value in read_by(path[-1]):
            called = plain_function(value)
            if called is None or called in done:
                continue
            if called in path:
                return [f.__name__ for f in [*path[path.index(called) :], called]]
            circle = search([*path, called])
            if circle:
                return circle
        done.add(path[-1])
        return None

    return search([function])
