"""A Ray of this machine for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import ray

from selfplay.cluster.ray_session import LOOPBACK, worker_environment


@contextmanager
def local_ray(cores: int) -> Iterator[None]:
    """Start a Ray that believes in `cores` cores, and stop it at the end."""
    ray.init(
        "local",
        num_cpus=cores,
        _node_ip_address=LOOPBACK,
        include_dashboard=False,
        object_store_memory=128 << 20,
        runtime_env={"env_vars": worker_environment()},
        log_to_driver=False,
        logging_level="error",
    )
    yield
    ray.shutdown()
