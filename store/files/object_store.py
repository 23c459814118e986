"""Implement `Files` on object stores through fsspec: S3, memory, and similar drivers.

A key appears complete or not at all, because it is one exclusive PUT (on S3 the header
If-None-Match; a large file is uploaded in parts, and its completion carries the header). Nothing is
written aside, so there are no leftovers.
"""
# ruff: noqa: D102 (the methods of `Files` are documented once, at the protocol)

import contextlib
import difflib
import errno
import inspect
import random
import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import fsspec
import fsspec.core
from fsspec.implementations.memory import MemoryFileSystem

from store.errors import (
    AlreadyStoredError,
    StoreUnreachableError,
    StoreUrlError,
    StoreWriteError,
    too_large,
)
from store.files.driver_errors import translated
from store.files.lease import Lease
from store.files.lock import GuardedFiles
from store.files.protocol import FileEntry

ATTEMPTS = 3
FIRST_DELAY_S = 0.5
"""Seconds before the second attempt at a request that failed in passing; doubled each time."""

DELETED_AT_ONCE = 1000
"""Files that one request may remove (S3's DeleteObjects)."""

_WRITE_MARK = "ludens-write"
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")  # in drivers' listings
_EXTRAS = {"s3": "s3", "s3a": "s3"}

# fsspec's memory asks and then writes; between the threads of a process this makes it one step.
_memory_exclusion = threading.Lock()

_T = TypeVar("_T")


class _RefusedDeletionError(OSError):
    """S3 refused to remove one file of a request; holds the code of its answer."""

    def __init__(self, refused: Mapping[str, str], bucket: str) -> None:
        self.response = {"Error": dict(refused)}  # where `translated` looks for the code
        reason = f"{refused.get('Code')}: {refused.get('Message')}"
        super().__init__(errno.EIO, reason, f"s3://{bucket}/{refused.get('Key')}")


