"""Losses against cases computed by hand and plain loops over single numbers."""

import math

import numpy as np
import pytest
import torch

from agents.dqn.learning.losses import categorical_loss, mean_loss, quantile_loss


def _random(*shape, seed=0, scale=1.0):
    return torch.from_numpy(np.random.default_rng(seed).normal(scale=scale, size=shape))


# -- means ---------------------------------------------------------------------------------------


def test_mean_losses_by_hand():
    means, targets = torch.tensor([0.0, 1.0, 5.0, 0.0]), torch.tensor([0.5, 0.0, 2.0, 10.0])
    huber = mean_loss(means, targets, 1.0)
    np.testing.assert_allclose(huber.losses, [0.125, 0.5, 2.5, 9.5])
    np.testing.assert_allclose(huber.priorities, [0.5, 1.0, 3.0, 10.0])
    wider = mean_loss(means, targets, 2.0)
    np.testing.assert_allclose(wider.losses, [0.125, 0.5, 4.0, 18.0])
    square = mean_loss(means, targets, 0.0)
    np.testing.assert_allclose(square.losses, [0.125, 0.5, 4.5, 50.0])


@pytest.mark.parametrize("clip", [0.0, 0.7, 1.0])
def test_the_gradient_of_a_mean_is_the_clipped_error(clip):
    means, targets = _random(50, scale=3.0).requires_grad_(), _random(50, seed=1)
    mean_loss(means, targets, clip).losses.sum().backward()
    for mean, target, gradient in zip(means.tolist(), targets.tolist(), means.grad.tolist()):
        error = target - mean
        expected = error if not clip else min(max(error, -clip), clip)
        assert gradient == pytest.approx(-expected)


# -- C51 -----------------------------------------------------------------------------------------


def test_a_divergence_by_hand():
    logits = torch.tensor([[0.25, 0.75], [0.5, 0.5]]).log().requires_grad_()
    targets = torch.tensor([[0.5, 0.5], [1.0, 0.0]])
    losses = categorical_loss(logits, targets)
    expected = [0.5 * math.log(2) + 0.5 * math.log(0.5 / 0.75), math.log(2)]
    np.testing.assert_allclose(losses.losses.detach(), expected, rtol=1e-6)
    np.testing.assert_allclose(losses.priorities, expected, rtol=1e-6)
    assert not losses.priorities.requires_grad


def test_divergences_are_those_of_a_loop_and_have_the_cross_entropys_gradient():
    logits = _random(6, 5).requires_grad_()
    targets = torch.from_numpy(np.random.default_rng(1).dirichlet(np.ones(5), 6))
    losses = categorical_loss(logits, targets).losses
    for n in range(6):
        weights = [math.exp(logit) for logit in logits[n].tolist()]
        expected = 0.0
        for m, w in zip(targets[n].tolist(), weights):
            expected += m * (math.log(m) - math.log(w / sum(weights)))
        assert losses[n].item() == pytest.approx(expected)
    losses.sum().backward()
    torch.testing.assert_close(logits.grad, logits.detach().softmax(1) - targets)


def test_a_fit_has_no_loss():
    logits = _random(3, 5)
    fitted = categorical_loss(logits, logits.softmax(1))
    np.testing.assert_allclose(fitted.losses, 0.0, atol=1e-12)
    assert (fitted.priorities >= 0.0).all()


# -- quantiles -----------------------------------------------------------------------------------


def test_a_quantile_loss_by_hand():
    values, taus = torch.tensor([[0.0, 2.0]]), torch.tensor([[0.25, 0.75]])
    targets = torch.tensor([[0.5, 4.0]])
    # errors of value 0: 0.5 and 4 at 0.25; of value 2: -1.5 at |0.75 - 1| and 2 at 0.75
    first = 0.25 * (0.125 + 3.5) / 2
    second = (0.25 * 1.0 + 0.75 * 1.5) / 2
    got = quantile_loss(values, taus, targets, 1.0)
    np.testing.assert_allclose(got.losses, [first + second])
    np.testing.assert_allclose(got.priorities, [(0.5 + 4.0 + 1.5 + 2.0) / 4])
    plain = quantile_loss(values, taus, targets, 0.0)
    expected = (0.25 * 4.5 + 0.25 * 1.5 + 0.75 * 2.0) / 2
    np.testing.assert_allclose(plain.losses, [expected])


@pytest.mark.parametrize("kappa", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("rows_of_taus", [1, 4])
def test_quantile_losses_are_those_of_a_loop(kappa, rows_of_taus):
    values, targets = _random(4, 3), _random(4, 5, seed=1)
    taus = torch.from_numpy(np.random.default_rng(2).random((rows_of_taus, 3)))
    got = quantile_loss(values, taus, targets, kappa)
    for n in range(4):
        total = size = 0.0
        for i in range(3):
            tau = taus[n % rows_of_taus, i].item()
            for j in range(5):
                u = targets[n, j].item() - values[n, i].item()
                huber = abs(u)
                if kappa:
                    inside = abs(u) <= kappa
                    huber = 0.5 * u * u if inside else kappa * (abs(u) - 0.5 * kappa)
                    huber /= kappa
                total += abs(tau - (1.0 if u < 0 else 0.0)) * huber / 5
                size += abs(u) / 15
        assert got.losses[n].item() == pytest.approx(total)
        assert got.priorities[n].item() == pytest.approx(size)


def test_the_least_quantile_loss_is_at_the_quantile():
    targets = torch.linspace(0.0, 1.0, 1001)[None]
    value = torch.tensor([[0.0]], requires_grad=True)
    optimiser = torch.optim.SGD([value], lr=0.05)
    for _ in range(300):
        optimiser.zero_grad()
        quantile_loss(value, torch.tensor([[0.3]]), targets, 0.0).losses.sum().backward()
        optimiser.step()
    assert value.item() == pytest.approx(0.3, abs=0.02)
