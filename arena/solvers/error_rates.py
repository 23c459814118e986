"""How often a player errs where the best moves are known."""

from __future__ import annotations

import numpy as np

from agents.players import Player
from arena.solvers.solver import SolvedSet

Errors = dict[str, float]  # error rate 0 to 1 by set


def error_rates(player: Player, sets: list[SolvedSet]) -> Errors:
    """Share of the positions of each set where the player's move worsens the result."""
    chosen = player.analyze(np.concatenate([s.states for s in sets])).best_action
    rates, first = {}, 0
    for part in sets:
        count = len(part.states)
        kept = part.good[np.arange(count), chosen[first : first + count]]
        rates[part.name] = 1.0 - float(kept.mean())
        first += count
    return rates
