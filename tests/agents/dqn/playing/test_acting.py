"""What an actor records of its environments, against the steps written down one by one."""

import numpy as np
import pytest

from agents.dqn.playing.acting import FrameStacks, Recorder
from envs.vector import Steps
from store.memory.frames import GOES_ON, TERMINATED, TRUNCATED

COUNT = 3


class Script:
    """Three environments with numbered frames, whose ends are drawn; it writes everything down."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.newest = 0
        self.frames = self._new(COUNT)
        self.episodes = [[[self.frames[i, 0]]] for i in range(COUNT)]  # frames of each, by episode
        self.done = [[[]] for _ in range(COUNT)]  # (action, reward, ending)

    def _new(self, n):
        self.newest += n
        return np.arange(self.newest - n, self.newest, dtype=np.float32).reshape(n, 1)

    def step(self, actions):
        kind = self.rng.choice(4, size=COUNT, p=[0.7, 0.1, 0.1, 0.1])  # on, dead, cut, life lost
        rewards = self.rng.integers(-3, 4, COUNT).astype(np.float32)
        ended = (kind == 1) | (kind == 2)
        last = self._new(int(ended.sum()))
        observations = self._new(COUNT)
        steps = Steps(
            observations, rewards, kind == 1, kind == 2, last, kind == 3,
            np.zeros(len(last)), np.ones(len(last), np.int64),
        )  # fmt: skip
        lasts = iter(last[:, 0])
        for i in range(COUNT):
            ending = [GOES_ON, TERMINATED, TRUNCATED, TERMINATED][kind[i]]
            self.done[i][-1].append((actions[i], np.clip(rewards[i], -1, 1), ending))
            self.episodes[i][-1].append(next(lasts) if ended[i] else observations[i, 0])
            if ending != GOES_ON:
                self.episodes[i].append([observations[i, 0]])
                self.done[i].append([])
        return steps


def recorded(seed, rounds):
    script = Script(seed)
    recorder = Recorder(script.frames, number=7, reward_clip=1.0)
    rng = np.random.default_rng(seed)
    pieces, begins = [], []
    for length in rounds:
        for _ in range(length):
            actions = rng.integers(9, size=COUNT)
            begins.append(recorder.record(actions, script.step(actions)))
        pieces += recorder.take()
    return script, recorder, pieces, begins


@pytest.mark.parametrize("seed", range(20))
def test_pieces_put_together_are_the_episodes_that_were_played(seed):
    script, recorder, pieces, _ = recorded(seed, (5, 1, 17, 30))
    assert len({piece.uuid for piece in pieces}) == len(pieces)
    for i, stream in enumerate(recorder.streams):
        for episode, (frames, done) in enumerate(
            zip(script.episodes[i], script.done[i], strict=True)
        ):
            own = [
                p.arrays
                for p in pieces
                if (p.arrays["stream"], p.arrays["episode"]) == (stream, episode)
            ]
            if not done:
                assert own == []
                continue
            steps = [0, *np.cumsum([len(p["action"]) for p in own])]
            assert [int(p["first_step"][0]) for p in own] == steps[:-1]
            is_over = done[-1][2] != GOES_ON
            seen = np.concatenate([p["frame"] for p in own])[:, 0]
            assert seen.tolist() == (frames if is_over else frames[:-1])
            assert np.concatenate([p["action"] for p in own]).tolist() == [d[0] for d in done]
            assert np.concatenate([p["reward"] for p in own]).tolist() == [d[1] for d in done]
            endings = [int(p["ending"][0]) for p in own]
            assert endings == [GOES_ON] * (len(own) - 1) + [done[-1][2]]


def test_an_episode_begins_where_the_one_before_ended():
    _, _, pieces, begins = recorded(3, (40,))
    ended = sum(int(piece.arrays["ending"][0] != GOES_ON) for piece in pieces)
    assert ended == np.sum(begins) > 3


def test_streams_are_new_after_a_start():
    _, recorder, _, _ = recorded(0, (1,))
    before = set(recorder.streams)
    recorder.restart(7, 12)
    assert before.isdisjoint(recorder.streams)


def test_stacks_hold_the_newest_frames_and_nothing_of_an_episode_before():
    stacks = FrameStacks(np.array([[1.0], [10.0]], np.float32), 3)
    assert stacks.stacks[..., 0].tolist() == [[0, 0, 1], [0, 0, 10]]
    stacks.push(np.array([[2.0], [11.0]], np.float32), np.array([False, False]))
    stacks.push(np.array([[3.0], [12.0]], np.float32), np.array([False, True]))
    assert stacks.stacks[..., 0].tolist() == [[1, 2, 3], [0, 0, 12]]
    stacks.push(np.array([[4.0], [13.0]], np.float32), np.array([False, False]))
    assert stacks.stacks[..., 0].tolist() == [[2, 3, 4], [0, 12, 13]]
