import json

import pytest

from store.files.local import LocalFiles
from store.upkeep import ratings
from store.upkeep.ratings import NotedRating, NotedRatings, note_ratings, read_ratings

FIRST = NotedRatings(64, {"random": 0.0}, [NotedRating(10, 120.5, 30.0)])
SECOND = NotedRatings(
    0, {"uci:stockfish?elo=1400": 1400.0}, [NotedRating(10, 990.0, 41.5), NotedRating(20, 1e3, 9)]
)


@pytest.fixture
def files(tmp_path):
    return LocalFiles(tmp_path)


def test_new_ratings_take_the_place_of_those_before(files):
    assert read_ratings(files) is None
    for noted in (FIRST, SECOND, SECOND, FIRST):
        note_ratings(files, noted)
        assert read_ratings(files) == noted
        assert len(files.names("kept")) == 1


def test_ratings_that_came_between_stay_the_newest_or_are_replaced(files, monkeypatch):
    note_ratings(files, FIRST)
    real = ratings._numbers
    monkeypatch.setattr(ratings, "_numbers", lambda files: [])  # listed before the other's came
    note_ratings(files, SECOND)
    monkeypatch.setattr(ratings, "_numbers", real)
    assert read_ratings(files) == SECOND
    note_ratings(files, FIRST)
    assert [read_ratings(files), len(files.names("kept"))] == [FIRST, 1]


@pytest.mark.parametrize(
    "changed",
    [
        {"ratings": [{"step": 1, "elo": float("nan"), "error": 1.0}]},
        {"ratings": [{"step": -1, "elo": 3.0, "error": 1.0}]},
        {"ratings": [{"step": 1}]},
        {"ratings": 7},
        {"anchors": [1]},
        {"anchors": {"random": "much"}},
        {"simulations": -1},
        {"simulations": None},
        {"format": "ludens-kept/99"},
    ],
)
def test_a_note_that_nobody_wrote_is_skipped_with_a_warning(files, caplog, changed):
    note_ratings(files, FIRST)
    (name,) = files.names("kept")
    document = json.loads(files.read(f"kept/{name}")) | changed
    files.create(f"kept/{name.replace('1', '2')}", json.dumps(document).encode())
    assert read_ratings(files) is None
    assert "the note of the ratings is skipped" in caplog.text
