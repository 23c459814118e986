"""A game that is played again is still one game: in matches, tests, ladders and ratings."""

import json
import logging
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ludens
from agents.players import RandomPlayer
from arena.match.evidence import Evidence, opening_ids, repeat_themselves
from arena.match.match import Match, play_match
from arena.match.openings import balanced_openings, book_openings, random_openings
from arena.match.pool import MatchPool
from arena.match.records import Batch, MatchKey, MatchLog, read_matches
from arena.match.text import summary
from arena.rating.elo import score_interval
from arena.rating.ladder_text import table_text
from arena.rating.recorded import rate_recorded_matches
from arena.rating.sprt import Sprt
from arena.rating.table import table_of
from arena.solvers.players import SolverPlayer
from envs.game import Game
from envs.registry import find_game
from store.files.local import LocalFiles
from tests.arena.ladders import TIC_TAC_TOE, make_ladder, make_run
from tests.arena.match.test_match import FirstLegalPlayer
from tests.arena.pools import ShuffledPool

CONNECT_FOUR = find_game("connect_four")
AGENTS = ("r@90:sims=64", "r@10:sims=64")
# Nine pairs as two agents may play them, from the nine first moves of tic-tac-toe.
NINE = np.array([[2, 2], [2, 1], [2, 0], [1, 1], [2, 1], [1, 0], [2, 2], [1, 2], [0, 1]])


def deterministic(
    text: str, game: Game, store_url: str, *, programs: bool = False
) -> FirstLegalPlayer:
    """Stands for `find_agent`: what it names plays the lowest legal action."""
    return FirstLegalPlayer(game, text)


def record(folder: Path, key: MatchKey, pairs: int, ids: tuple[str, ...] | None = None) -> None:
    """Pairs of a match, each opening with the result that it has in `NINE`.

    Without ids as records were that did not name openings: the nine came again and again.
    """
    names = opening_ids(key, Batch(0, np.zeros((pairs, 2), int), np.zeros((pairs, 2), int), ids))
    order = {name: i for i, name in enumerate(dict.fromkeys(names))}
    points = NINE[[order[name] % 9 for name in names]]
    MatchLog(LocalFiles(folder), key).write(Batch(0, points, np.full_like(points, 9), ids))


def as_of_before(folder: Path) -> None:
    """Make the records those of the first format, which does not name openings."""
    for path in (folder / "matches").iterdir():
        document = json.loads(path.read_text())
        assert document.pop("opening_ids") is None
        path.write_text(json.dumps({**document, "format": "ludens-match/1"}) + "\n")


def test_agents_repeat_themselves_unless_chance_decides_their_games() -> None:
    assert repeat_themselves(("r@90:sims=64", "r@10"))
    assert repeat_themselves(("r@90:root=gumbel", "solver"))
    assert not repeat_themselves(("r@90", "mcts:100"))
    assert not repeat_themselves(("mcts:c_init=2,sims=50", "r@90"))
    assert not repeat_themselves(("random", "solver"))


# --- the two that misled --------------------------------------------------------------------------


def test_nine_pairs_repeated_to_a_hundred_decide_no_test(tmp_path: Path) -> None:
    """Counted a hundred times they accept elo1; as the nine that they are they decide nothing."""
    key = MatchKey("tic_tac_toe", AGENTS, 0, "random:1")
    record(tmp_path, key, 100)
    as_of_before(tmp_path)
    test = Sprt(0, 20)
    (batch,) = MatchLog(LocalFiles(tmp_path), key).read()
    counts = np.bincount(batch.points.sum(axis=1), minlength=5)
    assert (counts.sum(), test.state(counts).decision) == (100, "elo1")
    one, other = (FirstLegalPlayer(TIC_TAC_TOE, name) for name in AGENTS)
    result = play_match(
        TIC_TAC_TOE,
        one,
        other,
        openings=random_openings(TIC_TAC_TOE, 1),
        sprt=test,
        log=MatchLog(LocalFiles(tmp_path), key),
    )
    assert result.sprt is not None
    assert result.sprt.decision == "undecided"
    assert result.pairs == tuple(np.bincount(NINE.sum(axis=1), minlength=5))
    assert (result.total.games, result.repeated_games, result.is_used_up) == (18, 182, True)
    assert one.batches == []  # nothing was left to play
    text = summary(result, test)
    assert "used up        9 distinct pairs: all openings were played" in text
    assert "not counted    182 recorded games that repeat others" in text
    assert "undecided between 0 and 20 Elo, and no opening is left that could decide it" in text


