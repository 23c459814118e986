import logging
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest

from arena.match.match import Match
from arena.match.openings import random_openings
from arena.match.pool import PlannedBatch
from arena.match.records import Batch, MatchKey, MatchLog
from arena.match.workers import LocalPool
from arena.names import AgentNameError, parse_agent_name
from arena.rating.elo import Ratings, Results
from arena.rating.ladder import (
    LadderSettings,
    as_if_played,
    most_informative,
    open_runs,
    out_of_reach,
    thinned,
)
from arena.rating.ladder_text import table_text
from arena.rating.table import table_of
from envs.registry import find_game
from store.errors import RunNotFoundError, StoreError
from tests.arena.ladders import (
    TIC_TAC_TOE,
    few_openings,
    make_ladder,
    make_run,
    save,
    take_as_repeating,
    use_skilled_players,
)
from tests.arena.pools import ShuffledPool


@pytest.fixture(autouse=True)
def _players(monkeypatch: pytest.MonkeyPatch) -> None:
    use_skilled_players(monkeypatch)


def test_checkpoints_are_thinned_with_the_first_and_the_newest() -> None:
    assert thinned([1, 2, 3], 12) == [1, 2, 3]
    assert thinned(list(range(10)), 6) == [0, 2, 4, 6, 8, 9]
    assert thinned(list(range(100)), 2) == [0, 99]
    assert thinned([1, 2, 3], 1) == [3]
    chosen = [set(thinned(list(range(n)), 6)) for n in range(1, 60)]
    assert all(len(now) <= 6 for now in chosen)
    for earlier, later in pairwise(chosen):  # besides the newest nobody comes in
        assert len(later - earlier) <= 1


def ratings(elo: list[float], deviations: list[float]) -> Ratings:
    names = tuple("abcdef"[: len(elo)])
    return Ratings(names, np.array(elo), np.diag(np.square(deviations)), 0.0, -np.inf, 1.0)


def test_the_most_informative_pairing_is_close_and_uncertain() -> None:
    known = ratings([0.0, 10.0, 20.0, 900.0], [5.0, 80.0, 80.0, 80.0])
    assert most_informative(known, "abcd", "abcd") == ("b", "c")
    assert most_informative(known, "abcd", "b", frozenset([frozenset("bc")])) == ("a", "b")
    assert most_informative(known, "ab", "d") is None


