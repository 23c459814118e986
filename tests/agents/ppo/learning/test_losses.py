"""Losses and action terms against the same written out for one step."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from agents.ppo.learning.losses import (
    ActionTerms,
    action_terms,
    approximate_kl,
    gaussian_terms,
    ppo_losses,
)
from envs.teams import ActionHead
from tests.agents.ppo.duel import HEADS

SIZES = [head.size for head in HEADS]  # 3, 4, 2
MASKS = sum(head.mask_size for head in HEADS)
NONE = torch.zeros(0)


def draw(n: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, sum(SIZES), generator=generator)
    masks = (torch.rand(n, MASKS, generator=generator) < 0.7).to(torch.uint8)
    actions = torch.stack([torch.randint(size, (n,), generator=generator) for size in SIZES], 1)
    for head, at in enumerate((0, 3, 7)):  # what was done was allowed
        masks[torch.arange(n), at + actions[:, head]] = 1
    return logits, masks, actions


def log_probability(logits: Tensor, mask: Tensor, action: int) -> tuple[float, float]:
    allowed = [i for i in range(len(logits)) if mask[i]]
    total = sum(math.exp(logits[i]) for i in allowed)
    shares = [math.exp(logits[i]) / total for i in allowed]
    entropy = -sum(share * math.log(share) for share in shares)
    return math.log(shares[allowed.index(action)]), entropy


def test_log_probabilities_are_those_of_the_heads_that_an_action_uses() -> None:
    logits, masks, actions = draw(64)
    terms = action_terms(logits, masks, actions, HEADS, NONE)
    for i in range(64):
        parts = [log_probability(logits[i, :3], masks[i, :3], int(actions[i, 0]))]
        if actions[i, 0] == 2:
            parts.append(log_probability(logits[i, 3:7], masks[i, 3:7], int(actions[i, 1])))
        if actions[i, 0] == 1:
            parts.append(log_probability(logits[i, 7:9], masks[i, 7:9], int(actions[i, 2])))
        assert float(terms.log_probabilities[i]) == pytest.approx(
            sum(p[0] for p in parts), abs=1e-5
        )
        assert float(terms.entropies[i]) == pytest.approx(sum(p[1] for p in parts), abs=1e-5)


def test_a_mask_by_the_first_head_is_the_row_of_the_choice() -> None:
    heads = (ActionHead("a", 3), ActionHead("t", 2, used_by=(0, 2), masked_by_first=True))
    masks = torch.tensor([[1, 1, 1, 1, 0, 0, 1]], dtype=torch.uint8)  # rows of t: [1 0], [0 1]
    logits = torch.zeros(1, 5)
    for first, only in ((0, 0), (2, 1)):
        found = action_terms(logits, masks, torch.tensor([[first, only]]), heads, NONE)
        assert float(found.log_probabilities) == pytest.approx(-math.log(3))
        other = action_terms(logits, masks, torch.tensor([[first, 1 - only]]), heads, NONE)
        assert float(other.log_probabilities) < -1e6


def test_heads_that_an_action_does_not_use_and_forbidden_choices_have_no_gradient() -> None:
    logits, masks, actions = draw(64)
    logits.requires_grad_()
    terms = action_terms(logits, masks, actions, HEADS, NONE)
    (terms.log_probabilities + terms.entropies).sum().backward()
    assert logits.grad is not None
    gradient = logits.grad
    assert (gradient[actions[:, 0] != 2][:, 3:7] == 0).all()
    assert (gradient[actions[:, 0] != 1][:, 7:9] == 0).all()
    assert (gradient[:, :9][masks == 0] == 0).all()
    assert (gradient[actions[:, 0] == 2][:, 3:7] != 0).any()
    assert (gradient[actions[:, 0] == 1][:, 7:9] != 0).any()


def test_real_numbers_have_the_density_of_a_normal_distribution() -> None:
    means, actions = torch.randn(2, 5, 3).unbind()
    log_spread = torch.tensor([0.1, -0.5, 0.7])
    terms = gaussian_terms(means, actions, log_spread)
    normal = torch.distributions.Normal(means, log_spread.exp())
    torch.testing.assert_close(terms.log_probabilities, normal.log_prob(actions).sum(1))
    torch.testing.assert_close(terms.entropies, normal.entropy().sum(1))


@pytest.mark.parametrize("advantage", [2.0, -2.0])
@pytest.mark.parametrize("ratio", [0.5, 0.9, 1.1, 1.5])
def test_the_surrogate_is_clipped_where_it_would_gain(advantage: float, ratio: float) -> None:
    log_probability = torch.tensor([math.log(ratio)], requires_grad=True)
    terms = ActionTerms(log_probability, torch.zeros(1))
    one = torch.ones(1)
    losses = ppo_losses(terms, 0 * one, advantage * one, one, one, one, clip=0.2)
    clipped = min(max(ratio, 0.8), 1.2)
    assert losses.policy.item() == pytest.approx(-min(ratio * advantage, clipped * advantage))
    losses.policy.backward()
    gains = (ratio > 1.2 and advantage > 0) or (ratio < 0.8 and advantage < 0)
    assert log_probability.grad is not None
    assert (float(log_probability.grad) == 0.0) is gains


def test_steps_that_are_not_learned_from_count_nothing() -> None:
    rng = np.random.default_rng(0)
    values = [torch.from_numpy(rng.standard_normal(10).astype(np.float32)) for _ in range(6)]
    learns = torch.tensor([1.0] * 6 + [0.0] * 4)
    log_probabilities, old, advantages, found, targets, entropies = values
    whole = ppo_losses(
        ActionTerms(log_probabilities * 1e3 * (1 - learns) + log_probabilities, entropies),
        *(old, advantages, found, targets, learns, 0.2),
    )
    part = ppo_losses(
        ActionTerms(log_probabilities[:6], entropies[:6]),
        *(old[:6], advantages[:6], found[:6], targets[:6], learns[:6], 0.2),
    )
    torch.testing.assert_close(torch.stack(whole), torch.stack(part))


def test_the_approximate_divergence_has_the_mean_of_the_true_one_and_is_never_negative() -> None:
    old, new = torch.tensor([0.2, 0.3, 0.5]), torch.tensor([0.3, 0.3, 0.4])
    log_ratios = (new / old).log()
    assert (approximate_kl(log_ratios) >= 0).all()
    divergence = (old * (old / new).log()).sum()
    torch.testing.assert_close((old * approximate_kl(log_ratios)).sum(), divergence)
