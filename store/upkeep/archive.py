"""Export and import a run as one file: an uncompressed tar of its files and an index.

    run.json, matches/..., evaluations/..., kept/..., progress/..., tensorboard/...,
    checkpoints/..., replay/..., INDEX.json

Entries have the names that `store.run_files` lists, and no others.

The index has the size and SHA-256 of each entry, and a seal of its own; without it an archive is
not complete. Equal runs make equal archives: entries come in a fixed order and carry no times or
owners. Segments come in the order of their commits, so that unpacking one after another keeps
which of them are the newest (between writers as finely as the clock of the new store can tell).

The lock, the holds and the quarantine are left out: they belong to one machine or moment.
"""

import hashlib
import io
import logging
import tarfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from store import checkpoints
from store.checkpoints import MANIFEST_FILE
from store.errors import (
    AlreadyStoredError,
    CheckpointError,
    CheckpointNotFoundError,
    ForeignSegmentError,
    RunExistsError,
    SegmentError,
    StoreError,
)
from store.files.commit import TEMPORARY_PREFIX, rename_new, sync, write_error
from store.files.opening import open_files
from store.files.protocol import Files
from store.replay.log import newest_first, segment_key
from store.replay.segments import decode_segment
from store.replay.walk import list_segments, walk
from store.run import CHECKPOINT_FOLDER, LOCK_FILE, RUN_FILE, Run, check_run_name
from store.run_files import is_run_file
from store.upkeep.archive_files import (
    INDEX_FILE,
    LOOSE_FOLDERS,
    ArchiveFiles,
    bad_entry,
    encode_index,
)
from store.upkeep.holds import Hold
from store.upkeep.verify import RECORD_FOLDERS, record_problem, verify_files

LISTINGS = 4  # of a folder in which files go while they are read
NOT_ALLOWED = "its name is not allowed in an archive"
_logger = logging.getLogger("ludens.store")


@dataclass
class Exported:
    """The result of an export: `files`, `size` in bytes, and {key: why} of those left out."""

    run: str
    path: str
    files: int = 0
    size: int = 0
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Imported:
    """The result of an import: the run under its new name, its number of files, their bytes."""

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
    except (OSError, StoreError) as error:  # read-only: no process here can prune it
        _logger.info("exporting %r without a hold: %s", run.name, error)


def _entries(run: Run, exported: Exported) -> Iterator[tuple[str, bytes]]:
    """Yield key and bytes of the archive's files, verified, in order."""
    steps = checkpoints.steps(run)
    yield RUN_FILE, run.files.read(RUN_FILE)
    for folder in LOOSE_FOLDERS:
        for key, data in _loose_entries(run.files, folder):
            if why := _loose_problem(key, data):
                exported.left_out[key] = why
            else:
                yield key, data
    for step in steps:
        yield from _checkpoint_entries(run, step, exported)
    for key, data in _segment_entries(run.files, exported):
        yield key, data


def _loose_entries(files: Files, folder: str) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a folder that others write meanwhile.

    One that is gone was merged into a new one, or replaced by it, so the folder is listed again.
    """
    read: set[str] = set()
    for _ in range(LISTINGS):
        has_changed = False
        for key in walk(files, folder):
            if key in read:
                continue
            data = _read_if_there(files, key)
            if data is None:
                has_changed = True
                continue
            read.add(key)
            yield key, data
        if not has_changed:
            return


def _loose_problem(key: str, data: bytes) -> str | None:
    if not is_run_file(key):
        return NOT_ALLOWED
    return record_problem(data) if key.partition("/")[0] in RECORD_FOLDERS else None


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
    if not all(is_run_file(f"{folder}/{name}") for name in loaded.files):
        exported.left_out[folder] = NOT_ALLOWED
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
            pass  # intact: of another schema, or of a newer program
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
            _add(tar, INDEX_FILE, encode_index(exported.run, listed))
        file.flush()
        sync(file.fileno())
    exported.files = len(listed)


def _add(tar: tarfile.TarFile, key: str, data: bytes) -> None:
    entry = tarfile.TarInfo(key)  # mode 644, no owner, time 0
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


# --- unpacking ----------------------------------------------------------------------------------


def import_run(store_url: str | Path, path: Path, name: str | None = None) -> Imported:
    """Import a run from an archive, under its own name or another.

    Everything is verified, down to every episode, before anything is written. `run.json` comes
    last: until then the run is not there. No other trainer or import can take the name meanwhile,
    and what was written is removed if the import fails.

    Raises:
        ArchiveError: the archive is truncated, altered or holds what does not verify.
        RunExistsError: there is a run of that name; a run is never overwritten.
        RunNameError, StoreUrlError: the name or the address is not allowed.
        RunLockedError: another process is about to train or import under that name.
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
        raise bad_entry(Path(archive.url), key, why)


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
