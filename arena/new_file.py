"""Write a file that appears whole, and never in place of another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to; what is written appears under `path` at the end.

    If the enclosed code raises, nothing does. Raises FileExistsError where there is a file of that
    name, and OSError.
    """
    begun = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield begun
        os.link(begun, path)
    finally:
        begun.unlink(missing_ok=True)
