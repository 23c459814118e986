import pytest

from arena.engine.protocols.uci import UCI
from arena.engine.protocols.universal.info import info_lines, score_words, wdl
from arena.engine.protocols.usi import USI
from arena.engine.snapshot import Line, Snapshot


@pytest.mark.parametrize("value", [-1.0, -0.4, 0.0, 0.3, 0.999, 1.0])
def test_wins_draws_and_losses_have_the_value_they_come_from(value: float) -> None:
    won, drawn, lost = wdl(value)
    assert won + drawn + lost == 1000
    assert min(won, drawn, lost) >= 0
    assert (won - lost) / 1000 == pytest.approx(value, abs=2e-3)


def test_a_score_is_a_mate_where_it_is_proven() -> None:
    assert score_words(0.3, 1.0, 3, UCI, False) == " score mate 2"
    assert score_words(0.3, 1.0, 3, USI, False) == " score mate 3"
    assert score_words(0.3, -1.0, 2, UCI, True) == " score mate -1 wdl 0 0 1000"
    assert score_words(0.3, -1.0, 2, USI, False) == " score mate -2"
    assert score_words(0.3, 0.0, 4, UCI, False) == " score cp 0"
    assert score_words(None, None, 0, UCI, True) == ""


def test_each_line_has_its_score_and_its_moves() -> None:
    lines = (Line((1, 2, 3), 60, 0.5, None, 0), Line((4,), 40, None, -1.0, 2))
    snapshot = Snapshot((), lines, 100, 0, 0.4, None, 0, 100, 0.5, 7, 0.25)
    found = info_lines(snapshot, lambda moves: [f"m{m}" for m in moves], UCI, False)
    effort = "nodes 100 nps 200 hashfull 250 time 500"
    assert found == [
        f"info depth 3 seldepth 7 multipv 1 score cp 89 {effort} pv m1 m2 m3",
        f"info depth 1 seldepth 7 multipv 2 score mate -1 {effort} pv m4",
    ]


def test_a_game_that_is_over_has_a_score_alone() -> None:
    over = Snapshot((), (), 0, 0, -1.0, -1.0, 0)
    (line,) = info_lines(over, lambda moves: [], UCI, False)
    assert line == "info depth 0 score mate 0 nodes 0 nps 0 hashfull 0 time 0"
