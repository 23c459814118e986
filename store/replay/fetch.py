"""Read files ahead, several at a time: a request to an object store takes tens of ms."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from store.files.protocol import Files

AT_ONCE = 32
"""Files that are read at a time. At 50 ms a request that is 640 files a second."""

T = TypeVar("T")


class Fetcher:
    """Reads files in threads of its own; each is handed out once, in any order.

    At most `at_once` files are being read or wait to be handed out, which bounds the memory. The
    threads are started by the first call of `ahead`, and end when this object is gone.

    Args:
        files: what is read from, by several threads at a time.
        at_once: most files held.
    """

    def __init__(self, files: Files, at_once: int = AT_ONCE) -> None:
        self.at_once = at_once
        self._files = files
        self._coming: dict[str, Future[bytes]] = {}
        self._pool: ThreadPoolExecutor | None = None

    def ahead(self, keys: Iterable[str]) -> None:
        """Start to read these files, as many as there is room for."""
        for key in keys:
            if len(self._coming) >= self.at_once:
                return
            if key not in self._coming:
                self._coming[key] = self._threads().submit(self._files.read, key)

    def has(self, key: str) -> bool:
        """Whether `get` would answer, or raise, without waiting."""
        return key in self._coming and self._coming[key].done()

    def get(self, key: str) -> bytes:
        """Return a file, waiting if it was begun, else reading it here; raises as `Files.read`."""
        future = self._coming.pop(key, None)
        return self._files.read(key) if future is None else future.result()

    def drop(self) -> None:
        """Drop the files that were begun and not handed out."""
        for future in self._coming.values():
            future.cancel()
        self._coming.clear()

    def each(self, work: Callable[[str], T], items: Sequence[str]) -> Iterator[T]:
        """Yield the results of other work on the files, in order, several done at a time."""
        return self._threads().map(work, items) if len(items) > 1 else map(work, items)

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.at_once, "fetch")
        return self._pool
