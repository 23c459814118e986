"""The memory: an LSTM over sequences in which matches begin.

Shapes: S sequences of T steps, F features, H units of the memory.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Memory(NamedTuple):
    """What an agent remembers of its match: output and cell of the LSTM, each [n, H]."""

    output: Tensor
    cell: Tensor


class SequenceMemory(nn.Module):
    """An LSTM that starts from stored states and forgets them where a match begins.

    The library's LSTM runs all steps of a sequence in one call and knows of no such beginnings. So
    what follows one is a row of its own, from an empty memory, after the sequences: one row more a
    beginning, of which there are few.
    """

    def __init__(self, features: int, units: int) -> None:
        super().__init__()
        self.units = units
        self.lstm = nn.LSTM(features, units, batch_first=True)
        for name, weight in self.lstm.named_parameters():
            nn.init.orthogonal_(weight) if "weight" in name else nn.init.zeros_(weight)

    def step(self, features: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        """Take one step: features [n, F] -> output [n, H] and the memory after it."""
        states = (memory.output.unsqueeze(0), memory.cell.unsqueeze(0))
        outputs, (output, cell) = self.lstm(features.unsqueeze(1), states)
        return outputs[:, 0], Memory(output[0], cell[0])

    def forward(self, features: Tensor, memory: Memory, begins: Tensor) -> Tensor:
        """Take T steps: features [S, T, F] -> outputs [S, T, H].

        Args:
            features: [S, T, F].
            memory: of before the first step, [S, H].
            begins: [S, T] not 0 where a step is the first of a match.
        """
        begins = begins != 0
        kept = ~begins[:, :1]  # a sequence that begins a match begins with nothing
        memory = Memory(memory.output * kept, memory.cell * kept)
        sequences, starts = torch.nonzero(begins[:, 1:], as_tuple=True)
        if not len(sequences):
            return self._run(features, memory)
        starts = starts + 1
        count, steps = begins.shape
        times = torch.arange(steps, device=features.device)
        later = (starts[:, None] + times).clamp(max=steps - 1)
        after = features[sequences[:, None], later]  # [rows, T, F], the last step repeated
        empty = memory.output.new_zeros(len(sequences), self.units)
        outputs = self._run(
            torch.cat([features, after]),
            Memory(torch.cat([memory.output, empty]), torch.cat([memory.cell, empty])),
        )
        # of each step, the row that holds it and when: that of the last beginning until then
        rows = torch.arange(count, device=features.device)[:, None].repeat(1, steps)
        rows[sequences, starts] = count + torch.arange(len(sequences), device=features.device)
        rows = rows.cummax(1).values
        begun = torch.zeros_like(rows)
        begun[sequences, starts] = starts
        places = rows * steps + times - begun.cummax(1).values
        split = torch.nonzero(begins[:, 1:].any(1)).squeeze(1)
        changed = outputs.flatten(0, 1).index_select(0, places[split].flatten())
        return outputs[:count].index_copy(0, split, changed.view(-1, steps, self.units))

    def _run(self, features: Tensor, memory: Memory) -> Tensor:
        states = (memory.output.unsqueeze(0), memory.cell.unsqueeze(0))
        outputs: Tensor = self.lstm(features, states)[0]
        return outputs
