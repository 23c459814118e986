"""The policy of DQN: one version of the weights on a device, as an actor uses it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.device.graphs import GraphedCall, recorder_of
from agents.dqn.config import DQNConfig
from agents.dqn.network.q_network import QNetwork, build_network
from agents.torch_device import choose_device
from agents.torch_state import load_state
from envs.vector import EnvironmentSpec


class QPolicy:
    """Answers the values of actions; evaluates on its own copy of the weights.

    Args:
        config: network, head, device.
        spec: of the environment.
        explores: whether noisy layers draw noise, each row its own at each call; else they act by
            their means (Fortunato et al. 2018).
        number: of the actor, whose noise differs from that of others.
    """

    def __init__(
        self, config: DQNConfig, spec: EnvironmentSpec, *, explores: bool, number: int = 0
    ) -> None:
        self.step = 0
        self.num_actions = spec.num_actions
        self.device = choose_device(config.device)
        shape = (config.environment.stack, *spec.observation_shape)
        self.network = build_network(
            shape,
            spec.observation_dtype,
            spec.num_actions,
            config,
            seed=config.seed,
            device=self.device,
        ).eval()
        self._draws_noise = explores and config.head.noisy
        self.generator = torch.Generator(self.device)  # of the noise
        seed = np.random.SeedSequence([config.seed, 4, number]).generate_state(1, np.uint64)[0]
        self.generator.manual_seed(int(seed >> 1))
        # on a card, of its own: the learner's kernels, on another, would keep actions waiting
        self._stream: torch.cuda.Stream | None = None
        if self.device.type == "cuda":
            self._stream = torch.cuda.Stream(self.device, -1)  # type: ignore[no-untyped-call]
        recorder = recorder_of(self.device, asked=explores and config.learner.cuda_graphs)
        self._means = GraphedCall(self._evaluate, self.device, recorder)

    def load_weights(self, data: bytes, step: int) -> None:
        """Switch to these safetensors weights; not while another thread evaluates."""
        self._switch(load_state(data), step)

    def copy_weights(self, network: QNetwork, step: int) -> None:
        """Switch to the weights of this network, which goes on; as `load_weights`."""
        self._switch(network.state_dict(), step)

    def _switch(self, state: Mapping[str, Tensor], step: int) -> None:
        self.network.load_state_dict(state)
        if self._stream is not None:  # evaluations do not wait for this one
            torch.cuda.current_stream(self.device).synchronize()
        self.step = step

    @torch.inference_mode()
    def __call__(self, stacks: Any, /) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the values [n, A] of the actions at stacks [n, S, *frame shape], and the best [n].

        The stacks are uint8 or float32, as the environment's observations are.
        """
        with nullcontext() if self._stream is None else torch.cuda.stream(self._stream):
            if self._draws_noise:
                self.network.draw_noise(len(stacks), self.generator)
            (means,) = self._means(torch.from_numpy(np.ascontiguousarray(stacks)))
            values = means.cpu().numpy()
        return values, values.max(axis=1)

    def _evaluate(self, observations: Tensor) -> tuple[Tensor]:
        return (self.network(observations).means(),)
