"""The bars of simulated ladders, whose true ratings are known."""

import tempfile

import pytest

from arena.rating.elo import NORMAL_95
from benchmarks.arena.ladder import SCENES, TRAINING, Scene, adaptive, coverage, round_robin


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scene", "ladders"),
    [("a training run", 60), ("few checkpoints", 200), ("openings that favour a side", 120)],
)
def test_bars_cover_the_truth_in_95_percent_of_simulated_ladders(scene: str, ladders: int) -> None:
    share, error = coverage(SCENES[scene], range(1000, 1000 + ladders))
    assert 0 < error < 0.01
    assert share == pytest.approx(0.95, abs=0.02)


def test_bars_that_are_too_narrow_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """By two fifths: they cover 76%."""
    monkeypatch.setattr("arena.rating.elo.NORMAL_95", 0.6 * NORMAL_95)
    share, error = coverage(Scene(agents=4, width=60.0, gain=200.0), range(25))
    assert share + 2 * error < 0.93


def test_a_ladder_is_played_to_its_width_with_fewer_games_than_a_round_robin() -> None:
    scene = Scene(agents=8, width=80.0, gain=TRAINING.gain)
    with tempfile.TemporaryDirectory() as store:
        ladder = adaptive(scene, 0, store)
        assert adaptive(scene, 0, f"{store}/again") == ladder
    table = round_robin(scene, 0)
    assert ladder.widest <= scene.width
    assert table.widest <= scene.width
    assert ladder.games < table.games / 2
