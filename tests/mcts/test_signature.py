"""The visits of a short game for a fixed seed: guards every search against silent change.

After an intended change of the search, write the signatures again and say why in the commit:
    python -m tests.mcts.test_signature
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from envs.registry import find_game
from mcts.config import SearchConfig
from tests.search_setup import GAMES, openings, play_searches, spread

SIGNATURES = Path(__file__).parent / "data" / "search_signatures.json"


def signature(name: str, root: str) -> list[str]:
    """One line a ply of one game: the action played, the root's visits, its value."""
    game = find_game(name)
    config = SearchConfig(root="gumbel" if root == "gumbel" else "puct")
    lines = []
    for _, _, found in play_searches(
        game, config, openings(game, 1, 2), 6, simulations=48, explore=True, temperature=1.0
    ):
        visits = " ".join(f"{a}:{n}" for a, n in enumerate(spread(found, "visits", game)[0]) if n)
        move = game.format_action(int(found.action[0]))
        lines.append(f"{move} | {visits} | {found.value_to_play[0]:+.4f}")
    return lines


@pytest.mark.parametrize("root", ["puct", "gumbel"])
@pytest.mark.parametrize("name", GAMES)
def test_search_has_not_changed(name: str, root: str) -> None:
    assert signature(name, root) == json.loads(SIGNATURES.read_text())[f"{name} {root}"]


if __name__ == "__main__":
    found = {
        f"{name} {root}": signature(name, root) for name in GAMES for root in ("puct", "gumbel")
    }
    SIGNATURES.parent.mkdir(exist_ok=True)
    SIGNATURES.write_text(json.dumps(found, indent=1) + "\n")
