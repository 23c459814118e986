import json

import numpy as np
import pytest

from agents.players import RandomPlayer, rollout_player
from arena.play.analysis import BadLine, Verdict, analyze_lines, analyze_positions
from arena.play.analysis_text import move_lines, write_table
from arena.solvers.players import SolverPlayer
from envs.registry import find_game
from mcts.config import SearchConfig

GAME = find_game("tic_tac_toe")
SOLVER = SolverPlayer(GAME)


def verdicts(*lines: str) -> list[Verdict | BadLine]:
    return list(analyze_lines(GAME, SOLVER, lines))


def test_lines_keep_their_order_and_bad_ones_their_number() -> None:
    found = verdicts("b2 # the centre", "", "# nothing", "b2 b2", "a1 b2")
    assert [v.position if isinstance(v, Verdict) else v.number for v in found] == ["b2", 4, "a1 b2"]
    assert isinstance(found[1], BadLine)
    assert "'b2', is not legal" in found[1].problem


@pytest.mark.parametrize(
    ("position", "move", "value"),
    [("a1 b1 a2 b2", "a3", 1.0), ("a1 b1 a2", "a3", -1.0), ("a1", "b2", 0.0)],
)
def test_values_are_for_the_side_to_move(position: str, move: str, value: float) -> None:
    (found,) = verdicts(position)
    assert isinstance(found, Verdict)
    assert found.value == found.exact == value
    if value >= 0:
        assert found.move == move


def test_a_finished_position_has_its_result_and_no_move() -> None:
    (found,) = verdicts("a1 b1 a2 b2 a3")
    assert found == Verdict("a1 b1 a2 b2 a3", None, -1.0, -1.0, 0, {}, {}, {})


def test_all_moves_are_named_with_their_visits_and_probabilities() -> None:
    player = rollout_player(GAME, SearchConfig(simulations=50, solve=False, lookahead=0))
    (found,) = analyze_positions(GAME, player, [GAME.parse_moves("a1 b1 a2 b2")])
    assert set(found.policy) == set(found.visits) == {"a3", "b3", "c1", "c2", "c3"}
    assert sum(found.visits.values()) == 50
    assert found.move == "a3"
    assert sum(found.policy.values()) == pytest.approx(1)


def test_an_agent_without_an_opinion_has_no_value() -> None:
    (found,) = analyze_positions(GAME, RandomPlayer(GAME), [[]])
    assert (found.value, found.visits, found.move_values) == (None, {}, {})
    assert json.loads(json.dumps(found.to_json()))["value"] is None


def test_a_batch_of_many_positions_agrees_with_each_alone() -> None:
    rng = np.random.default_rng(0)
    games = []
    for _ in range(40):
        state, moves = GAME.new_state(), []
        for _ in range(rng.integers(9)):
            if GAME.rules.is_terminal(state):
                break
            moves.append(int(rng.choice(np.flatnonzero(GAME.legal_mask(state)))))
            GAME.rules.step(state, moves[-1])
        games.append(moves)
    together = analyze_positions(GAME, SOLVER, games)
    assert together == [analyze_positions(GAME, SOLVER, [moves])[0] for moves in games]


def test_json_lines_are_complete_in_spite_of_bad_ones(capsys: pytest.CaptureFixture[str]) -> None:
    status = write_table(iter(verdicts("zz", "a1", "a1 b2")), "-", as_json=True)
    out, err = capsys.readouterr()
    answers = [json.loads(line) for line in out.splitlines()]
    assert status == 1
    assert "standard input, line 1" in err
    assert [a["position"] for a in answers] == ["a1", "a1 b2"]
    assert {"position", "move", "value", "visits"} <= answers[0].keys()


def test_moves_are_listed_from_the_likeliest_on() -> None:
    visits, policy = {"a1": 3, "b2": 7}, {"a1": 0.3, "b2": 0.7}
    found = Verdict("", "b2", 0.5, None, None, visits, policy, {"b2": 0.5})
    lines = [line.split() for line in move_lines(found)[1:]]
    assert [line[:4] for line in lines] == [
        ["b2", "70.0%", "7", "+0.50"],
        ["a1", "30.0%", "3", "-"],
    ]


def test_each_of_several_positions_has_its_lines() -> None:
    player = rollout_player(GAME, SearchConfig(simulations=60))
    for found in analyze_positions(GAME, player, [[4], [4, 0]], lines=2):
        assert len(found.lines) == 2
    assert all(not found.lines for found in analyze_positions(GAME, player, [[4], [4, 0]]))


@pytest.mark.slow
def test_lines_may_be_positions_of_the_games_own_text() -> None:
    chess = find_game("chess")
    mate = "6k1/5ppp/8/8/8/8/8/R3K3 w Q - 0 1"
    player = rollout_player(chess, SearchConfig(simulations=60))
    lines = [mate, f"{mate} moves Ra8", "8/8 w - -"]
    before, after, bad = analyze_lines(chess, player, lines)
    assert isinstance(before, Verdict)
    assert (before.position, before.move, before.exact) == (mate, "a1a8", 1.0)
    assert "e1c1" in before.policy
    assert isinstance(after, Verdict)
    assert (after.position, after.value) == (f"{mate} moves a1a8", -1.0)
    assert isinstance(bad, BadLine)
