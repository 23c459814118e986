import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from arena.match.records import Batch, MatchKey, MatchLog, read_matches
from store.errors import AlreadyStoredError
from store.files.local import LocalFiles
from store.files.opening import open_files
from store.upkeep.verify import record_problem

KEY = MatchKey("tic_tac_toe", ("r@7:sims=64", "mcts:100"), 3, "random:1")
FIRST = replace(KEY, created=("2026-01-02T03:04:05+00:00", ""))
SECOND = replace(KEY, created=("2026-02-03T04:05:06+00:00", ""))


def batch(first: int, *points: tuple[int, int]) -> Batch:
    return Batch(first, np.array(points), np.full((len(points), 2), 9))


def only_file(folder: Path) -> Path:
    (found,) = (folder / "matches").iterdir()
    return found


@pytest.mark.parametrize("url", ["{}", "memory://records-{}"])
def test_what_is_written_is_read_in_order(tmp_path: Path, url: str) -> None:
    where = url.format(tmp_path) if url == "{}" else url.format(tmp_path.name)
    log = MatchLog(open_files(where), KEY)
    assert (log.read(), log.gaps(4)) == ([], [(0, 4)])
    log.write(batch(2, (2, 2)))
    assert log.gaps(4) == [(0, 2), (3, 4)]
    log.write(batch(0, (0, 1), (2, 0)))
    assert [b.points.tolist() for b in log.read()] == [[[0, 1], [2, 0]], [[2, 2]]]
    assert log.gaps(4) == [(3, 4)]
    assert [(key, b.end) for key, b in read_matches(open_files(where))] == [(KEY, 2), (KEY, 3)]


@pytest.mark.parametrize(
    "other",
    [
        replace(KEY, seed=4),
        replace(KEY, openings="balanced"),
        replace(KEY, agents=KEY.agents[::-1]),
        replace(KEY, game="othello"),
    ],
)
def test_another_match_has_another_record(tmp_path: Path, other: MatchKey) -> None:
    files = LocalFiles(tmp_path)
    MatchLog(files, KEY).write(batch(0, (2, 2)))
    assert MatchLog(files, other).read() == []
    assert MatchLog(files, other).gaps(1) == [(0, 1)]


def test_a_match_goes_on_after_records_that_do_not_say_when_runs_were_created(
    tmp_path: Path,
) -> None:
    files = LocalFiles(tmp_path)
    MatchLog(files, KEY).write(batch(2, (0, 0)))
    log = MatchLog(files, FIRST)
    assert log.gaps(4) == [(0, 2), (3, 4)]
    log.write(batch(0, (2, 2), (2, 2)))
    assert [b.first_pair for b in log.read()] == [0, 2]


