from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agents.alphazero.player import RawNetworkPlayer
from agents.players import (
    ROLLOUT_CONFIG,
    RandomPlayer,
    SearchPlayer,
    rollout_player,
)
from arena.engine.threads import all_threads_end
from arena.play.screen.thinking import (
    LEVELS,
    Thought,
    next_level,
    simulations_of,
    with_simulations,
)
from arena.solvers.players import SolverPlayer
from envs.registry import find_game
from mcts.config import SearchConfig
from mcts.search import Leaves
from tests.arena.play.screen.players import HeldPlayer

GAME = find_game("tic_tac_toe")
STATE = GAME.position(GAME.parse_moves("b2"))


def preferring_low(leaves: Leaves) -> tuple[NDArray[Any], NDArray[Any]]:
    """An evaluator: lower actions are likelier, and all is slightly good."""
    logits = np.linspace(1, 0, 9, dtype=np.float32)[leaves.actions]
    return logits, np.full(len(leaves.counts), 0.1, np.float32)


PLAYERS = {
    "rollouts": rollout_player(GAME, replace(ROLLOUT_CONFIG, simulations=400)),
    "rollouts, gumbel": rollout_player(
        GAME, replace(ROLLOUT_CONFIG, simulations=400, root="gumbel")
    ),
    "puct": SearchPlayer(GAME, [preferring_low], SearchConfig(simulations=50, solve=False)),
    "gumbel": SearchPlayer(
        GAME, [preferring_low], SearchConfig(simulations=50, root="gumbel", solve=False)
    ),
    "proofs": SearchPlayer(GAME, [preferring_low], SearchConfig(simulations=5000)),
}


def test_a_thought_spends_all_of_its_simulations() -> None:
    for name in ("rollouts", "puct", "gumbel"):
        thought = Thought(GAME, PLAYERS[name], STATE)
        thought.run()
        found = thought.snapshot
        assert found is not None
        assert found.simulations == found.target == PLAYERS[name].config.simulations
        assert thought.action == found.candidates[0].action
        assert thought.forest is not None


def test_the_same_seed_makes_the_move_of_the_player_itself() -> None:
    player = PLAYERS["rollouts"]
    for ply in range(3):
        thought = Thought(GAME, player, STATE, [7, ply])
        thought.run()
        chosen = player.choose(np.atleast_1d(STATE), np.random.default_rng([7, ply]))
        assert thought.action == chosen[0]


def test_a_search_stopped_before_it_began_still_moves() -> None:
    for name in ("rollouts", "puct", "gumbel"):
        thought = Thought(GAME, PLAYERS[name], STATE)
        thought.stop()
        thought.run()
        assert thought.action in range(9)


def test_a_cancelled_thought_has_no_move() -> None:
    thought = Thought(GAME, PLAYERS["puct"], STATE)
    thought.cancel()
    thought.run()
    assert (thought.action, thought.finished.is_set()) == (None, True)


def test_a_failure_is_kept_for_whoever_asks() -> None:
    def broken(planes: object) -> Any:
        raise ValueError("no such device")

    thought = Thought(GAME, SearchPlayer(GAME, [broken], SearchConfig()), STATE)
    thought.start()
    assert thought.finished.wait(60)
    assert str(thought.error) == "no such device"
    assert thought.action is None


def test_thinking_threads_are_waited_for_but_not_for_ever() -> None:
    held = HeldPlayer(GAME)
    thought = Thought(GAME, held, STATE)
    thought.start()
    assert held.began.wait(60)
    assert not all_threads_end(within_s=0.01)
    held.free.set()
    assert all_threads_end(within_s=60)
    assert thought.finished.is_set()


def test_an_agent_without_search_shows_what_there_is() -> None:
    thought = Thought(GAME, SolverPlayer(GAME), GAME.position(GAME.parse_moves("a1 b1 a2 b2")))
    thought.run()
    found = thought.snapshot
    assert (found.target, found.exact, thought.action) == (0, 1.0, GAME.parse_action("a3"))
    assert {c.action for c in found.candidates} == {2, 5, 6, 7, 8}
    thought = Thought(GAME, RandomPlayer(GAME), STATE, [0, 1])
    thought.run()
    assert thought.snapshot.value_to_play is None
    assert thought.action in {c.action for c in thought.snapshot.candidates}


def test_strength_goes_up_and_down_to_no_search() -> None:
    rollouts, network = PLAYERS["rollouts"], PLAYERS["puct"]
    assert simulations_of(with_simulations(rollouts, 1600)) == 1600
    assert isinstance(with_simulations(rollouts, 0), RandomPlayer)
    raw = with_simulations(network, 0)
    assert isinstance(raw, RawNetworkPlayer)
    assert simulations_of(raw) == 0
    assert simulations_of(with_simulations(raw, 25)) == 25
    assert simulations_of(RandomPlayer(GAME)) is None
    with pytest.raises(ValueError, match="random has no simulations"):
        with_simulations(RandomPlayer(GAME), 10)


def test_levels_step_from_any_number() -> None:
    assert [next_level(600, up) for up in (True, False)] == [800, 400]
    assert [next_level(800, up) for up in (True, False)] == [1600, 400]
    assert next_level(0, False) == 0
    assert next_level(LEVELS[-1], True) == LEVELS[-1]
    assert next_level(50_000, True) == 50_000
