"""Checks of the machine for `ludens doctor`, before any measurement.

Each check is a function that returns a Finding and does not raise. The measurements
are the algorithm's own (`LearningMethod.measure_speed`).
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from agents.findings import Finding, Status, first_line, usable_cores
from agents.registry import method_of
from agents.training import TrainConfig
from envs.compiled.kernel_cache import cache_root, source_hash
from selfplay.package_check import ROOT
from store.errors import AlreadyStoredError, StoreError
from store.files.local import LocalFiles
from store.files.opening import open_files
from store.files.protocol import Files

GIB = 1 << 30
NEEDED_MEMORY, COMFORTABLE_MEMORY = 1.0, 3.0  # GiB that are free
NEEDED_DISK, COMFORTABLE_DISK = 0.5, 5.0
BUSY_SHARE = 0.5  # of the cores, by the load of the last minute
SLOW_STORE_S = 0.5  # for a small file
REQUIRED = (
    *("fsspec", "jinja2", "msgspec", "numba", "numpy", "openskill", "pyarrow", "rich"),
    *("safetensors", "scipy", "torch"),
)
OPTIONAL = {  # and what is missing without it
    "ale-py": "games of Atari",
    "argcomplete": "completion in the shell",
    "av": "films of `record`",
    "chess": "PGN, and moves of chess in letters",
    "gymnasium": "environments",
    "matplotlib": "pictures of `rate`",
    "pettingzoo": "the games as its environments",
    "pillow": "pictures of `record`",
    "ray": "`--workers`",
    "tensorboard": "curves of `train`",
    "textual": "the screen of `play`",
    "textual-serve": "`play --web`",
}
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def examine(config: TrainConfig, store_url: str) -> Iterator[Finding]:
    """Yield every finding except speed, in the order of a report."""
    environment = os.environ
    yield cores(config, environment)
    yield memory(method_of(config).memory_settings)
    yield graphics_card(config)
    yield threads(environment)
    yield packages(Path(ROOT / "constraints.txt"))
    yield kernel_cache()
    yield ray(config, environment)
    yield store(store_url)
    yield disk(store_url)


# --- the machine --------------------------------------------------------------------------------


def cores(config: TrainConfig, environment: Mapping[str, str]) -> Finding:
    """Check that the preset's threads and workers fit the cores, and that the cores are free."""
    count = usable_cores()
    load = os.getloadavg()[0]
    said = f"{count:g} cores, load {load:.1f}"
    algorithm = method_of(config)
    wanted = config.workers * config.cluster.worker_cpus or algorithm.acting_threads(config)
    setting = algorithm.threads_setting
    what = "workers' cores" if config.workers else setting
    elsewhere = config.workers and "RAY_ADDRESS" in environment
    if not elsewhere and wanted > count:
        fewer = "fewer --workers" if config.workers else f"--{setting} {max(1, int(count))}"
        return Finding("cores", "warning", f"{said}; {what} = {wanted}", f"use {fewer}")
    if load > BUSY_SHARE * count:
        advice = "end other work: training gets only the rest, as do the figures below"
        return Finding("cores", "warning", f"{said}: other work runs here", advice)
    if not config.workers and wanted < int(count):
        more = f"--{setting} {int(count)}, or --workers"
        return Finding("cores", "warning", f"{said}; {what} = {wanted} leaves some idle", more)
    return Finding("cores", "ok", f"{said}; {what} = {wanted}")


def memory(settings: str) -> Finding:
    """Check the memory that a run can use; `settings` are those that would lower its need."""
    lines = (line.partition(":") for line in _text(Path("/proc/meminfo")).splitlines())
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in lines if rest.split()}
    if "MemAvailable" not in kilobytes:
        return Finding("memory", "ok", "unknown: this system has no /proc/meminfo")
    total, free = (kilobytes[name] * 1024 / GIB for name in ("MemTotal", "MemAvailable"))
    limit = first_line(Path("/sys/fs/cgroup/memory.max"))
    if limit.isdigit():
        used = int(first_line(Path("/sys/fs/cgroup/memory.current")) or 0) - _cached_bytes()
        total, free = min(total, int(limit) / GIB), min(free, (int(limit) - used) / GIB)
    said = f"{free:.1f} of {total:.1f} GiB free"
    advice = f"smaller {settings} need less"
    return _by_amount("memory", free, NEEDED_MEMORY, COMFORTABLE_MEMORY, said, advice)


def _cached_bytes() -> int:
    """Return what of a control group's memory the system frees as soon as a process asks."""
    lines = map(str.split, _text(Path("/sys/fs/cgroup/memory.stat")).splitlines())
    return sum(int(words[1]) for words in lines if words[:1] == ["inactive_file"])


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _by_amount(
    name: str, free: float, needed: float, comfortable: float, said: str, advice: str
) -> Finding:
    if free >= comfortable:
        return Finding(name, "ok", said)
    return Finding(name, "problem" if free < needed else "warning", said, advice)


