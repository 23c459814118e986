"""Drawn actions: their distribution, and their log-probabilities as the losses compute them."""

import numpy as np
import pytest
import torch

from agents.ppo.learning.losses import action_terms
from agents.ppo.playing.drawing import ActionDrawer
from envs.teams import ActionHead
from tests.agents.ppo.duel import HEADS

NONE = torch.zeros(0)


def drawer(heads: tuple[ActionHead, ...] = HEADS) -> ActionDrawer:
    return ActionDrawer(heads, np.random.default_rng(0))


def drawn(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    logits = rng.standard_normal((n, 9)).astype(np.float32) * 2
    masks = (rng.random((n, 9)) < 0.6).astype(np.uint8)
    masks[: n // 8] = 0  # all forbidden: all allowed
    return logits, masks


def test_log_probabilities_are_those_of_the_losses() -> None:
    logits, masks = drawn(2000)
    actions, log_probabilities = drawer().draw(logits, masks)
    terms = action_terms(*map(torch.from_numpy, (logits, masks, actions)), HEADS, NONE)
    np.testing.assert_allclose(log_probabilities, terms.log_probabilities, atol=2e-5)


def test_choices_are_drawn_as_likely_as_they_are() -> None:
    logits, masks = (array[-1:].repeat(40_000, 0) for array in drawn(16))
    masks[:] = 1
    masks[:, 1] = 0
    actions, log_probabilities = drawer().draw(logits, masks)
    outcomes, counts = np.unique(actions, axis=0, return_counts=True)
    assert 1 not in outcomes[:, 0]
    assert len(outcomes) == 1 + 4  # wait, and turn into four directions
    for outcome, count in zip(outcomes, counts, strict=True):
        of = (actions == outcome).all(1)
        assert count / 40_000 == pytest.approx(np.exp(log_probabilities[of][0]), abs=0.01)


def test_greedy_choices_are_the_likeliest_allowed_ones() -> None:
    logits, masks = drawn(500)
    actions, _ = drawer().draw(logits, masks, greedy=True)
    allowed = np.where(masks[:, :3].any(1, keepdims=True), masks[:, :3], 1)
    best = np.where(allowed, logits[:, :3], -np.inf).argmax(1)
    assert (actions[:, 0] == best).all()


def test_several_discrete_heads_are_independent_of_the_first() -> None:
    heads = (ActionHead("a", 2), ActionHead("b", 3))
    logits = np.zeros((6000, 5), np.float32)
    actions, log_probabilities = drawer(heads).draw(logits, np.ones((6000, 5), np.uint8))
    np.testing.assert_allclose(log_probabilities, -np.log(6), rtol=1e-5)
    assert len(np.unique(actions, axis=0)) == 6


def test_real_numbers_are_drawn_around_the_means() -> None:
    head = ActionHead("force", 2, "real", (-1.0, -1.0), (1.0, 1.0))
    means, log_spread = np.full((20_000, 2), 3.0, np.float32), np.array([0.0, -1.0], np.float32)
    one = ActionDrawer((head,), np.random.default_rng(0))
    actions, log_probabilities = one.draw_real(means, log_spread)
    np.testing.assert_allclose(actions.std(0), np.exp(log_spread), rtol=0.03)
    normal = torch.distributions.Normal(torch.tensor(3.0), torch.from_numpy(log_spread).exp())
    expected = normal.log_prob(torch.from_numpy(actions)).sum(1)
    np.testing.assert_allclose(log_probabilities, expected, atol=1e-4)
    assert (one.draw_real(means, log_spread, greedy=True)[0] == means).all()


def test_heads_of_both_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="expected choices alone"):
        drawer((ActionHead("a", 2), ActionHead("force", 2, "real")))
