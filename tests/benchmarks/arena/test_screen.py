"""The parsing of what the program draws, by the benchmark of the screen."""

import pytest

from benchmarks.arena.screen import figures, is_thinking


@pytest.mark.parametrize(
    ("drawn", "thinking"),
    [
        ("mcts:1000000 16/1,000,000", True),
        ("16/1,000,000 \x1b[1mfresh 99,120/1,000,000", True),
        ("16/1,000,000 fresh 1,000,000/1,000,000", False),
        ("no thoughts of it yet", False),
    ],
)
def test_a_running_search_is_recognised(drawn: str, thinking: bool) -> None:
    assert is_thinking(drawn.encode()) is thinking


def test_figures_are_in_milliseconds() -> None:
    found = figures([n / 1000 for n in range(101)])
    assert found == {"median_ms": 50.0, "p95_ms": 95.0, "longest_ms": 100.0}
