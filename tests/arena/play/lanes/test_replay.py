from dataclasses import replace

import numpy as np
import pytest

from arena.play.lanes.replay import (
    MOST_FILE_BYTES,
    SCHEMA,
    Replay,
    ReplayError,
    check_replay_name,
    read_replay,
    record_match,
    write_replay,
)
from arena.play.lanes.timeline import KEPT_EVERY, Timeline, timeline_of
from envs.lanes.batch import LanesVector
from envs.lanes.one_match import MOST_DECISIONS, LanesMatch
from store.replay.episodes import Episode, EpisodeBatch, EpisodeSchema
from store.replay.segments import encode_segment
from tests.arena.play.lanes.matches import players, random_actions

NAMES = ("fighter", "größer@12:epsilon=0")


def a_replay(game="lanes_1v1", decisions=60, seed=2**63 + 5):
    return record_match(game, seed, NAMES, random_actions(game, decisions))


@pytest.mark.parametrize("game", ["lanes_1v1", "lanes_5v5"])
def test_a_file_has_all_of_a_replay(tmp_path, game):
    path, written = tmp_path / "a.replay", a_replay(game)
    write_replay(path, written)
    found = read_replay(path)
    assert (found.game, found.seed, found.names) == (game, 2**63 + 5, NAMES)
    assert (found.actions == written.actions).all()
    assert found.digest == written.digest
    assert found.to_episode().uuid == written.to_episode().uuid
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_is_not_replaced_and_ends_as_replays_do(tmp_path):
    path = tmp_path / "a.replay"
    write_replay(path, a_replay())
    before = path.read_bytes()
    with pytest.raises(ReplayError, match="exists"):
        write_replay(path, a_replay(decisions=3))
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [before]
    with pytest.raises(ReplayError, match=r"ends in \.replay"):
        check_replay_name(tmp_path / "a.mp4")
    with pytest.raises(ReplayError, match="no folder"):
        check_replay_name(tmp_path / "no/a.replay")


def put(path, **arrays):
    """Write a replay with other arrays."""
    episode = a_replay().to_episode()
    episode = replace(episode, arrays={**episode.arrays, **arrays})
    path.write_bytes(encode_segment(EpisodeBatch.of(SCHEMA, [episode])))


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"game": np.frombuffer(b"lanes_9v9", np.uint8)}, "a match of 'lanes_9v9'"),
        ({"game": np.frombuffer(b"\x1b[2J\xff", np.uint8)}, "expected one of lanes_1v1"),
        ({"action": np.zeros((3, 3), np.int8)}, "3 actions"),
        ({"action": np.zeros((2 * MOST_DECISIONS + 2, 3), np.int8)}, "at most"),
        ({"seed": np.zeros(2, np.uint64)}, "another size"),
        ({"digest": np.zeros(31, np.uint8)}, "another size"),
    ],
)
def test_arrays_that_make_no_match_are_refused(tmp_path, arrays, expected):
    path = tmp_path / "a.replay"
    put(path, **arrays)
    with pytest.raises(ReplayError, match=expected) as caught:
        read_replay(path)
    assert "\x1b" not in str(caught.value)


def test_names_are_cut_and_have_only_what_can_be_printed(tmp_path):
    path = tmp_path / "a.replay"
    put(path, left=np.frombuffer(b"\x1b[31mred\n" + b"x" * 999, np.uint8))
    left = read_replay(path).names[0]
    assert left.startswith("?[31mred?xxx")
    assert len(left) == 200


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "a.replay"
    for data in (b"", b"no arrow", b"x" * (MOST_FILE_BYTES + 1)):
        path.write_bytes(data)
        with pytest.raises(ReplayError, match=r"a\.replay"):
            read_replay(path)
    schema = EpisodeSchema("other/1", {"a": (np.dtype("u1"), ())})
    other = Episode(bytes(16), {"a": np.zeros(3, np.uint8)})
    path.write_bytes(encode_segment(EpisodeBatch.of(schema, [other])))
    with pytest.raises(ReplayError, match="other/1"):
        read_replay(path)
    with pytest.raises(FileNotFoundError):
        read_replay(tmp_path / "b.replay")


def test_a_cut_file_is_refused(tmp_path):
    path = tmp_path / "a.replay"
    write_replay(path, a_replay())
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ReplayError):
        read_replay(path)


# --- timelines ------------------------------------------------------------------------------------


def digests(replay):
    """The digest after each number of decisions, by the match alone."""
    match = LanesMatch(replay.game, replay.seed)
    found = [match.digest()]
    for orders in replay.actions:
        match.step(orders)
        found.append(match.digest())
    return found


@pytest.mark.parametrize("game", ["lanes_1v1", "lanes_3v3"])
def test_any_place_is_reached_from_any_other(game):
    replay = a_replay(game, 2 * KEPT_EVERY + 7)
    expected = digests(replay)
    timeline, is_same = timeline_of(replay)
    assert is_same
    rng = np.random.default_rng(1)
    for place in [KEPT_EVERY, KEPT_EVERY - 1, 0, *rng.integers(0, len(expected), 20).tolist()]:
        for _ in range(rng.integers(0, 3)):
            timeline.tick()
        timeline.seek(place)
        assert (timeline.at, timeline.match.digest()) == (place, expected[place])
    timeline.seek(10**6)
    assert timeline.match.digest() == replay.digest
    assert timeline.is_at_end
    assert not timeline.tick()


def test_going_back_observes_the_same():
    replay = a_replay("lanes_3v3", 40)
    timeline, _ = timeline_of(replay)
    seen = {}
    for place in (*range(41), *range(40, -1, -3)):
        timeline.seek(place)
        now = timeline.match.observations(0).copy(), timeline.match.masks(1).copy()
        for one, other in zip(seen.setdefault(place, now), now, strict=True):
            assert (one == other).all()


def test_other_rules_are_noticed():
    replay = a_replay()
    assert not timeline_of(Replay(replay.game, 1, NAMES, replay.actions, replay.digest))[1]


def test_a_match_is_asked_once_for_each_decision():
    asked = []
    ask = players()

    def count(match):
        asked.append(match.decisions)
        return ask(match)

    timeline = Timeline(LanesMatch("lanes_1v1", 3), (), count)
    for _ in range(30):
        timeline.advance()
    end = timeline.match.digest()
    timeline.seek(4)
    for _ in range(26):
        timeline.advance()
    assert timeline.match.digest() == end
    timeline.advance()
    assert asked == list(range(31))


def test_a_whole_match_ends_as_in_the_vector():
    """The same actions in `LanesVector`, which plays whole decisions."""
    timeline = Timeline(LanesMatch("lanes_1v1", 9), (), players("lanes_1v1", "wanderer", "pusher"))
    while timeline.advance():
        pass
    replay = timeline.replay(NAMES)
    assert timeline.match.is_over
    vector = LanesVector("lanes_1v1", 1)
    vector.start(np.array([9], np.uint64))
    for orders in replay.actions[:-1]:
        assert not vector.step(orders[None]).terminated[0]
    last = vector.step(replay.actions[-1][None])
    assert last.terminated[0]
    assert last.lengths[0] == len(replay.actions)
    assert vector.winners[0] == timeline.match.winner
    with pytest.raises(ValueError, match="takes no orders"):
        timeline.match.order(replay.actions[0])
