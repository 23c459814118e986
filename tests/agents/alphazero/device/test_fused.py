"""The network of fused kernels is the network, here with stand-ins for cuDNN's kernels."""

import pytest
import torch
from torch.nn import functional

from agents.alphazero.config import NetworkConfig
from agents.alphazero.device.fused import fused_forward, fusing_is_faster
from agents.alphazero.inference import NetworkEvaluator
from agents.alphazero.network import build_network
from envs.registry import find_game
from tests.agents.device.test_graphs import has_card


def _network(name, config):
    network = build_network(find_game(name), config, 0)
    for block in network.blocks:  # else each is the identity
        torch.nn.init.normal_(block.second.norm.weight)
    network.fold()
    return network


@pytest.mark.parametrize("name", ["connect_four", "chess"])
def test_fused_kernels_are_in_their_places(name, monkeypatch):
    def relu(x, weight, *rest):
        return functional.relu(functional.conv2d(x, weight, *rest))

    def add_relu(x, weight, skip, share, *rest):
        return functional.relu(functional.conv2d(x, weight, *rest) + share * skip)

    monkeypatch.setattr(torch, "cudnn_convolution_relu", relu)
    monkeypatch.setattr(torch, "cudnn_convolution_add_relu", add_relu)
    network = _network(name, NetworkConfig(3, 16, 8, 8, global_pooling=True))
    planes = torch.rand(5, *find_game(name).planes_shape)
    for fused, plain in zip(fused_forward(network, planes), network(planes), strict=True):
        torch.testing.assert_close(fused, plain)


def test_a_processor_does_not_fuse():
    game = find_game("connect_four")
    assert not fusing_is_faster(_network("connect_four", NetworkConfig(1, 8)), game.planes_shape)


@has_card
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_card_that_fuses_answers_as_one_that_does_not(precision):
    game, config = find_game("connect_four"), NetworkConfig(3, 64, 16, 64, precision=precision)
    state = build_network(game, config, 1).state_dict()
    module = NetworkEvaluator(game, config, state, device="cuda")._module
    planes = torch.rand(64, *game.planes_shape, device="cuda")
    found = []
    for fuses in (True, False):
        module.fuses = fuses
        with torch.inference_mode():
            found.append(module(planes))
    for fused, plain in zip(*found, strict=True):
        torch.testing.assert_close(fused, plain, atol=0.05, rtol=0.05)
