"""The options that several commands share."""

import pytest

import ludens

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    "line",
    [
        "match tic_tac_toe random mcts",
        "rate r",
        "play tic_tac_toe",
        "record random",
        "evaluate r",
        "engine --agent random",
        "check-game tic_tac_toe",
    ],
)
@pytest.mark.parametrize(
    ("seed", "told"), [("-1", "0 or more"), ("1.5", "a whole number, 0 or more")]
)
def test_a_seed_that_is_none_is_refused_with_the_option(
    line: str, seed: str, told: str, capsys: Captured
) -> None:
    assert ludens.main([*line.split(), "--seed", seed]) == 2
    assert capsys.readouterr() == ("", f"error: --seed {seed}: expected {told}\n")
