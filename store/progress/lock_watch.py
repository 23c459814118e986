"""Watch whether a trainer holds a run's lock, without disturbing it."""

import time
from collections.abc import Callable, Sequence

from store.errors import RunLockedError, StoreError
from store.files.lease import BEAT_SECONDS
from store.files.protocol import Files
from store.run import LOCK_FILE

PAUSES = (2.5, 2.5, 5.0)
"""Seconds between looks at a lease until it is known: two beats together, few requests."""


class LockWatch:
    """One observer's record of a run's lock, by its own monotonic clock.

    A local trainer notes its process in the lock's file and takes the note back when it ends. Only
    where a note was left is the lock tried, which no holder notices: it fails, or the note is
    stale. On an object store the lease's heartbeats (see `store.files.lease`) are watched from one
    look to the next, and nothing is tried; a look is one request.

    Args:
        files: the run's.
        clock: seconds, as `time.monotonic`.
    """

    def __init__(self, files: Files, clock: Callable[[], float] = time.monotonic) -> None:
        self._files = files
        self._clock = clock
        self._seen: list[str] | None = None
        self._since = 0.0
        self._has_changed = False

    def look(self, names: Sequence[str] | None = None) -> bool | None:
        """Whether the lock is held; None as long as a lease was watched for less than two beats.

        Args:
            names: the files in the lock's folder, if they were just listed.

        Raises:
            OSError, StoreError: the lock cannot be examined.
        """
        listed = self._files.names(LOCK_FILE) if names is None else sorted(names)
        return self._look_at_lease(listed) if listed else self._is_locked()

    def is_held(
        self, names: Sequence[str] | None = None, pause: Callable[[float], None] = time.sleep
    ) -> bool:
        """Look until the answer is known, at most two beats; arguments and errors as `look`."""
        held = self.look(names)
        for seconds in PAUSES:
            if held is not None:
                break
            pause(seconds)
            held = self.look()
        return bool(held)

    def may_be_held(self) -> bool:
        """Look once; False where the lock is free or cannot be examined."""
        try:
            return self.look() is not False
        except (OSError, StoreError):
            return False

    def _look_at_lease(self, names: list[str]) -> bool | None:
        now = self._clock()
        if names != self._seen:
            self._has_changed = self._seen is not None
            self._seen, self._since = names, now
        generation = max(name[:8] for name in names)
        if f"{generation}-released" in names:
            return False
        if now - self._since >= 2 * BEAT_SECONDS:
            return False
        return True if self._has_changed else None

    def _is_locked(self) -> bool:
        try:
            if self._files.read(LOCK_FILE).strip():
                self._files.lock(LOCK_FILE).release()
        except FileNotFoundError:
            return False
        except RunLockedError:
            return True
        return False
