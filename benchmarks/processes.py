"""Processes of this machine: our process tree, its CPU and memory use, and that of others.

Read from /proc, so Linux only. Ray's processes are children of the process that started it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
STATE, PARENT, USER_TICKS, SYSTEM_TICKS = (
    0,
    1,
    11,
    12,
)  # of /proc/<pid>/stat, after the command's name
IDLE, IO_WAIT, STEAL = 3, 4, 7  # of the first line of /proc/stat


def _stat(pid: int) -> list[str]:
    """Return the fields of a process after its name, which may contain spaces; [] if it ended."""
    with suppress(OSError):
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return []


def is_alive(pid: int) -> bool:
    """Return whether a process is running; a zombie is not."""
    return _stat(pid)[STATE:1] not in ([], ["Z"])


def family(pid: int) -> list[int]:
    """Return the ids of a process and of all its descendants."""
    children: dict[int, list[int]] = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))):
            children.setdefault(int(fields[PARENT]), []).append(int(folder.name))
    found = [pid]
    for member in found:  # grows during the loop
        found += children.get(member, [])
    return found


def named(pids: Iterable[int], prefix: str) -> list[int]:
    """Return the processes whose command line begins with `prefix`: `ray::<class>` for actors."""
    found = []
    for pid in pids:
        with suppress(OSError):
            if (PROC / str(pid) / "cmdline").read_bytes().startswith(prefix.encode()):
                found.append(pid)
    return found


def cpu_seconds(pids: Iterable[int]) -> dict[int, float]:
    """Return the core seconds of each process that still exists."""
    fields = {pid: found for pid in pids if (found := _stat(pid))}
    return {
        pid: (int(found[USER_TICKS]) + int(found[SYSTEM_TICKS])) / TICKS_PER_S
        for pid, found in fields.items()
    }


def resident_mib(pid: int) -> float | None:
    """Return resident memory in MiB, shared pages included; None if the process ended."""
    with suppress(OSError):
        pages = int((PROC / str(pid) / "statm").read_text().split()[1])
        return pages * PAGE / 2**20
    return None


class MachineShare:
    """Measures shares of the machine's cores, from creation to each call.

    A process of ours that ended in between is counted as another program's.
    """

    def __init__(self) -> None:
        self._machine = self._core_seconds()
        self._ours = cpu_seconds(family(os.getpid()))

    @staticmethod
    def _core_seconds() -> tuple[float, float, float]:
        """Return core seconds since boot: total, busy, stolen by the hypervisor."""
        first = (PROC / "stat").read_text().partition("\n")[0]
        ticks = [int(field) for field in first.split()[1:9]]
        idle, stolen, total = ticks[IDLE] + ticks[IO_WAIT], ticks[STEAL], sum(ticks)
        return total / TICKS_PER_S, (total - idle - stolen) / TICKS_PER_S, stolen / TICKS_PER_S

    def shares(self) -> dict[str, float]:
        """Return the shares `ours` (with descendants), `others`, `stolen` (hypervisor), 0 to 1."""
        every, busy, stolen = (
            now - then for now, then in zip(self._core_seconds(), self._machine, strict=True)
        )
        now = cpu_seconds(family(os.getpid()))
        ours = sum(used - self._ours.get(pid, 0.0) for pid, used in now.items())
        parts = {"ours": ours, "others": max(busy - ours, 0.0), "stolen": stolen}
        return {name: round(part / max(every, 1e-9), 3) for name, part in parts.items()}
