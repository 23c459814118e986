"""The slow cable: what is late, by how much, and in which order."""

import random

from benchmarks.hosts.slow_link import Direction


def test_frames_come_through_late_and_in_order():
    way = Direction(0.1, 0.05, 0.0, random.Random(1))
    frames = [bytes([number]) for number in range(200)]
    for number, frame in enumerate(frames):
        way.take(frame, now=number / 1000)
    dues = [due for due, _ in way.waiting]
    assert all(due - number / 1000 >= 0.05 for number, due in enumerate(dues))
    assert max(due - number / 1000 for number, due in enumerate(dues)) <= 0.35
    assert dues == sorted(dues)
    assert way.due(0.05) == []
    assert way.due(0.2) + way.due(1.0) == frames
    assert (way.passed, way.lost) == (200, 0)


def test_a_share_of_the_frames_is_lost():
    way = Direction(0.0, 0.0, 0.25, random.Random(1))
    for _ in range(4000):
        way.take(b"frame", now=0.0)
        way.due(0.0)
    assert way.passed + way.lost == 4000
    assert 900 < way.lost < 1100
