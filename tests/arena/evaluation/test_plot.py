from pathlib import Path

import numpy as np
import pytest

from arena.evaluation import plot
from arena.evaluation.plot import write_plot
from arena.evaluation.table import table_of
from tests.arena.evaluation.scripted import evaluator, make_run
from tests.arena.evaluation.test_table import breakout, make_table

pytest.importorskip("matplotlib")


def test_equal_tables_make_equal_pictures_in_both_formats(tmp_path: Path) -> None:
    table = make_table(tmp_path / "store")
    first = write_plot(table, tmp_path / "a.png")
    second = write_plot(table, tmp_path / "b.svg")
    assert [path.name for path in first] == ["a.png", "a.svg"]
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    text = first[1].read_text()
    for word in ("breakout: r, s", "protocol nature", "minutes of training", "a person"):
        assert word in text


def test_curves_are_the_means_with_their_bands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    monkeypatch.setattr(plot, "save_figure", lambda figure, path: drawn.append(figure) or [])
    write_plot(table_of([evaluator(breakout(tmp_path, "r", 2.0, 31.8, 9.0))]), tmp_path / "a.png")
    (axes,) = drawn[0].axes  # by minutes alone: the rows are not known
    curve = axes.lines[0]
    np.testing.assert_allclose(curve.get_xdata(), [1.0, 2.0, 3.0])
    np.testing.assert_allclose(curve.get_ydata(), [2.0, 31.8, 9.0])
    run = make_run(tmp_path, "c", {60: 1, 120: 3})
    for step in (60, 120):
        evaluator(run).evaluate(step)
    write_plot(table_of([evaluator(run)]), tmp_path / "a.png")
    by_minutes, by_rows = drawn[1].axes
    np.testing.assert_allclose(by_minutes.lines[0].get_xdata(), [1.0, 2.0])
    np.testing.assert_allclose(by_rows.lines[0].get_xdata(), [600, 1200])
