"""Commit files atomically and durably on a local disk.

A file appears under its name complete and durable, or not at all: it is written under a temporary
name in the same folder, fsynced, renamed without replacing anything, and the folder is fsynced.
Files that a killed process left start with `TEMPORARY_PREFIX`; readers ignore such names, and the
owner of a folder removes them with `remove_leftovers`.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import uuid
from pathlib import Path

from store.errors import AlreadyStoredError, StoreWriteError

TEMPORARY_PREFIX = ".writing-"

_AT_FDCWD = -100  # Linux: paths are relative to the working directory
_RENAME_NOREPLACE = 1
_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def commit_new(path: Path, data: bytes | memoryview) -> None:
    """Write `data` under a name that must be new, atomically and durably.

    Raises:
        AlreadyStoredError: the name exists; its content is untouched.
        StoreWriteError: the disk is full, permission is denied, ...; no trace is left.
    """
    temporary = path.parent / f"{TEMPORARY_PREFIX}{path.name}-{uuid.uuid4().hex[:12]}"
    try:
        ensure_folder(path.parent)
        _write_durably(temporary, data)
        _link_or_rename(temporary, path)
        _sync_name(path)
    except FileExistsError as error:
        raise _already_stored(path) from error
    except OSError as error:
        raise write_error(path, error, len(data)) from error
    finally:
        _remove_quietly(temporary)


def commit_same(path: Path, data: bytes | memoryview) -> bool:
    """Commit `data`, or confirm that exactly these bytes are there; True when it was new.

    For work that is repeated after a crash with the same result.

    Raises:
        AlreadyStoredError: the name exists with other content.
        StoreWriteError: as in `commit_new`.
    """
    try:
        commit_new(path, data)
        return True
    except AlreadyStoredError:
        if path.read_bytes() != bytes(data):
            raise
    try:  # the earlier attempt may have died before its folder was durable
        sync_folder(path.parent)
    except OSError as error:
        raise write_error(path, error, len(data)) from error
    return False


def rename_new(source: Path, target: Path) -> None:
    """Rename a file without ever replacing one, and make the new name durable.

    Raises:
        AlreadyStoredError: `target` exists.
        OSError: whatever else the system reports.
    """
    try:
        _link_or_rename(source, target)
    except FileExistsError as error:
        raise _already_stored(target) from error
    source.unlink(missing_ok=True)
    sync_folder(target.parent)


def _already_stored(path: Path) -> AlreadyStoredError:
    return AlreadyStoredError(
        f"{str(path)!r} exists already, and nothing in a store is ever replaced"
    )


def _sync_name(path: Path) -> None:
    try:
        sync_folder(path.parent)
    except OSError:
        _remove_quietly(path)  # a write reported as failed must not be found later
        raise


def _link_or_rename(source: Path, target: Path) -> None:
    """Give a file a new name, replacing none; the old name may remain for removal."""
    try:
        os.link(source, target)
    except FileExistsError:
        # NFS may repeat a request that succeeded: two links prove that this one did.
        if not source.samefile(target):
            raise
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        _rename_no_replace(source, target)


def _rename_no_replace(source: Path, target: Path) -> None:
    """Rename by renameat2 with RENAME_NOREPLACE, for file systems without hard links."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        raise OSError(errno.ENOTSUP, "neither hard links nor renameat2 are available here")
    source_bytes, target_bytes = os.fsencode(source), os.fsencode(target)
    if renameat2(_AT_FDCWD, source_bytes, _AT_FDCWD, target_bytes, _RENAME_NOREPLACE) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(target))


def ensure_folder(folder: Path) -> None:
    """Create a folder and its parents, each made durable in its own parent."""
    if folder.is_dir():
        return
    ensure_folder(folder.parent)
    try:
        folder.mkdir()
    except FileExistsError:
        if not folder.is_dir():
            raise NotADirectoryError(
                errno.ENOTDIR, "a file is in the way of the folder", str(folder)
            ) from None
    sync_folder(folder.parent)


def sync(descriptor: int) -> None:
    """Flush an open file or folder to disk, so that it survives a power cut.

    On macOS `fsync` leaves it in the drive's own cache; F_FULLFSYNC empties that too, where the
    file system knows it.
    """
    full_sync = getattr(fcntl, "F_FULLFSYNC", None)
    if full_sync is not None:
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, full_sync)
            return
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> int:
    """Remove files that killed writers left in a folder the caller owns; return their number."""
    removed = 0
    if folder.is_dir():
        for leftover in folder.glob(f"{TEMPORARY_PREFIX}*"):
            removed += _remove_quietly(leftover)
    return removed


def write_error(path: Path, error: OSError, size: int | None = None) -> StoreWriteError:
    """Make the error of a failed write: the path, the reason, the space, what was kept."""
    reason = os.strerror(error.errno).lower() if error.errno else str(error)
    blocker = "" if error.filename in (None, str(path)) else f" at {str(error.filename)!r}"
    need = "" if size is None else f"; {size:,} bytes to write{_free_space(path)}"
    return StoreWriteError(
        f"cannot write {str(path)!r}: {reason}{blocker}{need}. "
        "Nothing of this file was kept; everything saved before is untouched.",
        error.errno,
    )


def _free_space(path: Path) -> str:
    folder = next((parent for parent in path.parents if parent.is_dir()), None)
    if folder is None:
        return ""
    try:
        return f", {shutil.disk_usage(folder).free:,} bytes free"
    except OSError:
        return ""


def _write_durably(path: Path, data: bytes | memoryview) -> None:
    with path.open("xb", buffering=0) as file:
        rest = memoryview(data).cast("B")
        while rest:  # a raw write may be short, for instance on a disk that is almost full
            rest = rest[file.write(rest) :]
        sync(file.fileno())


def _remove_quietly(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True
