from pathlib import Path

import pytest

from arena.evaluation.sweep import runs_of_sweep, sweep_of
from arena.monitor.report.sweep_page import page_of, sweep_text, write_sweep_report
from tests.arena.evaluation.test_sweep import put, run_of

pytest.importorskip("jinja2")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for seed, share in enumerate([0.0, 0.5, 1.0]):
        put(run_of(tmp_path, "pong", seed, share), share / 2, step=10)
    run_of(tmp_path, "pong", 3, None)
    run_of(tmp_path, "CartPole-v1", 0, 480.0, protocol="", epsilon=0.0)
    return tmp_path


def test_the_page_has_every_game_and_run(store: Path) -> None:
    sweep = sweep_of(runs_of_sweep(str(store), "p"))
    page = page_of(sweep, "p", "5 runs in x", 0.0)
    assert page.state == "4 runs of 2 games; protocol nature, epsilon 0.05"
    facts = dict(page.facts)
    assert facts["interquartile mean, human-normalised"].startswith("0.500 [0.")
    games, curves, runs, missing = page.sections
    cart, pong = games.tables[0].rows
    assert cart == ("CartPole-v1", "1", "480.0", "-", "-", "-", "-", "-")
    assert (pong[0], pong[1], pong[2]) == ("pong", "3", "-5.7")
    assert pong[5:] == ("-20.7", "9.3", "18.9")
    assert [chart.title for chart in curves.charts] == ["pong"]
    assert [curve.name for curve in curves.charts[0].curves] == ["p-pong-0", "p-pong-1", "p-pong-2"]
    assert len(runs.tables[0].rows) == 4
    assert missing.note == "p-pong-3"


def test_it_is_written_whole_without_scripts(store: Path, tmp_path: Path) -> None:
    sweep = sweep_of(runs_of_sweep(str(store), "p"))
    path = tmp_path / "p.html"
    written = write_sweep_report(sweep, "<b>p</b>", path, "5 runs")
    text = path.read_text()
    assert (written.runs, written.games, written.size) == (4, 2, len(text.encode()))
    assert "&lt;b&gt;p&lt;/b&gt;" in text
    assert "<script" not in text
    assert "no journal" not in text


def test_the_text_has_the_same(store: Path) -> None:
    lines = sweep_text(sweep_of(runs_of_sweep(str(store), "p"))).splitlines()
    assert lines[0] == "4 runs of 2 games; protocol nature, epsilon 0.05"
    assert lines[1].split()[:3] == ["interquartile", "mean", "0.500"]
    assert any(line.split()[:3] == ["pong", "3", "-5.7"] for line in lines)
    assert lines[-1] == "not evaluated: p-pong-3"
