"""Move a run's damaged files to its quarantine, where they are never read as data.

The reason for a file that a reader moved is beside it, in `<name>.reason.txt`.
"""

from collections.abc import Sequence
from itertools import count

from store.errors import FileTooLargeError, StoreWriteError
from store.files.protocol import MOST_JSON_BYTES, Files

QUARANTINE_FOLDER = "quarantine"
REASON_SUFFIX = ".reason.txt"
NO_REASON = "no reason is noted"


def quarantine_file(files: Files, key: str, name: str, reason: object) -> str:
    """Move a damaged file to `quarantine/<name>`, write its reason, and return the new key.

    Of several readers that find the damage, one moves the file.

    Raises:
        FileNotFoundError: another process has moved it.
        AlreadyStoredError: another file is in quarantine under that name.
        OSError, StoreWriteError: it could not be moved.
    """
    target = f"{QUARANTINE_FOLDER}/{name}"
    files.move(key, target)
    files.create(f"{target}{REASON_SUFFIX}", f"{key}\n{reason}\n".encode())
    return target


def quarantine_replaced_file(files: Files, key: str, name: str, what: str) -> None:
    """Move a damaged file that its only writer replaces, to `<name>`, `<name>.1`, `<name>.2`, ...

    `what` names it for people. Raises StoreWriteError when it cannot be moved.
    """
    taken = {*files.names(QUARANTINE_FOLDER)}
    free = next(t for n in count() if (t := f"{name}.{n}" if n else name) not in taken)
    _move(files, [(key, free)], what, free)


def quarantine_folder(files: Files, folder: str, name: str, what: str, first: str) -> None:
    """Move the files of a damaged folder to `<name>-0`, `<name>-1`, ..., the file `first` first.

    `what` names it for people. Raises StoreWriteError when a file cannot be moved.
    """
    taken = {*files.folders(QUARANTINE_FOLDER)}
    free = next(t for n in count() if (t := f"{name}-{n}") not in taken)
    names = sorted(files.names(folder), key=lambda found: found != first)
    _move(files, [(f"{folder}/{found}", f"{free}/{found}") for found in names], what, free)


def _move(files: Files, moves: Sequence[tuple[str, str]], what: str, target: str) -> None:
    """Move files into the quarantine, by (key, name there)."""
    try:
        for key, name in moves:
            files.move(key, f"{QUARANTINE_FOLDER}/{name}")
    except OSError as error:
        raise StoreWriteError(
            f"cannot move the damaged {what} to {files.url}/{QUARANTINE_FOLDER}/{target}: {error}.",
            error.errno,
        ) from error


def quarantined(files: Files) -> dict[str, str]:
    """List the quarantined files: {key: reason}."""
    keys = [entry.key for entry in files.tree(QUARANTINE_FOLDER)]
    return {key: _reason(files, key) for key in keys if not key.endswith(REASON_SUFFIX)}


def _reason(files: Files, key: str) -> str:
    try:
        text = files.read(f"{key}{REASON_SUFFIX}", MOST_JSON_BYTES).decode(errors="replace")
    except (OSError, FileTooLargeError):
        return NO_REASON
    return " ".join(text.splitlines()[1:]) or NO_REASON
