"""What the learner minimises: targets and losses as the settings combine them.

Shapes: n transitions, T steps of N streams in order, A actions, K numbers of a target: the mean
alone, samples of the return, or the probabilities of atoms.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Generator, Tensor

from agents.dqn.config import DQNConfig
from agents.dqn.learning.losses import Losses, categorical_loss, mean_loss, quantile_loss
from agents.dqn.learning.targets import (
    expected_distribution,
    expected_values,
    lambda_distributions,
    lambda_returns,
    lambda_samples,
    munchausen_bonus,
    scaled_log_policy,
)
from agents.dqn.network.heads import ActionValues, CategoricalHead
from agents.dqn.network.q_network import QNetwork

CPU_ROWS = 256  # one pass on a processor: the activations of more leave its caches


class Transitions(NamedTuple):
    """n transitions over one or more steps, as tensors on the networks' device.

    Attributes:
        observations: [n, S, *frame shape].
        actions: int64 [n].
        returns: float32 [n], discounted rewards of the steps.
        discounts: float32 [n], what the value of the later observations counts.
        later_observations: [n, S, *frame shape], after those steps.
    """

    observations: Tensor
    actions: Tensor
    returns: Tensor
    discounts: Tensor
    later_observations: Tensor


class Rollout(NamedTuple):
    """T consecutive rows of N streams and the row after them, as tensors on the networks' device.

    What was seen after step t stands in row t + 1. So after an episode's last step comes a row with
    its last observation, in which nothing was done. The target of that row means nothing. A new
    episode may follow, or any rows in which nothing was done.

    Attributes:
        observations: [T + 1, N, S, *frame shape].
        actions: int64 [T, N]; any action where nothing was done.
        rewards: float32 [T, N]; 0 where nothing was done.
        discounts: float32 [T, N], gamma; 0 where the episode terminated or nothing was done.
        goes_on: bool [T, N], whether in row t + 1 an action follows in the same episode. After row
            T - 1 it does not count.
    """

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    discounts: Tensor
    goes_on: Tensor


class Objective:
    """Computes targets and losses of an online network with the help of a target network.

    Noise of noisy layers is the caller's to draw, for both networks (Fortunato et al. 2018).

    Args:
        online: what is trained.
        target: what values later observations; `online` itself without a target network.
        config: head, target, learner.
        generator: on the networks' device, with which fractions and samples are drawn.
    """

    def __init__(
        self, online: QNetwork, target: QNetwork, config: DQNConfig, generator: Generator
    ) -> None:
        self.online = online
        self.target = target
        self.config = config
        self.generator = generator

    @torch.no_grad()
    def transition_targets(self, batch: Transitions) -> Tensor:
        """Return the targets of transitions, [n, K]."""
        later = self._target_values(batch.later_observations)
        means = self._choosing_means(later, batch.later_observations)
        rewards = batch.returns
        if self.config.target.munchausen:
            here = self._target_values(batch.observations).means()
            rewards = rewards + self._bonus(here, batch.actions)
        none = torch.zeros_like(rewards)[None]
        return self._backed_up(rewards[None], batch.discounts[None], later, means, none, none)[0]

    @torch.no_grad()
    def rollout_targets(self, rollout: Rollout) -> Tensor:
        """Return the lambda-returns of a rollout, [T, N, K]."""
        seen = rollout.observations.flatten(0, 1)
        streams = rollout.rewards.shape[1]
        values = self._target_values(seen)
        logits = None if values.logits is None else values.logits[streams:]
        later = ActionValues(values.values[streams:], logits)
        means = self._choosing_means(later, seen[streams:])
        rewards, shifts = rollout.rewards, torch.zeros_like(rollout.rewards)
        if self.config.target.munchausen:
            bonus = self._bonus(values.means()[:-streams], rollout.actions.flatten())
            rewards = rewards + bonus.view_as(rewards)
            shifts[:-1] = self._entropy(means, rollout.actions)
        traces = self._traces(rollout, means)
        return self._backed_up(rewards, rollout.discounts, later, means, traces, shifts)

    def target_means(self, targets: Tensor) -> Tensor:
        """Return the values [n] that targets [n, K] stand for."""
        head = self.online.head
        return targets @ head.support if isinstance(head, CategoricalHead) else targets.mean(1)

    def losses(self, observations: Tensor, actions: Tensor, targets: Tensor) -> Losses:
        """Return losses and priorities [n] of the online network against targets [n, K]."""
        head = self.config.head
        taus = self._fractions(len(observations), head.taus)
        chosen = self.online(observations, taus).select(actions)
        values = chosen.values[:, 0]
        if chosen.logits is not None:
            return categorical_loss(chosen.logits[:, 0], targets)
        if chosen.taus is not None:
            return quantile_loss(values, chosen.taus, targets, head.kappa)
        return mean_loss(values[:, 0], targets[:, 0], self.config.learner.error_clip)

    def _backed_up(
        self,
        rewards: Tensor,
        discounts: Tensor,
        later: ActionValues,
        means: Tensor,
        traces: Tensor,
        shifts: Tensor,
    ) -> Tensor:
        """Return targets [T, N, K] of rewards [T, N] and later values [T * N, A, ...].

        The `means` [T * N, A] say what is done next.
        """
        policy, entropy = torch.ones_like(means[:, :1]), None
        if self.config.target.munchausen:
            entropy = -scaled_log_policy(means, self.config.target.munchausen_tau)
            policy = (means / self.config.target.munchausen_tau).softmax(1)
        else:
            later = later.select(means.argmax(1))
        if later.logits is not None:
            parts = expected_distribution(later, policy, entropy)
            values, probabilities = (part.view(*rewards.shape, -1) for part in parts)
            head = self.online.head
            assert isinstance(head, CategoricalHead)
            return lambda_distributions(
                rewards, discounts, (values, probabilities), traces, shifts, head.support
            )
        values = expected_values(later, policy, entropy).view(*rewards.shape, -1)
        if self.config.head.kind == "plain":
            values = values.squeeze(2)
            return lambda_returns(rewards, discounts, values, traces, shifts).unsqueeze(2)
        return lambda_samples(rewards, discounts, values, traces, shifts, self.generator)

    def _target_values(self, observations: Tensor) -> ActionValues:
        """Evaluate [n, S, *frame shape] with the target network, IQN at random fractions."""
        return self._values(self.target, observations, self.config.head.target_taus)

    def _choosing_means(self, later: ActionValues, observations: Tensor) -> Tensor:
        """Return the means [n, A] that choose the next action: double, the online network's."""
        if self.config.target.double and self.online is not self.target:
            return self._values(self.online, observations, 0).means()
        return later.means()

    def _values(self, network: QNetwork, observations: Tensor, fractions: int) -> ActionValues:
        """Evaluate observations in parts that suit the device; IQN at random fractions."""
        rows = CPU_ROWS if observations.device.type == "cpu" else len(observations)
        parts: list[ActionValues] = []
        for begin in range(0, len(observations), rows):
            part = observations[begin : begin + rows]
            parts.append(network(part, self._fractions(len(part), fractions)))
        if len(parts) == 1:
            return parts[0]
        values = torch.cat([part.values for part in parts])
        logits = [part.logits for part in parts if part.logits is not None]
        return ActionValues(values, torch.cat(logits) if logits else None)

    def _fractions(self, rows: int, count: int) -> Tensor | None:
        """Draw fractions [rows, count] for an IQN head; None for other heads, and for count 0."""
        if self.config.head.kind != "iqn" or not count:
            return None
        device = self.generator.device
        return torch.rand(rows, count, generator=self.generator, device=device)

    def _bonus(self, means: Tensor, actions: Tensor) -> Tensor:
        target = self.config.target
        return munchausen_bonus(
            means,
            actions,
            alpha=target.munchausen_alpha,
            temperature=target.munchausen_tau,
            clip=target.munchausen_clip,
        )

    def _entropy(self, means: Tensor, actions: Tensor) -> Tensor:
        """Return what the actions taken next gain over their returns, [T - 1, N]."""
        log_policy = scaled_log_policy(means, self.config.target.munchausen_tau)
        later = log_policy.view(*actions.shape, -1)[:-1]
        return -later.gather(2, actions[1:].unsqueeze(2)).squeeze(2)

    def _traces(self, rollout: Rollout, means: Tensor) -> Tensor:
        """Return lambda [T, N], and 0 where the next step does not continue the return."""
        traces = rollout.goes_on * self.config.target.q_lambda
        if self.config.target.trace == "watkins":
            greedy = means.argmax(1).view_as(rollout.actions)
            traces[:-1] *= greedy[:-1] == rollout.actions[1:]
        return traces
