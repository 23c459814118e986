"""Variants of a game of teams: rated over the first one, and against the scripted players."""

from pathlib import Path

import pytest

from arena.teams.ablation import team_ablation, team_ablation_text
from arena.teams.ladder import TeamLadder, TeamLadderSettings
from store.run import open_run
from tests.arena.team_games import DAMAGED_STEP, TOY, make_run, toy

__all__ = ["toy"]
pytestmark = pytest.mark.usefixtures("toy")
LABELS = {"x-full": "full", "x-control": "control", "x-without-lstm": "without lstm"}


def ladder_of(store: Path, *skills: int) -> TeamLadder:
    for run, skill in zip(LABELS, skills, strict=True):
        make_run(store, run, 1, skill)
    runs = [open_run(store, name) for name in LABELS]
    return TeamLadder(TOY, str(store), runs, TeamLadderSettings(games=40, most=1))


def test_the_newest_checkpoints_are_compared_with_the_first_variant(tmp_path: Path) -> None:
    ladder = ladder_of(tmp_path, 8, 9, 3)
    assert [*ladder.play()]
    found = team_ablation(ladder, LABELS)
    assert [*found.results] == ["full", "control", "without lstm"]
    assert [result.row.agent for result in found.results.values()] == [
        "x-full@8",
        "x-control@9",
        "x-without-lstm@3",
    ]
    full, control, without = found.results.values()
    assert full.row.superiority == 0.5
    assert control.row.superiority is not None
    assert control.row.superiority > 0.4
    assert without.row.superiority is not None
    assert without.row.superiority < 0.1
    assert without.scores["x-full@8"] == ladder.results.score("x-without-lstm@3", "x-full@8")
    assert [*without.scores] == ["x-full@8", *reversed(TOY.scripts)]
    assert without.row.minutes == 3


def test_the_table_has_a_row_a_variant_and_says_how_to_read_it(tmp_path: Path) -> None:
    ladder = ladder_of(tmp_path, 8, 9, 3)
    assert [*ladder.play()]
    found = team_ablation(ladder, LABELS)
    text = team_ablation_text(found).splitlines()
    assert text[0] == "toy, 40 matches or more of each pairing"
    assert "LOS  against full  against" in text[1]
    assert [line.split("  ")[0] for line in text[2:5]] == ["full", "control", "without lstm"]
    assert "of being stronger than 'full'" in text[5]
    assert "two seeds" in text[-1]
    outcomes = found.to_json()["outcomes"]
    assert [outcome["variant"] for outcome in outcomes] == [*LABELS.values()]
    assert outcomes[2]["scores"]["x-full@8"] < 0.5


def test_before_the_first_match_there_is_nothing_to_compare(tmp_path: Path) -> None:
    found = team_ablation(ladder_of(tmp_path, 8, 9, 3), LABELS)
    assert found.results == {}
    assert "no matches were played yet" in team_ablation_text(found)


def test_a_variant_that_cannot_be_loaded_is_left_out(tmp_path: Path) -> None:
    ladder = ladder_of(tmp_path, 8, DAMAGED_STEP, 3)
    assert [*ladder.play()]
    assert [*team_ablation(ladder, LABELS).results] == ["full", "without lstm"]
