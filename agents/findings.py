"""Findings of an examination of the machine, and the cores that it may use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agents.cores import allowed_cores

Status = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One finding: its subject, its status, a sentence, and advice."""

    name: str
    status: Status
    text: str
    advice: str = ""


def usable_cores() -> float:
    """Count the cores that this process may use: its affinity, and the quota of its container."""
    allowed = float(allowed_cores())
    quota, _, period = first_line(Path("/sys/fs/cgroup/cpu.max")).partition(" ")
    return min(allowed, int(quota) / int(period)) if quota.isdigit() and period else allowed


def first_line(path: Path) -> str:
    """Return the first line of a file, stripped; empty if there is none."""
    try:
        return path.read_text().partition("\n")[0].strip()
    except OSError:
        return ""
