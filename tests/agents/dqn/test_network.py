import numpy as np
import pytest
import torch

from agents.dqn.config import DQNConfig, HeadConfig, NetworkConfig, TargetConfig
from agents.dqn.network import TargetNetwork, build_network
from agents.torch_state import dump_state, load_state

CPU = torch.device("cpu")
ATARI = (4, 84, 84)


def _build(network=None, head=None, seed=0):
    network = network or NetworkConfig("nips2013", hidden=32, precision="float32")
    config = DQNConfig(network=network, head=head or HeadConfig())
    return build_network(ATARI, np.uint8, 6, config, seed=seed, device=CPU)


def _pictures(n):
    drawn = np.random.default_rng(n).integers(0, 256, (n, *ATARI), np.uint8)
    return torch.from_numpy(drawn)


def test_the_same_seed_gives_the_same_network():
    first, again, other = (_build(seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(
        first["encoder.layers.0.layer.weight"], other["encoder.layers.0.layer.weight"]
    )


@pytest.mark.parametrize("kind", ["plain", "c51", "quantile", "iqn"])
@pytest.mark.parametrize("encoder", ["nips2013", "nature", "impala"])
def test_bfloat16_is_close_to_float32(encoder, kind):
    head = HeadConfig(kind, dueling=True, quantiles=8, acting_taus=8)
    networks = [
        _build(
            NetworkConfig(encoder, hidden=64, layer_norm=True, width=0.5, precision=precision), head
        )
        for precision in ("float32", "bfloat16")
    ]
    pictures = _pictures(8)
    exact, rough = (network(pictures).means().detach() for network in networks)
    assert exact.dtype == rough.dtype == torch.float32
    spread = exact.std().item()
    assert 0 < (exact - rough).abs().max().item() < 0.15 * spread + 0.02
    gradients = []
    for network in networks:
        network(pictures).means().square().mean().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in network.parameters()]))
    assert all(gradient.dtype == torch.float32 for gradient in gradients)
    assert torch.cosine_similarity(*gradients, dim=0).item() > 0.98


def test_answers_do_not_depend_on_the_memorys_order():
    network, pictures = _build(), _pictures(3)
    expected = network(pictures).values
    turned = pictures.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(network(turned).values, expected)
    torch.testing.assert_close(network(pictures[1:2]).values, expected[1:2])


def test_weights_survive_their_bytes_with_norms_and_noise():
    network = NetworkConfig(
        "impala", layer_norm=True, spectral_norm=True, width=0.25, hidden=8, precision="float32"
    )
    head = HeadConfig("iqn", dueling=True, noisy=True)
    first, second = (_build(network, head, seed) for seed in (0, 1))
    second.load_state_dict(load_state(dump_state(first.state_dict())))
    first.eval(), second.eval()
    pictures = _pictures(2)
    assert torch.equal(first(pictures).values, second(pictures).values)


def test_noise_is_drawn_for_all_layers_and_removed():
    network = _build(head=HeadConfig(noisy=True, dueling=True))
    pictures = _pictures(1).expand(3, *ATARI)
    means = network(pictures).values
    network.draw_noise(generator=torch.Generator().manual_seed(0))
    noisy = network(pictures).values
    assert not torch.allclose(noisy, means)
    torch.testing.assert_close(noisy[0], noisy[1])
    network.draw_noise(3, torch.Generator().manual_seed(0))
    each = network(pictures).values
    assert not torch.allclose(each[0], each[1])
    network.draw_noise(generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(pictures).values, noisy)
    network.remove_noise()
    torch.testing.assert_close(network(pictures).values, means)
    assert len(network.noisy_layers()) == 4
    assert not any("noise" in name for name in network.state_dict())


# -- the target network --------------------------------------------------------------------------


def _distance(first, second):
    return max((a - b).abs().max().item() for a, b in zip(first.parameters(), second.parameters()))


def _shift(network):
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 1.0


def test_a_hard_target_copies_every_period():
    online = _build()
    target = TargetNetwork(online, TargetConfig(period=3))
    distances = []
    for step in range(1, 8):
        _shift(online)
        target.follow(step)
        distances.append(round(_distance(online, target.network)))
    assert distances == [1, 2, 0, 1, 2, 0, 1]


def test_a_soft_target_moves_by_a_share():
    online = _build()
    target = TargetNetwork(online, TargetConfig(network="soft", rate=0.25))
    _shift(online)
    for step, left in ((1, 0.75), (2, 0.5625)):
        target.follow(step)
        assert _distance(online, target.network) == pytest.approx(left, abs=1e-5)


def test_no_target_is_the_online_network():
    online = _build()
    target = TargetNetwork(online, TargetConfig(network="none"))
    target.follow(1)
    assert target.network is online
    assert all(parameter.requires_grad for parameter in online.parameters())


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_a_target_has_the_online_networks_spectral_norms_and_leaves_them(kind):
    config = NetworkConfig("impala", spectral_norm=True, width=0.25, hidden=8, precision="float32")
    online = _build(config)
    target = TargetNetwork(online, TargetConfig(network=kind, period=1, rate=1.0))
    for step in range(1, 4):
        online(_pictures(1))  # a power iteration
        target.follow(step)
        before = [buffer.clone() for buffer in target.network.buffers()]
        values = target.network(_pictures(2)).values
        assert all(torch.equal(*both) for both in zip(before, target.network.buffers()))
    torch.testing.assert_close(values, online.eval()(_pictures(2)).values)