def graphics_card(config: TrainConfig) -> Finding:
    """Check the card that `device` selects, if any."""
    try:
        torch = importlib.import_module("torch")
    except ImportError as error:
        return Finding("graphics card", "problem", f"torch: {error}", "make setup installs it")
    if not torch.cuda.is_available():
        if config.device.startswith("cuda"):
            advice = "--device cpu, or a PyTorch and a driver that see the card"
            return Finding(
                "graphics card", "problem", f"none, and device = {config.device}", advice
            )
        return Finding("graphics card", "ok", "none: networks run on the processor")
    name = torch.cuda.get_device_name(0)
    free, total = (size / GIB for size in torch.cuda.mem_get_info(0))
    said = f"{name}, {free:.1f} of {total:.1f} GiB free"
    if config.device == "cpu":
        return Finding("graphics card", "warning", f"{said}, unused", "--device cuda uses it")
    return _by_amount("graphics card", free, 0.5, 2.0, said, "end what else uses the card")


# --- the installation ---------------------------------------------------------------------------


def threads(environment: Mapping[str, str]) -> Finding:
    """Check environment settings that limit, oversubscribe or busy-wait threads."""
    count = usable_cores()
    hurting = [
        f"{name}={environment[name]} is more than {count:g} cores"
        for name in THREADS
        if environment.get(name, "").isdigit() and int(environment[name]) > count
    ]
    if environment.get("OMP_WAIT_POLICY", "").lower() == "active":
        hurting.append("OMP_WAIT_POLICY=active: waiting threads take the others' time")
    if environment.get("NUMBA_DISABLE_JIT", "") not in ("", "0"):
        advice = "unset NUMBA_DISABLE_JIT"
        return Finding("threads", "problem", "NUMBA_DISABLE_JIT: the search is interpreted", advice)
    if hurting:
        names = " ".join(text.partition("=")[0] for text in hurting)
        return Finding("threads", "warning", "; ".join(hurting), f"unset {names}")
    given = [f"{name}={environment[name]}" for name in THREADS if environment.get(name)]
    return Finding("threads", "ok", ", ".join(given) or "nothing in the environment limits them")


def packages(constraints: Path) -> Finding:
    """Check that required packages are installed in the versions that are tested together."""
    wanted = {}
    for line in _text(constraints).splitlines():
        name, equals, version = line.partition("#")[0].strip().partition("==")
        if equals:
            wanted[_canonical(name)] = version
    if not wanted:
        return Finding("packages", "warning", f"no versions to compare with in {constraints}")
    have = {_canonical(d.name): d.version for d in metadata.distributions() if d.name}
    if missing := [name for name in REQUIRED if name not in have]:
        return Finding("packages", "problem", f"missing: {', '.join(missing)}", "make setup")
    other = [
        f"{name} {have[name]}, not {version}"
        for name, version in wanted.items()
        if name in have and have[name].partition("+")[0] != version.partition("+")[0]
    ]
    if other:
        return Finding(
            "packages", "warning", "; ".join(other), "make setup installs the tested ones"
        )
    if absent := {name: what for name, what in OPTIONAL.items() if name not in have}:
        said = ", ".join(f"{name} ({what})" for name, what in absent.items())
        return Finding("packages", "warning", f"not installed: {said}", "make setup installs them")
    same = sum(name in have for name in wanted)
    return Finding("packages", "ok", f"{same} of {len(wanted)} in constraints.txt, all as tested")


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def kernel_cache() -> Finding:
    """Check for compiled kernels. Call it before Numba is imported, which creates the folder."""
    folder = cache_root() / source_hash()
    parent = next(p for p in (folder, *folder.parents) if p.exists())
    if not os.access(parent, os.W_OK):
        advice = "set LUDENS_CACHE_DIR to a folder that can be written"
        said = f"{folder} cannot be written: every start compiles again"
        return Finding("kernel cache", "warning", said, advice)
    kernels = sum(1 for _ in folder.rglob("*.nbc"))
    if not kernels:
        said = f"cold: the first start compiles the search, into {folder}"
        return Finding("kernel cache", "warning", said, "nothing: it is warm from then on")
    return Finding("kernel cache", "ok", f"warm: {kernels} kernels in {folder}")


