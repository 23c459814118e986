"""The policy of DQN: one version of the weights on a device, as an actor uses it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

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
    """

    def __init__(self, config: DQNConfig, spec: EnvironmentSpec, *, explores: bool) -> None:
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
        self._generator = torch.Generator(self.device).manual_seed(config.seed)

    def load_weights(self, data: bytes, step: int) -> None:
        """Switch to these safetensors weights; not while another thread evaluates."""
        self.network.load_state_dict(load_state(data))
        self.step = step

    def copy_weights(self, network: QNetwork, step: int) -> None:
        """Switch to the weights of this network, which goes on; as `load_weights`."""
        self.network.load_state_dict(network.state_dict())
        self.step = step

    @torch.inference_mode()
    def __call__(self, stacks: Any, /) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the values [n, A] of the actions at stacks [n, S, *frame shape], and the best [n].

        The stacks are uint8 or float32, as the environment's observations are.
        """
        if self._draws_noise:
            self.network.draw_noise(len(stacks), self._generator)
        observations = torch.from_numpy(np.ascontiguousarray(stacks)).to(self.device)
        values = self.network(observations).means().cpu().numpy()
        return values, values.max(axis=1)
