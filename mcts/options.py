"""Search options parsed from agents' names: `sims=400,c_init=2`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from difflib import get_close_matches
from typing import Any

from mcts.config import SearchConfig

_BOOLEANS = {"true": True, "false": False}


def apply_options(config: SearchConfig, options: Mapping[str, str]) -> SearchConfig:
    """Return the search with these options, each parsed by its type.

    Raises ValueError for an unknown option, with the nearest, and for a value of another type.
    """
    changes: dict[str, Any] = {}
    known = [found.name for found in fields(SearchConfig)]
    for key, word in options.items():
        if key not in known:
            near = get_close_matches(key, [*known, "sims"], n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"the search has no option {key!r}{hint}")
        kind = type(getattr(config, key))
        try:
            changes[key] = _BOOLEANS[word.lower()] if kind is bool else kind(word)
        except (ValueError, KeyError):
            expected = {int: "a whole number", float: "a number", bool: "true or false"}
            raise ValueError(f"{key} = {word!r}: expected {expected.get(kind, 'a word')}") from None
    return replace(config, **changes)
