from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from agents.alphazero.player import probes
from agents.players import Probe
from agents.progress import Progress
from arena.monitor.solver_errors import SolverErrorMeter
from arena.solvers.connect_four.solver import ConnectFourSolver
from arena.solvers.error_rates import error_rates
from arena.solvers.players import SolverPlayer
from arena.solvers.registry import solved_sets
from arena.solvers.solver import SolvedSet
from envs.registry import find_game
from mcts.config import SearchConfig
from mcts.search import Leaves, evaluate_uniformly

TIC_TAC_TOE = find_game("tic_tac_toe")


class Evaluator:
    """A network without preferences, that counts the positions it is asked about."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, leaves: Leaves) -> tuple[Any, Any]:
        self.asked += len(leaves.counts)
        return evaluate_uniformly(leaves)


def stage(elapsed_s: float, version: int, event: Any = "published") -> Progress:
    return Progress(
        event=event,
        policy=Evaluator(),
        elapsed_s=elapsed_s,
        budget_s=600.0,
        games=1,
        games_goal=0,
        positions=1,
        learner_steps=version,
        network_version=version,
        games_in_flight=1,
        first_game_s=None,
    )


def probes_of(policy: Any) -> Iterator[Probe]:
    search = SearchConfig(cache_size=0, lookahead=0)
    for probe in probes(TIC_TAC_TOE, search, policy):
        yield probe._replace(positions=10 if probe.positions else 0)


def meter(**changes: Any) -> SolverErrorMeter:
    sets = [part.first(40) for part in solved_sets("tic_tac_toe")]
    return SolverErrorMeter("tic_tac_toe", probes_of, sets=sets, **changes)


def times(stage: Progress) -> list[float]:
    """When the network alone was measured last, and when with search; -1 before the first."""
    found = {measured.name: measured.at_s for measured in stage.measured}
    return [found.get(name, -1.0) for name in ("no search", "64 simulations")]


@pytest.mark.parametrize(
    ("name", "solved_soon"),
    [
        ("tic_tac_toe", {"all positions"}),
        pytest.param(
            "connect_four",
            {"begin_easy", "middle_easy", "end_easy", "middle_medium"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_perfect_player_makes_no_errors(name: str, solved_soon: set[str]) -> None:
    sets = [part.first(30) for part in solved_sets(name) if part.name in solved_soon]
    rates = error_rates(SolverPlayer(find_game(name)), sets)
    assert rates == dict.fromkeys(solved_soon, 0.0)


def test_good_moves_are_those_that_keep_the_result() -> None:
    game = find_game("connect_four")
    part = next(s for s in solved_sets("connect_four") if s.name == "end_easy").first(20)
    scores_NA = ConnectFourSolver().solve_many(part.states["own"], part.states["mask"])
    for row, scores in enumerate(scores_NA.tolist()):
        legal = game.legal_mask(part.states[row])
        best = max(np.sign(s) for s, is_legal in zip(scores, legal) if is_legal)
        wanted = [bool(is_legal) and np.sign(s) == best for s, is_legal in zip(scores, legal)]
        assert part.good[row].tolist() == wanted


def test_errors_are_counted_set_by_set() -> None:
    game = TIC_TAC_TOE
    won, lost = (np.atleast_1d(game.position(game.parse_moves(m))) for m in ("a1 b1 a2 b2", ""))
    only_a3 = np.arange(9)[None] == game.parse_action("a3")
    sets = [
        SolvedSet("hit", won, only_a3),
        SolvedSet("miss", np.concatenate([won, lost]), np.repeat(~only_a3, 2, axis=0)),
    ]
    rates = error_rates(SolverPlayer(game), sets)
    assert rates == {"hit": 0.0, "miss": 0.5}


def test_an_untrained_network_and_a_game_without_solver_are_not_measured() -> None:
    start = stage(100.0, 0)
    assert meter()(start).measured == ()
    assert start.policy.asked == 0
    other = SolverErrorMeter("othello6", probes_of)
    assert other(stage(100.0, 5)).measured == ()


def test_measurements_wait_for_their_interval_and_for_a_new_network() -> None:
    measure = meter(clock=lambda: 0.0)
    seen = [
        times(measure(stage(seconds, version)))
        for seconds, version in ((1, 1), (20, 2), (32, 2), (50, 3), (62, 3), (200, 3))
    ]
    assert [raw for raw, _ in seen] == [1, 1, 32, 32, 62, 62]
    assert [searched for _, searched in seen] == [1, 1, 1, 1, 62, 62]


def test_a_slow_measurement_is_made_rarely() -> None:
    ticks = iter(range(0, 1000, 3))  # every measurement takes 3 seconds
    measure = meter(clock=lambda: float(next(ticks)))
    raw_at = [times(measure(stage(float(at), at)))[0] for at in range(1, 1000, 10)]
    assert sorted(set(raw_at)) == [1.0, 31.0, 631.0]  # the first, which compiles, is not counted


def test_the_end_of_the_budget_is_measured_and_an_early_stop_is_not() -> None:
    for elapsed, measured in ((601.0, True), (300.0, False)):
        measure = meter(clock=lambda: 0.0)
        measure(stage(295.0, 1))
        found = times(measure(stage(elapsed, 2, event="finished")))
        assert (found == [elapsed, elapsed]) is measured


def test_a_run_that_was_finished_before_is_not_measured_again() -> None:
    measure = meter()
    measure(stage(601.0, 9, event="started"))
    again = stage(601.0, 9, event="finished")
    assert measure(again).measured == ()
    assert again.policy.asked == 0
