import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import from_dtype
from numba.core.itanium_mangler import mangle

from envs.registry import find_game

TWO_LAYOUTS = """
import sys
from pathlib import Path

import numpy as np
from numba import njit

import envs.compiled.symbol_names


@njit
def inner(records, count):  # long enough that it is not inlined
    sums = np.zeros(len(records))
    for k in range(count):
        for j in range(len(records)):
            sums[j] += np.sqrt(records[j]["x"]) * (k + 1)
            if sums[j] > 100:
                sums[j] = np.sin(sums[j])
    return np.sort(sums)[0] + np.sum(sums)


@njit(cache=True)
def outer(records, count):
    return inner(records, count) + inner(records, count + 1) + inner(records[1:], count)


records = {
    "first": np.array([(1, 0), (1, 0), (1, 0)], [("x", "f8"), ("y", "f8")]),
    "second": np.array([(0, 4), (0, 4), (0, 4)], [("y", "f8"), ("x", "f8")]),
}
print(*[outer(records[name], 1) for name in sys.argv[1:]])
"""


def ran(script, cache, *names):
    return subprocess.run(
        [sys.executable, str(script), *names],
        env={**os.environ, "LUDENS_CACHE_DIR": str(cache), "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()


@pytest.mark.slow
def test_two_records_compiled_by_two_processes_are_not_mixed_up_in_a_third(tmp_path):
    """Both processes give their first record the same number, and Numba would write that alone."""
    script = tmp_path / "two_layouts.py"
    script.write_text(TWO_LAYOUTS)
    for names, expected in (
        (["first"], ["19.0"]),
        (["second"], ["38.0"]),
        (["first", "second"], ["19.0", "38.0"]),
        (["second", "first"], ["38.0", "19.0"]),
    ):
        assert ran(script, tmp_path / "cache", *names) == expected


def test_a_record_is_named_by_its_layout():
    layout = [("x", "f8"), ("y", "i4")]
    one, other = from_dtype(np.dtype(layout)), from_dtype(np.dtype(layout[::-1]))
    assert mangle("f", [one]) == mangle("f", [from_dtype(np.dtype(layout))])
    assert mangle("f", [one]) != mangle("f", [other])


def test_helpers_of_two_boards_have_two_names():
    """Numba caches a kernel's helpers by their names, and a process may load both boards' ones."""
    names = []
    for name in ("othello", "othello6"):
        step = find_game(name).rules.step
        helper = next(
            cell.cell_contents
            for cell in step.__closure__
            if getattr(cell.cell_contents, "__name__", "") == "legal_moves"
        )
        assert helper.__qualname__.endswith(f"@{find_game(name).dtype.names[-1]}")
        names.append(helper.__qualname__)
    assert names[0] != names[1]
