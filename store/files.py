"""The few operations on files that the store is built from, and where a store's address leads.

Everything above this file speaks of keys ("replay/<writer>/<segment>.arrow") inside a `Files`.
`LocalFiles` is a folder; `store.object_files.ObjectFiles` an object store's prefix.
"""
# ruff: noqa: D102 (the methods of `Files` are documented once, at the protocol)

import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

from store.commit import (
    TEMPORARY_PREFIX,
    commit_new,
    commit_same,
    ensure_folder,
    remove_leftovers,
    rename_new,
    sync_folder,
)
from store.errors import StoreUrlError, too_large
from store.lock import FileLock, TrainerLock

MOST_JSON_BYTES = 2**24
"""Of a JSON document in a store. The largest, a checkpoint's manifest with a place in the replay of
each writer there ever was, has room for 200,000 of them."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)(?::/|::)")


class FileEntry(NamedTuple):
    """A committed file as a listing shows it.

    `size` is in bytes; `modified_ns` is when it was committed, in nanoseconds by the store's clock.
    """

    key: str
    size: int
    modified_ns: int


class Files(Protocol):
    """A folder or prefix whose files are addressed by keys with "/" between their parts."""

    @property
    def url(self) -> str:
        """Where this is, for people to read."""

    def within(self, folder: str) -> "Files":
        """The same place seen from a folder in it."""

    def create(self, key: str, data: bytes | memoryview) -> None:
        """Commit a new file, atomically; raises AlreadyStoredError or StoreWriteError."""

    def create_same(self, key: str, data: bytes | memoryview) -> bool:
        """Commit, or confirm that the same bytes are there already; True when it was new."""

    def read(self, key: str, most: int | None = None) -> bytes:
        """The whole file; raises OSError (FileNotFoundError when there is none).

        A file of more than `most` bytes is not read at all, and raises FileTooLargeError: so are
        documents read that a parser would take whole into memory.
        """

    def exists(self, key: str) -> bool:
        """Whether there is a committed file of that key."""

    def names(self, folder: str) -> list[str]:
        """Sorted names of the committed files right in a folder; [] when there is none."""

    def folders(self, folder: str) -> list[str]:
        """Sorted names of the folders right in a folder; [] when there is none."""

    def tree(self, folder: str) -> list[FileEntry]:
        """Every committed file in a folder and under it, sorted by key; [] when there is none.

        Sizes and dates come with the listing: on an object store it is one request for each 1,000
        files. Raises OSError when a folder cannot be listed.
        """

    def modified_ns(self, key: str) -> int:
        """When the file was committed, in nanoseconds by the store's clock."""

    def size(self, key: str) -> int:
        """The file's size in bytes; raises OSError."""

    def move(self, key: str, new_key: str) -> None:
        """Rename one file without replacing another; raises OSError or AlreadyStoredError.

        Where there is no renaming, a crash in between leaves both names, never none.
        """

    def remove(self, key: str) -> None:
        """Remove one file; raises OSError."""

    def remove_many(self, keys: Collection[str]) -> None:
        """Remove files, in no fixed order; one that is gone already is passed over.

        On an object store it is one request for each 1,000 files. Killed or failing in the middle,
        it leaves some of them removed. Raises OSError when the store refuses one.
        """

    def remove_folder(self, folder: str) -> None:
        """Remove a folder without files in it, if it is there.

        Raises OSError on a disk when there are files in it. On an object store a folder is there as
        long as files are, and nothing is asked.
        """

    def remove_leftovers(self, folder: str) -> int:
        """Remove what killed writers left in a folder that the caller owns."""

    def lock(self, key: str) -> TrainerLock:
        """Take the exclusive lock of that key; raises RunLockedError."""


class LocalFiles:
    """`Files` on a local (or network-mounted) file system."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def url(self) -> str:
        return str(self.root)

    def within(self, folder: str) -> "LocalFiles":
        return LocalFiles(self.root / folder)

    def create(self, key: str, data: bytes | memoryview) -> None:
        commit_new(self.root / key, data)

    def create_same(self, key: str, data: bytes | memoryview) -> bool:
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
        ensure_folder((self.root / new_key).parent)
        rename_new(self.root / key, self.root / new_key)

    def remove(self, key: str) -> None:
        (self.root / key).unlink()
        sync_folder((self.root / key).parent)

    def remove_many(self, keys: Collection[str]) -> None:
        """Unlink them all, then make that durable once for each folder."""
        paths = [self.root / key for key in keys]
        try:
            for path in paths:
                path.unlink(missing_ok=True)
        finally:
            for folder in sorted({path.parent for path in paths}):
                with suppress(FileNotFoundError):
                    sync_folder(folder)

    def remove_folder(self, folder: str) -> None:
        if (self.root / folder).is_dir():
            (self.root / folder).rmdir()
            sync_folder((self.root / folder).parent)

    def remove_leftovers(self, folder: str) -> int:
        return remove_leftovers(self.root / folder)

    def lock(self, key: str) -> FileLock:
        return FileLock(self.root / key)

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


def open_files(store_url: str | Path) -> Files:
    """The files at a store's address; opening writes nothing, and asks nothing of a server.

    A local path ("~" is the home folder) or file:///absolute/path is a folder. Any other URL is
    opened by fsspec, if its filesystem can create a file exclusively: s3://bucket/prefix (with
    `pip install -e '.[s3]'`), or memory://name, which lives and dies with the process.

    An object store's settings come from where its driver looks for them. For S3 that is botocore:
    AWS_ENDPOINT_URL (or AWS_ENDPOINT_URL_S3) for a server other than Amazon's,
    AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE and the files in ~/.aws, and
    AWS_DEFAULT_REGION. The bucket must exist.

    Raises:
        StoreUrlError: the address is empty, its scheme is unknown, its driver is not installed or
            cannot create a file exclusively.
    """
    address = str(store_url)
    if not address.strip():
        raise StoreUrlError("the store's address is empty; expected a folder such as 'runs'")
    if _SCHEME.match(address) is None:
        return LocalFiles(Path(address).expanduser().absolute())
    parts = urlsplit(address)
    if parts.scheme in ("file", "local") and "::" not in address:
        if parts.netloc not in ("", "localhost") or not parts.path:
            raise StoreUrlError(
                f"cannot open the store {address!r}: expected file:///absolute/path on this machine"
            )
        return LocalFiles(Path(unquote(parts.path)).absolute())
    # Only now: fsspec takes its time to load, and a local store does without.
    from store.object_files import open_object_files

    return open_object_files(address)
