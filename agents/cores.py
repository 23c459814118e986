"""How many cores this process may use, on every system that Ludens runs on."""

import os


def allowed_cores() -> int:
    """Count the cores that this process may run on: its affinity, or all if it has none.

    macOS has no affinity of processes, and `os.process_cpu_count` is not in Python 3.11.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_threads(count: int) -> None:
    """Let networks on the processor compute with this many threads.

    Beside another process that computes, each needs its share alone: two of two threads each on two
    cores are many times slower than one after the other.
    """
    from torch import set_num_threads  # seconds to import: not for those who only count

    set_num_threads(count)
