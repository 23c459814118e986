"""The exceptions of the store."""


class StoreError(Exception):
    """Base of every error the store raises on purpose."""


class StoreWriteError(StoreError):
    """Writing failed (disk full, permission denied, ...); what was saved before is untouched.

    Attributes:
        errno: the operating system's error number, as in `OSError.errno`, or None.
    """

    def __init__(self, message: str, errno: int | None = None) -> None:
        super().__init__(message)
        self.errno = errno


class AlreadyStoredError(StoreError):
    """The name to be committed exists already; nothing in a store is ever replaced."""


class StoreUrlError(StoreError):
    """The store's address is not one this version can open."""


class StoreAccessError(StoreError, PermissionError):
    """The store's server refuses the credentials, or there are none."""


class StoreUnreachableError(StoreError, ConnectionError):
    """The store's server did not answer, or was too busy, at every attempt."""


class FileTooLargeError(StoreError, ValueError):
    """A file is larger than any of its kind, so it is not read."""


def too_large(key: str, most: int) -> FileTooLargeError:
    """Make the error that names a file of more than `most` bytes."""
    return FileTooLargeError(f"{key!r} has more than {most:,} bytes, as no such file has")


class RunNameError(StoreError):
    """The name of the run is not allowed."""


class RunNotFoundError(StoreError):
    """The store has no run of that name."""


class RunExistsError(StoreError):
    """A new run was asked for under a name that is taken."""


class RunMismatchError(StoreError):
    """The stored run is of another game or of a schema that this version cannot read."""


class RunLockedError(StoreError):
    """Another process trains this run.

    Attributes:
        holder_pid: process id of the holder on its machine, or None when it could not be read.
    """

    def __init__(self, message: str, holder_pid: int | None = None) -> None:
        super().__init__(message)
        self.holder_pid = holder_pid


class RunLostError(StoreError):
    """This process is no longer the run's trainer: another one may train it now."""


class SchemaError(StoreError):
    """An episode, schema or array does not have the dtype, shape or names expected."""


class SegmentError(StoreError):
    """A segment's bytes are damaged or not a segment at all: it belongs in quarantine."""


class ForeignSegmentError(StoreError):
    """A segment is intact but not for this reader (newer version, other kind or schema)."""


class CheckpointError(StoreError):
    """A checkpoint is damaged: a file is missing, truncated or altered."""


class CheckpointNotFoundError(StoreError):
    """There is no complete checkpoint of that step."""


UNREADABLE = (
    *(StoreError, OSError, ValueError, KeyError, TypeError),
    *(AttributeError, OverflowError, RecursionError),
)
"""What reading a stored document can raise that is damaged, or that no program of ours wrote."""
