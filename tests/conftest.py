"""What lets the tests run in several processes at once (`make test`), and on a loaded machine."""

import contextlib
import os
import shutil
import tempfile

from hypothesis import HealthCheck, settings

# Torch's threads spin while they wait for each other, which on a busy machine is most of what they
# do: a small training took 20 s of processor time instead of 8. Read when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# A process authenticates to every Ray that it starts as it did to the first: one without a token,
# after one with it, loses its actors before they run. So all tests start theirs alike.
os.environ["RAY_AUTH_MODE"] = "disabled"

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


MEMORY_DISK = "/dev/shm"  # Linux's
ROOM = 2 << 30  # bytes, more than all tests leave


def _settle_in_memory() -> None:
    """Let temporary files be on a disk in memory, if there is one with room for all of them.

    A store waits for the disk at each commit. A training of a second commits some fifty times, and
    a wait is 1 ms to 20 ms. A TMPDIR that is set stays. Ray's logs stay where they are.
    """
    with contextlib.suppress(OSError):
        found = os.statvfs(MEMORY_DISK)  # one in a container may be small, and may run no program
        is_fit = found.f_bavail * found.f_frsize >= ROOM and not found.f_flag & os.ST_NOEXEC
        if is_fit and "TMPDIR" not in os.environ and os.access(MEMORY_DISK, os.W_OK):
            os.environ.setdefault("RAY_TMPDIR", tempfile.gettempdir())
            os.environ["TMPDIR"] = tempfile.tempdir = MEMORY_DISK


_settle_in_memory()


def _settle_beside_others(worker: str) -> None:
    """Give a worker of pytest-xdist, and what it starts, a kernel cache and a core of its own.

    Two processes that compile into one cache at once can mix up the entries of its indices, and
    the threads of torch in one would wait for the cores that the other uses. The cache begins as a
    copy of the shared one, if that has kernels of these sources.
    """
    from envs import kernel_cache

    shared, generation = kernel_cache.cache_root(), kernel_cache.source_hash()
    own = shared.with_name(f"{shared.name}-{worker}")
    if not (own / generation).exists():
        with contextlib.suppress(OSError):  # what did not get across is compiled again
            shutil.copytree(shared / generation, own / generation)
    os.environ["LUDENS_CACHE_DIR"] = str(own)
    kernel_cache.activate()
    os.environ.setdefault("OMP_NUM_THREADS", "1")


if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    _settle_beside_others(worker)
