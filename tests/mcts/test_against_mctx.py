"""The search equals DeepMind's mctx on shared trees: an implementation that is not ours.

Both get the same positions, evaluations and root noise, and settings under which they are the same
algorithm. What ours has on top is off: proofs, forced playouts, reuse. What stays different:

- mctx takes Q to [0, 1] by a transform. With `qtransform_by_min_max` over a range of length 1 it is
  Q but for a constant, and the range's lower end is our fixed first-play urgency. mctx's default
  for PUCT, a range from a node and its siblings, is for returns of unknown scale and not ours.
- Behind the root, mctx knows illegal actions by their logits alone; ours has edges for legal moves
  alone. PUCT in mctx follows an illegal action where every legal move is worth less than first-play
  urgency, so that is -1 in games that have them. Gumbel in mctx gives them the mixed value, which
  stretches the range that Q is rescaled by: they are left out by `over_legal_actions`, in games
  that have them. In Connect Four's first plies all moves are legal, and mctx runs as it comes.
- mctx breaks ties by noise or by the lowest action, ours by the lowest; here there are none.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.game import Game
from envs.registry import find_game
from mcts.config import SearchConfig
from mcts.forest import NO_NODE
from mcts.search import RootResults, Search
from tests.search_setup import HashedNetwork, openings, spread

SCRIPT = Path(__file__).parents[1] / "mctx_searches.py"
NEVER = -1e30  # the logit of an illegal action
TREES, SIMULATIONS = 24, 48
PLAIN: dict[str, Any] = {
    "solve": False,
    "lookahead": 0,
    "forced_playouts": 0.0,
    "tree_reuse": False,
    "fpu": "fixed",
    "fpu_value": -1.0,
}

# mctx's call, the game, plies before the roots, whether the search explores, options
CASES: dict[str, tuple[str, str, int, bool, dict[str, Any]]] = {
    "puct": ("puct", "connect_four", 3, False, {}),
    "puct_constants": ("puct", "connect_four", 3, False, {"c_init": 2.5, "c_base": 30.0}),
    "puct_first_play": ("puct", "connect_four", 3, False, {"fpu_value": -0.2}),
    "puct_noise": ("puct", "connect_four", 3, True, {"dirichlet_fraction": 0.5}),
    "puct_illegal": ("puct", "tic_tac_toe", 1, True, {}),
    "puct_passes": ("puct", "othello6", 26, True, {}),
    "gumbel": ("gumbel", "connect_four", 3, True, {}),
    "gumbel_temperature": ("gumbel", "connect_four", 3, False, {}),
    "gumbel_considered": ("gumbel", "connect_four", 3, True, {"considered_actions": 3}),
    "gumbel_illegal": ("gumbel over legal actions", "tic_tac_toe", 1, True, {}),
    "gumbel_passes": ("gumbel over legal actions", "othello6", 26, True, {}),
}


def searched(name: str) -> tuple[Search, RootResults]:
    """Our search of a case, and what it found."""
    policy, game_name, plies, explore, options = CASES[name]
    game, trees = find_game(game_name), np.arange(TREES)
    root: Any = "puct" if policy == "puct" else "gumbel"
    search = Search(
        game, SearchConfig(root=root, **PLAIN | options), TREES, max_simulations=SIMULATIONS
    )
    temperature = 1.0 if explore else 0.5
    search.place(openings(game, TREES, plies, seed=7))
    search.begin(trees, SIMULATIONS, explore, temperature)
    search.run(HashedNetwork(game))
    return search, search.read(trees, temperature)


def tables(search: Search, game: Game, puct: bool) -> dict[str, Any]:
    """The trees as arrays over B trees, N nodes and A actions; the last node is the unknown."""
    forest, actions = search.forest, game.num_actions
    count = SIMULATIONS + 2  # of one size, so that mctx is compiled once a game
    child = np.full((TREES, count, actions), count - 1)
    logits = np.full((TREES, count, actions), NEVER)
    logits[:, -1] = 0.0
    value, ended = np.zeros((TREES, count)), np.zeros((TREES, count), bool)
    to_play, gumbel = np.zeros((TREES, count), int), np.zeros((TREES, actions))
    for t in range(TREES):
        for n, node in enumerate(forest.nodes[t][: forest.info["num_nodes"][t]]):
            edges = forest.edges[t][node["first_edge"] :][: node["num_edges"]]
            made = edges[edges["child"] != NO_NODE]
            child[t, n, made["action"]] = made["child"]
            log_prior = np.log(edges["prior"].astype(float))
            logits[t, n, edges["action"]] = log_prior if puct else edges["logit"]
            ended[t, n] = not np.isnan(node["exact"])
            value[t, n] = node["exact"] if ended[t, n] else node["raw_value"]
            to_play[t, n] = node["to_play"]
            if n == 0:
                gumbel[t, edges["action"]] = forest.root_gumbel[t, : len(edges)]
            if ended[t, n]:
                logits[t, n] = 0.0
    return {
        "child": child,
        "logits": logits,
        "root_logits": logits[:, 0],
        "root_gumbel": gumbel,
        "value": value,
        "ended": ended,
        "to_play": to_play,
    }


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, RootResults], Any]:
    """Our results of every case, and mctx's, all computed by one process."""
    ours, cases = {}, {}
    for name, (policy, game_name, _, _, _) in CASES.items():
        search, ours[name] = searched(name)
        config = search.config
        case = tables(search, find_game(game_name), policy == "puct") | {
            "call": np.array([policy, str(SIMULATIONS), str(config.considered_actions)]),
            "c_init": config.c_init,
            "c_base": config.c_base,
            "unvisited": config.fpu_value,
        }
        cases |= {f"{name}/{key}": array for key, array in case.items()}
    folder = tmp_path_factory.mktemp("mctx")
    np.savez(folder / "cases.npz", **cases)
    command = [sys.executable, str(SCRIPT), str(folder / "cases.npz"), str(folder / "answers.npz")]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ours, np.load(folder / "answers.npz")


@pytest.mark.slow  # JAX compiles for the better part of a minute
@pytest.mark.parametrize("name", CASES)
def test_the_search_is_that_of_mctx(name: str, answers: Any) -> None:
    found, theirs = answers[0][name], answers[1]
    game = find_game(CASES[name][1])
    visits = theirs[f"{name}/visits"]
    np.testing.assert_array_equal(spread(found, "visits", game), visits)
    assert (visits.sum(axis=1) == SIMULATIONS).all()
    assert len(np.unique(visits, axis=0)) > TREES / 2  # the trees differ
    seen = visits > 0
    np.testing.assert_allclose(spread(found, "q", game)[seen], theirs[f"{name}/q"][seen], atol=1e-6)
    np.testing.assert_allclose(found.value_to_play, theirs[f"{name}/value"], atol=1e-6)
    policy = spread(found, "policy", game)
    np.testing.assert_allclose(policy, theirs[f"{name}/policy"], atol=1e-5)
    if name.startswith("gumbel"):
        np.testing.assert_array_equal(found.action, theirs[f"{name}/action"])
