import numpy as np
import pytest

from arena.play.pictures.session import LATE_S, OVER_S, PictureSession, play_out
from tests.arena.play.pictures.screens import Scripted, Walk


class Clock:
    """Seconds that pass when told."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def session(agent=None, walk=None, **words):
    clock = Clock()
    return PictureSession(walk or Walk(), agent, now=clock, **words), clock


def run(playing, clock, seconds, tick=0.02):
    for _ in range(round(seconds / tick)):
        clock.now += tick
        playing.tick()


def test_it_plays_at_the_speed_for_people():
    playing, clock = session(Scripted(0), Walk(limit=10_000))
    playing.tick()
    begun = playing.game.steps
    run(playing, clock, 3.0)
    assert playing.game.steps - begun == pytest.approx(30, abs=1)
    playing.change_speed(up=True)
    run(playing, clock, 3.0)
    assert playing.game.steps - begun == pytest.approx(90, abs=2)
    for _ in range(3):
        playing.change_speed(up=False)
    run(playing, clock, 4.0)
    assert playing.speed == 0.25
    assert playing.game.steps - begun == pytest.approx(100, abs=2)


def test_a_slow_machine_loses_time_and_not_the_keys():
    playing, clock = session(Scripted(0), Walk(limit=10_000))
    playing.tick()
    clock.now += 60.0
    playing.tick()
    assert playing.game.steps <= 2 + LATE_S * 10


def test_the_agent_sees_every_observation_and_the_beginnings_of_games():
    agent = Scripted(2)
    playing, clock = session(agent, Walk(length=4))
    run(playing, clock, 2 * OVER_S + 2.0)
    assert [done.score for done in playing.finished][:2] == [1.0, 1.0]
    # The last observation of a game is not acted on: the agent is given the first of the next.
    assert [seen.argmax() for seen in agent.seen][:6] == [0, 1, 2, 0, 1, 2]
    assert agent.began[:6] == [True, False, False, True, False, False]


def test_the_end_of_an_agents_game_stays_a_while_and_then_the_next_begins():
    playing, clock = session(Scripted(2), Walk(length=2))
    run(playing, clock, 0.2)
    assert playing.is_over
    run(playing, clock, 0.9 * OVER_S)
    assert playing.is_over
    assert playing.environment.begun == 1
    run(playing, clock, 0.3 * OVER_S)
    assert playing.environment.begun == 2


def test_a_persons_game_waits_at_its_end():
    playing, clock = session()
    for _ in range(20):
        playing.press("space")
        run(playing, clock, 0.1)
        if playing.is_over:
            break
    assert playing.finished[0].score == -1.0
    run(playing, clock, 20.0)
    assert playing.environment.begun == 1
    playing.press("space")
    assert playing.environment.begun == 2
    assert not playing.is_over


def test_a_person_takes_over_while_the_agents_values_stay_live():
    agent = Scripted(2)
    playing, clock = session(agent, Walk(length=9))
    run(playing, clock, 0.2)
    playing.press("left")
    assert "takes over" in playing.message
    assert playing.game.action == 2
    playing.take_over()
    at = playing.environment.at
    playing.press("left")
    run(playing, clock, 0.1)
    assert playing.environment.at == at - 1
    assert playing.player == "you"
    np.testing.assert_array_equal(playing.values.now, np.arange(4) + at)
    playing.take_over()
    assert playing.player == "scripted"


def test_without_an_agent_the_stick_stays_with_the_person():
    playing, _ = session()
    playing.take_over()
    assert playing.by_hand
    assert "no agent" in playing.message
    assert playing.values.now is None


def test_pause_holds_and_step_makes_one_step():
    playing, clock = session(Scripted(0))
    playing.pause()
    run(playing, clock, 5.0)
    assert playing.game.steps == 0
    playing.step()
    run(playing, clock, 5.0)
    assert playing.game.steps == 1
    playing.pause()
    run(playing, clock, 0.5)
    assert 4 <= playing.game.steps - 1 <= 6  # and not the steps of the pause


def test_playing_out_yields_every_step_and_stops_after_the_last_game():
    playing, _ = session(Scripted(2), Walk(length=4))
    moments = [(s.game.steps, s.is_over) for s in play_out(playing, 2)]
    assert moments == [(0, False), (1, False), (2, False), (3, True)] * 2
    assert playing.environment.begun == 2
    assert [done.steps for done in playing.finished] == [3, 3]


def test_measures_count_the_steps_of_a_game():
    playing, _ = session(Scripted(2), Walk(length=5))
    assert playing.measured() == []
    for _ in play_out(playing, 1):
        pass
    assert playing.finished[0].shares == {"halfway": 3 / 4}
    assert playing.measured() == ["past the middle 75.0%"]


def test_a_game_that_a_limit_ends_says_so():
    playing, _ = session(Scripted(0), Walk(limit=5))
    for _ in play_out(playing, 1):
        pass
    assert playing.finished[0].truncated
