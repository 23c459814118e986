"""A network as the search's evaluator: folded, compiled for the device, fed with NumPy batches."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.alphazero.config import NetworkConfig
from agents.alphazero.device.fused import fused_forward, fusing_is_faster
from agents.alphazero.device.graphed import GraphedInference
from agents.alphazero.network import PolicyValueNetwork, build_network, value_of
from agents.torch_device import choose_device, choose_precision
from agents.torch_state import load_state
from envs.game import Game
from mcts.search import Leaves
from store import checkpoints
from store.errors import CheckpointError, StoreError
from store.run import Run
from store.settings import run_settings

ROW_MULTIPLE, FEWEST_ROWS = 32, 4  # see `padded`
CPU_ROWS = 128  # one pass on a processor: the activations of more leave its second-level cache


def padded(count: int) -> int:
    """Round a batch size up to an evaluated size: oneDNN prepares kernels once a shape.

    A multiple of ROW_MULTIPLE, and below it a power of two: one position takes a third of the time
    of 32. With fewer than FEWEST_ROWS oneDNN's float32 kernels round differently, and a
    position's evaluation would depend on the others in its batch.
    """
    if count < ROW_MULTIPLE:
        return max(FEWEST_ROWS, 1 << max(0, count - 1).bit_length())
    return -(-count // ROW_MULTIPLE) * ROW_MULTIPLE


class _Inference(nn.Module):
    """The folded network in its inference precision, with float32 logits and values."""

    def __init__(self, network: PolicyValueNetwork, dtype: torch.dtype) -> None:
        super().__init__()
        self.network = network.to(dtype)
        self.dtype = dtype
        self.fuses = False

    def forward(self, planes: Tensor) -> tuple[Tensor, Tensor]:
        planes = planes.to(self.dtype)
        policy, outcome = (
            fused_forward(self.network, planes) if self.fuses else self.network(planes)
        )
        return policy.float(), value_of(outcome.float())


class NetworkEvaluator:
    """Evaluates encoded positions with one version of a network.

    Called with leaves; answers the policy logits of their legal actions, float32 [n, most legal
    actions of a leaf], and value_to_play float32 [n]. The logits are gathered before they leave the
    device. A replica per thread: a compiled network is not safe to share.
    """

    def __init__(
        self,
        game: Game,
        config: NetworkConfig,
        state: dict[str, Tensor],
        *,
        step: int = 0,
        device: str = "auto",
    ) -> None:
        self.game = game
        self.config = config
        self.step = step
        self.device = choose_device(device)
        self.dtype = choose_precision(config.precision, self.device)
        self._fuses: bool | None = None  # not known yet
        self._module = self._compile(self._folded(state))
        self._graphed = self._on_card()

    def _compile(self, module: _Inference) -> Any:
        """Compile the network: traced, because Python would make the threads wait for each other.

        The weights stay parameters. Frozen into the graph they are faster to use in float32 by a
        tenth, but a graph is never freed, and a run has thousands of versions.
        """
        if self.device.type != "cpu":
            if self._fuses is None:
                self._fuses = fusing_is_faster(module.network, self.game.planes_shape)
            module.fuses = self._fuses
            return module
        example = torch.zeros(ROW_MULTIPLE, *self.game.planes_shape)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is called old, and is the fastest here
            return torch.jit.trace(module, example, check_trace=False)  # type: ignore[no-untyped-call]

    def without_graphs(self) -> NetworkEvaluator:
        """Return the same network, whose kernels are launched one by one; for comparison."""
        other = copy.copy(self)
        other._graphed = None
        return other

    def compiled(self) -> NetworkEvaluator:
        """Return the same network on a card, compiled by TorchInductor; for comparison."""
        other = copy.copy(self)
        compiled = torch.compile(self._module, dynamic=False)
        other._graphed = GraphedInference(compiled, self.game, self.device)
        return other

    @property
    def fuses(self) -> bool:
        """Whether a card computes convolution, bias, skip and ReLU in one kernel."""
        return bool(self._fuses)

    def _on_card(self) -> GraphedInference | None:
        if self.device.type != "cuda":
            return None
        return GraphedInference(self._module, self.game, self.device)

    def _folded(self, state: dict[str, Tensor] | None = None) -> _Inference:
        """Return the network with these weights, or others to come, in new memory."""
        network = build_network(self.game, self.config, seed=0)
        if state is not None:
            network.load_state_dict(state)
        network.fold()
        return _Inference(network, self.dtype).to(self.device).eval()

    def update(self, state: dict[str, Tensor], step: int) -> None:
        """Switch to other weights of the same network; not while any thread evaluates."""
        self._switch(self._folded(state), step)

    def copy_weights(self, other: NetworkEvaluator) -> None:
        """`update` with the weights of another evaluator of the same network, on its device."""
        self._switch(other._module, other.step)

    def _switch(self, module: Any, step: int) -> None:
        """Copy the weights of a folded network to where this one's are, which graphs read."""
        with torch.no_grad():
            self._module.load_state_dict(module.state_dict())
        if self.device.type == "cuda":  # evaluations do not wait for this stream
            torch.cuda.current_stream(self.device).synchronize()
        self.step = step

    def load_weights(self, data: bytes, step: int) -> None:
        """`update` with safetensors bytes."""
        self.update(load_state(data), step)

    def replica(self) -> NetworkEvaluator:
        """Compile the same network again, for another thread.

        On a processor it shares this one's weights, also when they change.
        """
        other = copy.copy(self)
        module, shares = other._folded(), self.device.type == "cpu"
        module.load_state_dict(self._module.state_dict(), assign=shares)
        other._module = other._compile(module)
        other._graphed = other._on_card()
        return other

    def __call__(self, leaves: Leaves) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See the class."""
        if self._graphed is not None:
            return self._graphed(leaves)
        count = len(leaves.counts)
        width = int(leaves.counts.max(initial=0))
        at_once = CPU_ROWS if self.device.type == "cpu" else max(count, 1)
        logits = np.empty((count, width), np.float32)
        values = np.empty(count, np.float32)
        for start in range(0, count, at_once):
            part = slice(start, start + at_once)
            actions = leaves.actions[part, :width]
            logits[part], values[part] = self._evaluate(leaves.planes[part], actions)
        return logits, values

    def _evaluate(
        self, planes: NDArray[np.float32], actions: NDArray[np.int32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Evaluate one batch; the logits are those of `actions` [n, width]."""
        count = len(planes)
        shape = padded(count), *self.game.planes_shape
        batch = torch.empty(shape, memory_format=torch.channels_last)
        batch[:count] = torch.from_numpy(planes)
        batch[count:] = 0.0
        with torch.inference_mode():
            logits, values = self._module(batch.to(self.device, non_blocking=True))
            wanted = torch.from_numpy(actions.astype(np.int64)).to(self.device, non_blocking=True)
            legal = logits[:count].gather(1, wanted)
            return legal.cpu().numpy(), values[:count].cpu().numpy()