class ObjectFiles(GuardedFiles):
    """`Files` under a prefix of an fsspec filesystem that can create a file exclusively.

    A request that fails in passing (a broken connection, a busy server) is repeated with back-off;
    every operation here may be. Errors of the driver become the store's: StoreAccessError and
    StoreUnreachableError, which are an OSError too, FileNotFoundError, and OSError for the rest.

    Once `lock` was taken through this object, whatever changes files through it or a view of it
    raises RunLostError as soon as the lease is known to be lost.

    Args:
        filesystem: the fsspec filesystem.
        root: the prefix, as the filesystem spells it, without a "/" at the end.
        attempts: how often a request is made before its failure is reported.
        sleep: waits a number of seconds.
    """

    def __init__(
        self,
        filesystem: Any,
        root: str,
        *,
        attempts: int = ATTEMPTS,
        sleep: Callable[[float], None] = time.sleep,
        parent: "ObjectFiles | None" = None,
    ) -> None:
        super().__init__(parent)
        self.root = root
        self._filesystem = filesystem
        self._attempts = attempts
        self._sleep = sleep

    @property
    def url(self) -> str:
        return str(self._filesystem.unstrip_protocol(self.root))

    def within(self, folder: str) -> "ObjectFiles":
        return ObjectFiles(
            self._filesystem,
            self._path(folder),
            attempts=self._attempts,
            sleep=self._sleep,
            parent=self,
        )

    def create(self, key: str, data: bytes | memoryview) -> None:
        """Commit a new file in one exclusive PUT.

        A repeated PUT may meet what its first attempt has written, though no answer came. On S3
        every write carries a mark in the object's metadata, by which it is known again; elsewhere
        a repeated write that finds its own bytes has succeeded.

        Raises:
            AlreadyStoredError: the key exists; its content is untouched.
            RunLostError: the lease taken through these files was lost.
            StoreWriteError: no credentials, no such bucket, no connection, ...
        """
        self._check_lock()
        payload = bytes(data)
        try:
            self._put_new(key, payload)
        except FileExistsError as error:
            raise AlreadyStoredError(
                f"{self._shown(key)!r} exists already, and nothing in a store is ever replaced"
            ) from error
        except OSError as error:
            raise self._write_error(key, error, len(payload)) from error

    def create_same(self, key: str, data: bytes | memoryview) -> bool:
        try:
            self.create(key, data)
            return True
        except AlreadyStoredError:
            if self.read(key) != bytes(data):
                raise
        return False

    def read(self, key: str, most: int | None = None) -> bytes:
        path = self._path(key)
        # One byte beyond what may be there shows in one request that there is too much.
        part = self._whole if most is None else {"start": 0, "end": most + 1}
        try:
            data = bytes(self._call(key, lambda: self._filesystem.cat_file(path, **part)))
        except OSError as error:
            if most is None or error.errno != errno.EINVAL or self.size(key):
                raise
            return b""  # S3 finds no range in an empty file
        if most is not None and len(data) > most:
            raise too_large(key, most)
        return data

    def exists(self, key: str) -> bool:
        try:
            return self._info(key)["type"] == "file"
        except FileNotFoundError:
            return False

    def names(self, folder: str) -> list[str]:
        return sorted(name for name, is_folder in self._list(folder) if not is_folder)

    def folders(self, folder: str) -> list[str]:
        return sorted(name for name, is_folder in self._list(folder) if is_folder)

    def tree(self, folder: str) -> list[FileEntry]:
        path, start = self._path(folder), f"{self._path(folder)}/"

        def found() -> Mapping[str, Mapping[str, Any]]:
            if self._is_s3 and folder:  # by prefix, s3fs does not ask again where there is nothing
                listed = self._filesystem.find(self.root, prefix=f"{folder}/", detail=True)
            else:
                listed = self._filesystem.find(path, detail=True)
            return dict(listed)

        try:
            entries = self._call(folder, found)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(
            self._entry(name, entry)
            for name, entry in entries.items()
            if name.startswith(start) and not name.endswith("/") and entry["type"] == "file"
        )

    def _entry(self, name: str, listed: Mapping[str, Any]) -> FileEntry:
        key = name[len(self.root) + 1 :]
        when = next((listed[time] for time in _TIMES if listed.get(time)), None)
        committed = self.modified_ns(key) if when is None else _nanoseconds(when)
        return FileEntry(key, int(listed["size"]), committed)

    def modified_ns(self, key: str) -> int:
        path = self._path(key)
        return _nanoseconds(self._call(key, lambda: self._filesystem.modified(path)))

    def size(self, key: str) -> int:
        return int(self._info(key)["size"])

    def move(self, key: str, new_key: str) -> None:
        """Copy exclusively, and only then delete: a crash between leaves both, never none.

        Moving again then finishes it, because the same bytes at the target count as the copy.

        Raises:
            AlreadyStoredError: the target exists with other bytes.
            RunLostError, StoreWriteError, OSError: as `create`, `read` and `remove`.
        """
        self.create_same(new_key, self.read(key))
        self.remove(key)

    def remove(self, key: str) -> None:
        """Remove one file; on S3 a missing file is no error.

        Raises:
            RunLostError: the lease taken through these files was lost.
            OSError: the store refuses it.
        """
        self._check_lock()
        path = self._path(key)
        tries = 0

        def delete() -> None:
            nonlocal tries
            tries += 1
            with contextlib.suppress(*([FileNotFoundError] if tries > 1 else [])):
                self._filesystem.rm_file(path)

        self._call(key, delete)

    def remove_many(self, keys: Collection[str]) -> None:
        """Remove files, DELETED_AT_ONCE a request; missing files are no error.

        Raises:
            RunLostError: the lease taken through these files was lost.
            OSError: the store refuses one; the error names it.
        """
        ordered = sorted(keys)
        for first in range(0, len(ordered), DELETED_AT_ONCE):
            self._check_lock()
            part = ordered[first : first + DELETED_AT_ONCE]
            if self._is_s3:
                self._call(part[0], partial(self._delete_on_s3, part))
            else:
                for key in part:
                    with contextlib.suppress(FileNotFoundError):
                        self.remove(key)

    def _delete_on_s3(self, keys: list[str]) -> None:
        """Send one DeleteObjects request; s3fs's own `rm` does not report refused files."""
        bucket = self.root.partition("/")[0]
        names = [{"Key": self._path(key).partition("/")[2]} for key in keys]
        answer = self._filesystem.call_s3(
            "delete_objects", Bucket=bucket, Delete={"Objects": names, "Quiet": True}
        )
        if refused := [e for e in answer.get("Errors", []) if e.get("Code") != "NoSuchKey"]:
            raise _RefusedDeletionError(refused[0], bucket)

    def remove_folder(self, folder: str) -> None:
        """Do nothing: a folder exists only while it has files."""
        self._check_lock()

    def remove_leftovers(self, folder: str) -> int:
        """Return 0: object stores have no leftovers, since nothing is written aside."""
        return 0

    def lock(self, key: str) -> Lease:
        """Take the lease of that key; see `store.files.lease.Lease` for how long it may wait.

        Raises:
            RunLockedError: another process holds it.
            StoreWriteError: the store cannot be written, or does not create exclusively.
        """
        # The next heartbeat is the repetition of one that failed, so the lease's own files do not
        # wait; nor are they guarded by the lease itself.
        once = ObjectFiles(self._filesystem, self.root, attempts=1)
        lease = Lease(once, key)
        self._lock = lease
        return lease

    def _path(self, key: str) -> str:
        return f"{self.root}/{key}" if key else self.root

    def _shown(self, key: str) -> str:
        return str(self._filesystem.unstrip_protocol(self._path(key)))

    def _put_new(self, key: str, payload: bytes) -> None:
        """Send an exclusive PUT with retries; FileExistsError when another's file exists."""
        path, mark = self._path(key), uuid.uuid4().hex
        tries = 0

        def put() -> None:
            nonlocal tries
            tries += 1
            with _exclusion(self._filesystem):
                marked = {"Metadata": {_WRITE_MARK: mark}} if self._is_s3 else {}
                self._filesystem.pipe_file(path, payload, mode="create", **marked)

        try:
            self._call(key, put)
        except (FileExistsError, FileNotFoundError):
            # Both can be the answer to a repetition, which the driver makes by itself too; "not
            # found" is what S3 says of an upload in parts that was completed before.
            if not self._is_ours(key, mark, payload if tries > 1 else None):
                raise

    def _is_ours(self, key: str, mark: str, repeated: bytes | None) -> bool:
        """Whether the file there was written with this mark or, without marks, repeatedly."""
        try:
            if self._is_s3:
                marks = self._call(key, partial(self._filesystem.metadata, self._path(key)))
                return marks.get(_WRITE_MARK) == mark
            return repeated is not None and self.read(key) == repeated
        except FileNotFoundError:
            return False

    @property
    def _whole(self) -> dict[str, Any]:
        """Return the options that keep s3fs from asking for a file's size before each read."""
        return {"max_concurrency": 1} if self._is_s3 else {}

    @property
    def _is_s3(self) -> bool:
        return "s3" in _protocols(self._filesystem)

    def _info(self, key: str) -> dict[str, Any]:
        path = self._path(key)
        return dict(self._call(key, lambda: self._filesystem.info(path)))

    def _list(self, folder: str) -> list[tuple[str, bool]]:
        path = self._path(folder)

        def listed() -> list[dict[str, Any]]:
            return list(self._filesystem.ls(path, detail=True))

        try:
            entries = self._call(folder, listed)
        except (FileNotFoundError, NotADirectoryError):
            return []
        start = f"{path}/"
        return [  # without the prefix itself, be it a file or some tool's marker of a folder
            (name, entry["type"] == "directory")
            for entry in entries
            if entry["name"].startswith(start) and (name := entry["name"][len(start) :].rstrip("/"))
        ]

    def _call(self, key: str, request: Callable[[], _T]) -> _T:
        for attempt in range(1, self._attempts + 1):
            try:
                return request()
            except Exception as error:
                found = translated(error, self._shown(key))
                if attempt == self._attempts or not isinstance(found, StoreUnreachableError):
                    if found is error:
                        raise
                    raise found from error
            # Spread the retries of many writers that lost the same server.
            self._sleep(FIRST_DELAY_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.0))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _write_error(self, key: str, error: OSError, size: int) -> StoreWriteError:
        lost = isinstance(error, StoreUnreachableError)
        outcome = (
            "Whether it arrived is not known; it is there completely or not at all"
            if lost
            else "Nothing of this file was kept"
        )
        return StoreWriteError(
            f"cannot write {self._shown(key)!r} ({size:,} bytes): {error}. {outcome}; everything "
            "saved before is untouched.",
            error.errno,
        )


