from dataclasses import asdict
from pathlib import Path

import pytest

from agents.alphazero.config import NetworkConfig
from arena.match.contenders import exact_name, home_of
from arena.names import AgentNameError
from envs.registry import find_game
from mcts.config import SearchConfig
from store import checkpoints
from store.errors import StoreError
from store.run import create_run

TIC_TAC_TOE = find_game("tic_tac_toe")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Run `first` with checkpoints 3 and 7, and `empty` without any."""
    folder: Path = tmp_path_factory.mktemp("runs")
    config = {"network": asdict(NetworkConfig()), "search": asdict(SearchConfig())}
    for name, steps in (("first", (3, 7)), ("empty", ())):
        run = create_run(folder, name, game="tic_tac_toe", config=config, seed=0, versions={})
        for step in steps:
            checkpoints.save(run, step, {checkpoints.MODEL_FILE: b"x"})
    return str(folder)


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("random", "random"),
        ("solver", "solver"),
        ("mcts", "mcts:1000"),
        ("mcts:sims=200", "mcts:200"),
        ("mcts:c_init=2,sims=50", "mcts:c_init=2,sims=50"),
        ("mcts:50,c-init=2", "mcts:c_init=2,sims=50"),
        ("first", "first@7"),
        ("first@3:64", "first@3:sims=64"),
        ("first:root=gumbel,64", "first@7:root=gumbel,sims=64"),
    ],
)
def test_an_agent_has_one_exact_name(store: str, text: str, exact: str) -> None:
    assert exact_name(text, TIC_TAC_TOE, store) == exact
    assert exact_name(exact, TIC_TAC_TOE, store) == exact


def test_agents_that_are_not_there_are_told(store: str) -> None:
    with pytest.raises(AgentNameError, match="did you mean 'first'"):
        exact_name("frist", TIC_TAC_TOE, store)
    with pytest.raises(StoreError, match="'empty' has no checkpoint yet"):
        exact_name("empty", TIC_TAC_TOE, store)


def test_a_match_is_kept_with_the_first_run_in_it(store: str) -> None:
    home = home_of(["mcts:100", "first@3"], TIC_TAC_TOE, store)
    assert home is not None
    assert home.name == "first"
    assert home_of(["mcts:100", "random"], TIC_TAC_TOE, store) is None
