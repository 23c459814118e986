"""Read a run's archive: check its entries against the allowed names and its index.

An archive may come from an untrusted source: every entry is checked before use.
"""

import hashlib
import json
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any, BinaryIO

from store.errors import StoreError, too_large
from store.files.protocol import FileEntry
from store.progress.log import PROGRESS_FOLDER
from store.run_files import is_run_file
from store.seals import seal_of
from store.upgrades import ARCHIVE, VersionError
from store.upkeep.keeps import KEPT_FOLDER
from store.upkeep.tar_entries import Entry, TarError, entries
from store.upkeep.verify import RECORD_FOLDERS

INDEX_FILE = "INDEX.json"
LOOSE_FOLDERS = (*RECORD_FOLDERS, KEPT_FOLDER, PROGRESS_FOLDER, "tensorboard")
INDEX_BYTES = 1024  # of the index, for each entry and once more; a line of it has some 200
CHUNK = 2**20  # bytes read at once


class ArchiveError(StoreError):
    """The archive is truncated, altered, or not one of a run; names the bad entry."""


class ArchiveFiles:
    """The files of a complete archive as `Files` that cannot be written.

    Opening reads the whole archive and compares every entry with the index.

    Attributes:
        run: name of the exported run.

    Raises:
        ArchiveError: truncated, altered, or not an archive of a run; names the bad entry.
        OSError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO = path.open("rb")
        try:
            self._entries = _scan(self._file, path)
            index = _read_index(self._bytes_of(INDEX_FILE), path)
            self.run: str = index["run"]
            self._order = self._verified(index["entries"])
            self._folders = _Folders(self._order)
        except BaseException:
            self._file.close()
            raise

    def keys(self) -> list[str]:
        """List the run's files in the order of the archive."""
        return list(self._order)

    def _verified(self, listed: list[dict[str, Any]]) -> dict[str, None]:
        present = [name for name in self._entries if name != INDEX_FILE]
        by_name = {entry["name"]: entry for entry in listed}
        for name in present:
            if name not in by_name:
                raise self._bad(name, "the index does not list it")
        for name, entry in by_name.items():
            if name not in self._entries or name == INDEX_FILE:
                raise self._bad(name, "the index lists it, and it is missing")
            size = self._entries[name].size
            if size != entry["size"]:
                raise self._bad(name, f"{size} bytes, the index says {entry['size']}")
            if self._digest(name) != entry["sha256"]:
                raise self._bad(name, "its SHA-256 differs from the index's")
        if len(by_name) != len(listed):
            raise self._bad(INDEX_FILE, "it lists an entry twice")
        return dict.fromkeys(present)

    def _digest(self, name: str) -> str:
        entry, digest = self._entries[name], hashlib.sha256()
        self._file.seek(entry.offset)
        for begun in range(0, entry.size, CHUNK):
            digest.update(self._file.read(min(CHUNK, entry.size - begun)))
        return digest.hexdigest()

    def _bad(self, name: str, why: str) -> ArchiveError:
        return bad_entry(self._path, name, why)

    def _bytes_of(self, key: str) -> bytes:
        entry = self._entries[key]
        self._file.seek(entry.offset)
        return self._file.read(entry.size)

    def close(self) -> None:
        """Close the archive's file."""
        self._file.close()

    def __enter__(self) -> "ArchiveFiles":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what `verify_files` needs of `Files` ------------------------------------------------------

    @property
    def url(self) -> str:
        """Return the archive's path."""
        return str(self._path)

    def read(self, key: str, most: int | None = None) -> bytes:
        """Read an entry; raises FileNotFoundError, or FileTooLargeError beyond `most` bytes."""
        if key not in self._order:
            raise FileNotFoundError(2, "no such entry", key)
        if most is not None and self._entries[key].size > most:
            raise too_large(key, most)
        return self._bytes_of(key)

    def exists(self, key: str) -> bool:
        """Whether an entry has this key."""
        return key in self._order

    def names(self, folder: str) -> list[str]:
        """List the entries directly in a folder, sorted by name."""
        return sorted(self._folders.files.get(folder, ()))

    def folders(self, folder: str) -> list[str]:
        """List the folders directly in a folder, sorted by name."""
        return sorted(self._folders.folders.get(folder, ()))

    def tree(self, folder: str) -> list[FileEntry]:
        """List every entry in a folder and its subfolders, sorted by key, without dates."""
        prefix = f"{folder}/" if folder else ""
        keys = sorted(key for key in self._order if key.startswith(prefix))
        return [FileEntry(key, self.size(key), 0) for key in keys]

    def size(self, key: str) -> int:
        """Return an entry's size in bytes."""
        return self._entries[key].size


