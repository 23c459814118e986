import pytest

from arena.play.pictures.stick import HOLD_S, Stick

BREAKOUT = ("NOOP", "FIRE", "RIGHT", "LEFT")
ALL = ("NOOP", "FIRE", "UP", "RIGHT", "LEFT", "DOWN", "UPRIGHT", "UPLEFT", "DOWNRIGHT", "DOWNLEFT",
       "UPFIRE", "RIGHTFIRE", "LEFTFIRE", "DOWNFIRE", "UPRIGHTFIRE", "UPLEFTFIRE", "DOWNRIGHTFIRE",
       "DOWNLEFTFIRE")  # fmt: skip


def test_a_press_holds_for_the_stated_time():
    stick = Stick(BREAKOUT)
    assert stick.action(0.0) == 0
    stick.press("left", 1.0)
    assert stick.action(1.0) == stick.action(1.0 + 0.99 * HOLD_S) == 3
    assert stick.action(1.0 + HOLD_S) == 0


def test_a_press_is_in_one_action_however_late_it_comes():
    stick = Stick(BREAKOUT)
    stick.press("space", 1.0)
    assert [stick.action(9.0), stick.action(9.1)] == [1, 0]


def test_repeats_of_a_key_that_stays_down_renew_it():
    stick = Stick(BREAKOUT)
    for i in range(20):
        stick.press("right", 0.9 * HOLD_S * i)
        assert stick.action(0.9 * HOLD_S * (i + 0.99)) == 2


def test_the_opposite_key_lets_the_first_go():
    stick = Stick(BREAKOUT)
    stick.press("left", 0.0)
    stick.press("right", 0.01)
    assert stick.action(0.02) == 2


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        (["up"], "UP"),
        (["left", "up"], "UPLEFT"),
        (["space", "right"], "RIGHTFIRE"),
        (["right", "space", "down"], "DOWNRIGHTFIRE"),
    ],
)
def test_keys_held_together_are_one_action(keys, name):
    stick = Stick(ALL)
    for i, key in enumerate(keys):
        stick.press(key, i / 100)
    assert ALL[stick.action(0.1)] == name


def test_where_a_combination_is_no_action_the_newest_key_counts():
    stick = Stick(BREAKOUT)
    stick.press("left", 0.0)
    stick.press("space", 0.1)
    assert BREAKOUT[stick.action(0.11)] == "FIRE"
    stick.press("up", 0.12)  # Breakout has no such action
    assert BREAKOUT[stick.action(0.13)] == "FIRE"


def test_digits_choose_by_number_and_the_last_action_stays_where_nothing_is_named():
    stick = Stick(("0", "1"))
    assert stick.known_keys == ["0", "1"]
    stick.press("1", 0.0)
    assert stick.action(0.1) == stick.action(5.0) == 1
    stick.press("0", 6.0)
    assert stick.action(6.0) == stick.action(9.0) == 0


def test_it_says_which_keys_do_something():
    assert Stick(BREAKOUT).known_keys == ["left", "right", "space", "0", "1", "2", "3"]
