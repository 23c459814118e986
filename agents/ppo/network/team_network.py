"""The network of an agent: encoder, trunk, memory, the heads of an action, and the critic.

One network plays all agents of all teams (OpenAI et al. 2019, appendix H).

Shapes: n observations, S sequences of T steps, L logits of all heads one after another (means,
where a head is of real numbers), F features.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from agents.ppo.config import NetworkConfig
from agents.ppo.network.encoders import build_encoder, layers, scale_of, target_choices
from agents.ppo.network.memory import Memory, SequenceMemory
from agents.torch_device import choose_precision
from envs.teams import TeamSpec

TARGET = "target"  # the head whose choices are units


class Outputs(NamedTuple):
    """What a network answers.

    Attributes:
        logits: float32 [n, L].
        values: float32 [n] in units of the spread of targets; see `TeamNetwork.returns`.
        memory: after a step; of nothing where there is none.
    """

    logits: Tensor
    values: Tensor
    memory: Memory


class TeamNetwork(nn.Module):
    """Observations, and the true state for the critic, -> logits of an action and values.

    Args:
        spec: of the environment.
        config: of the network.
        device: where it will run, which decides the precision `auto`.

    Raises:
        ValueError: the critic asks for a state that the environment has not.
    """

    value_mean: Tensor
    value_std: Tensor
    log_spread: Tensor
    target_columns: Tensor

    def __init__(self, spec: TeamSpec, config: NetworkConfig, device: torch.device) -> None:
        super().__init__()
        self.spec = spec
        self.sizes = [head.size for head in spec.heads]
        self.precision = _precision(spec, config, device)
        self.critic = critic_of(spec, config)
        self.encoder = build_encoder(spec, config)
        self.features = config.lstm or self.encoder.features
        self.memory = SequenceMemory(self.encoder.features, config.lstm) if config.lstm else None
        self.heads = nn.Linear(self.features, sum(self.sizes))
        self._add_target_head(config)
        self._add_critic(config)
        if real := _real_numbers(spec):
            self.log_spread = nn.Parameter(torch.zeros(real))
        else:
            self.register_buffer("log_spread", torch.zeros(0), persistent=False)
        self.register_buffer("value_mean", torch.zeros(()))
        self.register_buffer("value_std", torch.ones(()))
        _initialise(self)

    def _add_target_head(self, config: NetworkConfig) -> None:
        """Add the query that chooses among units, where choices of a head are units."""
        choices = target_choices(self.spec.groups)
        names = [head.name for head in self.spec.heads]
        self.query = None
        if choices and TARGET in names:
            first = sum(self.sizes[: names.index(TARGET)])
            self.query = nn.Linear(self.features, config.units)
            columns = torch.tensor([first + choice for choice in choices])
            self.register_buffer("target_columns", columns, persistent=False)

    def _add_critic(self, config: NetworkConfig) -> None:
        inputs = self.features
        if self.critic == "own":
            self.critic_encoder = build_encoder(self.spec, config)
            inputs = self.critic_encoder.features
        elif self.critic == "state":
            self.state_layers = layers(
                self.spec.state_size, config, scale_of(self.spec.observation_dtype)
            )
            inputs = self.features + config.hidden
            self.critic_layers = layers(inputs, config, count=1)
            inputs = config.hidden
        self.value_head = nn.Linear(inputs, 1)

    def empty_memory(self, count: int) -> Memory:
        """Return the memory of agents whose match begins, float32 [count, H]; H is 0 for none."""
        units = self.memory.units if self.memory is not None else 0
        device = self.value_mean.device
        return Memory(*(torch.zeros(count, units, device=device) for _ in range(2)))

    def returns(self, values: Tensor) -> Tensor:
        """Return values in units of rewards."""
        return values * self.value_std + self.value_mean

    def step(
        self, observations: Tensor, states: Tensor, memory: Memory, *, values: bool = True
    ) -> Outputs:
        """Act once: observations [n, *shape], states [n, state_size], a memory [n, H].

        Without `values` they are not computed, and answered as an empty tensor.
        """
        with self._autocast(observations):
            x = self._prepare(observations)
            features, units = self.encoder(x)
            if self.memory is not None:
                features, memory = self.memory.step(features, memory)
            logits = self._logits(features, units)
            found = self._values(features, x, states) if values else logits.new_empty(0)
        return Outputs(logits, found, memory)

    def forward(
        self, observations: Tensor, states: Tensor, memory: Memory, begins: Tensor
    ) -> Outputs:
        """Go through sequences: observations [S, T, *shape] -> outputs of n = S * T rows.

        Args:
            observations: [S, T, *shape].
            states: [S, T, state_size], or of any size if there is no state.
            memory: of before the first step, [S, H].
            begins: [S, T] not 0 where a step is the first of a match.
        """
        steps = begins.shape[1]
        with self._autocast(observations):
            x = self._prepare(observations.flatten(0, 1))
            features, units = self.encoder(x)
            if self.memory is not None:
                sequences = features.view(-1, steps, features.shape[1])
                features = self.memory(sequences, memory, begins).flatten(0, 1)
            logits = self._logits(features, units)
            values = self._values(features, x, states.flatten(0, 1))
        return Outputs(logits, values, memory)

    def _autocast(self, observations: Tensor) -> torch.autocast:
        low = self.precision is not torch.float32
        return torch.autocast(observations.device.type, self.precision, enabled=low)

    def _prepare(self, observations: Tensor) -> Tensor:
        return observations.to(self.precision)

    def _logits(self, features: Tensor, units: Tensor | None) -> Tensor:
        logits: Tensor = self.heads(features).float()
        if self.query is not None and units is not None:
            query = self.query(features).unsqueeze(1)
            scores = (query * units).sum(2) / math.sqrt(query.shape[2])
            logits = logits.index_add(1, self.target_columns, scores.float())
        return logits

    def _values(self, features: Tensor, x: Tensor, states: Tensor) -> Tensor:
        if self.critic == "own":
            features = self.critic_encoder(x)[0]
        elif self.critic == "state":
            seen = self.state_layers(states.to(self.precision))
            features = self.critic_layers(torch.cat([features, seen], 1))
        values: Tensor = self.value_head(features)
        return values.squeeze(1).float()


def critic_of(spec: TeamSpec, config: NetworkConfig) -> str:
    """Resolve what values are computed from; see `NetworkConfig.critic`.

    Raises ValueError for a state that there is none of, and for an encoder that has no memory
    beside one that has.
    """
    if config.critic == "state" and not spec.state_size:
        raise ValueError(
            f"network.critic = 'state' with {spec.name!r}, which has no true state: expected "
            "'auto', 'shared' or 'own'"
        )
    if config.critic == "auto":
        return "state" if spec.state_size else "shared" if config.lstm else "own"
    return config.critic


def build_network(
    spec: TeamSpec, config: NetworkConfig, *, seed: int, device: torch.device
) -> TeamNetwork:
    """Create a network on a device, the same for the same seed; see `TeamNetwork`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = TeamNetwork(spec, config, device)
    return network.to(device)


def _precision(spec: TeamSpec, config: NetworkConfig, device: torch.device) -> torch.dtype:
    if config.precision == "auto" and spec.observation_dtype.itemsize != 1:
        return torch.float32
    return choose_precision(config.precision, device)


def _real_numbers(spec: TeamSpec) -> int:
    return sum(head.size for head in spec.heads if head.kind == "real")


def _initialise(network: TeamNetwork) -> None:
    """Make weights orthogonal, and those of the heads small: first actions are nearly uniform.

    Andrychowicz et al. (2021), section 3.2, and CleanRL: gains of sqrt(2), 0.01 for actions and 1
    for values.
    """
    gains: dict[nn.Module, float] = {network.heads: 0.01, network.value_head: 1.0}
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.orthogonal_(module.weight, gains.get(module, math.sqrt(2.0)))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    if network.query is not None:
        nn.init.orthogonal_(network.query.weight, 0.01)
