"""Where the learner's frames come from: stacks and transitions of a ring, as tensors."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.dqn.config import ReplayConfig
from agents.dqn.learning.objective import Transitions
from store.memory import transitions
from store.memory.ahead import SampleAhead
from store.memory.frame_ring import FrameRing

BUFFERS = 2  # of frames that are sampled ahead: one is filled while the other is trained on


class Batch(NamedTuple):
    """n sampled transitions.

    Attributes:
        rows: int64 [n], their numbers in the ring.
        weights: float32 [n], importance weights.
        transitions: what is trained on.
    """

    rows: NDArray[np.int64]
    weights: Tensor
    transitions: Transitions


class Replay(Protocol):
    """The frames of a ring as a learner wants them: tensors on its device."""

    def follow(self) -> None:
        """Take what was added to the ring; called after each addition."""

    def stacks(self, rows: NDArray[np.int64]) -> Tensor:
        """Return the stacks of rows [n] as `FrameRing.stacks`, [n, S, *frame shape]."""

    def batches(
        self, rng: np.random.Generator, steps: int, beta: float
    ) -> Generator[Batch, None, None]:
        """Yield a batch a step, each to be used before the next; the ring must stay as it is.

        Args:
            rng: what is drawn with.
            steps: how many batches.
            beta: as in `FrameRing.sample`.
        """


class HostReplay:
    """Frames in the memory of the process, from which stacks are copied and sent.

    Args:
        ring: sampled.
        n: transitions of a batch.
        device: of the tensors.
        ahead: sample each batch but a call's first while the one before it is trained on.
    """

    def __init__(self, ring: FrameRing, n: int, device: torch.device, *, ahead: bool) -> None:
        self.ring = ring
        self.n = n
        self.device = device
        self.ahead = ahead
        self._buffers: list[NDArray[Any]] = []
        self._sent: torch.cuda.Event | None = None
        if device.type == "cuda":
            self._sent = torch.cuda.Event()  # type: ignore[no-untyped-call]

    def follow(self) -> None:
        """Do nothing: it reads the ring itself."""

    def stacks(self, rows: NDArray[np.int64]) -> Tensor:
        """See `Replay`."""
        return torch.from_numpy(self.ring.stacks(rows)).to(self.device)

    def batches(
        self, rng: np.random.Generator, steps: int, beta: float
    ) -> Generator[Batch, None, None]:
        """See `Replay`."""
        if not self.ahead or steps < 2:  # a single one has nothing to be sampled beside
            for _ in range(steps):
                yield self._batch(self.ring.sample(rng, self.n, beta))
            return
        self._buffers = self._buffers or self._new_buffers()
        with closing(SampleAhead(self.ring, self.n, self._buffers)) as sampled:
            for drawn in sampled.batches(rng, steps, beta):
                yield self._batch(drawn)
                if self._sent is not None:
                    self._sent.synchronize()  # the buffer is written again from here on

    def _new_buffers(self) -> list[NDArray[Any]]:
        """Return buffers for `SampleAhead`, pinned where a card reads them."""
        dtype, shape = self.ring.schema.fields["frame"]
        whole = (self.n, self.ring.stack + self.ring.steps, *shape)
        made = [torch.from_numpy(np.empty(whole, dtype)) for _ in range(BUFFERS)]
        return [(one.pin_memory() if self._sent is not None else one).numpy() for one in made]

    def _batch(self, drawn: transitions.Transitions) -> Batch:
        """Send a sample; from a pinned buffer without waiting for it."""
        frames = torch.from_numpy(drawn.frames).to(self.device, non_blocking=True)
        if self._sent is not None:
            self._sent.record()
        outcomes = (drawn.actions, drawn.returns, drawn.discounts)
        return _batch(drawn.rows, drawn.weights, frames, drawn.stack, outcomes)


class DeviceReplay:
    """A copy of a ring's frames on a device, from which stacks are gathered there.

    What is drawn, links and returns stay with the ring; numbers of frames go to the device, and
    new frames, each once.

    Args:
        ring: sampled.
        n: transitions of a batch.
        device: of the frames and the tensors.
    """

    def __init__(self, ring: FrameRing, n: int, device: torch.device) -> None:
        self.ring = ring
        self.n = n
        held = torch.from_numpy(ring.ring.array("frame"))
        shape = (len(held) + 1, *held.shape[1:])  # the last one stays zeros: before an episode
        self.frames = torch.zeros(shape, dtype=held.dtype, device=device)
        self._copied = 0  # rows of all that were ever added

    def follow(self) -> None:
        """Copy the rows that were added since the last call."""
        ring = self.ring.ring
        row = max(self._copied, ring.total_added - ring.capacity)
        held = torch.from_numpy(ring.array("frame"))
        while row < ring.total_added:  # twice where they go on at the ring's beginning
            place = row % ring.capacity
            count = min(ring.total_added - row, ring.capacity - place)
            self.frames[place : place + count].copy_(held[place : place + count])
            row += count
        self._copied = ring.total_added

    def stacks(self, rows: NDArray[np.int64]) -> Tensor:
        """See `Replay`."""
        return self._gathered(self.ring.frame_places(rows, 0))

    def batches(
        self, rng: np.random.Generator, steps: int, beta: float
    ) -> Generator[Batch, None, None]:
        """See `Replay`."""
        for _ in range(steps):
            rows, weights = self.ring.draw(rng, self.n, beta)
            frames = self._gathered(self.ring.frame_places(rows, self.ring.steps))
            yield _batch(rows, weights, frames, self.ring.stack, self.ring.outcomes(rows))

    def _gathered(self, places: NDArray[np.int32]) -> Tensor:
        """Return the frames at places [n, m] of the ring, [n, m, *frame shape]."""
        index = torch.from_numpy(places).to(self.frames.device)
        gathered = self.frames.index_select(0, index.flatten())
        return gathered.view(*index.shape, *self.frames.shape[1:])


def make_replay(ring: FrameRing, n: int, device: torch.device, config: ReplayConfig) -> Replay:
    """Return the replay that the settings ask for, of batches of n transitions."""
    if config.on_device:
        return DeviceReplay(ring, n, device)
    return HostReplay(ring, n, device, ahead=config.sample_ahead)


def _batch(
    rows: NDArray[np.int64],
    weights: NDArray[np.float32],
    frames: Tensor,
    stack: int,
    outcomes: tuple[NDArray[Any], NDArray[np.float32], NDArray[np.float32]],
) -> Batch:
    """Return frames [n, S + N, ...], and actions, returns and discounts [n], as a batch."""
    actions, returns, discounts = outcomes
    sent = [
        torch.from_numpy(array).to(frames.device)
        for array in (weights, actions.astype(np.int64), returns, discounts)
    ]
    later = frames[:, frames.shape[1] - stack :]
    seen = Transitions(frames[:, :stack], sent[1], sent[2], sent[3], later)
    return Batch(rows, sent[0], seen)
