from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from agents.alphazero.config import NetworkConfig
from agents.alphazero.network import build_network
from agents.alphazero.player import PLAYING_SIMULATIONS, RawNetworkPlayer
from agents.players import RandomPlayer, SearchPlayer
from agents.running.run_game import source_of
from agents.torch_state import dump_state
from arena.names import AgentName, AgentNameError, find_agent, find_run, parse_agent_name
from arena.solvers.players import SolverPlayer
from envs.game import Game
from envs.game_file import load_game_file
from envs.registry import find_game
from mcts.config import SearchConfig
from store import checkpoints
from store.run import create_run

TIC_TAC_TOE = find_game("tic_tac_toe")
NETWORK = NetworkConfig(blocks=0, filters=4, head_filters=2, value_hidden=4)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with run `first`, which has checkpoints 3 and 7, and `other` of another game."""
    folder = tmp_path_factory.mktemp("runs")
    search = asdict(SearchConfig(simulations=33, solve=False))
    for name, game, steps in (("first", "tic_tac_toe", (3, 7)), ("other", "connect_four", ())):
        config = {"game": game, "network": asdict(NETWORK), "search": search}
        run = create_run(folder, name, game=game, config=config, seed=0, versions={})
        for step in steps:
            weights = dump_state(build_network(find_game(game), NETWORK, seed=step).state_dict())
            checkpoints.save(run, step, {checkpoints.MODEL_FILE: weights})
    return str(folder)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("random", ("random", None, {})),
        ("mcts:1000", ("mcts", None, {"simulations": "1000"})),
        ("a-run.2@12:sims=4,root=gumbel", ("a-run.2", 12, {"simulations": "4", "root": "gumbel"})),
        ("run:tree-reuse=true", ("run", None, {"tree_reuse": "true"})),
    ],
)
def test_names_are_read_into_their_parts(
    text: str, parts: tuple[str, int | None, dict[str, str]]
) -> None:
    assert parse_agent_name(text) == AgentName(*parts)


def test_every_kind_of_agent_is_found(store: str) -> None:
    kinds = {
        "random": RandomPlayer,
        "solver": SolverPlayer,
        "mcts:5": SearchPlayer,
        "first": SearchPlayer,
        "first:sims=0": RawNetworkPlayer,
    }
    for text, kind in kinds.items():
        player = find_agent(text, TIC_TAC_TOE, store)
        assert isinstance(player, kind)
        assert player.name == text


def network_step(player: Any) -> int:
    return int(player.evaluators[0].step)


def test_a_run_plays_its_newest_checkpoint_with_its_own_search_and_proofs(store: str) -> None:
    player = find_agent("first", TIC_TAC_TOE, store)
    assert isinstance(player, SearchPlayer)
    assert network_step(player) == 7
    assert (player.config.simulations, player.config.solve) == (PLAYING_SIMULATIONS, True)


def test_step_and_options_are_heeded(store: str) -> None:
    player = find_agent("first@3:sims=8,root=gumbel,solve=false", TIC_TAC_TOE, store)
    assert isinstance(player, SearchPlayer)
    assert network_step(player) == 3
    config = player.config
    assert (config.simulations, config.root, config.solve) == (8, "gumbel", False)


def test_options_that_mean_nothing_without_a_search_are_refused(store: str) -> None:
    with pytest.raises(ValueError, match="root: expected no such option beside sims=0"):
        find_agent("first:sims=0,root=gumbel", TIC_TAC_TOE, store)
    with pytest.raises(ValueError, match="no option 'rooot'; did you mean 'root'"):
        find_agent("first:sims=0,rooot=gumbel", TIC_TAC_TOE, store)
    with pytest.raises(ValueError, match=r"3000000000.*10000000|10,000,000"):
        find_agent("mcts:sims=3000000000", TIC_TAC_TOE, store)


def test_simulations_of_the_command_win(store: str) -> None:
    for text in ("first", "first:sims=8", "mcts:9"):
        player = find_agent(text, TIC_TAC_TOE, store, simulations=12)
        assert isinstance(player, SearchPlayer)
        assert player.config.simulations == 12


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("randm", ["no agent 'randm'", "did you mean 'random'?"]),
        ("frist", ["did you mean 'first'?"]),
        ("nobody", ["no agent 'nobody'", "random, mcts:1000, solver, first, other"]),
        ("first@5", ["no checkpoint 5", "it has 3, 7"]),
        ("first@last", ["'last' is not a whole number"]),
        ("first:sim=3", ["no option 'sim'", "'sims'"]),
        ("first:sims=many", ["simulations = 'many': expected a whole number"]),
        ("first:solve=1", ["solve = '1': expected true or false"]),
        ("first:root=best", ["root = 'best': expected one of 'puct', 'gumbel'"]),
        ("mcts:0", ["simulations = 0"]),
        ("mcts@3", ["mcts has no checkpoints"]),
        ("random:3", ["random takes no options"]),
        ("other", ["learned 'connect_four'", "cannot play 'tic_tac_toe'"]),
        ("human", ["ludens play"]),
        ("a/b", ["no agent 'a/b'"]),
        ("", ["expected NAME"]),
    ],
)
def test_wrong_names_say_what_is_wrong(store: str, text: str, told: Sequence[str]) -> None:
    with pytest.raises(AgentNameError) as caught:
        find_agent(text, TIC_TAC_TOE, store)
    for part in told:
        assert part in str(caught.value)


OWN_GAME = """
from dataclasses import replace
from envs import tic_tac_toe
GAME = replace(tic_tac_toe.GAME, name="own_game")
"""


def own_game(folder: Path, more: str = "") -> Game:
    folder.mkdir(exist_ok=True)
    (folder / "own_game.py").write_text(OWN_GAME + more)
    return load_game_file(folder / "own_game.py")


def test_a_run_of_a_users_game_needs_its_file_and_says_so(tmp_path: Path) -> None:
    game = own_game(tmp_path / "games")
    store = str(tmp_path / "store")
    kept: dict[str, Any] = {"game": game.name, "game_source": source_of(game), "config": {}}
    create_run(store, "mine", **kept, seed=0, versions={})
    assert find_run("mine", game, store).name == "mine"
    with pytest.raises(AgentNameError, match=r"ludens play own_game.py --agent mine .*'tic_tac_t"):
        find_run("mine", TIC_TAC_TOE, store)


def test_a_users_game_that_has_changed_plays_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    game = own_game(tmp_path / "before")
    store = str(tmp_path / "store")
    kept: dict[str, Any] = {"game": game.name, "game_source": source_of(game), "config": {}}
    create_run(store, "mine", **kept, seed=0, versions={})
    edited = own_game(tmp_path / "after", "# another drawing")
    for _ in range(3):
        assert find_run("mine", edited, store).name == "mine"
    (said,) = caplog.messages
    assert "own_game.py has changed since run 'mine' began" in said


def test_a_store_without_runs_is_no_obstacle(tmp_path: Path) -> None:
    assert find_agent("random", TIC_TAC_TOE, str(tmp_path / "none")).name == "random"
    with pytest.raises(AgentNameError, match="no agent 'first'"):
        find_agent("first", TIC_TAC_TOE, str(tmp_path / "none"))
