"""Kernels that several processes save into one cache at the same time.

Numba's `save` reads an index, adds the number of a new file, and writes the index and the file. Two
processes that save two kernels of one function at once may take the same number: then the index
names one kernel's file for the other's types, and a later process runs it on them. So they save
one after the other, by a lock that the system takes from a process that ends.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any

from numba.core.caching import IndexDataCacheFile

LOCK_FILE = "saving.lock"  # of each folder of the cache


@contextmanager
def _locked(folder: str) -> Iterator[None]:
    """Hold a folder's lock while entered; go on without it where there is none to be had."""
    with ExitStack() as stack:
        with suppress(OSError):
            file = stack.enter_context(Path(folder, LOCK_FILE).open("a"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def save_one_at_a_time() -> None:
    """Have this process wait for others that save into the same folder. Once is enough."""
    save = IndexDataCacheFile.save
    if hasattr(save, "__wrapped__"):
        return

    @wraps(save)
    def save_alone(self: Any, key: Any, data: Any) -> None:
        with _locked(self._cache_path):
            save(self, key, data)  # type: ignore[no-untyped-call]

    IndexDataCacheFile.save = save_alone  # type: ignore[method-assign]
