"""How many cores this process may use, on every system that Ludens runs on."""

import os


def allowed_cores() -> int:
    """Count the cores that this process may run on: its affinity, or all if it has none.

    macOS has no affinity of processes, and `os.process_cpu_count` is not in Python 3.11.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
