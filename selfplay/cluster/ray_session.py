"""Ray in this process: an existing cluster, or a local one."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import ray

from agents.running.compiling import one_at_a_time
from selfplay.cluster.supervision import first_line
from selfplay.package_check import ROOT, check_packages
from store.errors import StoreUrlError
from store.files.opening import open_files

LOOPBACK = "127.0.0.1"
"""The address by which the processes of a local cluster find each other. Ray's ports are open on
all interfaces nevertheless; what protects them is the token that `ray.init` generates."""
OBJECT_STORE_BYTES = 512 << 20  # of a local cluster: weights and planes, nothing permanent
QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
NOT_SHIPPED = [".git", ".venv", "runs", "*.pyc", ".mypy_cache", ".ruff_cache", ".pytest_cache"]


class RayStartError(Exception):
    """Ray could not be started, or the cluster not be reached."""


@contextmanager
def connected(cpus: int) -> Iterator[bool]:
    """Connect to the cluster of RAY_ADDRESS or of the job, or start a local one.

    Yields whether it is a local one. Ray's SIGTERM handler is removed: the caller has its own.

    Raises RayStartError where neither succeeds, as on a machine with too much other work.
    """
    if ray.is_initialized():  # the caller's, who will shut it down
        yield False
        return
    here = "RAY_ADDRESS" not in os.environ
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        _start(cpus) if here else ray.init(runtime_env=shipped_environment(), **QUIET)
    except Exception as error:  # Ray raises plain ones
        ray.shutdown()
        where = "a local Ray" if here else f"Ray at {os.environ['RAY_ADDRESS']}"
        raise RayStartError(f"{where} did not start or answer: {first_line(error)}") from error
    _keep_terminal_clean()
    with suppress(ValueError, TypeError):  # not the main thread, or no handler of Python's
        for number, handler in handlers.items():
            signal.signal(number, handler)
    try:
        yield here
    finally:
        ray.shutdown()


def _start(cpus: int) -> None:
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")  # no card unless asked for
    ray.init(
        "local",
        _node_ip_address=LOOPBACK,
        num_cpus=cpus,
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        runtime_env={"env_vars": worker_environment()},
        **QUIET,
    )


def _keep_terminal_clean() -> None:
    """Silence Ray's messages about dead processes, for which it has no option.

    We report every such death as a notice.
    """
    from ray._private import worker

    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda *_, **__: None


def worker_environment() -> dict[str, str]:
    """Return what every process needs: our packages and this process's kernel cache."""
    kept = {name: os.environ[name] for name in ("LUDENS_CACHE_DIR",) if name in os.environ}
    return {"PYTHONPATH": str(ROOT), **kept}


def shipped_environment() -> dict[str, Any]:
    """Return our sources for a cluster; a job already brings its own."""
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ or os.environ.get("RAY_JOB_SUBMISSION_ID"):
        return {}
    return {"working_dir": str(ROOT), "excludes": NOT_SHIPPED}


def shared_store(store_url: str, workers: int) -> str:
    """Return the store's address as other processes understand it: never a relative path.

    Raises StoreUrlError for a store that they cannot reach.
    """
    url = open_files(store_url).url
    if url.startswith("memory:"):
        raise StoreUrlError(
            f"the store {store_url!r} lives in one process, and {workers} workers cannot "
            "see it: give a folder or an object store's URL, or --workers 0"
        )
    return url


@contextmanager
def settling() -> Iterator[None]:
    """Check packages and compile alone during the first work of a Ray process.

    Raises RuntimeError if packages other than ours would be imported.
    """
    check_packages()
    with one_at_a_time():
        yield