def open_object_files(address: str) -> ObjectFiles:
    """Open the files at a URL such as s3://bucket/prefix or memory://name, without a request.

    Raises:
        StoreUrlError: the scheme is unknown, its driver is not installed, or it cannot create a
            file exclusively; or the address names no place.
    """
    head, separator, place = address.partition("://")
    scheme = head.partition(":")[0].lower()
    if "::" in address:
        raise StoreUrlError(
            f"cannot open the store {address!r}: chained addresses are not supported, expected "
            "one such as s3://bucket/prefix"
        )
    if not separator or not place.strip("/"):
        raise StoreUrlError(
            f"cannot open the store {address!r}: expected {scheme}://, then a bucket or name, and "
            "a prefix if you like"
        )
    filesystem = _filesystem(scheme, address)
    root = str(filesystem._strip_protocol(f"{scheme}://{place}")).rstrip("/")
    return ObjectFiles(filesystem, root)


def _filesystem(scheme: str, address: str) -> Any:
    if scheme not in fsspec.available_protocols() and scheme not in fsspec.registry:
        near = difflib.get_close_matches(scheme, fsspec.available_protocols(), n=1, cutoff=0.5)
        hint = (
            f"did you mean {near[0]}://?" if near else "expected a local path, s3:// or memory://"
        )
        raise StoreUrlError(
            f"cannot open the store {address!r}: scheme {scheme!r} is not supported; {hint}"
        )
    try:
        driver = fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        raise StoreUrlError(
            f"cannot open the store {address!r}: the driver of {scheme!r} is not installed; "
            f"{_how_to_install(scheme, error)}"
        ) from error
    if not _creates_exclusively(driver):
        raise StoreUrlError(
            f"cannot open the store {address!r}: scheme {scheme!r} cannot create a file "
            "exclusively, so two writers could overwrite each other; use a local path, or an "
            "object store that can (s3://)"
        )
    try:
        # A cached listing would hide what other processes have written since.
        return driver(use_listings_cache=False, **driver._get_kwargs_from_urls(address))
    except Exception as error:  # drivers read their settings here, each with errors of its own
        raise StoreUrlError(
            f"cannot open the store {address!r}: {type(error).__name__}: {error}"
        ) from error


