import math

import numpy as np
import pytest
import torch

from agents.dqn.config import LearnerConfig
from agents.dqn.learning.optimisers import CentredRMSprop, build_optimiser
from agents.torch_state import dump_trainer, load_trainer


def test_centred_rmsprop_is_that_of_the_paper():
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(3, 2)), rng.normal(size=(20, 3, 2))
    weights = torch.nn.Parameter(torch.from_numpy(start.copy()))
    optimiser = CentredRMSprop([weights], lr=0.1, decay=0.95, epsilon=0.01)
    for gradient in gradients:
        weights.grad = torch.from_numpy(gradient)
        optimiser.step()
    for place in np.ndindex(3, 2):
        w, g, s = start[place], 0.0, 0.0
        for gradient in gradients[:, place[0], place[1]]:
            g = 0.95 * g + 0.05 * gradient
            s = 0.95 * s + 0.05 * gradient**2
            w -= 0.1 * gradient / math.sqrt(s - g * g + 0.01)
        assert weights[place].item() == pytest.approx(w)


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_the_compiled_pass_moves_as_the_operations_of_pytorch(memory):
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(5, 4, 3, 2, generator=generator)
    moved = {}
    for dtype in (torch.float32, torch.float64):  # the latter by PyTorch
        weights = torch.nn.Parameter(start.to(dtype, copy=True, memory_format=memory))
        bias = torch.nn.Parameter(start[0, :, 0, 0].to(dtype, copy=True))
        optimiser = CentredRMSprop([weights, bias], lr=0.01, decay=0.95, epsilon=1e-5)
        generator.manual_seed(1)
        for _ in range(20):  # gradients lie in the order of whoever made them
            weights.grad = torch.randn(start.shape, generator=generator).to(dtype)
            bias.grad = weights.grad[0, :, 0, 0].clone()
            optimiser.step()
        assert weights.is_contiguous(memory_format=memory)
        moved[dtype] = weights.detach(), bias.detach()
    for single, double in zip(moved[torch.float32], moved[torch.float64], strict=True):
        torch.testing.assert_close(single.double(), double, rtol=1e-5, atol=1e-5)
        assert not torch.equal(single, start if single.ndim == 4 else start[0, :, 0, 0])


def test_means_that_were_stored_in_another_order_go_on():
    def moved(stop):
        start = torch.arange(120.0).view(5, 4, 3, 2)
        weights = torch.nn.Parameter(start.contiguous(memory_format=torch.channels_last))
        optimiser = CentredRMSprop([weights], lr=0.01, decay=0.95, epsilon=1e-5)
        for step in range(10):
            if step == stop:
                state = optimiser.state_dict()
                for name, found in state["state"][0].items():
                    state["state"][0][name] = found.contiguous()
                optimiser = CentredRMSprop([weights], lr=0.01, decay=0.95, epsilon=1e-5)
                optimiser.load_state_dict(state)
            weights.grad = torch.sin(start + step)
            optimiser.step()
        return weights.detach()

    assert torch.equal(moved(stop=5), moved(stop=-1))


def test_summed_gradients_move_as_their_mean_does_at_the_settings_epsilon():
    """Mnih et al. sum over 32 rows at 0.01; here it is the mean, and 0.01 / 32^2."""
    gradients = np.random.default_rng(1).normal(size=(10, 4)) * 0.01
    moved = []
    for scale, epsilon in ((32.0, 0.01), (1.0, LearnerConfig().epsilon)):
        weights = torch.nn.Parameter(torch.zeros(4, dtype=torch.float64))
        optimiser = CentredRMSprop([weights], lr=0.1, decay=0.95, epsilon=epsilon)
        for gradient in gradients:
            weights.grad = torch.from_numpy(scale * gradient)
            optimiser.step()
        moved.append(weights.detach())
    torch.testing.assert_close(*moved)


def test_equal_gradients_of_any_size_leave_no_square_root_of_less_than_nothing():
    weights = torch.nn.Parameter(torch.zeros(1000))
    optimiser = CentredRMSprop([weights], lr=1e-3, decay=0.95, epsilon=1e-12)
    for _ in range(1000):
        weights.grad = torch.linspace(1.0, 1e4, 1000)
        optimiser.step()
    assert weights.isfinite().all()


@pytest.mark.parametrize("name", ["rmsprop_centred", "adam", "radam"])
def test_an_optimiser_goes_on_from_its_state(name):
    def moved(stop):
        weights = torch.nn.Parameter(torch.ones(3))
        optimiser = build_optimiser([weights], LearnerConfig(optimiser=name))
        for step in range(10):
            if step == stop:
                state = load_trainer(dump_trainer({"optimiser": optimiser.state_dict()}))
                optimiser = build_optimiser([weights], LearnerConfig(optimiser=name))
                optimiser.load_state_dict(state["optimiser"])
            weights.grad = torch.tensor([1.0, -2.0, 0.5]) * (step + 1)
            optimiser.step()
        return weights.detach()

    assert torch.equal(moved(stop=5), moved(stop=-1))
    assert not torch.equal(moved(stop=-1), torch.ones(3))


def test_settings_reach_the_optimiser():
    weights = [torch.nn.Parameter(torch.ones(3))]
    for name, kind in (("adam", torch.optim.Adam), ("radam", torch.optim.RAdam)):
        config = LearnerConfig(optimiser=name, learning_rate=0.5, epsilon=0.25)
        optimiser = build_optimiser(weights, config)
        assert type(optimiser) is kind
        assert optimiser.defaults["lr"] == 0.5
        assert optimiser.defaults["eps"] == 0.25