class _Folders:
    """The files and folders directly in each folder, gathered once.

    Attributes:
        files: {folder: names of the files in it}; "" is the root.
        folders: {folder: names of the folders in it}.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self.files: dict[str, list[str]] = {}
        self.folders: dict[str, set[str]] = {}
        for key in keys:
            folder, _, name = key.rpartition("/")
            self.files.setdefault(folder, []).append(name)
            while folder:
                above, _, name = folder.rpartition("/")
                self.folders.setdefault(above, set()).add(name)
                folder = above


def _scan(file: BinaryIO, path: Path) -> dict[str, Entry]:
    """Locate each entry. Only plain files with names of a run's files are accepted."""
    found: dict[str, Entry] = {}
    last = "its beginning"
    try:
        for entry in entries(file):
            _check_entry(path, entry.name, found)
            found[entry.name] = entry
            last = repr(entry.name)
    except TarError as error:
        if error.entry is not None:
            raise bad_entry(path, error.entry, str(error)) from error
        raise ArchiveError(
            f"{str(path)!r} is truncated or not an archive: unreadable after {last} ({error})"
        ) from error
    if INDEX_FILE not in found:
        raise ArchiveError(
            f"{str(path)!r} is truncated or not a run's archive: it ends after {last}, without "
            f"its {INDEX_FILE!r}"
        )
    if found[INDEX_FILE].size > (most := INDEX_BYTES * (len(found) + 1)):
        size = found[INDEX_FILE].size
        raise bad_entry(path, INDEX_FILE, f"{size:,} bytes, expected {most:,} at most")
    return found


def _check_entry(path: Path, name: str, before: Container[str]) -> None:
    if name in before:
        raise bad_entry(path, name, "it is there twice")
    if INDEX_FILE in before:
        raise bad_entry(path, name, "it comes after the index")
    if not is_run_file(name) and name != INDEX_FILE:
        raise bad_entry(path, name, "not the name of a file of a run")


def _read_index(data: bytes, path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(data)
        seal = document.pop("seal")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise bad_entry(path, INDEX_FILE, f"not an index ({error})") from error
    if seal != seal_of(document):
        raise bad_entry(path, INDEX_FILE, "it was altered")
    try:
        document = ARCHIVE.read(document)
    except VersionError as error:
        raise bad_entry(path, INDEX_FILE, str(error)) from error
    if not isinstance(document.get("run"), str) or not _are_entries(document.get("entries")):
        raise bad_entry(path, INDEX_FILE, "it does not name a run and its entries")
    return document


def _are_entries(listed: Any) -> bool:
    kinds = {"name": str, "size": int, "sha256": str}
    return isinstance(listed, list) and all(
        isinstance(entry, dict) and all(isinstance(entry.get(k), kinds[k]) for k in kinds)
        for entry in listed
    )


def bad_entry(path: Path, name: str, why: str) -> ArchiveError:
    """Make the error that names an entry of an archive."""
    return ArchiveError(f"{str(path)!r}: bad entry {name!r}: {why}")


def encode_index(run_name: str, listed: list[dict[str, Any]]) -> bytes:
    """Encode the index of these entries: name, size, sha256."""
    document = {"format": ARCHIVE.name, "run": run_name, "entries": listed}
    return json.dumps({**document, "seal": seal_of(document)}, indent=1, sort_keys=True).encode()
