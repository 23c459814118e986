"""The system calls by which a process changes a folder: counted, and any of them made to fail.

The store is not touched: the calls are intercepted where Python makes them, so whatever the store
does on a local disk passes here, in the order in which the kernel would see it.
"""

from __future__ import annotations

import errno
import itertools
import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

Act = Callable[[int, str, str], None]
"""Called with (number from 1 on, name, path) just before a call; may raise or not return."""

_BY_PATH = ("link", "unlink", "mkdir", "rmdir", "rename", "replace")
_BY_DESCRIPTOR = ("fsync", "fdatasync", "ftruncate", "pwrite")
_CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class _File:
    """A raw file whose every write can be torn: half is on the disk when `reached` is called."""

    def __init__(self, raw: Any, reached: Callable[[], None]) -> None:
        self._raw = raw
        self._reached = reached

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *error: object) -> None:
        self._raw.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def write(self, data: Any) -> int:
        half = len(data) // 2
        written = self._raw.write(data[:half])
        self._reached()
        return int(written + self._raw.write(data[half:]))


class SystemCalls:
    """Counts the changing system calls below `root`, and has `act` called just before each.

    Attributes:
        calls: (name, path) of each so far.
    """

    def __init__(self, root: Path, act: Act = lambda number, name, path: None) -> None:
        self.root = str(root)
        self.act = act
        self.calls: list[tuple[str, str]] = []

    def reached(self, name: str, path: Any) -> None:
        """Note one call, if it is below the root, and act."""
        text = str(Path(f"/proc/self/fd/{path}").readlink() if isinstance(path, int) else path)
        if text == self.root or text.startswith(self.root + "/"):
            self.calls.append((name, text))
            self.act(len(self.calls), name, text)

    @contextmanager
    def watched(self) -> Iterator[SystemCalls]:
        """Intercept until the block is left."""
        with pytest.MonkeyPatch.context() as patch:
            for name in (*_BY_PATH, *_BY_DESCRIPTOR):
                patch.setattr(os, name, self._intercepted(name, getattr(os, name)))
            patch.setattr(os, "open", self._os_open(os.open))
            patch.setattr(Path, "open", self._path_open(Path.open))
            yield self

    def _intercepted(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *rest: Any, **options: Any) -> Any:
            # a link is of the file aside; the name it takes is what matters to a reader
            self.reached(name, rest[0] if name == "link" else path)
            return original(path, *rest, **options)

        return call

    def _os_open(self, original: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, flags: int, *rest: Any, **options: Any) -> int:
            if flags & _CHANGING:
                self.reached("open", path)
            return original(path, flags, *rest, **options)

        return call

    def _path_open(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Path, mode: str = "r", *rest: Any, **options: Any) -> Any:
            if not set(mode) & set("wxa+"):
                return original(path, mode, *rest, **options)
            self.reached("open", path)
            raw = original(path, mode, *rest, **options)
            return _File(raw, lambda: self.reached("write", path))

        return call


def filling(first: int) -> Act:
    """The disk is full from the first-th call on: things can still be removed, nothing added."""

    def act(number: int, name: str, path: str) -> None:
        if number >= first and name not in ("unlink", "rmdir"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    return act


def failing(code: int, first: int, last: int | None = None) -> Act:
    """Fails the calls from the first-th to the last-th (that one alone if None) with an errno."""

    def act(number: int, name: str, path: str) -> None:
        if first <= number <= (first if last is None else last):
            raise OSError(code, os.strerror(code), path)

    return act


CODES = (errno.EIO, errno.ENOSPC, errno.EACCES)


def sample_of(count: int, wanted: int, seed: int = 0) -> Sequence[int]:
    """`wanted` numbers from 1 to `count`, spread over all of them, the same for the same seed."""
    edges = [round(i * count / wanted) for i in range(wanted + 1)]
    rng = random.Random(seed)
    return [rng.randint(low + 1, high) for low, high in itertools.pairwise(edges) if high > low]
