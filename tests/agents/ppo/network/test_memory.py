"""The memory over sequences against a plain loop, one agent and one step at a time."""

import pytest
import torch
from torch import Tensor

from agents.ppo.network.memory import Memory, SequenceMemory

S, T, F, H = 7, 16, 5, 6


def plain_loop(memory: SequenceMemory, features: Tensor, start: Memory, begins: Tensor) -> Tensor:
    """Step each sequence alone; where a match begins, the memory is emptied before the step."""
    rows = []
    for s in range(S):
        now = Memory(start.output[s : s + 1], start.cell[s : s + 1])
        for t in range(T):
            if begins[s, t]:
                now = Memory(torch.zeros(1, H), torch.zeros(1, H))
            out, now = memory.step(features[s, t : t + 1], now)
            rows.append(out)
    return torch.cat(rows).view(S, T, H)


def drawn(share: float) -> tuple[SequenceMemory, Tensor, Memory, Tensor]:
    torch.manual_seed(0)
    memory = SequenceMemory(F, H)
    start = Memory(torch.randn(S, H), torch.randn(S, H))
    begins = (torch.rand(S, T) < share).to(torch.uint8)
    return memory, torch.randn(S, T, F), start, begins


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_sequences_are_a_plain_loop(share: float) -> None:
    memory, features, start, begins = drawn(share)
    found = memory(features, start, begins)
    torch.testing.assert_close(found, plain_loop(memory, features, start, begins))


def test_a_beginning_one_step_late_is_seen() -> None:
    memory, features, start, begins = drawn(0.2)
    wrong = memory(features, start, begins.roll(1, 1))
    assert (wrong - plain_loop(memory, features, start, begins)).abs().max() > 1e-2


def test_gradients_are_those_of_the_loop() -> None:
    memory, features, start, begins = drawn(0.2)
    features.requires_grad_()
    weights = torch.randn(S, T, H)
    inputs = [features, *memory.parameters()]
    found = torch.autograd.grad((memory(features, start, begins) * weights).sum(), inputs)
    loop = plain_loop(memory, features, start, begins)
    expected = torch.autograd.grad((loop * weights).sum(), inputs)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
