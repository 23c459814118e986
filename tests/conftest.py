"""What lets the tests run in several processes at once (`make test`), and on a loaded machine."""

import os

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


if "PYTEST_XDIST_WORKER" in os.environ:
    # The threads of torch in one process would wait for the cores that the other uses.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
