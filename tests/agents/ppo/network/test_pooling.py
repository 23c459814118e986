"""The fused pooling against PyTorch's operations."""

import pytest
import torch

from agents.ppo.network.pooling import rectify_and_pool


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("used", ["both", "pooled", "units"])
def test_values_and_gradients_are_those_of_single_operations(dtype: torch.dtype, used: str) -> None:
    generator = torch.Generator().manual_seed(0)
    units = torch.randn(9, 5, 8, generator=generator).to(dtype)
    present = torch.rand(9, 5, generator=generator) < 0.6
    present[0] = False
    of_units = torch.randn(9, 5, 8, generator=generator).to(dtype)
    of_pooled = torch.randn(9, 8, generator=generator).to(dtype)
    found, expected = units.clone().requires_grad_(), units.clone().requires_grad_()
    rectified, pooled = rectify_and_pool(found, present)
    plain = expected.relu() * present.unsqueeze(2)
    greatest = plain.max(1).values
    assert torch.equal(rectified, plain)
    assert torch.equal(pooled, greatest)
    for mine, theirs in (((rectified, pooled), found), ((plain, greatest), expected)):
        total = 0.0 * theirs.sum()
        total = total + (mine[0] * of_units).sum() * (used != "pooled")
        total = total + (mine[1] * of_pooled).sum() * (used != "units")
        total.backward()
    torch.testing.assert_close(found.grad, expected.grad)
