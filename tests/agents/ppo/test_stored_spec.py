"""A checkpoint describes its environment; what is read back is checked."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from agents.ppo.stored_spec import read_spec, spec_document
from envs.lanes.batch import find_mode
from envs.lanes.state import spec_of
from envs.teams import ActionHead
from tests.agents.ppo import cartpole, duel

REAL = ActionHead("force", 1, "real", (-math.inf,), (math.inf,))


@pytest.mark.parametrize("spec", [duel.SPEC, cartpole.SPEC, spec_of(find_mode("lanes_5v5"))])
def test_a_spec_comes_back_as_it_was(spec: Any) -> None:
    assert read_spec(json.loads(json.dumps(spec_document(spec))), "it") == spec


def test_infinite_bounds_are_no_part_of_it() -> None:
    document = spec_document(replace(cartpole.SPEC, heads=(REAL,)))
    json.dumps(document, allow_nan=False)
    assert read_spec(document, "it").heads == (replace(REAL, low=(), high=()),)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"observation_dtype": "object"}, "observation_dtype = 'object': expected one of int8"),
        ({"observation_dtype": ["<f4"]}, "expected one of int8"),
        ({"observation_shape": [10**9]}, "more than 16,777,216 entries"),
        ({"observation_shape": [-1]}, "a size below 1"),
        ({"observation_shape": [9]}, "group 'enemies' ends after entry 9"),
        ({"state_size": -1}, "a size below 1"),
        ({"heads": "all"}, "Expected `array`"),
        ({"heads": [{"name": "x", "size": 10**9}]}, "more than 16,777,216 entries"),
    ],
)
def test_what_is_no_spec_is_refused(change: dict[str, Any], told: str) -> None:
    document = {**spec_document(duel.SPEC), **change}
    with pytest.raises(ValueError, match="what run 'x' stored of its environment") as refused:
        read_spec(document, "run 'x'")
    assert told in str(refused.value)
