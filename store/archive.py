"""A run as one portable file: an uncompressed tar of its files and, last, an index of them.

    run.json, matches/..., tensorboard/..., checkpoints/..., replay/..., INDEX.json

The index has the size and SHA-256 of each entry, and a seal of its own; without it an archive is
not complete. Equal runs make equal archives: entries come in a fixed order and carry no times or
owners. Segments come in the order of their commits, so that unpacking one after another keeps
which of them are the newest (between writers as finely as the clock of the new store can tell).

What belongs to the machine or the moment stays behind: the lock, holds, the quarantine.
"""

import hashlib
import io
import json
import logging
import os
import re
import tarfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, cast

from store import checkpoints
from store.checkpoints import MANIFEST_FILE
from store.commit import TEMPORARY_PREFIX, rename_new, write_error
from store.errors import (
    AlreadyStoredError,
    CheckpointError,
    CheckpointNotFoundError,
    ForeignSegmentError,
    RunExistsError,
    SegmentError,
    StoreError,
)
from store.files import Files, open_files
from store.holds import Hold
from store.replay import newest_first, segment_key
from store.run import CHECKPOINT_FOLDER, LOCK_FILE, RUN_FILE, Run, check_run_name
from store.segments import REPLAY_FOLDER, decode_segment
from store.verify import MATCH_FOLDER, match_problem, verify_files
from store.walk import list_segments, walk

INDEX_FILE = "INDEX.json"
FORMAT = "ludens-run/1"
LOOSE_FOLDERS = (MATCH_FOLDER, "tensorboard")
FOLDERS = (*LOOSE_FOLDERS, CHECKPOINT_FOLDER, REPLAY_FOLDER)

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@=+-]{0,199}")
_logger = logging.getLogger("ludens.store")


class ArchiveError(StoreError):
    """An archive is truncated, altered, or not one of a run; the bad entry is named."""


@dataclass
class Exported:
    """What an export wrote: the `files` and `size` in bytes, and {key: why} of those left out."""

    run: str
    path: str
    files: int = 0
    size: int = 0
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Imported:
    """What an import made: the run under its new name, its number of files, their bytes."""

    run: str
    url: str
    files: int
    size: int


# --- writing ------------------------------------------------------------------------------------


