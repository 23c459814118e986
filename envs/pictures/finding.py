"""Environments with pictures by name."""

from __future__ import annotations

from envs.atari.games import find_atari
from envs.atari.protocol import AtariProtocol, find_protocol
from envs.pictures.pictured import PicturedEnvironment
from envs.vector import EnvironmentClass


def make_pictured(
    name: str | EnvironmentClass, *, seed: int, protocol: str | AtariProtocol = "nature"
) -> PicturedEnvironment:
    """Make one environment with pictures: a game of Atari, a Gymnasium id, or a user's class.

    `protocol` concerns Atari alone. Raises as `envs.vector.find_environment`, and
    UnsupportedEnvironmentError for an environment that draws no pictures.
    """
    if isinstance(name, str) and (game := find_atari(name)):
        from envs.atari.screen import AtariScreen

        return AtariScreen(game, seed=seed, protocol=find_protocol(protocol))
    from envs.pictures.gymnasium_screen import GymnasiumScreen

    return GymnasiumScreen(name, seed=seed)