def test_the_gain_is_what_the_information_matrix_says() -> None:
    """Against adding the information and inverting, for every pairing."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(4, 4)) * 40
    known = replace(ratings([0.0, 60.0, -90.0, 40.0], [1.0] * 4), covariance=root @ root.T)

    def variance_after(i: int, j: int) -> float:
        direction = np.eye(4)[i] - np.eye(4)[j]
        told = 32 * known.pair_information()[i, j] * np.outer(direction, direction)
        return float(np.diag(np.linalg.inv(np.linalg.inv(known.covariance) + told))[:3].sum())

    best = min(combinations(range(4), 2), key=lambda pairing: variance_after(*pairing))
    assert most_informative(known, "abcd", "abc") == tuple("abcd"[i] for i in best)


def test_who_wins_or_loses_every_game_is_out_of_reach() -> None:
    known = ratings([0.0, 10.0, 900.0], [12.0, 12.0, 400.0])
    results = Results()
    results.add("a", "b", np.diag([300, 0, 300]))
    results.add("c", "a", np.diag([0, 0, 499]))
    assert out_of_reach(known, results, "abc") == ()  # few games yet
    results.add("c", "a", np.diag([0, 0, 1]))
    assert out_of_reach(known, results, "abc") == ("c",)
    assert out_of_reach(known, results, "ab") == ()


class OneSidedPool(LocalPool):
    """The agent of the higher step wins every game."""

    def play(self, planned: PlannedBatch) -> Batch:
        one, other = (parse_agent_name(name).step or 0 for name in planned.key.agents)
        points = np.full((len(planned.openings), 2), 2 if one > other else 0)
        return Batch(planned.first_pair, points, np.full(points.shape, 9))


def test_a_ladder_gives_up_what_cannot_be_known(tmp_path: Path) -> None:
    make_run(tmp_path, "r", 10, 90)
    pool = OneSidedPool(TIC_TAC_TOE, str(tmp_path))
    ladder = make_ladder(tmp_path, width=40.0, games=20_000, pool=pool)
    last = list(ladder.play())[-1]
    assert last.waited_for == ()
    assert last.out_of_reach == ("r@10:sims=64", "r@90:sims=64")
    assert last.new_games < 3000
    assert last.widest > 40.0
    text = table_text(table_of(ladder, last))
    assert "note: r@10:sims=64, r@90:sims=64: too many games won, lost or drawn alike" in text


def test_batches_to_come_are_counted_as_the_information_matrix_says() -> None:
    """Against adding the information of both batches and inverting."""
    rng = np.random.default_rng(1)
    root = rng.normal(size=(3, 3)) * 40
    known = replace(ratings([0.0, 60.0, -90.0], [1.0] * 3), covariance=root @ root.T)
    precision = np.linalg.inv(known.covariance)
    coming = []
    for i, j, pairs in ((0, 1, 32), (0, 2, 5)):
        key = MatchKey("tic_tac_toe", ("abc"[i], "abc"[j]), 0, "random:1")
        coming.append(Match(key, random_openings(TIC_TAC_TOE, 1)).plan(0, pairs))
        direction = np.eye(3)[i] - np.eye(3)[j]
        precision += pairs * known.pair_information()[i, j] * np.outer(direction, direction)
    assert as_if_played(known, coming).covariance == pytest.approx(np.linalg.inv(precision))
    gone = replace(coming[0], key=replace(coming[0].key, agents=("a", "gone")))
    assert as_if_played(known, [gone]).covariance == pytest.approx(known.covariance)


def test_a_ladder_finds_the_order_and_is_not_played_again(tmp_path: Path) -> None:
    make_run(tmp_path, "r", 10, 50, 90)
    ladder = make_ladder(tmp_path, anchors={"random": 0.0})
    last = list(ladder.play())[-1]
    order = [last.ratings.agents[i] for i in np.argsort(last.ratings.elo)]
    assert order == ["random", "r@10:sims=64", "r@50:sims=64", "r@90:sims=64"]
    assert last.waited_for == ()
    assert last.widest <= 60
    assert 0 < last.new_games == ladder.new_games
    again = make_ladder(tmp_path, anchors={"random": 0.0})
    (only,) = again.play()
    assert only.new_games == 0
    assert only.ratings.elo == pytest.approx(last.ratings.elo)


def test_games_are_limited_and_recorded(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", 10, 90)
    ladder = make_ladder(tmp_path, width=5.0, games=101)
    assert [state.new_games for state in ladder.play()] == [0, 64, 100]
    assert len(run.files.names("matches")) == 2
    assert make_ladder(tmp_path).results.games_and_score("r@10:sims=64")[0] == 100


def test_batches_at_the_same_time_teach_different_things(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", 10, 30, 50, 70, 90)
    pool = ShuffledPool(TIC_TAC_TOE, 4, store_url=str(tmp_path))
    ladder = make_ladder(tmp_path, width=20.0, games=500, pool=pool)
    last = list(ladder.play())[-1]
    assert last.new_games == 500  # of which no batch took more than was left
    assert len({batch.key.agents for batch in pool.submitted[:4]}) == 4
    places = [(batch.key, batch.first_pair) for batch in pool.submitted]
    assert len(set(places)) == len(places)
    assert len(run.files.names("matches")) == len(pool.submitted)
    assert sum(map(ladder.results.games_and_score, last.ratings.agents), ())[::2] == tuple(
        2 * sum(len(b.openings) for b in pool.submitted if name in b.key.agents)
        for name in last.ratings.agents
    )


def test_two_agents_alone_play_successive_batches_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_as_repeating(monkeypatch, True)
    run = make_run(tmp_path, "r", 10, 90)
    few = few_openings(110)
    pool = ShuffledPool(TIC_TAC_TOE, 3, plays=2, store_url=str(tmp_path))
    ladder = make_ladder(tmp_path, openings=few, width=1.0, pool=pool)
    with pytest.raises(KeyboardInterrupt):
        list(ladder.play())
    assert [batch.first_pair for batch in pool.submitted] == [0, 32, 64, 96]
    assert len(pool.cancelled) == 2
    again = make_ladder(tmp_path, openings=few, width=1.0)
    assert list(again.play())[-1].new_games == 220 - ladder.new_games
    (key,) = {batch.key for batch in pool.submitted}
    assert MatchLog(run.files, key).gaps(110) == []


def test_a_batch_that_will_do_is_waited_for(tmp_path: Path) -> None:
    """A second one is not begun when the first is expected to narrow the bars enough."""
    make_run(tmp_path, "r", 60, 70)
    pool = ShuffledPool(TIC_TAC_TOE, 3, store_url=str(tmp_path))
    list(make_ladder(tmp_path, width=120.0, pool=pool).play())
    alone = ShuffledPool(TIC_TAC_TOE, 1, store_url=str(tmp_path / "alone"))
    make_run(tmp_path / "alone", "r", 60, 70)
    list(make_ladder(tmp_path / "alone", width=120.0, pool=alone).play())
    assert pool.played == alone.played == [0]


def test_records_with_other_openings_games_or_players_do_not_count(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", 10, 90)
    wins = Batch(0, np.full((4, 2), 2), np.full((4, 2), 9))
    known = MatchKey("tic_tac_toe", ("r@90:sims=64", "r@10:sims=64"), 0, "random:3")
    for key in (
        known,
        replace(known, openings="balanced:1"),
        replace(known, game="othello"),
        replace(known, agents=("r@90:sims=64", "r@10")),
        replace(known, agents=("r@90:sims=64", "mcts:100")),
        replace(known, agents=("r@90:sims=64", "r@90:sims=64")),
        replace(known, agents=("r@090:sims=64,\r\x1c\x85", "r@10:sims=64")),
        replace(known, agents=(f"r@{'9' * 5000}:sims=64", "r@10:sims=64")),
    ):
        MatchLog(run.files, key).write(wins)
    results = make_ladder(tmp_path).results
    assert results.agents() == ["r@10:sims=64", "r@90:sims=64"]
    assert results.games_and_score("r@90:sims=64") == (8, 1.0)
    assert results.games_and_score("r@10:sims=64") == (8, 0.0)


def test_games_that_two_runs_have_recorded_count_once(tmp_path: Path) -> None:
    """As those of two anchors that both runs were rated with, or of a run and its copy."""
    one, other = make_run(tmp_path, "a", 10), make_run(tmp_path, "b", 10)
    wins = Batch(0, np.full((4, 2), 2), np.full((4, 2), 9))
    key = MatchKey("tic_tac_toe", ("mcts:100", "random"), 0, "random:3")
    anchors = {"mcts:100": None, "random": 0.0}
    for run in (one, other):
        MatchLog(run.files, key).write(wins)
    MatchLog(other.files, replace(key, seed=1)).write(wins)  # others
    ladder = make_ladder(tmp_path, "a", "b", anchors=anchors)
    assert ladder.results.games_and_score("mcts:100") == (16, 1.0)


@pytest.mark.parametrize("room", [1, 3])
def test_a_damaged_checkpoint_plays_no_more(
    room: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_run(tmp_path, "r", 10, 13, 90)
    pool = ShuffledPool(TIC_TAC_TOE, room, store_url=str(tmp_path))
    ladder = make_ladder(tmp_path, width=80.0, games=640, pool=pool)
    with caplog.at_level(logging.WARNING, "ludens.arena"):
        last = list(ladder.play())[-1]
    assert caplog.text.count("r@13:sims=64 plays no more: checkpoint 13 is damaged") == 1
    assert last.waited_for == ()
    assert ladder.results.agents() == ["r@10:sims=64", "r@90:sims=64"]


def test_a_ladder_ends_when_every_opening_was_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path, "r", 10, 90)
    by_chance = make_ladder(tmp_path, openings=few_openings(40), width=1.0, games=200)
    assert [state.new_games for state in by_chance.play()][-1] == 200
    assert by_chance.has_openings
    take_as_repeating(monkeypatch, True)
    ladder = make_ladder(tmp_path, openings=few_openings(39), width=1.0)
    assert [state.new_games for state in ladder.play()][-1] == 78
    assert not ladder.has_openings


def test_new_checkpoints_join(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", 10, 90)
    ladder = make_ladder(tmp_path)
    assert not ladder.refresh()
    save(run, 95)
    assert ladder.refresh()
    assert ladder.state().waited_for[-1] == "r@95:sims=64"


def test_checkpoints_that_join_between_two_batches_play_on_with_the_others(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", 10, 90)
    ladder = make_ladder(tmp_path, width=60.0)
    states = ladder.play()
    next(states)
    next(states)
    save(run, 95)
    assert ladder.refresh()
    assert "r@95:sims=64" in list(states)[-1].ratings.agents
    assert ladder.results.games_and_score("r@95:sims=64")[0] > 0


def test_one_agent_alone_cannot_be_rated(tmp_path: Path) -> None:
    make_run(tmp_path, "r", 10)
    with pytest.raises(ValueError, match="r@10:sims=64 is alone"):
        next(make_ladder(tmp_path).play())
    last = list(make_ladder(tmp_path, anchors={"random": None}).play())[-1]
    assert last.ratings.elo.sum() == pytest.approx(0.0)
    assert last.waited_for == ()


def test_runs_that_cannot_be_rated_are_refused(tmp_path: Path) -> None:
    make_run(tmp_path, "first", 10)
    make_run(tmp_path, "empty")
    make_run(tmp_path, "other", 10, game="othello")
    store = str(tmp_path)
    game, (run,) = open_runs(store, ["first"])
    assert (game.name, run.name) == ("tic_tac_toe", "first")
    with pytest.raises(RunNotFoundError, match="did you mean 'first'"):
        open_runs(store, ["frist"])
    with pytest.raises(StoreError, match="'empty' has no checkpoint yet"):
        open_runs(store, ["empty"])
    with pytest.raises(AgentNameError, match="'other' learned 'othello' and run 'first'"):
        open_runs(store, ["first", "other"])
    with pytest.raises(AgentNameError, match="'first' is named twice"):
        open_runs(store, ["first", "first"])
    with pytest.raises(AgentNameError, match="'first' learned 'tic_tac_toe', not 'othello'"):
        open_runs(store, ["first"], find_game("othello"))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"width": 0.0}, "width = 0"),
        ({"width": float("nan")}, "width = nan"),
        ({"simulations": -1}, "simulations = -1: expected 0"),
        ({"most": 0}, "checkpoints = 0: expected 1"),
        ({"games": -2}, "games = -2"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, float], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        LadderSettings(**settings)
