"""Where the learner's frames come from: stacks and transitions of a ring, as tensors."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.dqn.objective import Transitions
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
        self._sent = torch.cuda.Event() if device.type == "cuda" else None

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


def make_replay(ring: FrameRing, n: int, device: torch.device, *, ahead: bool) -> Replay:
    """Return what the settings ask for; the arguments are those of `HostReplay`."""
    return HostReplay(ring, n, device, ahead=ahead)


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
    return Batch(rows, sent[0], Transitions(frames[:, :stack], *sent[1:], later))
