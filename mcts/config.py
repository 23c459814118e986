"""Options of the search, with the source of every default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from envs.settings import (
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Settings,
    Share,
)


@dataclass(frozen=True)
class SearchConfig(Settings):
    """Options of one tree search. Immutable; validated on construction (ValueError)."""

    table: ClassVar[str] = "search"

    simulations: Annotated[int, Meta(ge=1, le=10_000_000)] = 200
    """Simulations of a full search: visits of the root's moves (AlphaZero: 800). Each may take a
    node of the tree, some hundred bytes."""
    root: Literal["puct", "gumbel"] = "puct"
    """Root policy: PUCT (AlphaZero 2018) or Gumbel with sequential halving (Gumbel AlphaZero 2022).
    With `gumbel` the inner nodes follow the improved policy too."""
    c_init: NonNegativeFloat = 1.25
    """Exploration in c(s) = log((N + c_base + 1) / c_base) + c_init, for values from -1 to 1.
    (AlphaZero's 1.25 is for values from 0 to 1, and so 2.5 here.)"""
    c_base: PositiveFloat = 19652.0
    """Growth of the exploration with visits (AlphaZero: 19652)."""
    fpu: Literal["fixed", "reduction"] = "reduction"
    """Value of an unvisited move: `fpu_value` itself, or the node's mean value less
    `fpu_value * sqrt(prior mass already visited)` (KataGo 2019)."""
    fpu_value: float = 0.2
    """See `fpu` (KataGo: 0.2 by reduction; AlphaZero's pseudocode: a fixed loss)."""
    noisy_root_fpu: bool = True
    """Whether the reduction of `fpu` holds at the root of an exploring search too; false takes its
    unvisited moves at the root's mean value (KataGo 2019: no reduction under noise)."""
    dirichlet_alpha: PositiveFloat = 1.0
    """Concentration of the root noise of exploring searches; about 10 / number of legal moves
    (AlphaZero: 0.3 chess, 0.15 shogi, 0.03 Go)."""
    dirichlet_fraction: Share = 0.25
    """Share of the noise in the root's priors (AlphaZero: 0.25); 0 switches it off."""
    forced_playouts: NonNegativeFloat = 2.0
    """k in forced playouts sqrt(k * P * N), pruned from the target again (KataGo: 2); 0 is off."""
    solve: bool = True
    """Propagate proven results exactly (MCTS-Solver, Winands 2008)."""
    lookahead: Annotated[int, Meta(ge=-1, le=6)] = -1
    """Plies that a new node is searched for a forced end, with `solve`: 1 sees the mover's own last
    move, 2 the opponent's answer. Costs branching^lookahead steps a node; 0 is off. -1 is by the
    game: 2, or 0 where many moves are legal or the rules look back at earlier positions."""
    tree_reuse: bool = True
    """Keep the chosen move's subtree for the next search (AlphaGo Zero); PUCT alone."""
    cache_size: NonNegativeInt = 65536
    """Entries of the evaluation cache (rounded up to a power of two, and no more than 64 MiB hold:
    an entry has a number for each legal move); 0 is off."""
    considered_actions: PositiveInt = 16
    """Gumbel: moves sampled at the root (mctx: 16)."""
    maxvisit_init: NonNegativeFloat = 50.0
    """Gumbel: added to the largest visit count in the scale of Q (mctx: 50)."""
    value_scale: NonNegativeFloat = 0.1
    """Gumbel: scale of the completed Q values (mctx: 0.1)."""
    leaves_per_tree: PositiveInt = 1
    """Leaves of one tree evaluated together, kept apart by virtual loss. 1 in self-play, where
    batches are made across games; more for a single game (leela-zero #2253: costs strength)."""
    virtual_loss: NonNegativeFloat = 1.0
    """Value taken off an edge for each visit in flight (AlphaGo 2016: 3 visits lost)."""
    visits_per_leaf: NonNegativeInt = 0
    """Visits of a root for each leaf beyond the first that may be in flight, to `leaves_per_tree`:
    a small tree, which virtual loss would distort most, has small batches. 0 is off."""

    @property
    def keeps_tree(self) -> bool:
        """Whether a move keeps its subtree; sequential halving needs a fresh root."""
        return self.tree_reuse and self.root == "puct"


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
