"""What a checkpoint says of its environment, as JSON values: the environment may change later."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from envs.teams import TeamSpec

SPEC = "spec"  # in a checkpoint's "rest"
MOST_ENTRIES = 2**24  # of an observation, a state or an action
_DTYPES = ("int8", "uint8", "int16", "uint16", "int32", "int64", "float16", "float32", "float64")


def spec_document(spec: TeamSpec) -> dict[str, Any]:
    """Return a spec as JSON values, without the bounds of real numbers, which may be infinite."""
    heads = tuple(replace(head, low=(), high=()) for head in spec.heads)
    document: dict[str, Any] = msgspec.to_builtins(
        replace(spec, heads=heads), enc_hook=lambda found: found.name
    )
    return document


def read_spec(document: Mapping[str, Any], whose: str) -> TeamSpec:
    """Return the spec that `spec_document` wrote; `whose` is for messages: "run 'x'".

    Raises ValueError for anything else.
    """
    try:
        spec = msgspec.convert(document, TeamSpec, dec_hook=_as_dtype)
        _check_sizes(spec)
    except (msgspec.ValidationError, ValueError) as error:
        raise ValueError(f"what {whose} stored of its environment is not readable: {error}") from (
            error
        )
    return spec


def _as_dtype(kind: type, found: Any) -> np.dtype[Any]:
    if found not in _DTYPES:
        raise ValueError(f"observation_dtype = {found!r}: expected one of {', '.join(_DTYPES)}")
    return np.dtype(found)


def _check_sizes(spec: TeamSpec) -> None:
    """Raise ValueError for sizes that are not positive, too large, or beyond an observation."""
    entries = math.prod(spec.observation_shape)
    sizes = [*spec.observation_shape, *(head.size for head in spec.heads)]
    sizes += [size for group in spec.groups for size in (group.slots, group.features)]
    if min(sizes, default=0) < 1 or min(spec.state_size, *(g.start for g in spec.groups), 0) < 0:
        raise ValueError("a size below 1")
    if max(entries, spec.state_size, sum(head.size for head in spec.heads)) > MOST_ENTRIES:
        raise ValueError(f"more than {MOST_ENTRIES:,} entries")
    for group in spec.groups:
        if group.stop > entries:
            raise ValueError(f"group {group.name!r} ends after entry {entries} of an observation")
