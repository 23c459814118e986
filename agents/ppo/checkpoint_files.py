"""The files of a checkpoint beside its weights, and how the pool is in one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.errors import CheckpointError

TRAINER_FILE = "trainer.pt"
POOL_FILE = "pool.safetensors"  # weights of past opponents, as "NUMBER/NAME"
_OF_PAST = re.compile(r"(\d{1,12})/(.+)")


def pool_tensors(past: Mapping[int, Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    """Return the weights of past opponents by number, under the names of POOL_FILE."""
    return {
        f"{number}/{name}": np.asarray(array)
        for number, weights in past.items()
        for name, array in weights.items()
    }


def past_opponents(tensors: Mapping[str, NDArray[Any]]) -> dict[int, dict[str, NDArray[Any]]]:
    """Return the weights of past opponents by number; raises CheckpointError for other names."""
    past: dict[int, dict[str, NDArray[Any]]] = {}
    for name, array in tensors.items():
        found = _OF_PAST.fullmatch(name)
        if found is None:
            raise CheckpointError(f"{POOL_FILE} holds {name!r}: expected NUMBER/NAME")
        past.setdefault(int(found[1]), {})[found[2]] = array
    return past
