"""The benchmark of a slow store: its report is consistent."""

from __future__ import annotations

import pytest

from benchmarks.cluster.reading import read_from_many


@pytest.mark.slow
def test_one_learner_reads_what_many_writers_commit_and_asks_for_nothing_else() -> None:
    result = read_from_many(2.0, writers=20, every_s=1.0, latency_s=0.002, games=60)
    requests = result["requests"]
    assert requests["read"] >= 20
    assert "names" not in requests  # no writer's folder was listed
    assert result["read_rows_per_s"] > 0
    assert result["requests_of_an_empty_poll"] == 0
    assert result["sweep"]["requests"] == 21
    assert result["unread_rows"]["most"] >= 0
