"""What games of Atari measure besides their scores: in Breakout, the tunnel behind the wall.

Measures read the frames that agents see, so any evaluation has them, of many games at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.pictures.pictured import Measure

# Breakout's screen is 210 x 160 pixels. Below the upper border stand rows 32 to 56, free but for
# the ball; the wall's six rows of bricks are 57 to 92; between the side borders stand columns 8 to
# 151. Frames have 84 x 84 pixels of 2.5 rows and 1.905 columns, of which a fifth of the outermost
# columns here is border.
ABOVE = (slice(13, 22), slice(4, 80))
WALL = (slice(23, 37), slice(4, 80))
BRIGHT = 45  # of 255: the borders leave 28; the ball, 4 rows x 2 columns of 142, at least 59


def is_above_the_wall(frames: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell where Breakout's ball is above the wall while bricks remain.

    Args:
        frames: gray, uint8 [k, 84, 84], of k games.

    Returns bool [k]. The ball comes there through a tunnel alone, the strategy of DQN's agent after
    600 episodes that Mnih et al. (2015) show. A test compares this with the emulator's memory,
    where byte 101 is the ball's row (Anand et al. 2019, "Unsupervised State Representation Learning
    in Atari", appendix: RAM annotations).
    """
    ball = (frames[:, *ABOVE] > BRIGHT).any(axis=(1, 2))
    bricks = (frames[:, *WALL] > BRIGHT).any(axis=(1, 2))
    return np.logical_and(ball, bricks)


TUNNELLING = Measure("tunnelling", "ball above the wall", is_above_the_wall)

_MEASURES = {"breakout": (TUNNELLING,)}


def measures_of(game: str) -> tuple[Measure, ...]:
    """Return the measures of a game, by its name in snake_case; most have none."""
    return _MEASURES.get(game, ())
