"""Count the requests to files, so that a test fails if a cost grows with a run's age."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection
from typing import Any

from store.files.protocol import FileEntry, Files

PAGE = 1000
"""Files that an object store lists or removes per request."""

FREE = ("remove_folder", "remove_leftovers")

_one_at_a_time = threading.Lock()


class CountingFiles:
    """A `Files` that counts the calls of each operation, together with those of its views.

    Attributes:
        calls: {operation: calls}.
        requests: the number of requests to an object store: one per PAGE of files for a listing of
            a subtree or a bulk removal, none for folders, one for any other call.
    """

    def __init__(self, files: Files, calls: Counter[str] | None = None) -> None:
        self._files = files
        self.calls: Counter[str] = Counter() if calls is None else calls

    @property
    def requests(self) -> int:
        """Return the requests so far."""
        return sum(n for name, n in self.calls.items() if name not in FREE)

    @property
    def url(self) -> str:
        """Return the location of the files."""
        return self._files.url

    def reset(self) -> None:
        """Count from zero."""
        self.calls.clear()

    def within(self, folder: str) -> CountingFiles:
        """Return a view of a subfolder that shares the counts."""
        return CountingFiles(self._files.within(folder), self.calls)

    def tree(self, folder: str) -> list[FileEntry]:
        """Call `Files.tree`, counting one request per page."""
        found = self._files.tree(folder)
        self.calls["tree"] += max(1, -(-len(found) // PAGE))
        return found

    def remove_many(self, keys: Collection[str]) -> None:
        """Call `Files.remove_many`, counting one request per page."""
        self.calls["remove_many"] += -(-len(keys) // PAGE)
        self._files.remove_many(keys)

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._files, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            with _one_at_a_time:  # files are fetched by several threads
                self.calls[name] += 1
            return operation(*arguments, **options)

        return counted if callable(operation) else operation
