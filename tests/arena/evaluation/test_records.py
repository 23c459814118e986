"""What is stored of evaluations: found again by what decides them, and never trusted."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arena.evaluation import records
from arena.evaluation.records import (
    Evaluation,
    find_evaluation,
    read_evaluations,
    store_evaluation,
)
from arena.evaluation.table import ScoreTable, row_of
from arena.evaluation.text import evaluation_text, table_text
from store.errors import AlreadyStoredError
from store.files.local import LocalFiles
from store.files.opening import open_files
from store.upkeep.verify import verify_files
from tests.arena.evaluation.scripted import evaluation
from tests.store.small_runs import SmallRun

FOUR = evaluation([1.0, 5.0, 2.0, 12.0], minutes=1.5)


def same(one: Evaluation, other: Evaluation) -> bool:
    return one.to_json() == other.to_json()


def only_file(folder: Path) -> Path:
    (found,) = (folder / "evaluations").iterdir()
    return found


def test_the_figures_are_those_of_the_scores() -> None:
    """Mean 5; squares of the differences 16, 0, 9, 49: 74 / 3; t of 3 degrees 3.18245."""
    assert (FOUR.games, FOUR.mean, FOUR.median) == (4, 5.0, 3.5)
    assert FOUR.deviation == pytest.approx(np.sqrt(74 / 3))
    assert FOUR.error == pytest.approx(3.18245 * np.sqrt(74 / 3) / 2, abs=1e-4)
    assert FOUR.human_normalised == pytest.approx((5.0 - 1.7) / (31.8 - 1.7))
    sticky = replace(FOUR, key=replace(FOUR.key, protocol="sticky"))
    assert sticky.human_normalised is None  # the scale is of `nature`
    found = FOUR.to_json()
    assert found["mean"] == 5.0
    assert found["best"] == 12.0
    assert {"deviation", "games", "protocol", "human_normalised"} <= found.keys()
    one = evaluation([3.0], environment="Corridor-v0", protocol="")
    assert (one.deviation, one.error, one.human_normalised) == (None, None, None)


def measured(counts: list[int]) -> Evaluation:
    """Four games of ten steps, of which a measure of Breakout counted these."""
    return replace(FOUR, lengths=np.full(4, 10), counts={"tunnelling": np.array(counts)})


def test_what_a_game_measures_stands_beside_its_score(tmp_path: Path) -> None:
    """0 + 4 + 6 + 0 of 40 steps."""
    found = measured([0, 4, 6, 0])
    assert found.to_json()["tunnelling"] == found.measured["tunnelling"] == 0.25
    assert not {"tunnelling", "counts"} & FOUR.to_json().keys()
    store_evaluation(LocalFiles(tmp_path), found)
    (stored,) = read_evaluations(LocalFiles(tmp_path))
    assert same(stored, found)
    text = evaluation_text("r@7", found)
    assert "ball above the wall 25.0% of the steps" in text
    assert "ball above" not in evaluation_text("r@7", FOUR)
    rows = [row_of("r", one) for one in (found, replace(FOUR, key=replace(FOUR.key, step=8)))]
    table = ScoreTable("breakout", "nature", 0.05, 0, rows, {}, {})
    head, first, second = table_text(table).splitlines()[1:4]
    assert head.endswith("ball above the wall")
    assert (first.split()[-1], second.split()[-1]) == ("25.0%", "-")


@pytest.mark.parametrize("url", ["{}", "memory://evaluations-{}"])
def test_what_is_stored_is_read(tmp_path: Path, url: str) -> None:
    files = open_files(url.format(tmp_path) if url == "{}" else url.format(tmp_path.name))
    assert read_evaluations(files) == []
    later = evaluation([3.0, 4.0], step=12)
    for found in (later, FOUR):
        assert same(store_evaluation(files, found), found)
    assert [e.to_json() for e in read_evaluations(files)] == [FOUR.to_json(), later.to_json()]
    found = find_evaluation(files, FOUR.key, 4)
    assert found is not None
    assert same(found, FOUR)


@pytest.mark.parametrize(
    "other",
    [
        {"step": 8},
        {"environment": "pong"},
        {"protocol": "sticky"},
        {"epsilon": 0.01},
        {"seed": 1},
    ],
)
def test_other_games_are_another_evaluation(tmp_path: Path, other: dict[str, Any]) -> None:
    files = LocalFiles(tmp_path)
    store_evaluation(files, FOUR)
    key = replace(FOUR.key, **other)
    assert key.id != FOUR.key.id
    assert find_evaluation(files, key, 1) is None


def test_the_one_with_the_most_games_counts(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    many = evaluation(list(range(11)))
    for found in (evaluation([9.0, 9.0]), many, FOUR):
        store_evaluation(files, found)
    for games in (1, 2, 4, 11):
        found = find_evaluation(files, FOUR.key, games)
        assert found is not None
        assert found.games == 11  # by number, not by name: "11" sorts before "2" and "4"
    assert find_evaluation(files, FOUR.key, 12) is None
    assert [e.games for e in read_evaluations(files)] == [11]


def test_who_stored_it_first_counts(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    store_evaluation(files, FOUR)
    assert same(store_evaluation(files, evaluation([0.0] * 4)), FOUR)


def altered(**values: Any) -> bytes:
    return json.dumps({**json.loads(records.encode(FOUR)), **values}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 100_000,
        altered(format="ludens-evaluation/99"),
        altered(scores="1234"),
        altered(scores=[]),
        altered(scores=[1.0, None, 2.0, 3.0]),
        altered(scores=[[1.0], [2.0], [3.0], [4.0]]),
        altered(lengths=[1, 2, 3]),
        altered(lengths=[1.5, 2.5, 3.5, 4.5]),
        altered(step=-1),
        altered(step=True),
        altered(epsilon="0.05"),
        altered(epsilon=float("nan")),
        altered(environment=["breakout"]),
        altered(seed=1),  # its name is of another
        altered(minutes="x"),
        altered(counts=[]),
        altered(counts={"tunnelling": [1, 2]}),
        altered(counts={"tunnelling": [1, 2, 3, 10**6]}),
        altered(counts={"tunnelling": [-1, 0, 0, 0]}),
        altered(environment="break\x1bout"),
    ],
)
def test_what_is_no_evaluation_is_passed_over(tmp_path: Path, data: bytes, caplog: Any) -> None:
    files = LocalFiles(tmp_path)
    store_evaluation(files, FOUR)
    path = only_file(tmp_path)
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        assert read_evaluations(files) == []
        assert find_evaluation(files, FOUR.key, 1) is None
    assert path.name in caplog.text or b'"seed": 1' in data
    with pytest.raises(AlreadyStoredError):
        store_evaluation(files, FOUR)


def test_a_measure_that_the_environment_lacks_is_left_out(tmp_path: Path) -> None:
    """Its name is a key of the JSON: one of a store must not stand in for another figure."""
    files = LocalFiles(tmp_path)
    store_evaluation(files, FOUR)
    only_file(tmp_path).write_bytes(altered(counts={"mean": [1, 1, 1, 1]}))
    (found,) = read_evaluations(files)
    assert same(found, FOUR)


def test_verifying_a_run_names_a_damaged_one(tmp_path: Path) -> None:
    small = SmallRun(tmp_path)
    store_evaluation(small.run.files, FOUR)
    assert verify_files(small.run.files, "r").problems == {}
    (key,) = [e.key for e in small.run.files.tree("evaluations")]
    Path(small.run.files.url, key).write_bytes(b"{")
    assert list(verify_files(small.run.files, "r").problems) == [key]
