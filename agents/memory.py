"""Memory that a process has freed and still holds."""

from __future__ import annotations

import ctypes


def give_back_memory() -> None:
    """Return freed memory to the system, where the C library has a call for that (glibc).

    Making a network for inference and compiling leave holes of hundreds of megabytes that nothing
    fills later.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
