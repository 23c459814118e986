"""The estimates of a sweep, from evaluations whose scores are known."""

from pathlib import Path
from typing import Any

import pytest

from arena.evaluation.records import store_evaluation
from arena.evaluation.sweep import check_distinct, runs_of_sweep, sweep_of
from arena.names import AgentNameError
from envs.atari.scores import PUBLISHED
from store.errors import StoreError
from store.run import Run
from tests.arena.evaluation.scripted import evaluation, make_run


def run_of(
    store: Path, game: str, seed: int, share: float | None, prefix: str = "p", **more: Any
) -> Run:
    """The run p-GAME-SEED; its newest evaluation has this human-normalised mean, None for none."""
    protocol = more.pop("protocol", "nature")
    run = make_run(store, f"{prefix}-{game}-{seed}", {}, game=game, protocol=protocol)
    if share is not None:
        put(run, share, **{"protocol": protocol, **more})
    return run


def put(run: Run, share: float, *, step: int = 20, games: int = 2, **more: Any) -> None:
    """Store an evaluation with this mean; on the scale of the game's published scores."""
    found = PUBLISHED.get(run.info.game)
    mean = share if found is None else found.random + share * (found.human - found.random)
    scores = [mean + (-1) ** i for i in range(games)]
    options = {"environment": run.info.game, "step": step, "minutes": step / 10.0, **more}
    store_evaluation(run.files, evaluation(scores, **options))


SHARES = {"pong": [0.0, 0.1, 0.2], "qbert": [1.0, 1.2, 1.4], "breakout": [3.0, 5.0, 10.0]}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for game, shares in SHARES.items():
        for seed, share in enumerate(shares):
            run_of(tmp_path, game, seed, share)
    return tmp_path


def test_the_estimates_are_over_the_runs_of_all_games(store: Path) -> None:
    """Nine runs: without the two lowest and the two highest 0.2, 1.0, 1.2, 1.4, 3.0."""
    sweep = sweep_of(runs_of_sweep(str(store), "p"))
    found = {name: estimate.value for name, estimate in sweep.normalised.items()}
    assert found == pytest.approx(
        {"interquartile_mean": 6.8 / 5, "median": 1.2, "mean": (0.1 + 1.2 + 6.0) / 3}
    )
    for estimate in sweep.normalised.values():
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low < estimate.value < estimate.high
    assert [game.game for game in sweep.games] == ["breakout", "pong", "qbert"]
    assert [len(game.runs) for game in sweep.games] == [3, 3, 3]
    assert (sweep.protocol, sweep.epsilon, sweep.missing) == ("nature", 0.05, [])
    (pong,) = [game for game in sweep.games if game.game == "pong"]
    assert pong.human_normalised is not None
    assert pong.human_normalised.value == pytest.approx(0.1)
    assert pong.mean.value == pytest.approx(-20.7 + 0.1 * 30.0)
    assert pong.published == {"random": -20.7, "human": 9.3, "dqn": 18.9}


def test_the_newest_evaluated_checkpoint_counts_by_the_most_games(tmp_path: Path) -> None:
    run = run_of(tmp_path, "pong", 0, 0.5)
    put(run, 0.9, step=10)
    put(run, 0.7, games=6, seed=3)
    put(run, 0.1, games=50, step=19)
    (game,) = sweep_of([run]).games
    assert game.human_normalised is not None
    assert game.human_normalised.value == pytest.approx(0.7)
    assert (game.human_normalised.low, game.runs[0].games) == (None, 6)


def test_the_curve_is_over_minutes_and_of_one_epsilon(tmp_path: Path) -> None:
    run = run_of(tmp_path, "pong", 0, 0.5)
    put(run, 0.0, step=10)
    put(run, 0.9, step=5, epsilon=0.0)
    curve = sweep_of([run]).curves["pong"]["p-pong-0"]
    assert [minutes for minutes, _ in curve] == [1.0, 2.0]
    assert [mean for _, mean in curve] == pytest.approx([-20.7, -20.7 + 15.0])


