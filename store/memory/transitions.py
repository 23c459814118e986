"""Hold a batch of transitions: stacks of frames, actions, returns and discounts."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Transitions:
    """n transitions over up to N steps, stacks of S frames, the newest frame last.

    A stack and the next one share frames, so each frame is copied once: `frames` has those from
    S - 1 steps before a transition to N steps after its first one. A learner on a graphics card
    sends it there as it is, and takes both stacks from it.

    Attributes:
        rows: int64 [n], for `FrameRing.update`.
        weights: float32 [n], importance weights; 1 when drawn uniformly.
        frames: [n, S + N, *frame shape].
        stack: S.
        actions: [n], what was done at the newest frame of `stacks`.
        returns: float32 [n], sum of gamma^k reward_k until N steps or the episode's end.
        discounts: float32 [n], what the value of `next_stacks` counts: gamma^N, and 0 where the
            episode terminated within N steps. A truncated episode's last value counts.
    """

    rows: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]
    frames: npt.NDArray[Any]
    stack: int
    actions: npt.NDArray[Any]
    returns: npt.NDArray[np.float32]
    discounts: npt.NDArray[np.float32]

    @property
    def stacks(self) -> npt.NDArray[Any]:
        """Return what was seen, [n, S, *frame shape], as a view."""
        return self.frames[:, : self.stack]

    @property
    def next_stacks(self) -> npt.NDArray[Any]:
        """Return what was seen N steps later, [n, S, *frame shape], as a view.

        Where the discount is 0 it has no meaning: the episode may have ended before N steps.
        """
        return self.frames[:, self.frames.shape[1] - self.stack :]
