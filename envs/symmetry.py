"""Symmetries of a board as permutations of its cells and of the actions.

Symmetry s moves the content of cell `cells[s, i]` to cell i, and action `actions[s, a]` to a, so
indexing an array with row s gives the array of the transformed board. Row 0 is the identity.
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
        """Return the image of each action: int32 [A] with `image[actions[s, a]] == a`."""
        image = np.empty_like(self.actions[symmetry])
        image[self.actions[symmetry]] = np.arange(len(image), dtype=np.int32)
        return image


def identity(num_cells: int, num_actions: int) -> Symmetries:
    """Return the identity as the only symmetry."""
    return Symmetries(
        np.arange(num_cells, dtype=np.int32)[None], np.arange(num_actions, dtype=np.int32)[None]
    )


def mirror(height: int, width: int) -> NDArray[np.int32]:
    """Return cell permutations int32 [2, H*W]: the identity and the left-right reflection."""
    board = np.arange(height * width, dtype=np.int32).reshape(height, width)
    return np.stack([board.ravel(), board[:, ::-1].ravel()])


def dihedral(size: int) -> NDArray[np.int32]:
    """Return cell permutations int32 [8, size*size]: four rotations, then four reflections."""
    board = np.arange(size * size, dtype=np.int32).reshape(size, size)
    rotations = [np.rot90(board, k) for k in range(4)]
    return np.stack([b.ravel() for b in rotations] + [b.T.ravel() for b in rotations])
