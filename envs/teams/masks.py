"""Masks of one agent's choices, written into the entries of heads that may be larger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.teams.steps import ActionHead
from envs.vector.steps import EnvironmentFailedError, UnsupportedEnvironmentError


def write_mask(
    whose: str,
    given: Any,
    own: Sequence[ActionHead],
    heads: Sequence[ActionHead],
    out: NDArray[np.uint8],
) -> None:
    """Write a mask: `given` is of the agent's `own` heads, `out` of the vector's, as large or more.

    `given` None allows all that the agent has. Raises UnsupportedEnvironmentError for a mask of
    another length, and EnvironmentFailedError for one that leaves a head without any choice.
    """
    sizes = [head.mask_size for head in own]
    if given is None:
        mask = np.ones(sum(sizes), np.uint8)
    else:
        mask = (np.asarray(given).ravel() != 0).astype(np.uint8)
    if len(mask) != sum(sizes):
        raise UnsupportedEnvironmentError(
            f"{whose} gave an action mask of {len(mask)} entries: expected {sum(sizes)}, one for "
            "each choice"
        )
    out[:] = 0
    read = 0
    for size, start in zip(sizes, _starts(heads), strict=True):
        part = mask[read : read + size]
        if size and not part.any():
            raise EnvironmentFailedError(
                f"{whose} gave an action mask that allows no action: expected one at least for an "
                "agent that has not ended"
            )
        out[start : start + size] = part
        read += size


def write_no_op(heads: Sequence[ActionHead], out: NDArray[np.uint8]) -> None:
    """Write the mask of an agent that has ended: of each head the first choice alone."""
    out[:] = 0
    for head, start in zip(heads, _starts(heads), strict=True):
        if head.mask_size:
            out[start] = 1


def _starts(heads: Sequence[ActionHead]) -> Iterator[int]:
    start = 0
    for head in heads:
        yield start
        start += head.mask_size
