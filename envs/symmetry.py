"""Symmetries of a board as permutations of its cells and of the actions.

A symmetry s sends the content of cell `cells[s, i]` to cell i, and the action `actions[s, a]` to a:
gathering an array with the row of a symmetry gives the array as the transformed board has it.
Row 0 is the identity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Symmetries:
    """The symmetries of a game: `cells` int32 [S, H*W], `actions` int32 [S, A]."""

    cells: NDArray[np.int32]
    actions: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.cells)

    def planes(self, planes: NDArray[np.float32], symmetry: int) -> NDArray[np.float32]:
        """Transform encoded planes float32 [..., H, W] by one symmetry."""
        height, width = planes.shape[-2:]
        flat = planes.reshape(*planes.shape[:-2], height * width)
        return flat[..., self.cells[symmetry]].reshape(planes.shape)

    def action_image(self, symmetry: int) -> NDArray[np.int32]:
        """Where each action goes: int32 [A] with `image[actions[s, a]] == a`."""
        image = np.empty_like(self.actions[symmetry])
        image[self.actions[symmetry]] = np.arange(len(image), dtype=np.int32)
        return image


def identity(num_cells: int, num_actions: int) -> Symmetries:
    """No symmetry but the identity."""
    return Symmetries(
        np.arange(num_cells, dtype=np.int32)[None], np.arange(num_actions, dtype=np.int32)[None]
    )


def mirror(height: int, width: int) -> NDArray[np.int32]:
    """Cell permutations int32 [2, H*W]: the identity and the left-right reflection."""
    board = np.arange(height * width, dtype=np.int32).reshape(height, width)
    return np.stack([board.ravel(), board[:, ::-1].ravel()])


def dihedral(size: int) -> NDArray[np.int32]:
    """Cell permutations int32 [8, size*size]: the rotations of a square, then the reflections."""
    board = np.arange(size * size, dtype=np.int32).reshape(size, size)
    rotations = [np.rot90(board, k) for k in range(4)]
    return np.stack([b.ravel() for b in rotations] + [b.T.ravel() for b in rotations])
