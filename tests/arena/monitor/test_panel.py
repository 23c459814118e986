import dataclasses
import math
import os
import signal
from collections.abc import Mapping
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from agents.alphazero.metrics import METRICS
from agents.metrics import MetricSpec
from agents.progress import Measured, Progress
from arena.monitor.figures import duration
from arena.monitor.listeners import tell_listeners
from arena.monitor.panel import (
    MOST_POINTS,
    Course,
    LivePanel,
    PlainLines,
    line,
    seconds_left,
    sparkline,
)
from arena.monitor.stop_signal import StopSignal

MEASURED = (
    Measured("no search", 30.0, {"begin_easy": 0.123}),
    Measured("64 simulations", 30.0, {"begin_easy": 0.017}),
)


def progress(metrics: Mapping[str, float] | None = None, **changes: Any) -> Progress:
    """A training after a minute of ten; `metrics` replace some of its metrics."""
    known = {
        "simulations_per_s": 81_000.4,
        "evaluations_per_s": 19_000.0,
        "cache_hit_share": 0.3,
        "proven_leaf_share": 0.2,
        "policy_loss": 1.25,
        "value_loss": 0.5,
        "learning_rate": 2e-3,
        "mean_plies": 28.4,
        "resign_false_positive": None,
    }
    stage = Progress(
        event="learned",
        policy=None,
        elapsed_s=60.0,
        budget_s=600.0,
        games=1234,
        games_goal=0,
        positions=56789,
        learner_steps=700,
        network_version=700,
        games_in_flight=256,
        first_game_s=5.0,
        metrics={**known, **(metrics or {})},
        measured=MEASURED,
    )
    return dataclasses.replace(stage, **changes)


def drawn(*stages: Progress, width: int = 100) -> str:
    console = Console(width=width, height=40, record=True, force_terminal=True, file=StringIO())
    panel = LivePanel("connect_four", "run 'a' in 'runs'", METRICS, console, clock=lambda: 0.0)
    for stage in stages:
        panel.show(stage)
    console.print(panel.render())
    return console.export_text()


def test_while_kernels_compile_it_is_said_and_no_figure_is_shown() -> None:
    text = drawn(progress(event="compiling"))
    assert "compiling, once on this machine" in text
    assert "the clock does not run yet" in text
    assert "1,234" not in text
    assert "compiling, once on this machine" in line(progress(event="compiling"), METRICS)


def test_the_panel_shows_every_figure() -> None:
    text = drawn(progress())
    for figure in (
        "run 'a' in 'runs'", "1:00 of 10:00", "9:00 left", "1,234", "56,789", "81,000", "19,000",
        "30.0%", "20.0%", "700", "1.250", "0.500", "2.0e-03", "28.4", "begin easy", "12.3%", "1.7%",
        "64 simulations", "Ctrl-C saves and stops",
    ):  # fmt: skip
        assert figure in text, figure


def test_the_panel_stays_within_a_narrow_terminal() -> None:
    text = drawn(progress(), width=80)
    assert max(len(row) for row in text.splitlines()) <= 76
    assert "1.7%" in text


def test_the_panel_has_something_to_say_before_the_first_stage() -> None:
    assert "loading" in drawn()


def test_losses_and_errors_leave_a_trace() -> None:
    stages = [
        progress(
            {"policy_loss": 2.0 - 0.1 * i},
            measured=(Measured("no search", float(i), {"begin_easy": e}),),
        )
        for i, e in enumerate((0.4, 0.2, 0.1))
    ]
    text = drawn(*stages)
    assert "█▅▁" in text or "█▄▁" in text  # the loss, from its smallest number
    assert "█▄▃" in text or "█▅▃" in text  # the errors, from zero


def test_a_measurement_counts_once_however_often_it_is_shown() -> None:
    text = drawn(*[progress()] * 5)
    (row,) = [row for row in text.splitlines() if "begin easy" in row]
    assert row.count("█") == 2  # one without search, one with


@pytest.mark.parametrize(
    ("history", "bottom", "sparks"),
    [
        ([], 0.0, ""),
        ([0.0, 0.0], 0.0, "▁▁"),
        ([4.0, 2.0, 0.0], 0.0, "█▅▁"),
        ([5.0, 4.0, 3.0], 3.0, "█▅▁"),
    ],
)
def test_sparklines_scale_to_their_largest(
    history: list[float], bottom: float, sparks: str
) -> None:
    assert sparkline(history, bottom) == sparks


def test_a_course_of_any_length_is_kept_in_few_points() -> None:
    course = Course()
    for number in range(3 * MOST_POINTS):
        course.add(float(number))
    assert MOST_POINTS / 2 <= len(course.points) < MOST_POINTS
    assert course.points[:2] == [1.5, 5.5]  # means of four neighbours each
    assert course.points[-1] > 3 * MOST_POINTS - 5


def test_long_sparklines_are_averaged_to_their_width() -> None:
    assert sparkline([1.0] * 500 + [0.0] * 500, width=4) == "██▁▁"


