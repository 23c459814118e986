from __future__ import annotations

import json
import math
from typing import Any

import pytest

from arena.recorded_ratings import elo_by_step, recorded_ratings
from store.files import Files, open_files


@pytest.fixture
def files(request: pytest.FixtureRequest) -> Files:
    return open_files(f"memory://{request.node.name}").within("r")


def tally(wins: int, draws: int, losses: int) -> dict[str, int]:
    return {"wins": wins, "draws": draws, "losses": losses}


def record(files: Files, *matches: dict[str, Any]) -> None:
    files.create("matches/a.jsonl", "\n".join(map(json.dumps, matches)).encode())


def test_a_recorded_score_becomes_its_elo(files: Files) -> None:
    """3 : 1 without draws is 400 log10(3) = 191 Elo; 2000 games leave the prior no say."""
    sides = {"as_first_player": tally(750, 0, 250), "as_second_player": tally(750, 0, 250)}
    record(files, {"agents": ["r@20", "r@10"], **sides})
    strongest, weakest = recorded_ratings(files)
    assert (strongest.agent, weakest.agent) == ("r@20", "r@10")
    assert strongest.elo - weakest.elo == pytest.approx(400 * math.log10(3), abs=2)
    assert (strongest.games, strongest.score) == (2000, 0.75)
    assert 0 < strongest.error < 30


def test_games_recorded_one_by_one_count_alike(files: Files) -> None:
    record(files, {"agents": ["r@20", "r@10"], "points": [[2, 2], [2, 0], [2, 1], [0, 2]]})
    rated = {row.agent: row for row in recorded_ratings(files)}
    assert rated["r@20"].score == 11 / 16
    assert rated["r@20"].elo > 0 > rated["r@10"].elo


def test_checkpoints_come_by_their_step(files: Files) -> None:
    pair = {"points": [[2, 2]]}
    record(
        files,
        {"agents": ["r@100", "r@20"], **pair},
        {"agents": ["r@100:sims=9", "random"], **pair},
        {"agents": ["r", "other@7"], **pair},
    )
    assert [step for step, _ in elo_by_step(recorded_ratings(files), "r")] == [20, 100]


def test_what_is_no_match_is_passed_over(files: Files) -> None:
    bad: list[Any] = [
        3,
        {"agents": ["r@1"]},
        {"agents": ["a", "a"], "points": [[1, 1]]},
        {"agents": ["a", "b"], "points": [[1, 9]]},
        {"agents": ["a", "b"], "points": [1, 2]},
        {
            "agents": ["a", "b"],
            "as_first_player": tally(1, 0, 0),
            "as_second_player": tally(0, 0, 0),
        },
    ]
    record(files, *bad)
    files.create("matches/b.jsonl", b"not json\n\xff")
    assert recorded_ratings(files) == []


def test_no_matches_are_no_ratings(files: Files) -> None:
    assert recorded_ratings(files) == []
