"""Heads give what their papers' equations say, and noise has the papers' statistics."""

import math

import numpy as np
import pytest
import torch

from agents.dqn.config import HeadConfig, NetworkConfig
from agents.dqn.network.heads import ActionValues, NoisyLinear, build_head

SMALL = NetworkConfig(hidden=16)


def _head(features=6, actions=3, network=SMALL, **settings):
    torch.manual_seed(0)
    sizes = {"atoms": 5, "quantiles": 7, "acting_taus": 4, "cosines": 9}
    return build_head(features, actions, network, HeadConfig(**sizes | settings))


def _numpy_stream(stream, x):
    """A hidden layer and an output layer in NumPy."""
    (w1, b1), (w2, b2) = (
        (layer.weight.detach().numpy(), layer.bias.detach().numpy())
        for layer in (stream.layers[0], stream.layers[-1])
    )
    return np.maximum(x @ w1.T + b1, 0.0) @ w2.T + b2


@pytest.mark.parametrize(("kind", "outputs"), [("plain", 1), ("c51", 5), ("quantile", 7)])
def test_a_dueling_head_is_a_state_plus_advantages_less_their_mean(kind, outputs):
    head = _head(kind=kind, dueling=True)
    x = torch.randn(4, 6)
    state = _numpy_stream(head.streams.value, x.numpy())
    advantage = _numpy_stream(head.streams.advantage, x.numpy()).reshape(4, 3, outputs)
    expected = np.empty((4, 3, outputs))
    for n in range(4):
        for a in range(3):
            for k in range(outputs):
                mean = sum(advantage[n, b, k] for b in range(3)) / 3
                expected[n, a, k] = state[n, k] + advantage[n, a, k] - mean
    answer = head(x)
    got = answer.values if answer.logits is None else answer.logits
    np.testing.assert_allclose(got.detach().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("dueling", [False, True])
def test_close_values_differ_in_bfloat16_too(dueling):
    """Neighbours of 4 in bfloat16 are 1/32 apart; the best of these actions is the last."""
    head = _head(dueling=dueling)
    last = head.streams.advantage.layers[-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.tensor([4.0, 4.001, 4.002]))
    with torch.autocast("cpu", torch.bfloat16):
        means = head(torch.randn(4, 6).to(torch.bfloat16)).means()
    assert means.dtype == torch.float32
    torch.testing.assert_close(means - means[:, :1], torch.tensor([[0.0, 0.001, 0.002]] * 4))


def test_a_categorical_mean_is_of_the_atoms():
    head = _head(kind="c51", v_min=-2.0, v_max=2.0)
    answer = head(torch.randn(4, 6))
    np.testing.assert_allclose(answer.values[1, 2], [-2.0, -1.0, 0.0, 1.0, 2.0])
    logits = answer.logits.detach().numpy().astype(np.float64)
    for n in range(4):
        for a in range(3):
            weights = [math.exp(logit) for logit in logits[n, a]]
            mean = sum(w * z for w, z in zip(weights, range(-2, 3))) / sum(weights)
            assert answer.means()[n, a].item() == pytest.approx(mean, abs=1e-5)
    torch.testing.assert_close(answer.probabilities().sum(2), torch.ones(4, 3))


def test_quantiles_stand_at_the_middles_of_equal_shares():
    answer = _head(kind="quantile")(torch.randn(2, 6))
    np.testing.assert_allclose(answer.taus[0], (np.arange(7) + 0.5) / 7, atol=1e-6)
    torch.testing.assert_close(answer.means(), answer.values.mean(2))
    torch.testing.assert_close(answer.probabilities(), torch.full((2, 3, 7), 1 / 7))


def test_an_implicit_head_embeds_fractions_in_cosines():
    head = _head(kind="iqn")
    x, taus = torch.randn(2, 6), torch.rand(2, 5)
    got = head(x, taus)
    weight, bias = (p.detach().numpy() for p in (head.embedding.weight, head.embedding.bias))
    for n in range(2):
        for k in range(5):
            cosines = np.array([math.cos(math.pi * i * taus[n, k].item()) for i in range(9)])
            embedded = np.maximum(weight @ cosines + bias, 0.0)
            expected = _numpy_stream(head.streams.advantage, x[n].numpy() * embedded)
            np.testing.assert_allclose(got.values[n, :, k].detach(), expected, atol=1e-5)
    even = torch.tensor([[0.125, 0.375, 0.625, 0.875]]).expand(2, -1)
    torch.testing.assert_close(head(x).values, head(x, even).values)


def test_one_action_can_be_selected_of_each_row():
    values = torch.arange(24.0).reshape(2, 3, 4)
    chosen = ActionValues(values, -values, torch.rand(1, 4)).select(torch.tensor([2, 0]))
    assert torch.equal(chosen.values, torch.stack([values[0, 2:3], values[1, 0:1]]))
    assert torch.equal(chosen.logits, -chosen.values)


# -- noise ---------------------------------------------------------------------------------------


def _signed_root(x):
    return np.sign(x) * np.sqrt(np.abs(x))


def test_noise_is_factorised():
    torch.manual_seed(1)
    layer, x = NoisyLinear(5, 3, 0.5), torch.randn(4, 5)
    torch.testing.assert_close(layer(x), torch.nn.functional.linear(x, layer.weight, layer.bias))
    layer.draw_noise(None, torch.Generator().manual_seed(3))
    generator = torch.Generator().manual_seed(3)
    e_in, e_out = (_signed_root(torch.randn(k, generator=generator).numpy()) for k in (5, 3))
    mu_w, mu_b, sigma_w, sigma_b = (
        p.detach().numpy() for p in (layer.weight, layer.bias, layer.weight_scale, layer.bias_scale)
    )
    for n in range(4):
        for j in range(3):
            y = mu_b[j] + sigma_b[j] * e_out[j]
            for i in range(5):
                y += (mu_w[j, i] + sigma_w[j, i] * e_out[j] * e_in[i]) * x[n, i].item()
            assert layer(x)[n, j].item() == pytest.approx(y, abs=1e-5)
    layer.remove_noise()
    torch.testing.assert_close(layer(x), torch.nn.functional.linear(x, layer.weight, layer.bias))


def test_rows_with_the_same_noise_are_computed_alike_either_way():
    torch.manual_seed(1)
    layer = NoisyLinear(6, 4, 0.5)
    x, wide = torch.randn(3, 6), torch.randn(3, 2, 6)
    layer.draw_noise(None, None)
    together, together_wide = layer(x), layer(wide)
    layer.noise_in = layer.noise_in.expand(3, 6)
    layer.noise_out = layer.noise_out.expand(3, 4)
    torch.testing.assert_close(layer(x), together)
    torch.testing.assert_close(layer(wide), together_wide)


def test_rows_get_noise_of_their_own():
    torch.manual_seed(1)
    layer = NoisyLinear(6, 4, 0.5)
    x = torch.randn(1, 6)
    layer.draw_noise(3, None)
    answers = layer(x.expand(3, 6))
    assert not torch.allclose(answers[0], answers[1])
    layer.draw_noise(None, None)
    answers = layer(x.expand(3, 6))
    torch.testing.assert_close(answers[0], answers[1])


def test_noise_has_the_papers_scale():
    torch.manual_seed(0)
    inputs, outputs, sigma = 64, 8, 0.5
    layer = NoisyLinear(inputs, outputs, sigma)
    bound = 1 / math.sqrt(inputs)
    assert layer.weight.abs().max().item() <= bound
    assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)
    torch.testing.assert_close(layer.weight_scale, torch.full((outputs, inputs), sigma * bound))
    torch.testing.assert_close(layer.bias_scale, torch.full((outputs,), sigma * bound))
    rows = 40_000
    layer.draw_noise(rows, torch.Generator().manual_seed(0))
    with torch.no_grad():
        answers = layer(torch.ones(rows, inputs))
        layer.remove_noise()
        noise = (answers - layer(torch.ones(1, inputs))).numpy()
    # E f(e)^2 = E|e| = sqrt(2 / pi), and the factors of weights are independent
    root = math.sqrt(2 / math.pi)
    variance = (sigma * bound) ** 2 * (inputs * root**2 + root)
    assert np.abs(noise.mean(0)).max() < 5 * math.sqrt(variance / rows)
    np.testing.assert_allclose(noise.var(0), np.full(outputs, variance), rtol=0.1)


def test_noise_is_drawn_in_place():
    layer = NoisyLinear(6, 4, 0.5)
    layer.draw_noise(None, None)
    before, values = layer.noise_in, layer.noise_in.clone()
    layer.draw_noise(None, None)
    assert layer.noise_in is before
    assert not torch.equal(before, values)


def test_a_noisy_head_has_noise_on_its_last_two_layers_alone():
    head = _head(kind="iqn", noisy=True, dueling=True)
    noisy = [name for name, module in head.named_modules() if isinstance(module, NoisyLinear)]
    assert noisy == [
        f"streams.{stream}.layers.{place}" for stream in ("advantage", "value") for place in (0, 2)
    ]
