"""Log-probabilities of actions of several heads, and the losses of PPO; pure functions of tensors.

Shapes: n steps, H heads, L logits of all heads one after another, M entries of all masks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from envs.teams import ActionHead

FORBIDDEN = -1e9  # logit of a choice that a mask forbids


class ActionTerms(NamedTuple):
    """Log-probabilities of actions and the entropies of their distributions, each float32 [n]."""

    log_probabilities: Tensor
    entropies: Tensor


def action_terms(
    logits: Tensor,
    masks: Tensor,
    actions: Tensor,
    heads: Sequence[ActionHead],
    log_spread: Tensor,
) -> ActionTerms:
    """Return the terms of actions, summed over the heads that an action uses.

    A head that an action does not use adds nothing, and so has no gradient (OpenAI et al. 2019,
    appendix F).

    Args:
        logits: float32 [n, L]; of a head of real numbers the means.
        masks: [n, M] 1 where a choice may be made.
        actions: integers [n, H], or float32 [n, size] of the one head of real numbers.
        heads: of an action.
        log_spread: [size] logarithms of the standard deviations of real numbers.
    """
    if heads[0].kind == "real":
        return gaussian_terms(logits, actions, log_spread)
    total = logits.new_zeros(len(logits))
    entropies = logits.new_zeros(len(logits))
    first = actions[:, 0].long()
    for number, (head, columns, rows) in enumerate(zip(heads, *_places(heads), strict=True)):
        used, allowed = _used_and_allowed(head, masks[:, rows], first)
        log_all = _masked_log_softmax(logits[:, columns], allowed)
        chosen = log_all.gather(1, actions[:, number : number + 1].long()).squeeze(1)
        entropy = -(log_all.exp() * log_all.clamp(min=-100.0)).sum(1)
        if used is None:
            total, entropies = total + chosen, entropies + entropy
        else:
            total = total + torch.where(used, chosen, 0.0)
            entropies = entropies + torch.where(used, entropy, 0.0)
    return ActionTerms(total, entropies)


def gaussian_terms(means: Tensor, actions: Tensor, log_spread: Tensor) -> ActionTerms:
    """Return the terms of real numbers [n, size] of independent normal distributions."""
    errors = (actions - means) * torch.exp(-log_spread)
    constant = 0.5 * math.log(2.0 * math.pi)
    log_probabilities = -(0.5 * errors.square() + log_spread + constant).sum(1)
    entropy = (log_spread + 0.5 + constant).sum()
    return ActionTerms(log_probabilities, entropy.expand(len(means)))


def _places(heads: Sequence[ActionHead]) -> tuple[list[slice], list[slice]]:
    """Return where each head's logits are, and where its mask is."""
    return (
        list(_consecutive([head.size for head in heads])),
        list(_consecutive([head.mask_size for head in heads])),
    )


def _consecutive(sizes: Sequence[int]) -> Iterator[slice]:
    start = 0
    for size in sizes:
        yield slice(start, start + size)
        start += size


def _used_and_allowed(
    head: ActionHead, masks: Tensor, first: Tensor
) -> tuple[Tensor | None, Tensor]:
    """Return which actions use a head, None for all, and its allowed choices, bool [n, size].

    Where it is not used, or a mask forbids everything, all are allowed, so that numbers are finite.
    """
    if head.used_by is None:
        return None, _any_allowed(masks != 0)
    users = torch.tensor(head.used_by, device=first.device)
    is_user = first[:, None] == users
    used = is_user.any(1)
    if head.masked_by_first:
        row = is_user.long().argmax(1)
        by_user = masks.reshape(len(masks), len(head.used_by), head.size)
        masks = by_user.take_along_dim(row[:, None, None], 1).squeeze(1)
    return used, _any_allowed((masks != 0) | ~used[:, None])


def _any_allowed(allowed: Tensor) -> Tensor:
    return allowed | ~allowed.any(1, keepdim=True)


def _masked_log_softmax(logits: Tensor, allowed: Tensor) -> Tensor:
    return functional.log_softmax(torch.where(allowed, logits, FORBIDDEN), 1)


class Losses(NamedTuple):
    """Means over the steps that are learned from, scalars.

    Attributes:
        policy: the clipped surrogate, to be minimised.
        value: half the squared error of values.
        entropy: of the policy, without its weight.
        kl: approximate divergence from the policy that acted.
        clipped: share of steps whose ratio is beyond the clip.
    """

    policy: Tensor
    value: Tensor
    entropy: Tensor
    kl: Tensor
    clipped: Tensor


def ppo_losses(
    terms: ActionTerms,
    old_log_probabilities: Tensor,
    advantages: Tensor,
    values: Tensor,
    targets: Tensor,
    weights: Tensor,
    clip: float,
) -> Losses:
    """Return the losses of n steps (Schulman et al. 2017, equations 7 and 9).

    Args:
        terms: of the policy that learns.
        old_log_probabilities: [n] of the policy that acted.
        advantages: [n].
        values: [n], and `targets` [n], in the same units.
        targets: see `values`.
        weights: float32 [n] 1 for steps that are learned from, 0 for others.
        clip: largest change of a ratio.
    """
    log_ratios = torch.where(weights > 0, terms.log_probabilities - old_log_probabilities, 0.0)
    ratios = log_ratios.exp()
    clipped = ratios.clamp(1.0 - clip, 1.0 + clip)
    surrogate = torch.min(ratios * advantages, clipped * advantages)
    count = weights.sum().clamp(min=1.0)

    def mean(of: Tensor) -> Tensor:
        return (of * weights).sum() / count

    with torch.no_grad():
        kl = mean(approximate_kl(log_ratios))
        beyond = mean(((ratios - 1.0).abs() > clip).float())
    value = 0.5 * (values - targets).square()
    return Losses(-mean(surrogate), mean(value), mean(terms.entropies), kl, beyond)


def approximate_kl(log_ratios: Tensor) -> Tensor:
    """Return an estimate of each step's KL divergence of the old policy from the new one.

    (r - 1) - log r, whose mean over actions of the old policy is the divergence and which is never
    below 0 (Schulman 2020, "Approximating KL divergence", k3).
    """
    return torch.expm1(log_ratios) - log_ratios
