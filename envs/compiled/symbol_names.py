"""Names of compiled functions that mean the same in every process.

Numba names a compiled function by its qualified name, a number that counts the functions of the
process, and the types of its arguments; it writes a record type as a number too, which counts the
types of the process. Nothing of that tells what the function does, so two processes may cache two
functions under one name. A process that loads both links one in place of the other, without an
error: a board of Go then has the legal moves of another game. So records are named by their layout,
and closures by the game that they were made for.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from types import FunctionType
from typing import Any

from numba import types


def _name_by_layout(record: Any) -> tuple[str, tuple[str]]:
    """Return what Numba makes a record's part of a symbol of: a name and its parameters."""
    return "Record", (f"layout_{hashlib.sha256(record.name.encode()).hexdigest()[:16]}",)


types.Record.mangling_args = property(_name_by_layout)  # type: ignore[method-assign, assignment]


def name_helpers(rules: list[Any], tag: str) -> None:
    """Append "@" and the game's tag to the qualified names of all closures that its rules call."""
    seen, pending = set[int](), [*rules]
    while pending:
        function = pending.pop()
        if isinstance(function, tuple):
            pending += function
        function = getattr(function, "py_func", function)
        if not isinstance(function, FunctionType) or id(function) in seen:
            continue
        seen.add(id(function))
        if "<locals>" in function.__qualname__ and "@" not in function.__qualname__:
            function.__qualname__ += f"@{tag}"
        pending += [function.__globals__.get(name) for name in function.__code__.co_names]
        for cell in function.__closure__ or ():
            with suppress(ValueError):  # a cell that has no value yet
                pending.append(cell.cell_contents)
