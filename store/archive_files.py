"""The entries of a run's archive: which are allowed, the index that lists them, reading them.

An archive may come from anybody: nothing in it is believed before it was compared.
"""

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from store.errors import StoreError
from store.files import FileEntry
from store.progress_log import PROGRESS_FOLDER
from store.run import CHECKPOINT_FOLDER, RUN_FILE
from store.seals import seal_of
from store.segments import REPLAY_FOLDER
from store.verify import MATCH_FOLDER

INDEX_FILE = "INDEX.json"
FORMAT = "ludens-run/1"
LOOSE_FOLDERS = (MATCH_FOLDER, PROGRESS_FOLDER, "tensorboard")
FOLDERS = (*LOOSE_FOLDERS, CHECKPOINT_FOLDER, REPLAY_FOLDER)

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@=+-]{0,199}")


class ArchiveError(StoreError):
    """An archive is truncated, altered, or not one of a run; the bad entry is named."""


@dataclass(frozen=True)
class _Entry:
    offset: int
    size: int


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
        except BaseException:
            self._file.close()
            raise

    def keys(self) -> list[str]:
        """The run's files in the order of the archive."""
        return list(self._order)

    def _verified(self, listed: list[dict[str, Any]]) -> dict[str, None]:
        names = [entry["name"] for entry in listed]
        present = [name for name in self._entries if name != INDEX_FILE]
        for name in present:
            if name not in names:
                raise self._bad(name, "the index does not list it")
        for entry in listed:
            name = entry["name"]
            if name not in self._entries or name == INDEX_FILE:
                raise self._bad(name, "the index lists it, and it is missing")
            data = self._bytes_of(name)
            if len(data) != entry["size"]:
                raise self._bad(name, f"{len(data)} bytes, the index says {entry['size']}")
            if hashlib.sha256(data).hexdigest() != entry["sha256"]:
                raise self._bad(name, "its SHA-256 differs from the index's")
        return dict.fromkeys(present)

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
        """The archive's path."""
        return str(self._path)

    def read(self, key: str) -> bytes:
        """The whole entry; raises FileNotFoundError."""
        if key not in self._order:
            raise FileNotFoundError(2, "no such entry", key)
        return self._bytes_of(key)

    def exists(self, key: str) -> bool:
        """Whether there is an entry of that key."""
        return key in self._order

    def names(self, folder: str) -> list[str]:
        """Sorted names of the entries right in a folder."""
        return sorted(rest for rest in self._under(folder) if "/" not in rest)

    def folders(self, folder: str) -> list[str]:
        """Sorted names of the folders right in a folder."""
        return sorted({rest.partition("/")[0] for rest in self._under(folder) if "/" in rest})

    def tree(self, folder: str) -> list[FileEntry]:
        """Every entry in a folder and under it, sorted by key, without dates."""
        prefix = f"{folder}/" if folder else ""
        keys = sorted(key for key in self._order if key.startswith(prefix))
        return [FileEntry(key, self.size(key), 0) for key in keys]

    def size(self, key: str) -> int:
        """The entry's size in bytes."""
        return self._entries[key].size

    def _under(self, folder: str) -> Iterator[str]:
        prefix = f"{folder}/" if folder else ""
        return (key[len(prefix) :] for key in self._order if key.startswith(prefix))


def _scan(file: BinaryIO, path: Path) -> dict[str, _Entry]:
    """Where each entry lies. Only plain files under a run's names are let through."""
    entries: dict[str, _Entry] = {}
    last = "its beginning"
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            for entry in tar:
                _check_entry(path, entry, entries)
                entries[entry.name] = _Entry(entry.offset_data, entry.size)
                last = repr(entry.name)
    except tarfile.TarError as error:
        raise ArchiveError(
            f"{str(path)!r} is truncated or not an archive: unreadable after {last} ({error})"
        ) from error
    if INDEX_FILE not in entries:
        raise ArchiveError(
            f"{str(path)!r} is truncated or not a run's archive: it ends after {last}, without "
            f"its {INDEX_FILE!r}"
        )
    return entries


def _check_entry(path: Path, entry: tarfile.TarInfo, before: Mapping[str, _Entry]) -> None:
    name = entry.name
    if entry.type != tarfile.REGTYPE:
        raise bad_entry(path, name, "not a plain file")
    if name in before:
        raise bad_entry(path, name, "it is there twice")
    if INDEX_FILE in before:
        raise bad_entry(path, name, "it comes after the index")
    if not is_run_key(name) and name != INDEX_FILE:
        raise bad_entry(path, name, "not the name of a file of a run")


def is_run_key(name: str) -> bool:
    """Whether an entry may be called so: a file of a run, and no trick with paths."""
    first, *rest = name.split("/")
    if not rest:
        return name == RUN_FILE
    return first in FOLDERS and all(_PART.fullmatch(part) for part in rest)


def _read_index(data: bytes, path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(data)
        seal = document.pop("seal")
        version = str(document["format"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise bad_entry(path, INDEX_FILE, f"not an index ({error})") from error
    if seal != seal_of(document):
        raise bad_entry(path, INDEX_FILE, "it was altered")
    if version != FORMAT:
        raise bad_entry(path, INDEX_FILE, f"format {version!r}, this program reads {FORMAT!r}")
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
    """The error that names an entry of an archive."""
    return ArchiveError(f"{str(path)!r}: bad entry {name!r}: {why}")


def encode_index(run_name: str, listed: list[dict[str, Any]]) -> bytes:
    """The index of these entries: name, size, sha256."""
    document = {"format": FORMAT, "run": run_name, "entries": listed}
    return json.dumps({**document, "seal": seal_of(document)}, indent=1, sort_keys=True).encode()
