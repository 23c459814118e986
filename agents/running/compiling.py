"""Compiling before a clock starts, one process of the machine at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold a lock that lets one process of this machine compile at a time per kernel cache.

    Processes that compile at the same time would write the same files.
    """
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    # Other versions keep the folders used last, and may have deleted this one since the start.
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)
    with (folder / "compiling.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
