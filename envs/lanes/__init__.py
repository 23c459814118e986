"""Lanes: a battle arena for two teams of one, three or five heroes under fog of war."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from envs.lanes.parallel_match import LanesParallelEnv


def parallel_env(name: str, **options: Any) -> LanesParallelEnv:
    """Create one match as a PettingZoo `ParallelEnv`, by the name of its mode, "lanes_3v3".

    Args:
        options: `weights` of the rewards, see `LanesParallelEnv`.

    Raises ValueError for an unknown name.
    """
    from envs.lanes.parallel_match import LanesParallelEnv  # PettingZoo takes a while to load

    return LanesParallelEnv(name, **options)
