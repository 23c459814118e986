"""Sampling of transitions from a ring of frames, against Stable-Baselines3's replay buffers.

    python -m benchmarks.replay.sampling [--seconds 30] [--peer-python PATH]

Batches of 32 transitions of stacks of 4 frames of 84 x 84, as torch tensors, on one core. Both
sides take turns, so that changes of the machine's speed affect both alike. The peer's buffers are a
part of their size in use: a million transitions would need 56 GB, or 28 GB with
`optimize_memory_usage`.
`--peer-python` is a Python that has stable-baselines3; without it this one's is used, if it has it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.answering import Answering
from benchmarks.machine import machine_facts, write_result
from benchmarks.turns import Rate, medians, take_turns
from store.memory.frame_ring import FrameRing
from store.memory.frames import GOES_ON, TERMINATED, frames_schema
from store.memory.priorities import Priorities
from store.replay.episodes import Episode, EpisodeBatch

FRAMES = 100_000  # in our ring
PEER_TRANSITIONS = 25_000  # in each of the peer's
BATCH, STACK, SIZE = 32, 4, 84
STREAMS, PIECE, PIECES = 64, 16, 40  # steps of a piece, pieces of an episode
ROUNDS = 7
PEERS = {1: ("whole", "compact"), 3: ("n_step",)}


def filled_ring(steps: int, *, by_priority: bool) -> FrameRing:
    """Return a full ring of noise, in pieces as the actor of 64 environments makes them."""
    schema = frames_schema((SIZE, SIZE))
    priorities = Priorities(FRAMES) if by_priority else None
    ring = FrameRing(FRAMES, schema, stack=STACK, steps=steps, priorities=priorities)
    rng, number = np.random.default_rng(0), 0
    while ring.ring.total_added < FRAMES:
        pieces = [_piece(rng, stream, *divmod(number, PIECES)) for stream in range(STREAMS)]
        ring.extend(EpisodeBatch.of(schema, pieces))
        number += 1
    return ring


def _piece(rng: np.random.Generator, stream: int, episode: int, number: int) -> Episode:
    ended = number == PIECES - 1
    shape = (PIECE + ended, SIZE, SIZE)
    columns: dict[str, Any] = {
        "frame": rng.integers(256, size=shape, dtype=np.uint8),
        "action": np.zeros(PIECE, np.int32),
        "reward": np.ones(PIECE, np.float32),
        "stream": np.array([stream]),
        "episode": np.array([episode]),
        "first_step": np.array([number * PIECE]),
        "ending": np.array([TERMINATED if ended else GOES_ON], np.uint8),
    }
    return Episode(rng.bytes(16), columns)


def our_sampling(ring: FrameRing) -> Callable[[], object]:
    """Return what draws a batch as tensors; the frames go into one that is used again."""
    rng = np.random.default_rng(1)
    frames = torch.empty((BATCH, STACK + ring.steps, SIZE, SIZE), dtype=torch.uint8)
    out = frames.numpy()

    def sample() -> object:
        drawn = ring.sample(rng, BATCH, 0.5, out)
        rest = (drawn.actions, drawn.returns, drawn.discounts, drawn.weights)
        stacks, later = frames[:, :STACK], frames[:, ring.steps :]
        return stacks, later, *map(torch.from_numpy, rest)

    return sample


def rate_of(sample: Callable[[], object]) -> Rate:
    """Return what measures a way of sampling."""

    def rate(seconds: float) -> tuple[float, float]:
        done, begun, used = 0, time.perf_counter(), time.process_time()
        while (elapsed := time.perf_counter() - begun) < seconds:
            for _ in range(20):
                sample()
            done += 20 * BATCH
        return done / elapsed, done / (time.process_time() - used)

    return rate


class Peer:
    """The peer's buffers, in a process of their own; see `benchmarks.replay.sb3_peer`."""

    def __init__(self, python: str) -> None:
        self._process = Answering(python, Path(__file__).with_name("sb3_peer.py"))
        self.facts = self._process.ask(
            {"transitions": PEER_TRANSITIONS, "batch": BATCH, "stack": STACK, "size": SIZE}
        )

    def rate(self, buffer: str) -> Rate:
        """Return what measures the sampling from one of its buffers."""

        def rate(seconds: float) -> tuple[float, float]:
            answer = self._process.ask({"buffer": buffer, "seconds": seconds})
            return float(answer["transitions_per_s"]), float(answer["transitions_per_core_s"])

        return rate

    def close(self) -> None:
        """End the process."""
        self._process.close()


def measure(seconds: float = 30.0, peer_python: str | None = None) -> dict[str, Any]:
    """Measure medians of transitions a second, and their ratios to each of the peer's buffers."""
    torch.set_num_threads(1)
    facts = machine_facts(("numpy", "torch"))
    if peer_python is None and importlib.util.find_spec("stable_baselines3"):
        peer_python = sys.executable
    peer = None if peer_python is None else Peer(peer_python)
    rates: dict[str, Rate] = {}
    sizes: dict[str, float] = {}
    for steps in PEERS:
        for name, by_priority in (("uniform", False), ("priority", True)):
            ring = filled_ring(steps, by_priority=by_priority)
            rates[f"ours_{name}_{steps}"] = rate_of(our_sampling(ring))
            sizes[name] = ring.nbytes / FRAMES
        if peer is not None:
            rates.update({f"sb3_{name}_{steps}": peer.rate(name) for name in PEERS[steps]})
    found, by_core = medians(take_turns(rates, seconds / (ROUNDS * len(rates)), ROUNDS))
    result: dict[str, Any] = {
        "batch": BATCH,
        "rounds": ROUNDS,
        "transitions_per_s": {name: round(value) for name, value in found.items()},
        "transitions_per_core_s": {name: round(value) for name, value in by_core.items()},
        "bytes_a_transition": {name: round(value, 1) for name, value in sizes.items()},
        "machine": facts,
    }
    if peer is not None:
        peer.close()
        result["peer"] = peer.facts
        result["ratio"] = _ratios(found)
        result["ratio_of_core_seconds"] = _ratios(by_core)
    return result


def _ratios(rates: dict[str, float]) -> dict[str, float]:
    """Return ours, uniform, over each of the peer's buffers of the same number of steps."""
    return {
        f"{name}_{steps}": round(rates[f"ours_uniform_{steps}"] / rates[f"sb3_{name}_{steps}"], 2)
        for steps, names in PEERS.items()
        for name in names
    }


def run(seconds: float, peer_python: str | None) -> None:
    """Measure, print the result as JSON, and store it."""
    result = measure(seconds, peer_python)
    print(json.dumps(result, indent=2))
    write_result("replay_sampling", result)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="of measuring, filling apart")
    parser.add_argument("--peer-python", help="a Python that has stable-baselines3")
    options = parser.parse_args()
    run(options.seconds, options.peer_python)


if __name__ == "__main__":
    main()