def test_games_of_a_run_do_not_count_for_the_next_of_its_name(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    MatchLog(files, FIRST).write(batch(0, (2, 2)))
    assert [key for key, _ in read_matches(files)] == [FIRST]
    log = MatchLog(files, SECOND)
    assert (log.read(), log.gaps(1)) == ([], [(0, 1)])
    log.write(batch(0, (0, 0)))
    assert [key for key, _ in read_matches(files)] == [SECOND]


def test_a_batch_counts_once_whoever_wrote_it_first(tmp_path: Path) -> None:
    log = MatchLog(LocalFiles(tmp_path), KEY)
    mine, theirs = batch(0, (2, 2)), batch(0, (0, 0))
    log.write(theirs)
    assert log.write(mine).points.tolist() == [[0, 0]]
    log.write(batch(0, (1, 1), (1, 2)))  # the same pair in a batch of another size
    assert [(b.first_pair, b.points.tolist()) for b in log.read()] == [
        (0, [[0, 0]]),
        (1, [[1, 2]]),
    ]


def test_no_pair_is_lost_where_batches_overlap(tmp_path: Path) -> None:
    """As of two matches of 80 and 180 games at the same time."""
    log = MatchLog(LocalFiles(tmp_path), KEY)
    for first, end in ((0, 40), (0, 50), (40, 80), (50, 100), (60, 70), (0, 7)):
        made = batch(first, *[(number % 3, 2) for number in range(first, end)])
        assert log.write(made).points.tolist() == made.points.tolist()
    assert log.gaps(100) == []
    read = log.read()
    assert [pair for b in read for pair in range(b.first_pair, b.end)] == [*range(100)]
    points = np.concatenate([b.points for b in read])
    assert points[:, 0].tolist() == [number % 3 for number in range(100)]


def test_gaps_are_what_is_neither_recorded_nor_taken(tmp_path: Path) -> None:
    log = MatchLog(LocalFiles(tmp_path), KEY)
    for first, pairs in ((8, 4), (2, 2), (3, 3)):
        log.write(batch(first, *[(1, 1)] * pairs))
    assert log.gaps(20) == [(0, 2), (6, 8), (12, 20)]
    assert log.gaps(20, [(12, 14), (0, 1)]) == [(1, 2), (6, 8), (14, 20)]
    assert [log.gaps(pairs) for pairs in (1, 2, 7, 8)] == [
        [(0, 1)],
        [(0, 2)],
        [(0, 2), (6, 7)],
        [(0, 2), (6, 8)],
    ]


def test_a_damaged_file_is_told_passed_over_and_its_pairs_not_played_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = MatchLog(LocalFiles(tmp_path), KEY)
    log.write(batch(0, (0, 1), (2, 0)))
    path = only_file(tmp_path)
    path.write_bytes(path.read_bytes()[:-30])
    with caplog.at_level(logging.WARNING, "ludens.arena"):
        assert log.read() == []
    assert path.name in caplog.text
    assert log.gaps(2) == []
    with pytest.raises(AlreadyStoredError):
        log.write(batch(0, (0, 1), (2, 0)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"points": [[0, 1]', '"points": [[0, 3]'),
        ('"points": [[0, 1]', '"points": [[0, 0.5]'),
        ('"plies": [[9, 9], ', '"plies": ['),
        ("ludens-match/3", "ludens-match/9"),
        ('"created": ["", ""]', '"created": ["", 7]'),
        ('"openings": "random:1"', '"openings": ["random:1"]'),
        ('"opening_ids": ["ab", "cd"]', '"opening_ids": ["ab"]'),
        ('"opening_ids": ["ab", "cd"]', '"opening_ids": ["ab", 7]'),
        ('"seed": 3', '"seed": 4'),  # not what its name says
        ('"seed": 3', '"seed": -1'),
        ('"seed": 3', '"seed": 1e999'),
        ('"first_pair": 0', '"first_pair": 1e999'),
        ('"first_pair": 0', '"first_pair": 0.0'),
    ],
)
def test_a_record_that_makes_no_sense_does_not_count(tmp_path: Path, old: str, new: str) -> None:
    log = MatchLog(LocalFiles(tmp_path), KEY)
    log.write(replace(batch(0, (0, 1), (2, 0)), opening_ids=("ab", "cd")))
    path = only_file(tmp_path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert log.read() == []


def test_outcomes_are_counted_by_both_colours() -> None:
    outcomes = batch(0, (0, 1), (2, 0), (2, 0)).outcomes()
    assert outcomes.tolist() == [[0, 1, 0], [0, 0, 0], [2, 0, 0]]
    assert batch(4, (0, 1), (2, 0)).up_to(5).points.tolist() == [[0, 1]]
    assert len(batch(4, (0, 1)).up_to(2).points) == 0


def test_a_record_passes_the_stores_verification(tmp_path: Path) -> None:
    MatchLog(LocalFiles(tmp_path), KEY).write(batch(0, (2, 2), (2, 1)))
    assert record_problem(only_file(tmp_path).read_bytes()) is None
