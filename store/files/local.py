"""`Files` on a local or network-mounted file system."""
# ruff: noqa: D102 (the methods of `Files` are documented once, at the protocol)

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from store.errors import too_large
from store.files.commit import (
    TEMPORARY_PREFIX,
    commit_new,
    commit_same,
    ensure_folder,
    remove_leftovers,
    rename_new,
    sync_folder,
)
from store.files.lock import FileLock, GuardedFiles
from store.files.protocol import FileEntry


class LocalFiles(GuardedFiles):
    """`Files` on a local (or network-mounted) file system.

    Those through which a lock was taken, and those within them, raise RunLostError at every change
    once its file is gone.
    """

    def __init__(self, root: Path, parent: "LocalFiles | None" = None) -> None:
        super().__init__(parent)
        self.root = root

    @property
    def url(self) -> str:
        return str(self.root)

    def within(self, folder: str) -> "LocalFiles":
        return LocalFiles(self.root / folder, self)

    def create(self, key: str, data: bytes | memoryview) -> None:
        self._check_lock()
        commit_new(self.root / key, data)

    def create_same(self, key: str, data: bytes | memoryview) -> bool:
        self._check_lock()
        return commit_same(self.root / key, data)

    def read(self, key: str, most: int | None = None) -> bytes:
        path = self.root / key
        if most is not None and path.stat().st_size > most:
            raise too_large(key, most)
        return path.read_bytes()

    def exists(self, key: str) -> bool:
        return (self.root / key).is_file()

    def names(self, folder: str) -> list[str]:
        return sorted(name for name, is_folder in self._scan(folder) if not is_folder)

    def folders(self, folder: str) -> list[str]:
        return sorted(name for name, is_folder in self._scan(folder) if is_folder)

    def tree(self, folder: str) -> list[FileEntry]:
        return sorted(_scan_tree(self.root / folder, f"{folder}/" if folder else ""))

    def modified_ns(self, key: str) -> int:
        return (self.root / key).stat().st_mtime_ns

    def size(self, key: str) -> int:
        return (self.root / key).stat().st_size

    def move(self, key: str, new_key: str) -> None:
        self._check_lock()
        ensure_folder((self.root / new_key).parent)
        rename_new(self.root / key, self.root / new_key)

    def remove(self, key: str) -> None:
        self._check_lock()
        (self.root / key).unlink()
        sync_folder((self.root / key).parent)

    def remove_many(self, keys: Collection[str]) -> None:
        """Unlink files, then sync each folder once."""
        self._check_lock()
        paths = [self.root / key for key in keys]
        try:
            for path in paths:
                path.unlink(missing_ok=True)
        finally:
            for folder in sorted({path.parent for path in paths}):
                with suppress(FileNotFoundError):
                    sync_folder(folder)

    def remove_folder(self, folder: str) -> None:
        self._check_lock()
        if (self.root / folder).is_dir():
            (self.root / folder).rmdir()
            sync_folder((self.root / folder).parent)

    def remove_leftovers(self, folder: str) -> int:
        return remove_leftovers(self.root / folder)

    def lock(self, key: str) -> FileLock:
        lock = FileLock(self.root / key)
        self._lock = lock
        return lock

    def _scan(self, folder: str) -> list[tuple[str, bool]]:
        try:
            with os.scandir(self.root / folder) as entries:
                return [
                    (entry.name, entry.is_dir())
                    for entry in entries
                    if not entry.name.startswith(TEMPORARY_PREFIX)
                ]
        except (FileNotFoundError, NotADirectoryError):
            return []


def _scan_tree(folder: Path, prefix: str) -> Iterator[FileEntry]:
    try:
        with os.scandir(folder) as entries:
            listed = [e for e in entries if not e.name.startswith(TEMPORARY_PREFIX)]
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in listed:
        if entry.is_dir():
            yield from _scan_tree(folder / entry.name, f"{prefix}{entry.name}/")
            continue
        with suppress(FileNotFoundError):  # gone since it was listed
            found = entry.stat()
            yield FileEntry(prefix + entry.name, found.st_size, found.st_mtime_ns)
