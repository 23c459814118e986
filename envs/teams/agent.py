"""Agents of team environments: each plays a whole team, in several matches at once.

They see what their team observes, and nothing else. What an agent needs of the past, such as a
recurrent state, it keeps itself; `begins` says where a new match began, so that nothing of an
earlier one is in it.

Shapes: n matches, k agents of the team, h heads of an action.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class TeamAgent(Protocol):
    """Plays a team in n matches at once.

    Attributes:
        name: as on the command line.
    """

    name: str

    def act(
        self,
        observations: NDArray[Any],
        masks: NDArray[np.uint8],
        begins: NDArray[np.bool_],
        rng: np.random.Generator,
    ) -> NDArray[Any]:
        """Choose the actions of the team in each match, [n, k, h].

        Args:
            observations: [n, k, *shape], the newest.
            masks: [n, k, mask_size], 1 where a choice may be made.
            begins: [n], whether they are the first ones of a new match.
            rng: decides whatever is random.
        """