def test_forty_recorded_games_with_the_solver_from_the_empty_board_are_one_pair(
    tmp_path: Path,
) -> None:
    """Twenty times the same two games read as 50% (43.6 to 56.4); one pair tells nothing yet."""
    key = MatchKey("connect_four", ("r@90:sims=600", "solver"), 0, "random:0")
    log = MatchLog(LocalFiles(tmp_path), key)
    points = np.array([[2, 0]] * 20)
    log.write(Batch(0, points, points + 30))
    as_of_before(tmp_path)
    run, solver = (FirstLegalPlayer(CONNECT_FOUR, name) for name in key.agents)
    openings = random_openings(CONNECT_FOUR, 0)
    result = play_match(CONNECT_FOUR, run, solver, 40, openings=openings, log=log)
    assert (result.total.games, result.repeated_games, result.is_used_up) == (2, 38, True)
    assert score_interval(points.sum(axis=1) / 4) == pytest.approx((0.436, 0.564), abs=5e-4)
    assert result.interval == (0.0, 1.0)


def test_forty_games_with_the_solver_from_the_empty_board_are_played_as_one_pair() -> None:
    run, solver = FirstLegalPlayer(TIC_TAC_TOE, "r@90"), SolverPlayer(TIC_TAC_TOE)
    result = play_match(TIC_TAC_TOE, run, solver, 40, openings=random_openings(TIC_TAC_TOE, 0))
    assert (result.total.games, result.is_used_up) == (2, True)
    low, high = result.interval
    assert high - low > 0.5
    assert "used up        1 distinct pair: all openings" in summary(result)


# --- matches --------------------------------------------------------------------------------------


def nine_first_moves(names: tuple[str, str] = AGENTS, games: int = 200, **options: Any) -> Any:
    one, other = (FirstLegalPlayer(TIC_TAC_TOE, name) for name in names)
    openings = options.pop("openings", random_openings(TIC_TAC_TOE, 1))
    return play_match(TIC_TAC_TOE, one, other, games, seed=5, openings=openings, **options)


