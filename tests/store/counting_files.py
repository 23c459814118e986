"""Any files of a store with a count of what is asked of them: a request each on an object store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

NO_REQUEST = ("url", "within", "root")


class CountingFiles:
    """`Files` that count the calls of each method, those of their views included.

    Attributes:
        counts: calls so far, by the method's name.
    """

    def __init__(self, files: Any, counts: Counter[str] | None = None) -> None:
        self.files = files
        self.counts: Counter[str] = Counter() if counts is None else counts

    @property
    def requests(self) -> int:
        """All calls so far."""
        return sum(self.counts.values())

    def within(self, folder: str) -> CountingFiles:
        """The same place seen from a folder in it, with the same count."""
        return CountingFiles(self.files.within(folder), self.counts)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.files, name)
        return found if name in NO_REQUEST else self._counted(name, found)

    def _counted(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(*arguments: Any, **options: Any) -> Any:
            self.counts[name] += 1
            return method(*arguments, **options)

        return call