def _how_to_install(scheme: str, error: ImportError) -> str:
    extra = _EXTRAS.get(scheme)
    return f"pip install -e '.[{extra}]'" if extra else str(error)


def _creates_exclusively(driver: type) -> bool:
    """Whether a driver itself implements `pipe_file(..., mode="create")`.

    The filesystems within fsspec ask whether the file exists and then write it, so that two
    writers can both succeed; all but the one in memory, which `_exclusion` makes safe.
    """
    if issubclass(driver, MemoryFileSystem):
        return True
    for name in ("_pipe_file", "pipe_file"):
        method = inspect.unwrap(getattr(driver, name, None) or object)
        if method.__module__.partition(".")[0] not in ("fsspec", "builtins"):
            return "mode" in inspect.signature(method).parameters
    return False


def _exclusion(filesystem: Any) -> contextlib.AbstractContextManager[Any]:
    is_memory = isinstance(filesystem, MemoryFileSystem)
    return _memory_exclusion if is_memory else contextlib.nullcontext()


def _nanoseconds(when: datetime | float) -> int:
    """Convert a driver's time, a datetime (UTC by default) or seconds since 1970, to ns."""
    if isinstance(when, datetime):
        when = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    return round(float(when) * 1_000_000) * 1_000


def _protocols(filesystem: Any) -> tuple[str, ...]:
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)
