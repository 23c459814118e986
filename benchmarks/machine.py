"""Facts about the machine of a measurement, and the result file."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from agents.cores import allowed_cores

RESULTS = Path(__file__).parent / "results"
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "bmi2", "popcnt")
PACKAGES = ("numba", "numpy", "torch")


def machine_facts(packages: Sequence[str] = PACKAGES) -> dict[str, Any]:
    """Return the facts needed to compare figures between machines; JSON-ready.

    `load_average` is that of the last minute: called before a measurement, it shows whether other
    programs were running.
    """
    info = _first_values(Path("/proc/cpuinfo"))
    present = info.get("flags", "").split()
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": info.get("model name", platform.processor()),
        "cores": allowed_cores(),
        "cpu_flags": [flag for flag in FLAGS if flag in present],
        "memory_gib": _memory_gib(),
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "packages": {name: _version(name) for name in packages},
    }


def write_result(name: str, result: dict[str, Any]) -> Path:
    """Write a benchmark's result to `results/<name>.json` and return the path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    return path


def _first_values(path: Path) -> dict[str, str]:
    """Return the first value of each key of a `key : value` file; empty if it is missing."""
    values: dict[str, str] = {}
    if path.is_file():
        for line in path.read_text().splitlines():
            key, _, value = line.partition(":")
            values.setdefault(key.strip(), value.strip())
    return values


def _memory_gib() -> float | None:
    """Return the machine's memory in GiB; None if the system does not report it."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError):  # unknown names on this system
        return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
