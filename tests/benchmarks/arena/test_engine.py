"""The times in which engines answer, with agents that need none."""

import pytest

from benchmarks.arena.engine import gtp_times, summary, uci_times


def test_a_summary_has_the_99th_percentile_by_nearest_rank() -> None:
    values = [float(value) for value in range(1, 101)]
    assert summary(values) == {"median_ms": 50.5, "p99_ms": 99.0, "most_ms": 100.0}
    assert summary([3.0]) == {"median_ms": 3.0, "p99_ms": 3.0, "most_ms": 3.0}


@pytest.mark.slow  # starts four engines
def test_every_answer_has_its_times() -> None:
    uci = uci_times(0.1, "random", "chess5", asks=3, starts=1)
    gtp = gtp_times(0.1, "random", "go7", asks=3, starts=1)
    for found in (uci, gtp):
        for name, times in found.items():
            if name != "game":
                assert 0 < times["median_ms"] <= times["p99_ms"] <= times["most_ms"]
    assert uci["start_to_uciok"]["median_ms"] > uci["uci_to_uciok"]["median_ms"]
