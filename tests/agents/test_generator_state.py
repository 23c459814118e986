"""A generator's state over a resume, on the same kind of device and on another."""

import torch

from agents.torch_state import set_generator_state


def drawn(generator):
    return torch.rand(3, generator=generator).tolist()


def test_it_draws_on_from_a_state_of_its_kind():
    generator, other = torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)
    drawn(generator)
    set_generator_state(other, generator.get_state())
    assert drawn(other) == drawn(generator)


def test_a_state_of_another_kind_of_device_seeds_it():
    """That of a card has 16 bytes, its seed and how much was drawn."""
    found = []
    for offset in (4, 4, 8):
        generator = torch.Generator()
        state = torch.tensor([1, *[0] * 7, offset, *[0] * 7], dtype=torch.uint8)
        set_generator_state(generator, state)
        found.append(drawn(generator))
    assert found[0] == found[1] != found[2]
