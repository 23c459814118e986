"""Stable-Baselines3's replay buffers sampled as in `sampling`, in a process of their own.

Runs as a script and imports nothing of ours, so that the peer can live in another environment.
Reads one JSON object on standard input, {"transitions", "batch", "stack", "size"}, then one
{"buffer", "seconds"} a line; answers each with one line.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import NStepReplayBuffer, ReplayBuffer

Setup = dict[str, int]


def buffer_of(kind: type[Any], setup: Setup, **options: Any) -> Any:
    """Return an empty buffer of stacks of frames."""
    shape = (setup["stack"], setup["size"], setup["size"])
    observations = spaces.Box(0, 255, shape, np.uint8)
    return kind(
        setup["transitions"], observations, spaces.Discrete(4), device="cpu", n_envs=1, **options
    )


def buffers_of(setup: Setup) -> dict[str, Any]:
    """Return full buffers; those that keep both observations share their memory."""
    whole = buffer_of(ReplayBuffer, setup)
    compact = buffer_of(
        ReplayBuffer, setup, optimize_memory_usage=True, handle_timeout_termination=False
    )
    n_step = buffer_of(NStepReplayBuffer, setup, n_steps=3)
    rng = np.random.default_rng(0)
    for row in range(setup["transitions"]):
        noise = rng.integers(256, size=whole.observations.shape[1:], dtype=np.uint8)
        whole.observations[row] = whole.next_observations[row] = noise
        compact.observations[row] = noise
    n_step.observations, n_step.next_observations = whole.observations, whole.next_observations
    for buffer in (whole, compact, n_step):
        buffer.full = True
    return {"whole": whole, "compact": compact, "n_step": n_step}


def bytes_a_transition(buffer: Any, transitions: int) -> float:
    """Return the bytes of all arrays, for each transition."""
    arrays = {id(a): a for a in vars(buffer).values() if isinstance(a, np.ndarray)}
    return sum(array.nbytes for array in arrays.values()) / transitions


def rate(sample: Callable[[], Any], batch: int, seconds: float) -> float:
    """Return transitions a second over about `seconds`."""
    done, begun = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begun) < seconds:
        for _ in range(20):
            sample()
        done += 20 * batch
    return done / elapsed


def main() -> None:
    """Answer questions until standard input ends."""
    torch.set_num_threads(1)
    setup: Setup = json.loads(sys.stdin.readline())
    batch = setup["batch"]
    buffers = buffers_of(setup)
    sizes = {n: bytes_a_transition(b, setup["transitions"]) for n, b in buffers.items()}
    names = ("stable-baselines3", "torch", "numpy")
    facts = {"packages": {name: version(name) for name in names}, "bytes_a_transition": sizes}
    print(json.dumps(facts), flush=True)
    for line in sys.stdin:
        question = json.loads(line)
        buffer = buffers[question["buffer"]]
        found = rate(partial(buffer.sample, batch), batch, question["seconds"])
        print(json.dumps({"transitions_per_s": found}), flush=True)


if __name__ == "__main__":
    main()
