"""What this process has of the machine: its cores, and memory that it does not need any more."""

import ctypes
import os

CORES_VARIABLE = "LUDENS_CORES"
"""Of the environment: the most cores that this process and its children use, where others run."""


def allowed_cores() -> int:
    """Count the cores that this process may run on: its affinity, or all if it has none.

    At most CORES_VARIABLE. macOS has no affinity of processes, and `os.process_cpu_count` is not in
    Python 3.11.
    """
    has_affinity = hasattr(os, "sched_getaffinity")
    found = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    limit = os.environ.get(CORES_VARIABLE, "")
    return min(found, max(1, int(limit))) if limit.isdecimal() else found


def use_threads(count: int) -> None:
    """Let networks on the processor compute with this many threads.

    Beside another process that computes, each needs its share alone: two of two threads each on two
    cores are many times slower than one after the other.
    """
    from torch import set_num_threads  # seconds to import: not for those who only count

    set_num_threads(count)


def give_back_memory() -> None:
    """Return freed memory to the system, where the C library has a call for that (glibc).

    Making a network for inference and compiling leave holes of hundreds of megabytes that nothing
    fills later.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
