"""`Files` in a dictionary: fast enough to live through a week of training in a test."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from typing import Any

from store.errors import AlreadyStoredError, too_large
from store.files.protocol import FileEntry


class MemoryFiles:
    """Files in memory; a file is committed one second after the one before.

    Attributes:
        content: {key: (bytes, time of the commit in nanoseconds)}, keys from the root on.
    """

    def __init__(
        self,
        content: dict[str, tuple[bytes, int]] | None = None,
        prefix: str = "",
        clock: Any = None,
    ) -> None:
        self.content: dict[str, tuple[bytes, int]] = {} if content is None else content
        self._prefix = prefix
        self._clock = itertools.count(1) if clock is None else clock

    @property
    def url(self) -> str:
        return f"test:{self._prefix}"

    def within(self, folder: str) -> MemoryFiles:
        return MemoryFiles(self.content, f"{self._prefix}{folder}/", self._clock)

    def create(self, key: str, data: bytes | memoryview) -> None:
        if self._prefix + key in self.content:
            raise AlreadyStoredError(f"{key!r} exists already")
        self.content[self._prefix + key] = bytes(data), 10**9 * next(self._clock)

    def create_same(self, key: str, data: bytes | memoryview) -> bool:
        try:
            self.create(key, data)
        except AlreadyStoredError:
            if self.read(key) != bytes(data):
                raise
            return False
        return True

    def read(self, key: str, most: int | None = None) -> bytes:
        data = self._file(key)[0]
        if most is not None and len(data) > most:
            raise too_large(key, most)
        return data

    def exists(self, key: str) -> bool:
        return self._prefix + key in self.content

    def names(self, folder: str) -> list[str]:
        return sorted(rest for rest in self._under(folder) if "/" not in rest)

    def folders(self, folder: str) -> list[str]:
        return sorted({rest.partition("/")[0] for rest in self._under(folder) if "/" in rest})

    def tree(self, folder: str) -> list[FileEntry]:
        before = f"{folder}/" if folder else ""
        return sorted(
            FileEntry(before + rest, len(self.read(before + rest)), self.modified_ns(before + rest))
            for rest in self._under(folder)
        )

    def modified_ns(self, key: str) -> int:
        return self._file(key)[1]

    def size(self, key: str) -> int:
        return len(self.read(key))

    def remove(self, key: str) -> None:
        self._file(key)
        del self.content[self._prefix + key]

    def remove_many(self, keys: Collection[str]) -> None:
        for key in keys:
            self.content.pop(self._prefix + key, None)

    def remove_folder(self, folder: str) -> None:
        pass

    def remove_leftovers(self, folder: str) -> int:
        return 0

    def move(self, key: str, new_key: str) -> None:
        self.content[self._prefix + new_key] = self.content.pop(self._prefix + key)

    def lock(self, key: str) -> Any:
        raise NotImplementedError("no test locks a run here")

    def _file(self, key: str) -> tuple[bytes, int]:
        if self._prefix + key not in self.content:
            raise FileNotFoundError(2, "no such file", key)
        return self.content[self._prefix + key]

    def _under(self, folder: str) -> list[str]:
        prefix = f"{self._prefix}{folder}/" if folder else self._prefix
        return [key[len(prefix) :] for key in self.content if key.startswith(prefix)]