def export_run(run: Run, path: Path) -> Exported:
    """Write a run's archive to a local file that must be new; a run being trained is fine too.

    Checkpoints are listed first and segments after them, so that every segment before a
    checkpoint's cursor is there. What is damaged is left out, with a warning; a hold keeps what is
    being read from being pruned, where the store can be written.

    Raises:
        AlreadyStoredError: there is a file of that name.
        StoreWriteError: the file cannot be written; nothing is left of it.
    """
    if path.exists():
        raise AlreadyStoredError(f"{str(path)!r} exists already; choose another name")
    exported = Exported(run.name, str(path))
    aside = path.parent / f"{TEMPORARY_PREFIX}{path.name}-{uuid.uuid4().hex[:12]}"
    try:
        with ExitStack() as stack:
            _hold_everything(run, stack)
            _write_archive(aside, _entries(run, exported), exported)
        exported.size = aside.stat().st_size
        rename_new(aside, path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        aside.unlink(missing_ok=True)
    return exported


def _hold_everything(run: Run, stack: ExitStack) -> None:
    oldest = {writer: 0 for writer, _ in list_segments(run.files)}
    try:
        stack.enter_context(Hold(run, segments=oldest, checkpoints=checkpoints.steps(run)))
    except (OSError, StoreError) as error:  # read-only: nobody prunes there from here
        _logger.info("exporting %r without a hold: %s", run.name, error)


def _entries(run: Run, exported: Exported) -> Iterator[tuple[str, bytes]]:
    """Key and bytes of what belongs into the archive, verified, in its order."""
    steps = checkpoints.steps(run)
    yield RUN_FILE, run.files.read(RUN_FILE)
    for folder in LOOSE_FOLDERS:
        for key in walk(run.files, folder):
            data = _read_if_there(run.files, key)
            if data is None:
                continue
            if why := _loose_problem(key, data):
                exported.left_out[key] = why
            else:
                yield key, data
    for step in steps:
        yield from _checkpoint_entries(run, step, exported)
    for key, data in _segment_entries(run.files, exported):
        yield key, data


def _loose_problem(key: str, data: bytes) -> str | None:
    if not _is_run_key(key):
        return "its name is not allowed in an archive"
    return match_problem(data) if key.startswith(f"{MATCH_FOLDER}/") else None


def _checkpoint_entries(run: Run, step: int, exported: Exported) -> Iterator[tuple[str, bytes]]:
    folder = f"{CHECKPOINT_FOLDER}/{step:09d}"
    try:
        loaded = checkpoints.load(run, step)
        manifest = run.files.read(f"{folder}/{MANIFEST_FILE}")
    except (CheckpointNotFoundError, FileNotFoundError):
        return  # pruned since it was listed
    except CheckpointError as error:
        exported.left_out[folder] = str(error)
        return
    for name in sorted(loaded.files):
        yield f"{folder}/{name}", loaded.files[name]
    yield f"{folder}/{MANIFEST_FILE}", manifest


def _segment_entries(files: Files, exported: Exported) -> Iterator[tuple[str, bytes]]:
    for writer, name in reversed(list(newest_first(files, list_segments(files)))):
        key = segment_key(writer, name)
        data = _read_if_there(files, key)
        if data is None:
            continue
        try:
            decode_segment(name, data)
        except ForeignSegmentError:
            pass  # intact: somebody else's, or a newer program's
        except SegmentError as error:
            exported.left_out[key] = str(error)
            continue
        yield key, data


def _read_if_there(files: Files, key: str) -> bytes | None:
    try:
        return files.read(key)
    except FileNotFoundError:  # gone since it was listed
        return None


def _write_archive(path: Path, entries: Iterable[tuple[str, bytes]], exported: Exported) -> None:
    listed = []
    with path.open("xb") as file:
        # GNU: the one format without a limit to sizes and names that holds no times of its own
        with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for key, data in entries:
                _add(tar, key, data)
                digest = hashlib.sha256(data).hexdigest()
                listed.append({"name": key, "size": len(data), "sha256": digest})
            _add(tar, INDEX_FILE, _encode_index(exported.run, listed))
        file.flush()
        os.fsync(file.fileno())
    exported.files = len(listed)


def _add(tar: tarfile.TarFile, key: str, data: bytes) -> None:
    entry = tarfile.TarInfo(key)  # mode 644, no owner, time 0
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _encode_index(run_name: str, listed: list[dict[str, Any]]) -> bytes:
    document = {"format": FORMAT, "run": run_name, "entries": listed}
    return json.dumps({**document, "seal": _seal(document)}, indent=1, sort_keys=True).encode()


def _seal(document: Mapping[str, Any]) -> str:
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


# --- reading ------------------------------------------------------------------------------------


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
        return _bad_entry(self._path, name, why)

    def _bytes_of(self, key: str) -> bytes:
        entry = self._entries[key]
        self._file.seek(entry.offset)
        return self._file.read(entry.size)

    def close(self) -> None:
        """Close the archive's file."""
        self._file.close()

    def __enter__(self) -> "ArchiveFiles":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
        raise _bad_entry(path, name, "not a plain file")
    if name in before:
        raise _bad_entry(path, name, "it is there twice")
    if INDEX_FILE in before:
        raise _bad_entry(path, name, "it comes after the index")
    if not _is_run_key(name) and name != INDEX_FILE:
        raise _bad_entry(path, name, "not the name of a file of a run")


def _is_run_key(name: str) -> bool:
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
        raise _bad_entry(path, INDEX_FILE, f"not an index ({error})") from error
    if seal != _seal(document):
        raise _bad_entry(path, INDEX_FILE, "it was altered")
    if version != FORMAT:
        raise _bad_entry(path, INDEX_FILE, f"format {version!r}, this program reads {FORMAT!r}")
    if not isinstance(document.get("run"), str) or not _are_entries(document.get("entries")):
        raise _bad_entry(path, INDEX_FILE, "it does not name a run and its entries")
    return document


def _are_entries(listed: Any) -> bool:
    kinds = {"name": str, "size": int, "sha256": str}
    return isinstance(listed, list) and all(
        isinstance(entry, dict) and all(isinstance(entry.get(k), kinds[k]) for k in kinds)
        for entry in listed
    )


def _bad_entry(path: Path, name: str, why: str) -> ArchiveError:
    return ArchiveError(f"{str(path)!r}: bad entry {name!r}: {why}")


# --- unpacking ----------------------------------------------------------------------------------


def import_run(store_url: str | Path, path: Path, name: str | None = None) -> Imported:
    """Make a run of an archive, under its own name or another.

    Everything is verified, down to every episode, before anything is written. `run.json` comes
    last: until then the run is not there. No other trainer or import can take the name meanwhile,
    and what was written is removed if the import fails.

    Raises:
        ArchiveError: the archive is truncated, altered or holds what does not verify.
        RunExistsError: there is a run of that name; a run is never overwritten.
        RunNameError, StoreUrlError: the name or the address is not allowed.
        RunLockedError: somebody is about to train or import under that name.
        StoreWriteError: the store cannot be written.
    """
    with ArchiveFiles(path) as archive:
        wanted = check_run_name(archive.run if name is None else name)
        files = open_files(store_url).within(wanted)
        _refuse_existing(files, wanted)
        _verify_content(archive)
        with files.lock(LOCK_FILE):
            _refuse_existing(files, wanted)
            _unpack(archive, files, wanted)
        keys = archive.keys()
        return Imported(wanted, files.url, len(keys), sum(archive.size(key) for key in keys))


def _refuse_existing(files: Files, name: str) -> None:
    if files.exists(RUN_FILE):
        raise RunExistsError(
            f"run {name!r} exists already at {files.url!r}; import it under another name"
        )


def _verify_content(archive: ArchiveFiles) -> None:
    # An archive reads as `Files` do, and verifying never writes.
    found = verify_files(cast(Files, archive), archive.run)
    for key, why in found.problems.items():
        raise ArchiveError(f"{archive.url!r}: bad entry {key!r}: {why}")


def _unpack(archive: ArchiveFiles, files: Files, name: str) -> None:
    written: list[str] = []
    try:
        for key in sorted(archive.keys(), key=lambda key: key == RUN_FILE):
            if files.create_same(key, archive.read(key)):
                written.append(key)
    except BaseException as error:
        _take_back(files, written)
        if isinstance(error, AlreadyStoredError):
            raise RunExistsError(
                f"files of another run {name!r} are at {files.url!r} already ({error}); import it "
                "under another name"
            ) from error
        raise


def _take_back(files: Files, written: list[str]) -> None:
    for key in reversed(written):
        try:
            files.remove(key)
        except OSError as error:
            _logger.warning("could not remove %s of an import that failed: %s", key, error)
