from pathlib import Path

import pytest

from arena.evaluation.records import store_evaluation
from arena.evaluation.table import ScoreTable, published_scores, table_of
from arena.evaluation.text import evaluation_text, score_text, table_text
from store.run import Run
from tests.arena.evaluation.scripted import evaluation, evaluator, make_run


def breakout(store: Path, name: str, *means: float, protocol: str = "nature") -> Run:
    """A run with evaluations of steps 10, 20, ... whose scores are `means` and about them."""
    run = make_run(store, name, {10: 0}, game="breakout", protocol=protocol)
    for number, mean in enumerate(means, start=1):
        scores = [mean - 1.0, mean, mean + 1.0, mean]
        found = evaluation(scores, step=10 * number, protocol=protocol, minutes=float(number))
        store_evaluation(run.files, found)
    return run


def make_table(store: Path) -> ScoreTable:
    return table_of(
        [evaluator(breakout(store, "r", 2.0, 31.8, 9.0)), evaluator(breakout(store, "s", 1.7))]
    )


def test_rows_are_by_run_and_step_and_the_best_has_the_highest_mean(tmp_path: Path) -> None:
    table = make_table(tmp_path)
    assert [(row.run, row.step) for row in table.rows] == [
        ("r", 10), ("r", 20), ("r", 30), ("s", 10),
    ]  # fmt: skip
    assert {run: row.step for run, row in table.best.items()} == {"r": 20, "s": 10}
    assert (table.environment, table.protocol, table.epsilon) == ("breakout", "nature", 0.05)
    assert [row.human_normalised for row in table.rows][1:4:2] == pytest.approx([1.0, 0.0])
    assert table.published == {"random": 1.7, "human": 31.8, "dqn": 401.2}


def test_other_settings_and_fewer_games_are_not_in_it(tmp_path: Path) -> None:
    run = breakout(tmp_path, "r", 2.0)
    for other in (
        evaluation([50.0] * 4, step=40, epsilon=0.0),
        evaluation([50.0] * 4, step=40, seed=9),
        evaluation([50.0] * 4, step=40, protocol="sticky"),
        evaluation([50.0] * 3, step=40),
    ):
        store_evaluation(run.files, other)
    assert [row.step for row in table_of([evaluator(run)]).rows] == [10]


def test_scores_of_two_protocols_are_not_put_together(tmp_path: Path) -> None:
    runs = [breakout(tmp_path, name, 2.0, protocol=name) for name in ("nature", "sticky")]
    told = (
        "run 'nature' is evaluated in breakout by nature, epsilon 0.05, run 'sticky' in breakout "
        "by sticky, epsilon 0.001: such scores do not compare"
    )
    with pytest.raises(ValueError, match=told):
        table_of([evaluator(run) for run in runs])


def test_the_text_names_protocol_and_best(tmp_path: Path) -> None:
    lines = table_text(make_table(tmp_path)).splitlines()
    assert lines[0] == "breakout, protocol nature, epsilon 0.05, seed 0"
    assert lines[3].split() == ["r", "20", "2.0", "-", "31.8", "1.3", "0.816", "31.8", "4", "1.000"]
    assert "r: best is step 20, 31.8 +- 1.3" in lines
    assert lines[-1] == (
        "published (Mnih et al. 2015, protocol nature): random play 1.7, a person 31.8, "
        "DQN of 2015 401.2"
    )


def test_one_evaluation_as_text() -> None:
    text = evaluation_text("r@7:epsilon=0.05", evaluation([1.0, 3.0, 8.0]))
    assert text.splitlines()[:3] == [
        "r@7:epsilon=0.05, breakout, protocol nature, epsilon 0.05, seed 0:",
        "  mean 4.0 +- 9.0, deviation 3.6, median 3.0, best 8.0; 3 games, 24 frames",
        "  human-normalised 0.076",
    ]
    sticky = evaluation_text("r@7", evaluation([1.0, 3.0, 8.0], protocol="sticky"))
    assert sticky.splitlines()[2:] == [
        "  not human-normalised: that scale is of protocol nature",
        "published (Mnih et al. 2015, protocol nature): random play 1.7, a person 31.8, "
        "DQN of 2015 401.2",
    ]
    plain = evaluation_text("r@7:epsilon=0", evaluation([0.5], environment="X-v0", protocol=""))
    assert plain.splitlines() == [
        "r@7:epsilon=0, X-v0, epsilon 0.05, seed 0:",
        "  mean 0.500, deviation -, median 0.500, best 0.500; 1 games, 4 frames",
    ]


def test_numbers_have_the_digits_that_tell() -> None:
    assert [score_text(s) for s in (None, 0.0, -0.25, 1.0, -20.75, 12345.67)] == [
        "-", "0.000", "-0.250", "1.0", "-20.8", "12,345.7",
    ]  # fmt: skip


def test_a_game_that_nobody_published_has_no_scores_to_compare_with() -> None:
    assert published_scores("Corridor-v0") == {}
