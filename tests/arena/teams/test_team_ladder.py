"""Ladders of teams: each against each, only what is missing, and checkpoints that come and go."""

import logging
from pathlib import Path

import pytest

from arena.match.records import read_matches
from arena.names import AgentNameError
from arena.rating.rate import rate
from arena.teams.ladder import (
    REFERENCE_GAMES,
    TeamLadder,
    TeamLadderSettings,
    open_team_runs,
)
from arena.teams.plot import write_plot
from arena.teams.table import table_of, table_text
from store.errors import StoreError
from store.run import open_run
from tests.arena.team_games import DAMAGED_STEP, TOY, make_run, save, toy

__all__ = ["toy"]
pytestmark = pytest.mark.usefixtures("toy")
FEW = TeamLadderSettings(games=8)


def play(store: Path, settings: TeamLadderSettings = FEW) -> TeamLadder:
    ladder = TeamLadder(TOY, str(store), [open_run(store, "r")], settings)
    states = [*ladder.play()]
    assert states[-1].finished == states[-1].pairings
    assert states[-1].new_games == ladder.new_games
    return ladder


def test_all_play_each_other_and_the_stronger_is_above(tmp_path: Path) -> None:
    make_run(tmp_path, "r", 1, 4, 8)
    ladder = play(tmp_path)
    table = table_of(ladder)
    assert [row.agent for row in table.rows if row.run] == ["r@8", "r@4", "r@1"]
    assert next(row.skill for row in table.rows if row.agent == "low") == 0
    assert table.best["r"].agent == "r@8"
    assert table.best["r"].minutes == 8
    assert table.is_complete
    counts = {
        two: table.cross_play.games[i][j]
        for i, one in enumerate(table.cross_play.agents)
        for j, other in enumerate(table.cross_play.agents)
        for two in [(one, other)]
        if i != j
    }
    assert {n for two, n in counts.items() if {*two} <= {*TOY.scripts}} == {REFERENCE_GAMES}
    assert {n for two, n in counts.items() if not {*two} <= {*TOY.scripts}} == {8}
    assert table.new_games == 3 * REFERENCE_GAMES + 12 * 8
    text = table_text(table)
    assert "r: best is step 8" in text
    assert "note:" not in text


def test_what_is_recorded_is_not_played_again(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", 2, 6)
    first = play(tmp_path)
    assert sum(b.points.size for _, b in read_matches(run.files)) == first.new_games
    again = play(tmp_path)
    assert again.new_games == 0
    assert again.skills() == first.skills()
    more = play(tmp_path, TeamLadderSettings(games=12))
    assert more.new_games == 7 * 4
    assert more.skills()["low"] == first.skills()["low"]  # references are frozen


def test_another_seed_is_more_evidence_and_references_stay(tmp_path: Path) -> None:
    make_run(tmp_path, "r", 2, 6)
    first = play(tmp_path)
    other = play(tmp_path, TeamLadderSettings(games=16, seed=1))
    assert other.new_games == 7 * 8
    assert all(other.skills()[name] == first.skills()[name] for name in TOY.scripts)


def test_a_state_before_the_end_says_so(tmp_path: Path) -> None:
    make_run(tmp_path, "r", 2)
    ladder = TeamLadder(TOY, str(tmp_path), [open_run(tmp_path, "r")], FEW)
    assert table_of(ladder).rows == []
    assert "the same command goes on" in table_text(table_of(ladder))


def test_a_damaged_checkpoint_plays_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_run(tmp_path, "r", 5, DAMAGED_STEP)
    with caplog.at_level(logging.WARNING):
        ladder = play(tmp_path)
    assert "r@13 plays no more" in caplog.text
    assert "r@5" in ladder.skills()
    assert "r@13" not in ladder.skills()


def test_without_any_checkpoint_that_plays_it_fails(tmp_path: Path) -> None:
    make_run(tmp_path, "r", DAMAGED_STEP)
    with pytest.raises(StoreError, match="checkpoint 13 is damaged"):
        play(tmp_path)


def test_new_checkpoints_join(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", 3)
    ladder = TeamLadder(TOY, str(tmp_path), [run], FEW)
    seen: list[int] = []

    def progress(state: object) -> None:
        if ladder.new_games > 3 * REFERENCE_GAMES and not seen:
            save(run, 7)
            seen.append(7)

    settled: list[int] = []
    rate(ladder, follow=True, progress=progress, settled=lambda s: settled.append(s.finished))
    assert "r@7" in ladder.skills()
    assert settled[-1] == 10


def test_the_picture_shows_the_checkpoints(tmp_path: Path) -> None:
    make_run(tmp_path, "r", 2, 6)
    table = table_of(play(tmp_path))
    written = write_plot(table, tmp_path / "skill.png")
    assert [path.name for path in written] == ["skill.png", "skill.svg"]
    assert all(path.stat().st_size > 1000 for path in written)


def test_runs_of_one_game_are_rated_together(tmp_path: Path) -> None:
    make_run(tmp_path, "r", 2)
    make_run(tmp_path, "too", 2, game="toy_too")
    make_run(tmp_path, "empty")
    game, runs = open_team_runs(str(tmp_path), ["r"])
    assert game is TOY
    assert [run.name for run in runs] == ["r"]
    with pytest.raises(AgentNameError, match="'too' learned 'toy_too' and run 'r' 'toy'"):
        open_team_runs(str(tmp_path), ["r", "too"])
    with pytest.raises(AgentNameError, match="'r' is named twice"):
        open_team_runs(str(tmp_path), ["r", "r"])
    with pytest.raises(StoreError, match="'empty' has no checkpoint"):
        open_team_runs(str(tmp_path), ["empty"])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"games": 3}, "games = 3: expected an even number"),
        ({"games": 0}, "games = 0"),
        ({"most": 0}, "checkpoints = 0: expected 1 or more"),
        ({"seed": -1}, "seed = -1"),
    ],
)
def test_settings_are_checked(settings: dict[str, int], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        TeamLadderSettings(**settings)
