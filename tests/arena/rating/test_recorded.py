from __future__ import annotations

import math
from pathlib import Path

import pytest

from arena.rating import recorded as module
from arena.rating.recorded import (
    Best,
    best_checkpoint,
    best_checkpoints,
    elo_by_step,
    rate_recorded_matches,
)
from store import checkpoints
from store.progress.summary import summarize_store
from store.run import Run
from tests.arena.journals import make_run, record_match


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Run:
    return make_run(f"memory://{request.node.name}")


def test_a_recorded_score_becomes_its_elo(run: Run) -> None:
    """3 : 1 without draws is 400 log10(3) = 191 Elo; 2000 games leave the prior no say."""
    pairs = [[2, 2]] * 562 + [[2, 0]] * 188 + [[0, 2]] * 188 + [[0, 0]] * 62
    record_match(run, ("r@20", "r@10"), pairs)
    strongest, weakest = rate_recorded_matches(run.files)
    assert (strongest.agent, weakest.agent) == ("r@20", "r@10")
    assert strongest.elo - weakest.elo == pytest.approx(400 * math.log10(3), abs=2)
    assert (strongest.games, strongest.score) == (2000, 0.75)
    assert 0 < strongest.error < 30


def test_checkpoints_come_by_their_step(run: Run) -> None:
    for agents in (("r@100", "r@20"), ("r@100:sims=9", "random"), ("r", "other@7")):
        record_match(run, agents, [[2, 1]])
    rated = rate_recorded_matches(run.files)
    assert len(rated) == 6
    assert [step for step, _ in elo_by_step(rated, "r")] == [20, 100]


def test_a_ladders_checkpoints_count_by_their_most_games(run: Run) -> None:
    record_match(run, ("r@20:sims=64", "random"), [[2, 2]] * 3)
    record_match(run, ("r@20:sims=8", "random"), [[2, 2]])
    record_match(run, ("r@40:sims=64", "r@20:sims=64"), [[2, 1]])
    steps = dict(elo_by_step(rate_recorded_matches(run.files), "r"))
    assert {step: rated.agent for step, rated in steps.items()} == {
        20: "r@20:sims=64",
        40: "r@40:sims=64",
    }


def test_no_matches_are_no_ratings(run: Run) -> None:
    record_match(run, ("r", "r"), [[2, 0]])  # rates nobody
    assert rate_recorded_matches(run.files) == []


# --- the best checkpoint --------------------------------------------------------------------------


def save(run: Run, *steps: int) -> None:
    for step in steps:
        checkpoints.save(run, step, {"model.safetensors": b"x"})


def pairs(wins: int, losses: int) -> list[list[int]]:
    return [[2, 2]] * wins + [[0, 0]] * losses


def test_the_best_is_strongest_and_not_who_met_the_weakest(run: Run) -> None:
    """By mean scores it would be 30 (90%), then 10 (72%), and last 20 (55%)."""
    save(run, 10, 20, 30)
    record_match(run, ("r@30", "random"), pairs(180, 20))
    record_match(run, ("r@10", "random"), pairs(198, 2))
    record_match(run, ("r@20", "r@10"), pairs(110, 90))
    steps = dict(elo_by_step(rate_recorded_matches(run.files), "r"))
    assert steps[30].score > steps[10].score > steps[20].score
    assert best_checkpoint(run) == Best(20, 400, steps[20].elo, steps[20].error)


def test_only_checkpoints_of_the_run_that_are_there_can_be_best(run: Run) -> None:
    assert best_checkpoint(run) is None
    save(run, 10, 20, 30)
    assert best_checkpoint(run) == Best(30)
    record_match(run, ("other@30", "r@40"), pairs(5, 0))
    record_match(run, ("r", "other@30"), pairs(5, 0))  # whichever was the newest then
    assert best_checkpoint(run) == Best(30)
    record_match(run, ("r@10:sims=64", "r@40"), pairs(1, 4))
    found = best_checkpoint(run)
    assert found is not None
    assert (found.step, found.games) == (10, 10)


def test_the_best_costs_one_fit(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    save(run, 10, 20)
    record_match(run, ("r@10", "r@20"), pairs(3, 1))
    record_match(run, ("r@10", "random"), pairs(3, 1))
    fits = []
    original = module.fit_ratings
    monkeypatch.setattr(module, "fit_ratings", lambda r: fits.append(r) or original(r))
    assert best_checkpoint(run) is not None
    assert len(fits) == 1


def test_a_run_that_cannot_be_read_hides_no_other_best(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(make_run(str(tmp_path), name), 7)
    (tmp_path / "a/run.json").write_text("{")
    found = best_checkpoints(tmp_path, summarize_store(tmp_path))
    assert found == {"a": None, "b": Best(7)}
