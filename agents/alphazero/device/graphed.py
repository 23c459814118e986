"""Inference on a card: a batch goes there, through the network and back as one CUDA graph.

A thread has its own buffers, stream and graphs, so that threads wait for the card only, and the
card computes the batch of one while others search. A thread that waits sleeps: with two shards a
core, one searches while the other's leaves are evaluated.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.device.graphs import WARM_UP, CudaRecorder, Recorder
from envs.game import Game
from mcts.search import Leaves

FEWEST_ROWS = 8  # of a graph


def graph_rows(count: int) -> int:
    """Round a batch size up to one that has a graph: a power of two, or one and a half of it."""
    power = 1 << max(0, count - 1).bit_length()
    return max(FEWEST_ROWS, power * 3 // 4 if count <= power * 3 // 4 else power)


class GraphedInference:
    """Evaluates leaves on a card with a module that is read where it is, at each call.

    Not for two threads at once. The first batch of a size is slow: its graph is recorded.

    Args:
        module: planes float32 [n, C, H, W] -> logits float32 [n, A] and value_to_play [n].
        game: what is played.
        device: the card.
        recorder: None records CUDA graphs.
    """

    def __init__(
        self,
        module: Callable[[Tensor], tuple[Tensor, Tensor]],
        game: Game,
        device: torch.device,
        recorder: Recorder | None = None,
    ) -> None:
        self._module = module
        self._game = game
        self._device = device
        self._is_card = device.type == "cuda"
        self._recorder = recorder or CudaRecorder(device, shares_memory=True)
        # of high priority, as graphs are captured on one of the others
        self._stream = torch.cuda.Stream(device, -1) if self._is_card else None  # type: ignore[no-untyped-call]
        self._answered = torch.cuda.Event(blocking=True) if self._is_card else None  # type: ignore[no-untyped-call]
        self._reserve(0)

    def _reserve(self, rows: int) -> None:
        """Allocate page-locked buffers of this many rows; graphs of smaller ones are dropped."""
        self._rows = rows
        self._launches: dict[int, Callable[[], Any]] = {}

        def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(rows, *shape, dtype=dtype, pin_memory=self._is_card and rows > 0)

        self._planes = zeros(*self._game.planes_shape)
        self._actions = zeros(self._game.max_legal, dtype=torch.int32)
        self._logits = zeros(self._game.max_legal)
        self._values = zeros()

    @torch.inference_mode()
    def __call__(self, leaves: Leaves) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the logits [n, L] of the legal actions of n leaves, and their values [n]."""
        count = len(leaves.counts)
        rows = graph_rows(count)
        if rows > self._rows:
            self._reserve(rows)
        # the rows after them hold an earlier batch, whose answers are dropped
        self._planes.numpy()[:count] = leaves.planes
        self._actions.numpy()[:count] = leaves.actions
        with nullcontext() if self._stream is None else torch.cuda.stream(self._stream):
            launch = self._launches.get(rows) or self._record(rows)
            launch()
            if self._answered is not None:
                self._answered.record()
                self._answered.synchronize()
        return self._logits[:count].numpy().copy(), self._values[:count].numpy().copy()

    def _record(self, rows: int) -> Callable[[], Any]:
        def call() -> tuple[Tensor, Tensor]:
            return self._evaluate(rows)

        for _ in range(WARM_UP):
            self._recorder.run(call)
        self._launches[rows] = launch = self._recorder.capture(call)
        return launch

    def _evaluate(self, rows: int) -> tuple[Tensor, Tensor]:
        planes = self._planes[:rows].to(self._device, non_blocking=True)
        logits, values = self._module(planes.contiguous(memory_format=torch.channels_last))
        actions = self._actions[:rows].to(self._device, non_blocking=True).long()
        legal = self._logits[:rows].copy_(logits.gather(1, actions), non_blocking=True)
        return legal, self._values[:rows].copy_(values, non_blocking=True)
