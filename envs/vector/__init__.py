"""Environments of one player, many games at a time: Atari, Gymnasium's, and a user's own."""

from envs.vector.finding import (
    EnvironmentClass,
    find_environment,
    gymnasium_ids,
    is_part_of_a_name,
    make_one,
    make_vector,
    part_of_a_name,
    typed_environment,
)
from envs.vector.steps import (
    EnvironmentNameError,
    EnvironmentSpec,
    Steps,
    UnsupportedEnvironmentError,
    VectorEnvironment,
)

__all__ = [
    "EnvironmentClass",
    "EnvironmentNameError",
    "EnvironmentSpec",
    "Steps",
    "UnsupportedEnvironmentError",
    "VectorEnvironment",
    "find_environment",
    "gymnasium_ids",
    "is_part_of_a_name",
    "make_one",
    "make_vector",
    "part_of_a_name",
    "typed_environment",
]
