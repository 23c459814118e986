from __future__ import annotations

import math

import pytest

from arena.recorded_ratings import elo_by_step, recorded_ratings
from store.run import Run
from tests.arena.journals import make_run, record_match


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Run:
    return make_run(f"memory://{request.node.name}")


def test_a_recorded_score_becomes_its_elo(run: Run) -> None:
    """3 : 1 without draws is 400 log10(3) = 191 Elo; 2000 games leave the prior no say."""
    pairs = [[2, 2]] * 562 + [[2, 0]] * 188 + [[0, 2]] * 188 + [[0, 0]] * 62
    record_match(run, ("r@20", "r@10"), pairs)
    strongest, weakest = recorded_ratings(run.files)
    assert (strongest.agent, weakest.agent) == ("r@20", "r@10")
    assert strongest.elo - weakest.elo == pytest.approx(400 * math.log10(3), abs=2)
    assert (strongest.games, strongest.score) == (2000, 0.75)
    assert 0 < strongest.error < 30


def test_checkpoints_come_by_their_step(run: Run) -> None:
    for agents in (("r@100", "r@20"), ("r@100:sims=9", "random"), ("r", "other@7")):
        record_match(run, agents, [[2, 1]])
    rated = recorded_ratings(run.files)
    assert len(rated) == 6
    assert [step for step, _ in elo_by_step(rated, "r")] == [20, 100]


def test_a_ladders_checkpoints_count_by_their_most_games(run: Run) -> None:
    record_match(run, ("r@20:sims=64", "random"), [[2, 2]] * 3)
    record_match(run, ("r@20:sims=8", "random"), [[2, 2]])
    record_match(run, ("r@40:sims=64", "r@20:sims=64"), [[2, 1]])
    steps = dict(elo_by_step(recorded_ratings(run.files), "r"))
    assert {step: rated.agent for step, rated in steps.items()} == {
        20: "r@20:sims=64",
        40: "r@40:sims=64",
    }


def test_no_matches_are_no_ratings(run: Run) -> None:
    record_match(run, ("r", "r"), [[2, 0]])  # rates nobody
    assert recorded_ratings(run.files) == []
