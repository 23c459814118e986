"""Sessions: the clock, turns, seeking, views, saving; and printed matches."""

import numpy as np
import pytest

from arena.names import AgentNameError
from arena.play.lanes import panels
from arena.play.lanes.person import Person
from arena.play.lanes.plain import print_match
from arena.play.lanes.players import seat_players
from arena.play.lanes.replay import read_replay, record_match
from arena.play.lanes.session import OTHER_RULES, begin_session, open_session
from envs.lanes import rules as r
from tests.arena.play.lanes.matches import Clock, random_actions, session

NAMES = ("left one", "right one")


def test_it_makes_five_ticks_a_second_and_more_when_faster():
    clock = Clock()
    watched = session(now=clock)
    watched.tick()
    assert watched.match.ticks == 1  # the first one is due at once
    clock.now = 0.39
    watched.tick()
    assert watched.match.ticks == 2
    watched.change_speed(True)
    for _ in range(50):
        clock.now += 0.02
        watched.tick()
    assert watched.match.ticks == 2 + 10
    watched.pause()
    clock.now += 0.3
    assert not watched.tick()
    watched.pause()
    watched.tick()
    assert watched.match.ticks == 2 + 10 + 1
    clock.now += 100.0  # after a stop of the machine, the time that was lost is left out
    watched.tick()
    assert watched.match.ticks <= 15


def test_step_makes_a_decision_and_pauses():
    watched = session()
    watched.step()
    assert (watched.timeline.at, watched.match.ticks, watched.paused) == (1, r.TICKS, True)


def test_seeking_goes_as_far_as_is_known():
    watched = session()
    for _ in range(30):
        watched.step()
    digest = watched.match.digest()
    watched.seek(-10)
    assert watched.timeline.at == 20
    watched.seek_to(10**6)
    assert watched.timeline.at == 30
    assert watched.match.digest() == digest
    watched.seek(-1000)
    assert watched.timeline.at == 0


def test_views_change_in_turn_and_a_person_has_the_own_one_until_the_end():
    watched = session()
    seen = []
    for _ in range(4):
        seen.append(watched.view)
        watched.change_view()
    assert seen == ["full", "left", "right", "full"]
    playing = session(left=None, right="fighter", person=Person(0, 0, 1))
    playing.change_view()
    assert playing.view == playing.scene().view == "left"
    assert "until the match is over" in playing.message
    playing.seek(-1)
    assert "when the match is over" in playing.message
    playing.match.units["alive"][playing.match.layout.creeps - 1] = 0  # the other core falls
    playing.step()
    assert playing.match.winner == 0
    assert playing.person is None
    assert playing.view == "full"
    playing.seek(-1)
    assert playing.timeline.at == 0


def test_by_turns_each_order_makes_one_decision():
    clock = Clock()
    playing = session(left=None, person=Person(0, 0, 1), by_turns=True, now=clock)

    def run(seconds):
        for _ in range(round(seconds / 0.05)):
            clock.now += 0.05
            playing.tick()

    run(3)
    assert playing.match.ticks == 0
    assert playing.waits_for_order
    assert "your order" in panels.message_text(playing).plain
    playing.press("tab")
    run(2)
    assert playing.match.ticks == 0
    playing.press("right")
    run(3)
    assert (playing.match.ticks, playing.timeline.at) == (r.TICKS, 1)
    playing.step()
    assert (playing.timeline.at, playing.paused) == (2, False)
    playing.change_turns()
    run(2)
    assert playing.match.ticks > 2 * r.TICKS + 5


def test_a_new_match_has_the_next_seed_and_no_old_orders():
    playing = session(left=None, person=Person(0, 0, 1))
    playing.press("right")
    for _ in range(3):
        playing.step()
    playing.new_match()
    assert (playing.match.seed, playing.timeline.at, playing.timeline.known) == (4, 0, 0)
    assert playing.person.standing.kind == "hold"
    playing.step()
    assert playing.timeline.known == 1


