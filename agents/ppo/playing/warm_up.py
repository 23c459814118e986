"""Compile or load the kernels of PPO before its clock runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from agents.ppo.config import PPOConfig
from agents.ppo.learning.sequences import (
    BEGINS,
    MEMORY_CELL,
    MEMORY_OUTPUT,
    OBSERVATIONS,
    STATES,
)
from agents.ppo.network.memory import Memory
from agents.ppo.playing.sampler import Returns, Sampler
from agents.torch_device import choose_device
from envs.teams import TeamVector


def warm_up(config: PPOConfig, make_vector: Callable[[PPOConfig], TeamVector]) -> None:
    """Play a rollout of one sequence in one match, and compute its gradient."""
    learner = replace(config.learner, rollout=config.learner.sequence)
    settings = replace(config.environment, matches=1, threads=1)
    small = replace(config, learner=learner, environment=settings)
    vector = make_vector(small)
    try:
        sampler = Sampler(vector, small, number=0, device=choose_device(config.device))
        columns = sampler.sample(Returns(learner.gamma, learner.gae_lambda)).columns
    finally:
        vector.close()
    network = sampler.network.train().requires_grad_(True)
    tensors = {
        name: torch.from_numpy(np.array(array)).to(network.value_mean.device)
        for name, array in columns.items()
    }
    memory = Memory(tensors[MEMORY_OUTPUT], tensors[MEMORY_CELL])
    outputs = network(tensors[OBSERVATIONS], tensors[STATES], memory, tensors[BEGINS])
    (outputs.logits.sum() + outputs.values.sum()).backward()
