"""Symmetries of a board as permutations of its cells, of the actions, and of the planes.

Symmetry s moves the content of cell `cells[s, i]` to cell i, action `actions[s, a]` to a, and plane
`channels[s, c]` to c, so indexing an array with row s gives the array of the transformed board. Row
0 is the identity. Planes change places where they name a direction, such as a move to the left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Symmetries:
    """The symmetries of a game: `cells` int32 [S, H*W], `actions` int32 [S, A].

    `channels` int32 [S, C] is None where all planes stay in their places.
    """

    cells: NDArray[np.int32]
    actions: NDArray[np.int32]
    channels: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.cells)

    def planes(self, planes: NDArray[np.float32], symmetry: int) -> NDArray[np.float32]:
        """Transform encoded planes float32 [..., C, H, W] by one symmetry."""
        height, width = planes.shape[-2:]
        if self.channels is not None:
            planes = planes[..., self.channels[symmetry], :, :]
        flat = planes.reshape(*planes.shape[:-2], height * width)
        return flat[..., self.cells[symmetry]].reshape(planes.shape)

    def transform(
        self, planes: NDArray[np.float32], symmetries: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Transform planes float32 [n, C, H, W], each by a symmetry of its own [n]."""
        flat = planes.reshape(*planes.shape[:2], -1)
        cells = self.cells[symmetries][:, None, :].astype(np.int64)
        turned = np.take_along_axis(flat, cells, 2)
        if self.channels is not None:
            rows = self.channels[symmetries][:, :, None].astype(np.int64)
            turned = np.take_along_axis(turned, rows, 1)
        return turned.reshape(planes.shape)

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
