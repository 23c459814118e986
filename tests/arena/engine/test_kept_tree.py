"""What is kept of a search for the next one."""

from dataclasses import replace

import numpy as np
import pytest

from arena.engine.kept_tree import KeptTree
from arena.engine.tree import ROOT, branches
from mcts.config import SearchConfig
from mcts.search import ROLLOUT
from tests.arena.engine.players import GAME, after


@pytest.mark.parametrize("root", ["puct", "gumbel"])
def test_a_second_search_of_a_position_goes_on_or_begins_again(root: str) -> None:
    """Sequential halving is planned for a root without visits; PUCT goes on from any."""
    config = replace(SearchConfig(simulations=32, cache_size=0, solve=False), root=root)
    tree, kept = KeptTree(GAME, 400), []
    for _ in range(3):
        search = tree.search_at(after("b2"), config, (), seed=1)
        kept.append(sum(branch.visits for branch in branches(search.forest, ROOT)))
        search.begin(np.zeros(1, np.int64), config.simulations)
        search.run(ROLLOUT)
    assert kept[0] == 0
    assert kept[1:] == ([32, 32] if root == "puct" else [0, 0])  # 32 are what a search makes it