def ray(config: TrainConfig, environment: Mapping[str, str]) -> Finding:
    """Check that Ray can be imported, where it would run, and who could connect."""
    wanted = config.workers > 0
    try:
        version = importlib.import_module("ray").__version__
    except ImportError as error:
        status: Status = "problem" if wanted else "warning"
        return Finding("ray", status, f"cannot be imported: {error}", "make setup installs it")
    mode = environment.get("RAY_AUTH_MODE", "").lower() or "not set"
    address = environment.get("RAY_ADDRESS")
    said = f"{version}, RAY_AUTH_MODE {mode}"
    if address and mode != "token":
        advice = "RAY_AUTH_MODE=token here and on the cluster (docs/cluster.md)"
        said += f": anyone who can reach {address} can run code there"
        return Finding("ray", "problem" if wanted else "warning", said, advice)
    if address:
        return Finding("ray", "ok", f"{said}, cluster at {address}")
    if wanted and mode not in ("token", "not set"):  # unset, Ray makes a token of its own
        said += ", a local cluster: anyone who can reach this machine can run code there"
        return Finding("ray", "warning", said, "unset RAY_AUTH_MODE")
    here = "a local cluster, protected by a token" if wanted else "not used with workers = 0"
    return Finding("ray", "ok", f"{said}, {here}")


# --- the store ----------------------------------------------------------------------------------


def store(store_url: str) -> Finding:
    """Check that the store creates a file exclusively, reads it back and removes it."""
    try:
        files = open_files(store_url)
        is_new = isinstance(files, LocalFiles) and not files.root.exists()
        took = _tried(files)
        if is_new:
            files.remove_folder("")
    except (OSError, StoreError) as error:
        advice = "another --store, or the permissions and settings that the message names"
        return Finding("store", "problem", f"{store_url!r}: {error}", advice)
    if took is None:
        said = f"{files.url}: a second file of the same name replaced the first"
        return Finding("store", "problem", said, "a store that can create a file exclusively")
    said = f"{files.url}: written, refused twice, read and removed in {1000 * took:.0f} ms"
    if took > SLOW_STORE_S:
        advice = "a nearer store, or larger --cluster.segment-rows and --checkpoint-minutes"
        return Finding("store", "warning", said, advice)
    return Finding("store", "ok", said)


def _tried(files: Files) -> float | None:
    """Return the seconds of a trial write; None if an existing file can be replaced."""
    key, began = f"doctor-{uuid.uuid4().hex}", time.perf_counter()
    files.create(key, b"first")
    try:
        files.create(key, b"second")
    except AlreadyStoredError:
        took = time.perf_counter() - began
        return took if files.read(key) == b"first" else None
    finally:
        files.remove(key)
    return None


def disk(store_url: str) -> Finding:
    """Check the free space of a store on a local disk."""
    try:
        files = open_files(store_url)
    except StoreError as error:
        return Finding("disk", "problem", str(error), "another --store")
    if not isinstance(files, LocalFiles):
        return Finding("disk", "ok", f"{files.url} is not on this machine's disk")
    folder = next(p for p in (files.root, *files.root.parents) if p.exists())
    free = shutil.disk_usage(folder).free / GIB
    advice = "ludens runs prune frees room, or another --store"
    said = f"{free:.1f} GiB free at {folder}"
    return _by_amount("disk", free, NEEDED_DISK, COMFORTABLE_DISK, said, advice)


# --- speed --------------------------------------------------------------------------------------

TRANSFER_SHARE = 0.1  # of the seconds, where there are workers


def examine_speed(config: TrainConfig, seconds: float) -> Iterator[Finding]:
    """Measure for about `seconds`, plus about as long to compile and to load.

    Raises what the game, the device or Ray raise.
    """
    algorithm = method_of(config)
    share = TRANSFER_SHARE if config.workers else 0.0
    yield from algorithm.measure_speed(config, (1.0 - share) * seconds)
    if config.workers:
        speed = transfer_speed(algorithm.observation_shape(config), share * seconds)
        yield Finding("transfer", "ok", f"{speed / 1e6:,.0f} MB/s to an actor and back")


def transfer_speed(shape: tuple[int, ...], seconds: float) -> float:
    """Measure bytes/s of a float32 array of `shape` to a Ray actor and back."""
    import numpy as np
    import ray

    from selfplay.cluster.ray_session import connected

    class Echo:
        def back(self, array: Any) -> Any:
            return array

    array = np.zeros(shape, np.float32)
    with connected(cpus=1):
        remote: Any = ray.remote(Echo)
        echo = remote.options(num_cpus=1).remote()
        ray.get(echo.back.remote(array), timeout=60)
        count, began = 0, time.perf_counter()
        while (took := time.perf_counter() - began) < seconds or not count:
            ray.get(echo.back.remote(array), timeout=60)
            count += 1
        ray.kill(echo)
    return 2.0 * count * array.nbytes / took