def test_no_opening_is_played_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In small batches, after a resume, and by a pool whose batches end in any order."""
    monkeypatch.setattr("arena.match.match.PAIRS_AT_ONCE", 4)
    monkeypatch.setattr("arena.match.workers.find_agent", deterministic)
    whole = nine_first_moves()
    assert (whole.total.games, whole.is_used_up) == (18, True)
    key = MatchKey("tic_tac_toe", AGENTS, 5, "random:1")
    log = MatchLog(LocalFiles(tmp_path), key)
    cut = ShuffledPool(TIC_TAC_TOE, 2, plays=1)
    with pytest.raises(KeyboardInterrupt):
        nine_first_moves(log=log, pool=cut)
    pools: list[MatchPool | None] = [ShuffledPool(TIC_TAC_TOE, 3), None]
    for pool in pools:
        resumed = nine_first_moves(log=log, pool=pool)
        assert replace(resumed, resumed_games=0) == whole
    ids = [name for batch in log.read() for name in batch.opening_ids or ()]
    assert len(ids) == len(set(ids)) == 9


def test_progress_ends_with_the_openings() -> None:
    told: list[tuple[int, int]] = []
    nine_first_moves(report=lambda *numbers: told.append(numbers))
    assert told[-1] == (18, 18)


def test_where_chance_plays_the_openings_come_again() -> None:
    """Each as often as the others, and every pair counts."""
    for names in (("r@90", "mcts:100"), ("random", "solver")):
        result = nine_first_moves(names, 360)
        assert (result.total.games, result.is_used_up) == (360, False)
    key = MatchKey("tic_tac_toe", ("r@90", "random"), 5, "random:1")
    planned = Match(key, random_openings(TIC_TAC_TOE, 1)).plan(4, 90)
    ids = [opening.id for opening in planned.openings]
    assert {ids.count(name) for name in ids} == {10}


def test_a_match_that_has_openings_left_says_nothing_of_them() -> None:
    result = nine_first_moves(games=10)
    assert (result.total.games, result.is_used_up) == (10, False)
    assert "used up" not in summary(result)


def test_a_book_that_was_played_is_used_up(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text("a1\nb2\nc3 b2\n", encoding="utf-8")
    openings = book_openings(TIC_TAC_TOE, book)
    one, other = (FirstLegalPlayer(TIC_TAC_TOE, name) for name in AGENTS)
    result = play_match(TIC_TAC_TOE, one, other, openings=openings, sprt=Sprt(0, 20))
    assert (result.total.games, result.is_used_up) == (6, True)
    assert "no opening is left that could decide it" in summary(result, Sprt(0, 20))


def test_a_decided_test_has_no_need_of_more_openings() -> None:
    solver, chance = SolverPlayer(TIC_TAC_TOE), RandomPlayer(TIC_TAC_TOE)
    result = play_match(TIC_TAC_TOE, solver, chance, sprt=Sprt(0, 200))
    assert not result.is_used_up


# --- records --------------------------------------------------------------------------------------


def test_a_record_names_its_openings_and_the_first_format_is_still_read(tmp_path: Path) -> None:
    key = MatchKey("tic_tac_toe", AGENTS, 3, "random:1")
    points = np.array([[2, 0], [1, 1]])
    log = MatchLog(LocalFiles(tmp_path), key)
    log.write(Batch(0, points, points + 5, ("ab", "cd")))
    (batch,) = log.read()
    assert batch.opening_ids == ("ab", "cd")
    assert batch.up_to(1).opening_ids == ("ab",)
    assert batch.only([1]).points.tolist() == [[1, 1]]
    log.write(Batch(2, points, points + 5))
    as_of_before_file = sorted((tmp_path / "matches").iterdir())[1]
    document = json.loads(as_of_before_file.read_text())
    del document["opening_ids"]
    as_of_before_file.write_text(json.dumps({**document, "format": "ludens-match/1"}))
    assert [b.opening_ids for b in log.read()] == [("ab", "cd"), None]


def test_openings_that_a_record_does_not_name_are_drawn_again() -> None:
    """As they were drawn then: the first round is that of today, and then they began again."""
    pairs = np.zeros((30, 2), int)
    key = MatchKey("tic_tac_toe", AGENTS, 7, "random:1")
    ids = opening_ids(key, Batch(0, pairs, pairs))
    today = [o.id for o in random_openings(TIC_TAC_TOE, 1).stream(7)]
    assert list(ids[:9]) == today
    assert set(ids) == set(today)
    assert opening_ids(key, Batch(20, pairs[:10], pairs[:10])) == ids[20:]
    even = replace(key, game="connect_four", openings="balanced")
    drawn = islice(balanced_openings(CONNECT_FOUR).stream(7), 30)
    assert list(opening_ids(even, Batch(0, pairs, pairs))) == [o.id for o in drawn]


@pytest.mark.parametrize(
    "about",
    [
        {"openings": "book:even.txt:0badcafe"},
        {"openings": "balanced:3"},
        {"game": "my_game"},
        {"game": "nice/game.py"},
        {"openings": "random:200"},  # no game is that long
    ],
)
def test_what_cannot_be_drawn_again_counts_as_new_in_each_match(about: dict[str, str]) -> None:
    pairs = np.zeros((3, 2), int)
    key = replace(MatchKey("connect_four", AGENTS, 7, "random:4"), **about)
    ids = opening_ids(key, Batch(5, pairs, pairs))
    assert len({*ids, *opening_ids(key, Batch(0, pairs, pairs))}) == 6
    assert ids[0] != opening_ids(replace(key, seed=8), Batch(5, pairs, pairs))[0]


def test_evidence_is_shared_by_seeds_and_by_both_orders_of_two_agents() -> None:
    evidence = Evidence()
    key = MatchKey("tic_tac_toe", AGENTS, 0, "random:1")
    batch = Batch(0, NINE[:3], NINE[:3], ("a", "b", "c"))
    assert evidence.take(key, batch) is batch
    other = Batch(7, NINE[:3], NINE[:3], ("b", "d", "d"))
    found = evidence.take(replace(key, agents=AGENTS[::-1], seed=4), other)
    assert (found.opening_ids, found.points.tolist()) == (("d",), [NINE[1].tolist()])
    assert evidence.take(replace(key, agents=("r@5", AGENTS[0])), other).opening_ids == ("b", "d")
    by_chance = replace(key, agents=("random", AGENTS[0]))
    assert len(evidence.take(by_chance, batch).points) == 3
    assert len(evidence.take(replace(by_chance, seed=1), batch).points) == 3
    later = replace(batch, first_pair=2)  # pairs 2 to 4, of which number 2 was counted
    assert len(evidence.take(by_chance, later).points) == 2
    assert len(evidence.take(by_chance, batch).points) == 0  # as another run recorded it


# --- ratings --------------------------------------------------------------------------------------


def test_recorded_ratings_count_a_repeated_game_once(tmp_path: Path) -> None:
    for seed in range(4):  # the same nine openings in four orders
        record(tmp_path, MatchKey("tic_tac_toe", AGENTS, seed, "random:1"), 100)
    as_of_before(tmp_path)
    assert sum(batch.points.size for _, batch in read_matches(LocalFiles(tmp_path))) == 800
    best, _ = rate_recorded_matches(LocalFiles(tmp_path))
    assert (best.agent, best.games) == (AGENTS[0], 18)
    assert best.error > 100
    record(tmp_path, MatchKey("tic_tac_toe", (AGENTS[0], "random"), 0, "random:1"), 100)
    assert {found.games for found in rate_recorded_matches(LocalFiles(tmp_path))} == {218, 200, 18}


def test_a_ladder_of_agents_that_repeat_themselves_ends_with_the_openings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("rating.ladder", "match.workers"):
        monkeypatch.setattr(f"arena.{module}.find_agent", deterministic)
    run = make_run(tmp_path, "r", 10, 50, 90)
    openings = random_openings(TIC_TAC_TOE, 1)
    ladder = make_ladder(tmp_path, openings=openings, width=1.0)
    last = list(ladder.play())[-1]
    assert last.new_games == 3 * 18
    assert {ladder.results.games_and_score(name)[0] for name in last.ratings.agents} == {36}
    assert not ladder.has_openings
    text = table_text(table_of(ladder, last))
    assert "agents have played all openings: they would only repeat their games" in text
    again = make_ladder(tmp_path, openings=openings, width=1.0, seed=8)  # another order of the nine
    assert list(again.play())[-1].new_games == 0
    assert len(run.files.names("matches")) == 3


def test_a_ladder_plays_what_another_match_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("rating.ladder", "match.workers"):
        monkeypatch.setattr(f"arena.{module}.find_agent", deterministic)
    run = make_run(tmp_path, "r", 10, 90)
    openings = random_openings(TIC_TAC_TOE, 1)
    nine_first_moves(
        log=MatchLog(run.files, MatchKey("tic_tac_toe", AGENTS, 5, "random:1")), games=10
    )
    ladder = make_ladder(tmp_path, openings=openings, width=1.0)
    assert ladder.results.games_and_score(AGENTS[0])[0] == 10
    list(ladder.play())
    assert ladder.results.games_and_score(AGENTS[0])[0] == 18


# --- the command ----------------------------------------------------------------------------------


def test_the_command_says_when_openings_are_used_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["match", "tic_tac_toe", "solver", "solver", "--opening-plies", "1"]
    assert ludens.main([*words, "--games", "100", "--store", str(tmp_path)]) == 0
    assert "solver against solver, tic_tac_toe, 18 games:" in (told := capsys.readouterr().out)
    assert "used up        9 distinct pairs" in told
    assert ludens.main([*words, "--games", "100", "--json", "--store", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["is_used_up"], found["repeated_games"], sum(found["pairs"])) == (True, 0, 9)


def test_a_forged_record_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Names that cannot be read as agents, and places that no match reaches, are no crash."""
    key = MatchKey("tic_tac_toe", ("a@b:c", ":"), 0, "random:9999")
    points = np.full((2, 2), 1)
    MatchLog(LocalFiles(tmp_path), key).write(Batch(9_999_990, points, points))
    with caplog.at_level(logging.WARNING):
        assert len(rate_recorded_matches(LocalFiles(tmp_path))) == 2
