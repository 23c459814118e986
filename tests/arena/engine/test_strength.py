from __future__ import annotations

from pathlib import Path

import pytest

from arena.engine.strength import Strengths, read_strengths
from store.run import open_run
from store.upkeep.ratings import NotedRating, NotedRatings, note_ratings
from tests.arena.ladders import make_run

RATED = [NotedRating(10, -12.5, 20), NotedRating(20, 300.2, 20), NotedRating(30, 287.5, 20)]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    make_run(tmp_path, "r", 10, 30)
    note_ratings(open_run(tmp_path, "r").files, NotedRatings(64, {"random": 0.0}, RATED))
    return tmp_path


def test_the_nearest_checkpoint_plays_with_the_simulations_that_it_was_rated_with() -> None:
    strengths = Strengths("r", 64, RATED)
    assert (strengths.least, strengths.most) == (-13, 301)
    asked = {-50: 10, 100: 10, 200: 30, 295: 20, 900: 20}
    assert {elo: strengths.nearest(elo).step for elo in asked} == asked
    assert strengths.agent(RATED[1]) == "r@20:sims=64"


@pytest.mark.parametrize("agent", ["r", "r@10", "r:sims=9", "r@30:sims=9"])
def test_checkpoints_that_are_gone_do_not_count(store: Path, agent: str) -> None:
    assert read_strengths(agent, str(store)) == Strengths("r", 64, [RATED[0], RATED[2]])


def test_who_was_not_rated_has_no_strengths(store: Path) -> None:
    make_run(store, "s", 10)
    make_run(store, "t", 10)
    note_ratings(open_run(store, "t").files, NotedRatings(64, {}, RATED[1:2]))
    for agent in ("s", "t", "nobody", "solver", "../r", ""):
        assert read_strengths(agent, str(store)) is None, agent
    assert read_strengths("r", str(store / "nowhere")) is None