def test_a_match_is_saved_and_opened(tmp_path):
    watched = session("lanes_3v3")
    for _ in range(40):
        watched.step()
    watched.save(tmp_path)
    assert "saved to" in watched.message
    watched.save(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["lanes_3v3-fighter-pusher-3-2.replay", "lanes_3v3-fighter-pusher-3.replay"]
    opened = open_session(read_replay(tmp_path / names[1]))
    assert (opened.names, opened.message, opened.timeline.at) == (watched.names, "", 0)
    opened.seek_to(40)
    assert opened.match.digest() == watched.match.digest()
    assert opened.timeline.is_at_end
    opened.new_match()
    assert opened.timeline.at == 0
    watched.save(tmp_path / "no")
    assert "not saved" in watched.message


def test_a_replay_of_other_rules_says_so():
    replay = record_match("lanes_1v1", 5, NAMES, random_actions("lanes_1v1", 20))
    changed = type(replay)(replay.game, 6, NAMES, replay.actions, replay.digest)
    assert open_session(changed).message == OTHER_RULES


# --- players --------------------------------------------------------------------------------------


def test_a_person_leads_a_team_of_agents():
    players = seat_players("lanes_5v5", ("human", "fighter"), allies="pusher", hero=3)
    assert players.names == ("you and pusher", "fighter")
    assert players.person.player == 2
    led = begin_session("lanes_5v5", players, seed=3)
    plain = session("lanes_5v5", left="pusher", right="fighter")
    person = players.person
    for _ in range(6):
        person.press("down", led.match, 0.0)
        led.step()
        plain.step()
    ys = led.match.units["y"] - plain.match.units["y"]
    assert ys[2] < -1  # the person's hero walked elsewhere, the others went their ways
    assert abs(ys[[0, 1, 3, 4]]).max() < 0.5


def test_a_person_on_the_right_alone():
    players = seat_players("lanes_1v1", ("wanderer", "human"))
    assert players.names == ("wanderer", "you")
    assert (players.person.player, players.agents[1]) == (1, None)
    assert begin_session("lanes_1v1", players).view == "right"


@pytest.mark.parametrize(
    ("names", "words", "expected"),
    [
        (("figter", "pusher"), {}, "did you mean 'fighter'"),
        (("human", "human"), {}, "one person plays"),
        (("human", "pusher"), {"hero": 4}, "hero 4: expected 1 to 3"),
        (("human", "pusher"), {"allies": "nobody"}, "there are wanderer, pusher, fighter"),
    ],
)
def test_seats_that_cannot_be_are_refused(names, words, expected, tmp_path):
    with pytest.raises((AgentNameError, ValueError), match=expected):
        seat_players("lanes_3v3", names, store_url=str(tmp_path), **words)


def test_the_same_seed_is_the_same_match():
    digests = []
    for _ in range(2):
        watched = session("lanes_3v3", left="wanderer", right="wanderer")
        for _ in range(30):
            watched.step()
        digests.append(watched.match.digest())
    assert digests[0] == digests[1]


# --- text -----------------------------------------------------------------------------------------


def test_a_match_is_printed_to_its_result():
    lines = []
    print_match(session("lanes_1v1"), lines.append)
    assert lines[0] == "lanes_1v1, seed 3: fighter (left) against pusher (right)"
    assert "wins; kills" in lines[-1] or "a draw" in lines[-1]
    with pytest.raises(ValueError, match="two agents"):
        print_match(session(left=None, person=Person(0, 0, 1)), lines.append)


def test_the_score_and_the_heroes_as_a_team_knows_them():
    watched = session("lanes_5v5")
    for _ in range(100):
        watched.step()
    watched._view = "left"
    text, scene = panels.heroes_text(watched, 40).plain, watched.scene()
    assert len(text.rstrip().splitlines()) <= 21
    assert len(panels.heroes_text(watched, 12).plain.rstrip().splitlines()) == 10
    assert text.count("last hits") == 5  # of the own team alone
    score = panels.score_text(watched).plain
    assert "1:20 of 10:00" in score
    assert f"{scene.kills[0]} kills" in score
    title = panels.title_text(watched).plain
    assert "fighter against pusher" in title
    assert "view of the left team" in title


def test_dead_heroes_come_back_in_a_time_that_their_team_knows():
    watched = session("lanes_1v1")
    units = watched.match.units
    units["alive"][:2], units["wait"][:2] = 0, 20
    for view, expected in (("left", 1), ("full", 2)):
        watched._view = view
        text = panels.heroes_text(watched, 40).plain
        assert (text.count("dead"), text.count("back in 4 s")) == (2, expected)


def test_the_own_hero_has_skills_and_a_list_of_items():
    playing = session(left=None, person=Person(0, 0, 1))
    playing.match.heroes["role"][0] = r.MAGE
    text = panels.own_text(playing).plain
    for part in ("you: mage", "s damage", "d stun", "60 mana", "order: hold"):
        assert part in text
    playing.press("b")
    assert "1 boots" in panels.own_text(playing).plain
    assert np.all(["4 tome" in panels.own_text(playing).plain])
    playing.press("b")
    playing.press("up")
    assert "walk ↑" in panels.own_text(playing).plain
