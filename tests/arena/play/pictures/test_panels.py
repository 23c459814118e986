import numpy as np
import pytest

from arena.play.pictures import panels
from arena.play.pictures.session import PictureSession, play_out
from arena.play.pictures.stick import HOLD_S
from tests.arena.play.pictures.screens import Scripted, Walk


class Unsure(Scripted):
    """An agent without values, as the random one."""

    name = "unsure"

    def act(self, rng):
        return np.array([self.action])


def played(agent, steps, **words):
    session = PictureSession(Walk(length=9), agent, now=lambda: 0.0, **words)
    for _ in range(steps):
        session.advance()
    return session


def test_values_stand_beside_their_actions_with_the_best_longest():
    lines = panels.values_text(played(Scripted(3), 4), 40, 12).plain.splitlines()
    for line, (name, value) in zip(lines, enumerate(("NOOP", "FIRE", "RIGHT", "LEFT"))):
        assert value in line
        assert f"{name:.3f}" in line
    assert lines[3].startswith("▶ LEFT")
    assert [line.count("█") for line in lines[:4]] == sorted(line.count("█") for line in lines[:4])
    assert lines[0].count("█") == 0
    assert max(map(len, lines)) <= 40


def test_the_curve_shows_the_best_value_of_the_last_steps():
    session = played(Scripted(2), 5)
    last = panels.values_text(session, 40, 12).plain.splitlines()[-1]
    assert last == panels.curve([3, 4, 5, 6, 7], 0, 7, 40) == "▄▅▆▇█"
    assert panels.curve([0, 1, 2], 0, 2, 2) == "▅█"


def test_an_agent_without_values_says_so():
    text = panels.values_text(played(Unsure(2), 1), 40, 12).plain
    assert text.startswith("unsure values no actions")
    assert "▶ RIGHT" in text


def test_more_actions_than_lines_show_those_about_the_chosen():
    assert list(panels._around(9, 18, 5)) == [7, 8, 9, 10, 11]
    assert list(panels._around(0, 18, 5)) == [0, 1, 2, 3, 4]
    assert list(panels._around(17, 18, 5)) == [13, 14, 15, 16, 17]
    assert list(panels._around(2, 4, 20)) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [(0.5, 0, 1, 0.5), (9, 0, 1, 1), (-9, 0, 1, 0), (float("nan"), 0, 1, 0), (1, 1, 1, 0)],
)
def test_a_share_is_within_its_bounds(value, low, high, expected):
    assert panels.share_of(value, low, high) == expected


def test_little_room_goes_to_the_actions():
    lines = panels.values_text(played(Scripted(2), 3), 30, 4).plain.splitlines()
    assert len(lines) == 4
    assert all(name in line for name, line in zip(("NOOP", "FIRE", "RIGHT", "LEFT"), lines))


def test_a_bar_is_drawn_in_eighths():
    assert panels.bar(0.0, 4) == "    "
    assert panels.bar(1.0, 4) == "████"
    assert panels.bar(0.5 + 1 / 32, 4) == "██▏ "


def test_score_protocol_lives_and_results_are_told():
    session = played(Scripted(2), 0)
    for _ in play_out(session, 2):
        pass
    assert "walk  protocol nature" in panels.title_text(session, 80).plain
    assert "scripted plays" in panels.title_text(session, 80).plain
    told = panels.score_text(session).plain
    for part in ("score 1", "lives 2", "steps 8", "game over", "2 played, mean 1.0: 1 1"):
        assert part in told
    assert "past the middle 62.5%" in told


def test_keys_of_a_person_say_how_long_a_press_holds():
    session = played(None, 0)
    assert f"a press holds for {HOLD_S:g} s" in panels.keys_text(session)
    assert panels.keys_text(session).startswith("← → space:")
    assert "hand back" not in panels.keys_text(session)
    assert "t take over" in panels.keys_text(played(Scripted(), 0))
    assert "you are at the stick" in panels.title_text(session, 80).plain


def test_scores_have_decimals_only_where_they_need_them():
    assert [panels.number(v) for v in (401.0, -1234.5, 0.0)] == ["401", "-1,234.50", "0"]