def test_durations_read_like_a_clock() -> None:
    assert [duration(s) for s in (0, 59.6, 61, 3661)] == ["0:00", "1:00", "1:01", "1:01:01"]


def test_what_is_left_comes_from_the_budget_or_the_pace() -> None:
    assert seconds_left(progress()) == 540
    assert seconds_left(progress(elapsed_s=700.0)) == 0
    by_games = progress(budget_s=0.0, games_goal=2000, games=500)
    assert seconds_left(by_games) == pytest.approx(180)
    by_rows = progress(budget_s=0.0, rows_goal=100_000, positions=25_000)
    assert seconds_left(by_rows) == pytest.approx(180)
    both = progress(budget_s=100.0, rows_goal=100_000, positions=25_000)
    assert seconds_left(both) == 40  # what comes first
    assert seconds_left(progress(budget_s=0.0, rows_goal=100, positions=200)) == 0
    assert seconds_left(progress(budget_s=0.0)) is None


def test_a_limit_stands_beside_what_it_counts() -> None:
    limited = progress(budget_s=0.0, rows_goal=100_000, games_goal=2000)
    for text in (line(limited, METRICS), drawn(limited)):
        assert "1,234 of 2,000" in text
        assert "56,789 of 100,000" in text
    assert " of " not in line(progress(), METRICS)


def test_plain_lines_come_now_and_then_and_last() -> None:
    now, said = [0.0], list[str]()
    lines = PlainLines(said.append, METRICS, clock=lambda: now[0])
    for seconds, event in ((0, "started"), (4, "games"), (11, "games"), (12, "finished")):
        now[0] = float(seconds)
        lines.show(progress(event=event, elapsed_s=float(seconds)))
    assert [text.split("/")[0] for text in said] == ["0:00", "0:11", "0:12"]


def test_a_line_has_no_losses_before_there_are_any() -> None:
    unknown = {"policy_loss": math.nan, "value_loss": math.nan}
    text = line(progress(unknown, measured=()), METRICS)
    assert "policy loss -  value loss -" in text
    assert "nan" not in text
    assert "errors" not in text
    text = line(progress(), METRICS)
    assert "errors, no search: 12.3%  errors, 64 simulations: 1.7%" in text


def test_an_algorithm_of_few_metrics_has_a_panel_too() -> None:
    spec = MetricSpec("td_error", "TD error", "Mean TD error", look="loss", in_line=True)
    console = Console(width=100, height=40, record=True, force_terminal=True, file=StringIO())
    panel = LivePanel("cliff", "run 'a'", [spec], console, clock=lambda: 0.0)
    panel.show(progress({"td_error": 0.25}, measured=()))
    console.print(panel.render())
    text = console.export_text()
    assert "TD error" in text
    assert "0.250" in text
    assert "simulations" not in text
    assert "TD error 0.250" in line(progress({"td_error": 0.25}, measured=()), [spec])


def test_every_listener_hears_every_stage_and_the_last_one_is_returned() -> None:
    stages = [progress(event="games", measured=()), progress(event="finished", measured=())]
    seen: list[Progress] = []
    listener: Any = SimpleNamespace(show=seen.append)
    last = tell_listeners(stages, lambda s: dataclasses.replace(s, measured=MEASURED), [listener])
    assert [stage.event for stage in seen] == ["games", "finished"]
    assert all(stage.measured == MEASURED for stage in seen)
    assert last == seen[-1]


def test_the_first_interrupt_asks_and_the_handlers_return() -> None:
    before, said = signal.getsignal(signal.SIGINT), list[str]()
    with StopSignal(said.append) as stop:
        assert not stop()
        signal.raise_signal(signal.SIGTERM)
        assert stop()
    assert "checkpoint" in said[0]
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_while_a_line_is_written_stops_too() -> None:
    def reentrant(text: str) -> None:
        raise RuntimeError("reentrant call inside <_io.BufferedWriter name='<stdout>'>")

    with StopSignal(reentrant) as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop()


def test_the_second_interrupt_ends_the_process_at_once() -> None:
    child = os.fork()
    if not child:
        with StopSignal(lambda text: None):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 128 + signal.SIGINT


def test_a_cluster_shows_its_workers_and_what_happened_to_them() -> None:
    died = progress(workers=3, workers_wanted=4, staleness=128.0, notices=("worker 2 died",))
    later = progress(elapsed_s=90.0, workers=4, workers_wanted=4)
    text = drawn(died, later)
    assert "4 of 4" in text
    assert "1:00  worker 2 died" in text
    many = [progress(notices=(f"notice {i}",)) for i in range(9)]
    assert "notice 4" not in drawn(*many)
    assert "notice 8" in drawn(*many)
    said: list[str] = []
    plain = PlainLines(said.append, METRICS, clock=lambda: 0.0)
    plain.show(died)
    plain.show(died)
    assert said[0] == said[2] == "1:00  worker 2 died"  # at once, and the line not every time
    assert "3/4 workers" in said[1]
    assert len(said) == 3
