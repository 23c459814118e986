"""The few operations on files that the store is built from.

The rest of the store names files by keys ("replay/<writer>/<segment>.arrow") inside a `Files`:
`LocalFiles` is a folder, `ObjectFiles` an object store's prefix; `open_files` picks one by URL.
"""

from collections.abc import Collection
from typing import NamedTuple, Protocol

from store.files.lock import TrainerLock

MOST_JSON_BYTES = 2**24
"""Of a JSON document in a store. The largest, a checkpoint's manifest with a place in the replay of
each writer there ever was, has room for 200,000 of them."""


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
        """Return the address, for messages."""

    def within(self, folder: str) -> "Files":
        """Return the `Files` of a folder in this one."""

    def create(self, key: str, data: bytes | memoryview) -> None:
        """Commit a new file, atomically; raises AlreadyStoredError or StoreWriteError."""

    def create_same(self, key: str, data: bytes | memoryview) -> bool:
        """Commit a file, or confirm that the same bytes exist; True when it was new."""

    def read(self, key: str, most: int | None = None) -> bytes:
        """Read a file; raises OSError (FileNotFoundError when there is none).

        A file of more than `most` bytes is not read at all, and raises FileTooLargeError: so are
        documents read that a parser would take whole into memory.
        """

    def exists(self, key: str) -> bool:
        """Whether a committed file has this key."""

    def names(self, folder: str) -> list[str]:
        """List the committed files directly in a folder, sorted by name; [] without any."""

    def folders(self, folder: str) -> list[str]:
        """List the folders directly in a folder, sorted by name; [] without any."""

    def tree(self, folder: str) -> list[FileEntry]:
        """List every committed file in a folder and its subfolders, sorted by key; [] without any.

        Sizes and dates come with the listing: on an object store it is one request for each 1,000
        files. Raises OSError when a folder cannot be listed.
        """

    def modified_ns(self, key: str) -> int:
        """Return a file's commit time, in nanoseconds by the store's clock."""

    def size(self, key: str) -> int:
        """Return a file's size in bytes; raises OSError."""

    def move(self, key: str, new_key: str) -> None:
        """Rename one file without replacing another; raises OSError or AlreadyStoredError.

        Where there is no renaming, a crash in between leaves both names, never none.
        """

    def remove(self, key: str) -> None:
        """Remove one file; raises OSError."""

    def remove_many(self, keys: Collection[str]) -> None:
        """Remove files, in no fixed order; missing files are skipped.

        On an object store it is one request for each 1,000 files. Killed or failing in the middle,
        it leaves some of them removed. Raises OSError when the store refuses one.
        """

    def remove_folder(self, folder: str) -> None:
        """Remove a folder without files in it, if it is there.

        Raises OSError on a disk when there are files in it. On an object store a folder is there as
        long as files are, and nothing is asked.
        """

    def remove_leftovers(self, folder: str) -> int:
        """Remove the files that killed writers left in a folder the caller owns."""

    def lock(self, key: str) -> TrainerLock:
        """Take the exclusive lock of that key; raises RunLockedError."""
