"""CUDA graphs: a function's kernels launched at once, instead of one by one from Python.

`torch.compile(mode="reduce-overhead")` makes graphs too, but one for each of forward, backward and
optimiser; it needs a compiler at the user's and a minute of compiling. Captured by hand, a whole
training step is one graph, of the very kernels that run without it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from typing import Protocol

import torch
from torch import Generator, Tensor

Tensors = tuple[Tensor, ...]

WARM_UP = 3
"""Calls before the capture, in which libraries choose kernels and optimisers make their state (as
in PyTorch's `make_graphed_callables`)."""

_capturing = threading.Lock()  # one at a time in a process, and it begins by waiting for all work


@cache
def _capture_stream(device: torch.device) -> torch.cuda.Stream:
    """Return the one stream of a card on which graphs are captured, and nothing is launched.

    PyTorch has 32 streams of a priority and returns them in turns: what another thread launched
    on the same one would be captured. So streams to launch on are of high priority.
    """
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


class Recorder(Protocol):
    """Records the kernels of a call, to be launched again."""

    def run(self, call: Callable[[], Tensors]) -> Tensors:
        """Call it as it is, in the way that it is recorded in later."""

    def capture(self, call: Callable[[], Tensors]) -> Callable[[], Tensors]:
        """Record `call` without executing it; return what executes it, into the same results."""


class CudaRecorder:
    """Records CUDA graphs, which are launched on other streams.

    Args:
        device: the card.
        generator: what the calls draw with, of that device; each launch draws on from its state.
        shares_memory: its graphs have one memory, so that one at a time is launched, and the
            results of the last are overwritten.
    """

    def __init__(
        self,
        device: torch.device,
        generator: Generator | None = None,
        *,
        shares_memory: bool = False,
    ) -> None:
        self._device = device
        self._generator = generator
        self._stream = _capture_stream(device)
        self._memory = torch.cuda.graph_pool_handle() if shares_memory else None

    def run(self, call: Callable[[], Tensors]) -> Tensors:
        """See `Recorder`."""
        current = torch.cuda.current_stream(self._device)
        with _capturing:
            self._stream.wait_stream(current)
            with torch.cuda.stream(self._stream):
                results = call()
            current.wait_stream(self._stream)
        return results

    def capture(self, call: Callable[[], Tensors]) -> Callable[[], Tensors]:
        """See `Recorder`."""
        graph = torch.cuda.CUDAGraph()
        if self._generator is not None:
            graph.register_generator_state(self._generator)
        # "thread_local": acting goes on in another thread, and may allocate memory meanwhile
        recording = torch.cuda.graph(
            graph,
            pool=self._memory,
            stream=self._stream,
            capture_error_mode="thread_local",
        )
        with _capturing, recording:
            results = call()

        def launch() -> Tensors:
            graph.replay()
            return results

        return launch


class GraphedCall:
    """A function of tensors, recorded after a few calls and launched as a whole from then on.

    The first call decides the shapes and dtypes that are recorded; with others the function is
    called as it is. Each call executes it once, recorded or not.

    Args:
        function: takes tensors on `device` and returns tensors, which a later call overwrites. It
            must not wait for the device, and all else that it reads and writes has to stay in its
            place: weights, gradients and an optimiser's state.
        device: where it computes.
        recorder: None calls the function always as it is, as on a processor.
    """

    def __init__(
        self, function: Callable[..., Tensors], device: torch.device, recorder: Recorder | None
    ) -> None:
        self._function = function
        self._device = device
        self._recorder = recorder
        self.forget()

    def forget(self) -> None:
        """Record again, as what the function reads or writes is no longer where it was."""
        self._inputs: Tensors = ()
        self._launch: Callable[[], Tensors] | None = None
        self._calls = 0

    def __call__(self, *inputs: Tensor) -> Tensors:
        """Return the function's results for inputs on any device."""
        if self._recorder is None or not self._fits(inputs):
            return self._function(*(each.to(self._device) for each in inputs))
        for own, given in zip(self._inputs, inputs, strict=True):
            own.copy_(given, non_blocking=True)
        if self._launch is not None:
            return self._launch()
        self._calls += 1
        if self._calls <= WARM_UP:
            return self._recorder.run(self._call)
        self._launch = self._recorder.capture(self._call)
        return self._launch()

    def _fits(self, inputs: Tensors) -> bool:
        """Whether inputs are like those of the first call, which this may be."""
        if not self._inputs:
            self._inputs = tuple(torch.empty_like(each, device=self._device) for each in inputs)
        return [(own.shape, own.dtype) for own in self._inputs] == [
            (each.shape, each.dtype) for each in inputs
        ]

    def _call(self) -> Tensors:
        return self._function(*self._inputs)


def recorder_of(
    device: torch.device, generator: Generator | None = None, *, asked: bool
) -> Recorder | None:
    """Return the recorder of a device, None on a processor or where graphs are not asked for."""
    return CudaRecorder(device, generator) if asked and device.type == "cuda" else None
