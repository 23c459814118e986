"""Compiling before a clock runs, while no other process of the machine does."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Keep the other processes of this machine waiting that share its kernel cache.

    Several that compile at once would write the same files.
    """
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    with (folder / "compiling.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
