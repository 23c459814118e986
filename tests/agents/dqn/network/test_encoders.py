"""The encoders have the papers' layers, and compute what plain layers would."""

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from agents.dqn.config import DQNConfig, HeadConfig, NetworkConfig
from agents.dqn.network.encoders import arrange, build_encoder, check_encoder
from agents.dqn.network.q_network import build_network

CPU = torch.device("cpu")
ATARI = (4, 84, 84)
BTR = NetworkConfig("impala", width=2, max_pool=6, spectral_norm=True, precision="float32")


def _network(network, head=None, shape=ATARI, dtype=np.uint8, actions=4):
    config = DQNConfig(network=network, head=head or HeadConfig())
    return build_network(shape, dtype, actions, config, seed=0, device=CPU)


def _pictures(n, *shape):
    drawn = np.random.default_rng(n).integers(0, 256, (n, *(shape or ATARI)), np.uint8)
    return torch.from_numpy(drawn)


@pytest.mark.parametrize(
    ("network", "head", "millions", "parameters"),
    [
        # FACTS of the papers' networks: 3.0, 9.3, 55 and 225 million multiply-adds a forward pass
        (NetworkConfig("nips2013", hidden=256), HeadConfig(), 2.967, 677_172),
        (NetworkConfig("nature"), HeadConfig(), 9.345, 1_686_180),
        (NetworkConfig("nature"), HeadConfig(dueling=True), 10.95, 3_292_837),
        (NetworkConfig("impala"), HeadConfig(), 55.2, 97_744 + 3872 * 512 + 512 + 512 * 4 + 4),
        (BTR, HeadConfig("iqn", dueling=True, noisy=True, acting_taus=8), 224.9, 5_264_554),
    ],
    ids=["nips2013", "nature", "dueling", "impala", "beyond the rainbow"],
)
def test_networks_are_as_large_as_the_papers(network, head, millions, parameters):
    built = _network(network, head).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        built(_pictures(1))
    assert counter.get_total_flops() / 2e6 == pytest.approx(millions, rel=1e-3)
    assert sum(p.numel() for p in built.parameters()) == parameters


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize(("name", "strides"), [("nips2013", (4, 2)), ("nature", (4, 2, 1))])
def test_convolutions_see_shares_of_255(name, strides, layer_norm):
    built = _network(NetworkConfig(name, layer_norm=layer_norm, precision="float32"))
    pictures = _pictures(3)
    got = built.encoder(arrange(pictures, True, torch.float32))
    x = pictures.float() / 255.0
    weights = iter(built.encoder.parameters())
    for stride in strides:
        x = functional.conv2d(x, next(weights), next(weights), stride)
        if layer_norm:  # over all units of the layer
            mean = x.mean((1, 2, 3), keepdim=True)
            deviation = x.var((1, 2, 3), keepdim=True, correction=0).add(1e-5).sqrt()
            gain, bias = next(weights), next(weights)
            x = (x - mean) / deviation * gain[:, None, None] + bias[:, None, None]
        x = x.relu()
    torch.testing.assert_close(got, x.flatten(1), atol=1e-5, rtol=1e-4)


def test_impala_is_residual():
    built = _network(NetworkConfig("impala", width=0.25, precision="float32"))
    pictures = _pictures(2)
    x = pictures.float() / 255.0
    weights = iter(built.encoder.parameters())

    def convolve(x):
        return functional.conv2d(x, next(weights), next(weights), padding=1)

    for _ in range(3):
        x = functional.max_pool2d(convolve(x), 3, 2, padding=1)
        for _ in range(2):
            x = x + convolve(convolve(x.relu()).relu())
    got = built.encoder(arrange(pictures, True, torch.float32))
    torch.testing.assert_close(got, x.relu().flatten(1), atol=1e-5, rtol=1e-4)


def test_a_vector_of_bytes_is_scaled_and_one_of_floats_is_not():
    config = NetworkConfig("mlp", hidden=8, precision="float32")
    of_bytes = _network(config, shape=(2, 5), dtype=np.uint8)
    of_floats = _network(config, shape=(2, 5), dtype=np.float32)
    numbers = _pictures(3, 2, 5)
    expected = of_floats(numbers.float() / 255.0).values
    torch.testing.assert_close(of_bytes(numbers).values, expected)
    assert not torch.allclose(of_floats(numbers.float()).values, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("stack", [1, 3, 4])
def test_pictures_are_laid_out_channels_last_and_unchanged(stack, dtype):
    pictures = _pictures(3, stack, 10, 12)
    arranged = arrange(pictures, True, dtype)
    assert arranged.is_contiguous(memory_format=torch.channels_last)
    assert arranged.dtype == dtype
    assert torch.equal(arranged, pictures.to(dtype))  # whole numbers up to 256 are exact


def test_colours_are_channels_of_each_frame():
    pictures = _pictures(2, 4, 6, 7, 3)
    arranged = arrange(pictures, True, torch.float32)
    assert arranged.shape == (2, 12, 6, 7)
    assert torch.equal(arranged[:, 3 * 2 + 1], pictures[:, 2, :, :, 1].float())
    encoder = build_encoder((4, 40, 44, 3), NetworkConfig("nature"), 1.0)
    assert encoder(torch.zeros(2, 12, 40, 44)).shape == (2, encoder.features)


@pytest.mark.parametrize("name", ["nips2013", "nature", "impala"])
@pytest.mark.parametrize("max_pool", [0, 3])
@pytest.mark.parametrize("width", [0.5, 1.0, 1.25])
def test_features_are_announced(name, max_pool, width):
    config = NetworkConfig(name, max_pool=max_pool, width=width)
    for shape in ((4, 84, 84), (1, 61, 90)):
        encoder = build_encoder(shape, config, 1.0)
        assert encoder(torch.zeros(2, *shape)).shape == (2, encoder.features)


def test_spectral_norm_bounds_what_a_residual_convolution_does():
    built = _network(NetworkConfig("impala", spectral_norm=True, width=0.25, precision="float32"))
    for _ in range(30):  # a power iteration each pass
        built(_pictures(1))
    built.eval()
    convolutions = [m for m in built.modules() if hasattr(m, "parametrizations")]
    assert len(convolutions) == 12  # three sections of two blocks of two
    for convolution in convolutions:
        weight = convolution.weight.detach().flatten(1).numpy()
        assert np.linalg.svd(weight, compute_uv=False)[0] == pytest.approx(1.0, abs=0.02)


def test_observations_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"'nature'.*of 20x84 pixels.*too small"):
        build_encoder((4, 20, 84), NetworkConfig("nature"), 1.0)
    with pytest.raises(ValueError, match=r"the shape \[4, 3\].*for vectors use 'mlp'"):
        build_encoder((4, 3), NetworkConfig("impala"), 1.0)
    for shape, config in (((4, 20, 84), NetworkConfig("nature")), ((4, 3), NetworkConfig())):
        with pytest.raises(ValueError, match=r"network\.encoder = 'nature'"):
            check_encoder(shape, config)
    for name in ("nips2013", "nature", "impala", "mlp"):
        check_encoder((4, 84, 84), NetworkConfig(name, spectral_norm=name == "impala"))
