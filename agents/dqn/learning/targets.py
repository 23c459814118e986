"""Targets: what values are moved towards, from rewards and the values of later observations.

Shapes: n transitions, A actions, T steps of N streams in order, K values of a distribution. Rewards
are after clipping. A discount is what the later value counts: gamma to the power of the steps
between, and 0 where the episode terminated; a truncated episode's last value counts.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn import functional

from agents.dqn.network.heads import ActionValues


def scaled_log_policy(means: Tensor, temperature: float) -> Tensor:
    """Return temperature times the log of softmax(means / temperature), [n, A]; at most 0."""
    return temperature * functional.log_softmax(means / temperature, 1)


def munchausen_bonus(
    means: Tensor, actions: Tensor, *, alpha: float, temperature: float, clip: float
) -> Tensor:
    """Return what Munchausen adds to the reward of actions [n] (Vieillard et al. 2020, equation 2).

    alpha times the scaled log-policy of the action, which is clipped to [clip, 0] (section 3.1).
    The means [n, A] are the target network's, of the observation that was acted in.
    """
    log_policy = scaled_log_policy(means, temperature)
    taken = log_policy.gather(1, actions.unsqueeze(1)).squeeze(1)
    return alpha * taken.clamp(clip, 0.0)


def expected_values(later: ActionValues, policy: Tensor, shift: Tensor | None = None) -> Tensor:
    """Return the values [n, K] of a policy [n, A], action by action plus a shift [n, A].

    Of quantiles it is the policy's mean of each, as in M-IQN (Vieillard et al. 2020, section 4).
    """
    values = later.values if shift is None else later.values + shift.unsqueeze(2)
    return (policy.unsqueeze(2) * values).sum(1)


def expected_distribution(
    later: ActionValues, policy: Tensor, shift: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return values and their probabilities, each [n, A * K], under a policy [n, A].

    The values of each action are shifted by `shift` [n, A].
    """
    values = later.values if shift is None else later.values + shift.unsqueeze(2)
    probabilities = policy.unsqueeze(2) * later.probabilities()
    return values.flatten(1), probabilities.flatten(1)


def project(values: Tensor, probabilities: Tensor, support: Tensor) -> Tensor:
    """Distribute probabilities of values, both [n, M], over atoms (Bellemare et al. 2017, alg. 1).

    A value between two atoms goes to both in proportion to its nearness, one beyond the ends to the
    last atom; so means within the ends stay. `support` [K] is evenly spaced. Returns [n, K].
    """
    last = len(support) - 1
    place = (values - support[0]) * (last / (support[-1] - support[0]))
    place = place.clamp(0.0, last)
    below = place.floor().clamp(max=last - 1)
    share_above = place - below
    index = below.long()
    atoms = torch.zeros(len(values), last + 1, dtype=values.dtype, device=values.device)
    atoms.scatter_add_(1, index, probabilities * (1.0 - share_above))
    atoms.scatter_add_(1, index + 1, probabilities * share_above)
    return atoms


def lambda_returns(
    rewards: Tensor, discounts: Tensor, later_values: Tensor, traces: Tensor, shifts: Tensor
) -> Tensor:
    """Return the lambda-returns of T consecutive steps (Peng & Williams 1994; PQN, algorithm 1).

    G_t = r_t + discount_t ((1 - trace_t) V_t + trace_t (G_{t+1} + shift_t)), where V_t is the value
    of what was seen after step t. After the last step there is no trace. So with T = 1 it is a step
    from `rewards` to V, and of n steps where those are n-step returns.

    Args:
        rewards, discounts: [T, N].
        later_values: [T, N], V: of an episode's last step that of its last observation, never of
            the next episode's first one.
        traces: [T, N], lambda where G_{t+1} continues step t, 0 where it does not: where the
            episode ended and, in Watkins's form, where the next action is not the greedy one.
        shifts: [T, N], what the action taken next gains over its own return; 0 but for Munchausen,
            whose policy's entropy counts.

    Returns:
        [T, N].
    """
    result = torch.empty_like(rewards)
    mixed = later_values[-1]
    for t in range(len(rewards) - 1, -1, -1):
        result[t] = rewards[t] + discounts[t] * mixed
        if t:
            mixed = torch.lerp(later_values[t - 1], result[t] + shifts[t - 1], traces[t - 1])
    return result


def lambda_samples(
    rewards: Tensor,
    discounts: Tensor,
    later_values: Tensor,
    traces: Tensor,
    shifts: Tensor,
    generator: Generator | None,
) -> Tensor:
    """Return K samples of the distribution of each lambda-return, [T, N, K].

    As `lambda_returns`, with K equally likely later values [T, N, K]. A lambda-return is a mixture
    of n-step returns, so each sample goes on with probability lambda after each step and else ends
    in a later value; the mean of the two would have the right mean and too narrow a spread.
    """
    result = torch.empty_like(later_values)
    mixed = later_values[-1]
    for t in range(len(rewards) - 1, -1, -1):
        result[t] = rewards[t].unsqueeze(1) + discounts[t].unsqueeze(1) * mixed
        if t:
            drawn = torch.rand(mixed.shape, generator=generator, device=mixed.device)
            goes_on = drawn < traces[t - 1].unsqueeze(1)
            going_on = result[t] + shifts[t - 1].unsqueeze(1)
            mixed = torch.where(goes_on, going_on, later_values[t - 1])
    return result


def lambda_distributions(
    rewards: Tensor,
    discounts: Tensor,
    later: tuple[Tensor, Tensor],
    traces: Tensor,
    shifts: Tensor,
    support: Tensor,
) -> Tensor:
    """Return the distribution of each lambda-return over the atoms [K] of `support`, [T, N, K].

    As `lambda_returns`, with later distributions: values and probabilities, each [T, N, M]. The
    mixture is of probabilities, and each step's result is projected on the atoms.
    """
    values, probabilities = later
    result = rewards.new_empty(*rewards.shape, len(support))
    for t in range(len(rewards) - 1, -1, -1):
        reward, discount = rewards[t].unsqueeze(1), discounts[t].unsqueeze(1)
        result[t] = project(reward + discount * values[t], probabilities[t], support)
        if t < len(rewards) - 1:
            going_on = reward + discount * (support + shifts[t].unsqueeze(1))
            continued = project(going_on, result[t + 1], support)
            result[t] = torch.lerp(result[t], continued, traces[t].unsqueeze(1))
    return result
