"""What lets the tests run in several processes at once (`make test`), and on a loaded machine."""

import contextlib
import os
import shutil

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


def _settle_beside_others(worker: str) -> None:
    """Give a worker of pytest-xdist, and what it starts, a kernel cache and a core of its own.

    Two processes that compile into one cache at once can mix up the entries of its indices, and
    the threads of torch in one would wait for the cores that the other uses. The cache begins as a
    copy of the shared one, if that has kernels of these sources.
    """
    from envs.compiled import kernel_cache

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
