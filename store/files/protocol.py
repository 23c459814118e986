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