def test_games_that_nobody_published_have_a_row_alone(store: Path) -> None:
    for seed, mean in enumerate([400.0, 500.0]):
        run_of(store, "CartPole-v1", seed, mean, protocol="", epsilon=0.0)
    sweep = sweep_of(runs_of_sweep(str(store), "p"))
    cart = sweep.games[0]
    assert (cart.game, cart.mean.value, cart.human_normalised) == ("CartPole-v1", 450.0, None)
    assert sweep.normalised["median"].value == pytest.approx(1.2)  # as without it
    assert sweep.epsilon == 0.05
    alone = sweep_of([run_of(store, "Other-v0", 0, 3.0, protocol="", epsilon=0.0)])
    assert (alone.normalised, alone.protocol, alone.epsilon) == ({}, "", 0.0)
    assert alone.to_json()["games"][0]["mean"] == {"value": 3.0, "low": None, "high": None}


def test_scores_of_another_protocol_are_not_normalised(tmp_path: Path) -> None:
    sweep = sweep_of([run_of(tmp_path, "pong", 0, 0.5, protocol="sticky", epsilon=0.001)])
    (pong,) = sweep.games
    assert (pong.human_normalised, pong.runs[0].human_normalised, sweep.normalised) == (
        None,
        None,
        {},
    )
    assert pong.mean.value == pytest.approx(-20.7 + 0.5 * 30.0)


def test_runs_without_an_evaluation_are_named(tmp_path: Path) -> None:
    runs = [run_of(tmp_path, "pong", 0, 0.5), run_of(tmp_path, "pong", 1, None)]
    assert sweep_of(runs).missing == ["p-pong-1"]
    with pytest.raises(ValueError, match="no run is evaluated yet: `ludens evaluate p-pong-1`"):
        sweep_of(runs[1:])


def test_an_evaluation_by_another_protocol_than_the_runs_does_not_count(tmp_path: Path) -> None:
    run = run_of(tmp_path, "pong", 0, 0.5)
    put(run, 0.9, step=30, protocol="sticky")
    assert sweep_of([run]).games[0].runs[0].step == 20


@pytest.mark.parametrize("other", [{"protocol": "sticky", "epsilon": 0.001}, {"epsilon": 0.0}])
def test_scores_that_do_not_compare_are_refused(tmp_path: Path, other: dict[str, Any]) -> None:
    runs = [run_of(tmp_path, "pong", 0, 0.5), run_of(tmp_path, "pong", 1, 0.5, **other)]
    with pytest.raises(ValueError, match=r"'p-pong-0' is evaluated by nature with epsilon 0.05"):
        sweep_of(runs)


def test_a_sweep_is_found_by_the_names_of_its_runs(tmp_path: Path) -> None:
    for prefix, game in (("p", "pong"), ("p", "CartPole-v1"), ("pq", "pong"), ("p_q", "pong")):
        run_of(tmp_path, game, 0, None, prefix)
    make_run(tmp_path, "p", {})
    make_run(tmp_path, "p-pong", {})
    make_run(tmp_path, "p-pong-best", {})
    found = [run.name for run in runs_of_sweep(str(tmp_path), "p")]
    assert found == ["p-CartPole-v1-0", "p-pong-0"]
    with pytest.raises(StoreError, match="no run x-ENV-SEED in"):
        runs_of_sweep(str(tmp_path), "x")


def test_another_sweep_whose_name_begins_alike_is_not_taken_in(tmp_path: Path) -> None:
    """By the run's game, in any form that it may have been typed in."""
    games = {"pong": "pong", "Pong": "pong", "ALE-MsPacman-v5": "ms_pacman", "own-Walk": "own:Walk"}
    for typed, game in games.items():
        make_run(tmp_path, f"dqn-{typed}-0", {}, game=game)
    make_run(tmp_path, "dqn-wide-pong-0", {}, game="pong")
    found = [run.name for run in runs_of_sweep(str(tmp_path), "dqn")]
    assert sorted(found) == sorted(f"dqn-{typed}-0" for typed in games)
    assert [run.name for run in runs_of_sweep(str(tmp_path), "dqn-wide")] == ["dqn-wide-pong-0"]


def test_a_run_named_twice_is_refused() -> None:
    check_distinct(["a", "b"])
    with pytest.raises(AgentNameError, match="'a' is named twice"):
        check_distinct(["a", "b", "a"])
