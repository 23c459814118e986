"""The experience of one vector of environments: stacks to act on, and pieces of episodes to learn.

An episode of the replay ends where learning sees an end: with the game, or with a lost life where
the protocol reports it (Mnih et al. 2015, methods). Frames of before such an end are not in the
stacks after it, here as in the replay.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.vector import Steps
from store.memory.frames import (
    ERROR,
    GOES_ON,
    TERMINATED,
    TRUNCATED,
    piece_uuid,
    stream_number,
)
from store.replay.episodes import Episode


class FrameStacks:
    """The newest frames of k environments, uint8 or float32 [k, S, *frame shape]; zeros before.

    Args:
        frames: the first frame of each, [k, *frame shape].
        size: S, the frames of a stack.
    """

    def __init__(self, frames: NDArray[Any], size: int) -> None:
        self.stacks = np.zeros((len(frames), size, *frames.shape[1:]), frames.dtype)
        self.stacks[:, -1] = frames

    def push(self, frames: NDArray[Any], begins: NDArray[np.bool_]) -> None:
        """Add a frame to each stack; one that begins an episode has nothing before it."""
        self.stacks[:, :-1] = self.stacks[:, 1:]
        self.stacks[begins, :-1] = 0
        self.stacks[:, -1] = frames


class Returns(NamedTuple):
    """Over how many steps TD errors are, and the discount of one."""

    steps: int
    gamma: float


def td_errors(
    rewards: NDArray[Any],
    endings: NDArray[np.uint8],
    chosen: NDArray[Any],
    best: NDArray[Any],
    over: Returns,
) -> NDArray[np.float32]:
    """Return the n-step TD errors of T steps of k environments, float32 [T, k].

    From the values that the actor acted by, which cost nothing more (Ape-X, Horgan et al. 2018,
    section 3 and algorithm 1). The last steps bootstrap after fewer than n, from what was seen
    newest. NaN where a limit cuts the episode off within n steps: its last frame was not valued.

    Args:
        rewards: [T, k] as they are learned.
        endings: [T, k] of the steps.
        chosen: values [T, k] of the actions.
        best: greatest values [T + 1, k] at the frames before the steps, and at the newest ones.
        over: n and the discount.
    """
    count = len(rewards)
    returns = np.zeros(rewards.shape)
    goes_on = np.ones(rewards.shape, np.bool_)
    for ahead in range(min(over.steps, count)):
        begun, step = slice(count - ahead), slice(ahead, None)  # a step, and what came `ahead`
        returns[begun] += np.where(goes_on[begun], over.gamma**ahead * rewards[step], 0.0)
        returns[begun][goes_on[begun] & (endings[step] == TRUNCATED)] = np.nan
        goes_on[begun] &= endings[step] == GOES_ON
    ahead_of = np.minimum(over.steps, count - np.arange(count))  # steps to the bootstrap
    following = over.gamma ** ahead_of[:, None] * best[np.arange(count) + ahead_of]
    return (returns + np.where(goes_on, following, 0.0) - chosen).astype(np.float32)


class Recorder:
    """Records the steps of k environments, and cuts them into pieces of episodes.

    Args:
        frames: the first frame of each environment, [k, *frame shape].
        number: of the actor; it makes its streams differ from those of other actors.
        reward_clip: largest size of a recorded reward; 0 is no limit.
        errors: of which TD errors are recorded; None records none.
    """

    def __init__(
        self,
        frames: NDArray[Any],
        *,
        number: int,
        reward_clip: float,
        errors: Returns | None = None,
    ) -> None:
        self.count = len(frames)
        self.restart(number, 0)
        self.reward_clip = reward_clip
        self.errors = errors
        self._values: list[NDArray[np.float32]] = []  # [k, A] that each step was chosen by
        self._current = frames
        self._episode = np.zeros(self.count, np.int64)  # of each stream
        self._first_step = np.zeros(self.count, np.int64)  # of each stream's running piece
        self._columns: list[tuple[NDArray[Any], ...]] = []  # (frames, actions, rewards, endings)
        self._last_frames: dict[tuple[int, int], NDArray[Any]] = {}  # by (step, environment)

    def restart(self, number: int, start: int) -> None:
        """Begin streams that are named by an actor's number and start; before any is recorded."""
        self.streams = [stream_number(number, start, i) for i in range(self.count)]

    def record(
        self, actions: NDArray[np.int64], steps: Steps, values: NDArray[np.float32] | None = None
    ) -> NDArray[np.bool_]:
        """Record one step of each environment; return where an episode ended, bool [k].

        `values` [k, A] are what the actions were chosen by, where errors are recorded.
        """
        if values is not None:
            self._values.append(values)
        endings = np.full(self.count, GOES_ON, np.uint8)
        endings[steps.life_lost] = TERMINATED
        endings[steps.truncated] = TRUNCATED
        endings[steps.terminated] = TERMINATED
        ended = steps.terminated | steps.truncated
        rewards = steps.rewards
        if self.reward_clip:
            rewards = np.clip(rewards, -self.reward_clip, self.reward_clip)
        number = len(self._columns)
        for i, frame in zip(np.flatnonzero(ended), steps.last_observations, strict=True):
            self._last_frames[number, int(i)] = frame
        for i in np.flatnonzero((endings != GOES_ON) & ~ended):
            self._last_frames[number, int(i)] = steps.observations[i]
        self._columns.append((self._current, actions, rewards, endings))
        self._current = steps.observations
        return endings != GOES_ON

    @property
    def has_steps(self) -> bool:
        """Return whether anything was recorded since the last `take`."""
        return bool(self._columns)

    def take(self, newest: NDArray[np.float32] | None = None) -> list[Episode]:
        """Return the recorded steps as pieces, stream by stream, and begin again.

        Args:
            newest: the values [k, A] at the newest frames, where errors are recorded.
        """
        if not self._columns:
            return []
        frames, actions, rewards, endings = (
            np.stack(column) for column in zip(*self._columns, strict=True)
        )  # [T, k, ...]
        done = {"action": actions.astype(np.int32), "reward": rewards.astype(np.float32)}
        if self.errors is not None and newest is not None:
            values = np.stack([*self._values, newest])  # [T + 1, k, A]
            chosen = np.take_along_axis(values[:-1], actions[..., None], axis=2)[..., 0]
            best = values.max(axis=2)
            done[ERROR] = td_errors(done["reward"], endings, chosen, best, self.errors)
        self._columns, self._values = [], []
        pieces = [
            piece
            for i in range(self.count)
            for piece in self._pieces(
                i, frames[:, i], {name: a[:, i] for name, a in done.items()}, endings[:, i]
            )
        ]
        self._last_frames = {}
        return pieces

    def _pieces(
        self,
        environment: int,
        frames: NDArray[Any],
        done: dict[str, NDArray[Any]],
        endings: NDArray[np.uint8],
    ) -> Iterator[Episode]:
        """Yield the pieces of one environment's steps [T], cut where an episode ended."""
        ends = [*np.flatnonzero(endings != GOES_ON).tolist()]
        if not ends or ends[-1] != len(endings) - 1:
            ends.append(len(endings) - 1)
        begin = 0
        for end in ends:
            part = slice(begin, end + 1)
            seen = frames[part]
            ending = int(endings[end])
            if ending != GOES_ON:
                seen = np.concatenate([seen, self._last_frames[end, environment][None]])
            steps = {name: column[part] for name, column in done.items()}
            yield self._piece(environment, seen, steps, ending)
            begin = end + 1

    def _piece(
        self,
        environment: int,
        frames: NDArray[Any],
        done: dict[str, NDArray[Any]],
        ending: int,
    ) -> Episode:
        episode, first_step = int(self._episode[environment]), int(self._first_step[environment])
        if ending == GOES_ON:
            self._first_step[environment] += len(done["action"])
        else:
            self._episode[environment] += 1
            self._first_step[environment] = 0
        return Episode(
            piece_uuid(self.streams[environment], episode, first_step),
            {
                "frame": frames,
                **done,
                "stream": np.array([self.streams[environment]]),
                "episode": np.array([episode]),
                "first_step": np.array([first_step]),
                "ending": np.array([ending], np.uint8),
            },
        )