def load_evaluator(
    game: Game, run: Run, step: int | None = None, device: str = "auto"
) -> NetworkEvaluator:
    """Load the evaluator of a run's checkpoint: the newest valid one, or that of `step`.

    Raises the store's errors if there is no such checkpoint.
    """
    if step is None:
        checkpoint = checkpoints.latest_valid(run, names=[checkpoints.MODEL_FILE])
        if checkpoint is None:
            raise StoreError(f"run {run.name!r} has no checkpoint yet")
    else:
        checkpoint = checkpoints.load(run, step, names=[checkpoints.MODEL_FILE])
    config = run_settings(run, "network", NetworkConfig)
    state = load_state(checkpoint.files[checkpoints.MODEL_FILE])
    _check_fits(config, state, run)
    return NetworkEvaluator(game, config, state, step=checkpoint.step, device=device)


def _check_fits(config: NetworkConfig, state: Mapping[str, Tensor], run: Run) -> None:
    """Raise CheckpointError for a network with more values than the file of its weights can hold.

    Stored settings are untrusted: their sizes are checked before a network is built.
    """
    widest = max((size for tensor in state.values() for size in tensor.shape), default=0)
    widths = {name: getattr(config, name) for name in ("filters", "head_filters", "value_hidden")}
    if config.blocks > len(state) or max(widths.values()) > widest:
        raise CheckpointError(
            f"the weights of run {run.name!r} are {len(state)} arrays of {widest} at most, which "
            f"are no network of blocks = {config.blocks}, {widths}"
        )
