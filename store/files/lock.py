"""Lock a run for one trainer: the interface, and the lock of local files.

On an object store the lock is a lease: see `store.files.lease`.
"""

import contextlib
import fcntl
import os
import time
import weakref
from pathlib import Path
from typing import Protocol

from store.errors import RunLockedError, RunLostError
from store.files.commit import ensure_folder, write_error


class TrainerLock(Protocol):
    """The lock that makes one process a run's only trainer, from construction to `release`."""

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock now."""

    def check(self) -> None:
        """Raise RunLostError if the lock was lost; not if it was released."""

    def release(self) -> None:
        """Release the lock; harmless when it was released or lost already."""

    def __enter__(self) -> "TrainerLock": ...

    def __exit__(self, *_: object) -> None: ...


class GuardedFiles:
    """Files with which a trainer changes its run: not once it has lost the lock.

    Args:
        parent: those that these are within, whose lock guards these too.
    """

    def __init__(self, parent: "GuardedFiles | None") -> None:
        self._parent = parent
        self._lock: TrainerLock | None = None  # that was taken through these files

    def _check_lock(self) -> None:
        """Raise RunLostError if the lock taken through these files or a parent was lost."""
        if self._lock is not None:
            self._lock.check()
        if self._parent is not None:
            self._parent._check_lock()


class FileLock:
    """An exclusive lock that the operating system releases when its holder dies.

    Holds `flock` on a file from construction until `release` (or the end of the process).

    A forked child gives up its copy at once, so that it cannot keep the lock of a dead parent.

    Raises:
        RunLockedError: another process holds it; names the process id.
        StoreWriteError: the lock file cannot be created or opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1  # until the lock is ours, so that `__del__` closes nothing
        descriptor = _open_lock_file(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _read_pid(descriptor)
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                raise _locked_error(path, holder) from None
            raise write_error(path, error) from error
        self._descriptor = descriptor
        with contextlib.suppress(OSError):  # a full disk: the lock holds without its note
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        _held.add(self)

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock now."""
        return self._descriptor >= 0

    def check(self) -> None:
        """Raise RunLostError if the lock is held on a file that was deleted or replaced.

        So it is when somebody deletes a run that is in training. Another trainer can then lock a
        new run of that name, into which this one must not write.
        """
        if not self.is_held:
            return
        try:
            found = self.path.stat().st_ino
        except FileNotFoundError:
            found = -1
        if found != os.fstat(self._descriptor).st_ino:
            raise RunLostError(
                f"the folder of run {self.path.parent.name!r} was deleted while it was in training "
                f"(its lock {str(self.path)!r} is gone): what was made since is not saved"
            )

    def release(self) -> None:
        """Release the lock; harmless when it was released already."""
        if self.is_held:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            self._close()

    def _close(self) -> None:
        _held.discard(self)
        os.close(self._descriptor)
        self._descriptor = -1

    def __enter__(self) -> "FileLock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __del__(self) -> None:
        if getattr(self, "_descriptor", -1) >= 0:
            self.release()


_held: weakref.WeakSet[FileLock] = weakref.WeakSet()


def _close_in_child() -> None:
    for lock in list(_held):
        lock._close()  # closing the child's copy leaves the parent's lock in force


os.register_at_fork(after_in_child=_close_in_child)


def _open_lock_file(path: Path) -> int:
    try:
        ensure_folder(path.parent)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise write_error(path, error) from error


def _read_pid(descriptor: int) -> int | None:
    for _ in range(20):  # the holder writes its id just after it takes the lock
        text = os.pread(descriptor, 32, 0).strip()
        if text.isdigit():
            return int(text)
        time.sleep(0.005)
    return None


def _locked_error(path: Path, holder_pid: int | None) -> RunLockedError:
    who = "a process of unknown id" if holder_pid is None else f"process {holder_pid}"
    return RunLockedError(
        f"run {path.parent.name!r} is being trained by {who} (lock {str(path)!r}). "
        "Wait for it or stop it, or choose another run name.",
        holder_pid,
    )
