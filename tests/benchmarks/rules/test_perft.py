import pytest

from benchmarks.rules import perft
from benchmarks.rules.perft import Peer

CHESS = Peer("chess", "chess")


@pytest.mark.slow
def test_both_sides_count_the_same_and_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perft, "SECONDS", 0.0)
    monkeypatch.setattr(perft, "PEERS", {"chess": (2, (CHESS, Peer("none", "no_such_package")))})
    found = perft.measure("chess", rounds=1)
    assert (found["nodes"], found["depth"]) == (400, 2)
    assert set(found["ratio"]) == {"chess"}
    assert found["nodes_per_core_second"]["chess"] > 0


def test_counts_that_differ_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perft, "SECONDS", 0.0)
    monkeypatch.setattr(perft, "PEERS", {"chess": (1, (CHESS,))})
    monkeypatch.setattr(perft, "count_theirs", lambda peer, depth, python: (19, 1.0))
    with pytest.raises(RuntimeError, match="20 lines, chess has 19"):
        perft.measure("chess", rounds=1)
