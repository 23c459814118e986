"""Files that count what is asked of them, so that a cost that grows with age fails a test."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection
from typing import Any

from store.files.protocol import FileEntry, Files

PAGE = 1000
"""Files that an object store lists, or removes, in one request."""

FREE = ("remove_folder", "remove_leftovers")

_one_at_a_time = threading.Lock()


class CountingFiles:
    """Any `Files`, with the calls of each operation counted over all views of it.

    Attributes:
        calls: {operation: calls}.
        requests: what the calls would come to on an object store: a listing of a subtree and a bulk
            removal are a request for each PAGE of files, folders are nothing there, and anything
            else is one.
    """

    def __init__(self, files: Files, calls: Counter[str] | None = None) -> None:
        self._files = files
        self.calls: Counter[str] = Counter() if calls is None else calls

    @property
    def requests(self) -> int:
        """Requests so far."""
        return sum(n for name, n in self.calls.items() if name not in FREE)

    @property
    def url(self) -> str:
        """Where the files are."""
        return self._files.url

    def reset(self) -> None:
        """Count from zero."""
        self.calls.clear()

    def within(self, folder: str) -> CountingFiles:
        """The same place seen from a folder in it, counted together."""
        return CountingFiles(self._files.within(folder), self.calls)

    def tree(self, folder: str) -> list[FileEntry]:
        """As `Files.tree`, a request for each page."""
        found = self._files.tree(folder)
        self.calls["tree"] += max(1, -(-len(found) // PAGE))
        return found

    def remove_many(self, keys: Collection[str]) -> None:
        """As `Files.remove_many`, a request for each page."""
        self.calls["remove_many"] += -(-len(keys) // PAGE)
        self._files.remove_many(keys)

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._files, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            with _one_at_a_time:  # files are fetched by several threads
                self.calls[name] += 1
            return operation(*arguments, **options)

        return counted if callable(operation) else operation
