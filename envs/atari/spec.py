"""What is known of a game of Atari under a protocol, without ale-py."""

from __future__ import annotations

import numpy as np

from envs.atari.games import ACTIONS, SOLO_GAMES
from envs.atari.measures import measures_of
from envs.atari.protocol import AtariProtocol
from envs.vector.steps import EnvironmentSpec

SCREEN = (84, 84)  # height and width of a frame, gray (Mnih et al. 2015, "Preprocessing")


def atari_spec(game: str, protocol: AtariProtocol) -> EnvironmentSpec:
    """What is known of a game, by its name in snake_case, under a protocol."""
    return EnvironmentSpec(
        name=game,
        kind="atari",
        protocol=protocol.name,
        action_names=ACTIONS if protocol.full_action_set else SOLO_GAMES[game],
        observation_shape=SCREEN,
        observation_dtype=np.dtype(np.uint8),
        measures=measures_of(game),
    )
