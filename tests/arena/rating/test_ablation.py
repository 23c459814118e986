import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from agents.alphazero.metrics import METRICS
from agents.progress import Progress
from arena.match.openings import random_openings
from arena.rating.ablation import ErrorRates, ablation_ladder, ablation_of, measure_errors
from arena.rating.ablation_text import TurnsDisplay, ablation_text
from arena.rating.ladder import Ladder, LadderSettings
from store.errors import StoreError
from tests.arena.ladders import TIC_TAC_TOE, make_run, skilled, use_skilled_players
from tests.arena.monitor.test_panel import progress as some_progress

LABELS = {"x-full": "full", "x-control": "control", "x-without-cache": "without cache"}


@pytest.fixture(autouse=True)
def _players(monkeypatch: pytest.MonkeyPatch) -> None:
    use_skilled_players(monkeypatch)


def ladder_of(store: Path, width: float = 40.0, games: int = 4000) -> Ladder:
    settings = LadderSettings(width, 64, most=1, games=games)
    return ablation_ladder(
        TIC_TAC_TOE, str(store), list(LABELS), random_openings(TIC_TAC_TOE), settings
    )


def make_runs(store: Path, *skills: int) -> None:
    for run, skill in zip(LABELS, skills, strict=True):
        make_run(store, run, 5, skill)


def test_variants_are_rated_over_the_first_with_the_bars_of_differences(tmp_path: Path) -> None:
    make_runs(tmp_path, 80, 81, 20)
    ladder = ladder_of(tmp_path)
    last = list(ladder.play())[-1]
    full, control, without = ablation_of(ladder, last, LABELS, {}).results
    assert (full.variant, full.agent, full.elo, full.error) == ("full", "x-full@80:sims=64", 0, 0)
    assert abs(control.elo) < 80
    assert 0 < control.error <= 40
    assert without.elo < -150
    assert without.superiority < 0.001
    assert without.error <= 40
    assert (without.trained.minutes, without.trained.games) == (20.0, 200)
    assert without.errors is None
    played = sum(outcome.games for outcome in (full, control, without))
    assert played == 2 * last.new_games


def test_only_the_newest_checkpoints_play(tmp_path: Path) -> None:
    make_runs(tmp_path, 80, 81, 20)
    ladder = ladder_of(tmp_path)
    assert list(ladder.contenders) == ["x-control@81:sims=64", "x-without-cache@20:sims=64"]
    assert ladder.anchors == {"x-full@80:sims=64": 0.0}


def test_a_variant_that_was_never_saved_is_told(tmp_path: Path) -> None:
    make_run(tmp_path, "x-full", 5)
    make_run(tmp_path, "x-control", 5)
    make_run(tmp_path, "x-without-cache")
    with pytest.raises(StoreError, match="'x-without-cache' has no checkpoint yet"):
        ladder_of(tmp_path)


def test_errors_are_measured_with_and_without_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    def find(name: str, game: object, store: str, *, simulations: int) -> object:
        asked.append((name, simulations))
        return skilled(name, TIC_TAC_TOE, store).solver

    monkeypatch.setattr("arena.rating.ablation.find_agent", find)
    make_runs(tmp_path, 80, 81, 20)
    errors = measure_errors(ladder_of(tmp_path))
    assert errors["x-full@80:sims=64"] == ErrorRates({"all positions": 0}, {"all positions": 0})
    assert len(errors) == 3
    assert ("x-without-cache@20:sims=64", 0) in asked
    assert ("x-without-cache@20:sims=64", 64) in asked


def test_the_table_is_the_golden_one(tmp_path: Path) -> None:
    make_runs(tmp_path, 80, 81, 20)
    ladder = ladder_of(tmp_path, width=5.0, games=200)
    last = list(ladder.play())[-1]
    rates = ErrorRates({"a": 0.1, "b": 0.2}, {"a": 0.0, "b": 0.01})
    errors = dict.fromkeys((*ladder.anchors, *ladder.contenders), rates)
    text = ablation_text(ablation_of(ladder, last, LABELS, errors))
    golden = Path(__file__).parent / "data" / "ablation.txt"
    assert text + "\n" == golden.read_text(encoding="utf-8")


# --- the trainings as they take turns -----------------------------------------------------------


def shown(run: str, stage: Progress, *, terminal: bool) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100, color_system=None)
    with TurnsDisplay("two variants", LABELS, METRICS, console) as display:
        display.show(run, stage)
        display.notice("stopping")
    return out.getvalue()


def test_a_terminal_shows_a_row_a_variant() -> None:
    text = shown("x-control", some_progress(), terminal=True)
    rows = text.splitlines()
    assert any("full" in row and "waits" in row for row in rows)
    assert any("▶ control" in row for row in rows)
    assert "stopping" in text


def test_elsewhere_a_line_says_whose_turn_it_is() -> None:
    text = shown("x-control", some_progress(), terminal=False)
    assert text.splitlines()[0] == "two variants"
    assert text.splitlines()[1].startswith("control: ")
    assert np.char.count(text, "stopping") == 1
