"""Keep the newest frames of streams in RAM, and sample stacks with n-step returns.

The frames of all streams lie in the order of arrival, and each row has links to the rows before and
after it in its episode. So streams need no separate places, and stacks and returns follow these
links, for a whole batch at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from store.errors import SchemaError
from store.memory.frames import FRAMES_KIND, GOES_ON, TERMINATED, check_endings, check_pieces
from store.memory.priorities import Priorities
from store.memory.ring import Ring
from store.replay.episodes import Episode, EpisodeBatch, EpisodeSchema

_LAST = 3  # instead of an ending: an episode's last frame, after which nothing was done
_NO_ROW = -1

_Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Transitions:
    """n transitions over up to N steps, stacks of S frames, the newest frame last.

    Attributes:
        rows: int64 [n], for `FrameRing.update`.
        weights: float32 [n], importance weights; 1 when drawn uniformly.
        stacks: [n, S, *frame shape], what was seen.
        actions: [n], what was done then.
        returns: float32 [n], sum of gamma^k reward_k until N steps or the episode's end.
        next_stacks: [n, S, *frame shape], what was seen after those steps.
        discounts: float32 [n], what the value of `next_stacks` counts: gamma^steps, and 0 where
            the episode terminated. A truncated episode's last value counts.
    """

    rows: _Rows
    weights: npt.NDArray[np.float32]
    stacks: npt.NDArray[Any]
    actions: npt.NDArray[Any]
    returns: npt.NDArray[np.float32]
    next_stacks: npt.NDArray[Any]
    discounts: npt.NDArray[np.float32]


class FrameRing:
    """The newest `capacity` frames of some streams, sampled as transitions of stacks.

    A row is one frame. It is sampled from when it has an action, all frames of its stack are held,
    and the steps of its return are known. Rows of an episode whose piece was lost are sampled only
    where nothing of it is missing.

    Args:
        capacity: frames held at most.
        schema: a `frames_schema`.
        stack: frames a stack (Mnih et al. 2015: 4).
        steps: N of N-step returns (Rainbow, Hessel et al. 2018: 3).
        gamma: discount a step.
        padding: what an episode's first stacks have before its first frame: "zeros", or that frame
            again ("first").
        window: as in `Ring`.
        priorities: to sample by priority, of the same capacity; uniformly if None.
        first_row: number of the first row to come, for a ring that is filled again from the log.

    Raises:
        ValueError: a setting out of range.
    """

    def __init__(
        self,
        capacity: int,
        schema: EpisodeSchema,
        *,
        stack: int = 4,
        steps: int = 1,
        gamma: float = 0.99,
        padding: Literal["zeros", "first"] = "zeros",
        window: int | None = None,
        priorities: Priorities | None = None,
        first_row: int = 0,
    ) -> None:
        if schema.kind != FRAMES_KIND:
            raise ValueError(f"expected a schema of kind {FRAMES_KIND!r}, got {schema.kind!r}")
        self.schema = schema
        self.stack = stack
        self.steps = steps
        self.gamma = gamma
        self.padding = padding
        self.priorities = priorities
        # not the fields of a whole piece, which come once and not with every frame
        fields = {name: schema.fields[name] for name in ("frame", "action", "reward")}
        self.ring = Ring(capacity, {**fields, "ending": (np.uint8, ())}, window)
        self.ring.total_added = first_row
        # by place, for each row held
        self._step = np.zeros(capacity, np.int64)  # number of the frame in its episode
        self._previous = np.full(capacity, _NO_ROW, np.int64)  # the row before in its episode
        self._next = np.full(capacity, _NO_ROW, np.int64)
        self._can_sample = np.zeros(capacity, np.bool_)
        # stream -> (episode, row and step of its newest frame) while the episode goes on
        self._open: dict[int, tuple[int, int, int]] = {}
        self._episodes: dict[int, int] = {}  # stream -> number of its next episode, for `append`
        _check_settings(self)

    def __len__(self) -> int:
        return len(self.ring)

    # -- adding ------------------------------------------------------------------------------

    def extend(self, batch: EpisodeBatch) -> None:
        """Add stored pieces, those of a stream in their order.

        Raises:
            SchemaError: another schema, or a piece whose lengths do not fit; none was added.
        """
        if batch.schema != self.schema:
            raise SchemaError(f"this ring takes {self.schema}, got a batch of {batch.schema}")
        check_pieces(batch)
        for i in range(len(batch)):
            self._extend_piece(batch.episode(i))

    def append(
        self,
        streams: Sequence[int],
        frames: npt.NDArray[Any],
        actions: npt.NDArray[Any],
        rewards: npt.NDArray[np.float32],
        endings: npt.NDArray[np.uint8],
        last_frames: npt.NDArray[Any],
    ) -> None:
        """Add one step of k streams, e.g. of a vector of environments.

        Args:
            streams: which, each at most once.
            frames: [k, *frame shape] seen before the step.
            actions: [k] taken.
            rewards: float32 [k] that followed.
            endings: uint8 [k], GOES_ON, TERMINATED or TRUNCATED.
            last_frames: [e, *frame shape] seen after the step by the e streams that end with it.

        Raises:
            SchemaError: lengths, dtypes or endings do not fit; nothing was added.
        """
        names = [int(stream) for stream in streams]
        given = {"frame": frames, "action": actions, "reward": rewards, "ending": endings}
        self._check_step(names, given, last_frames)
        ended = np.flatnonzero(endings != GOES_ON)
        rows = self.ring.total_added + np.arange(len(names))
        opened = [self._opened(stream) for stream in names]
        previous = np.array([row for _, row, _ in opened] + rows[ended].tolist(), np.int64)
        step = np.array([step + 1 for *_, step in opened], np.int64)
        for stream, (episode, *_), row, number in zip(names, opened, rows, step):
            self._open[stream] = (episode, int(row), int(number))
        for i in ended:
            self._close(names[i])
        self._add(
            previous,
            np.concatenate([step, step[ended] + 1]),
            frame=np.concatenate([frames, last_frames]),
            action=_extended(actions, len(ended)),
            reward=_extended(rewards, len(ended)),
            ending=_extended(endings, len(ended), _LAST),
        )

    def _opened(self, stream: int) -> tuple[int, int, int]:
        return self._open.get(stream) or (self._episodes.get(stream, 0), _NO_ROW, -1)

    def _close(self, stream: int) -> None:
        self._episodes[stream] = self._open.pop(stream)[0] + 1

    def _extend_piece(self, piece: Episode) -> None:
        arrays = piece.arrays
        stream, episode, first_step, ending = (
            int(arrays[name][0]) for name in ("stream", "episode", "first_step", "ending")
        )
        frames, steps = len(arrays["frame"]), len(arrays["action"])
        endings = np.full(frames, GOES_ON, np.uint8)
        endings[steps - 1] = ending
        endings[steps:] = _LAST
        columns = {
            "frame": arrays["frame"],
            "action": _extended(arrays["action"], frames - steps),
            "reward": _extended(arrays["reward"], frames - steps),
            "ending": endings,
        }
        before = self._row_before(stream, episode, first_step)
        for begin in range(0, frames, self.ring.capacity):
            part = slice(begin, min(begin + self.ring.capacity, frames))
            rows = self.ring.total_added + np.arange(part.stop - begin)
            previous = np.concatenate([[before], rows[:-1]])
            before = int(rows[-1])
            step = first_step + np.arange(begin, part.stop)
            self._add(previous, step, **{name: array[part] for name, array in columns.items()})
        self._open[stream] = (episode, before, first_step + frames - 1)
        if ending != GOES_ON:
            self._close(stream)

    def _row_before(self, stream: int, episode: int, first_step: int) -> int:
        """Return the row that a piece continues; none at an episode's start or after a gap."""
        opened, row, step = self._open.pop(stream, (episode, _NO_ROW, -1))
        return row if (opened, step + 1) == (episode, first_step) else _NO_ROW

    def _add(self, previous: _Rows, step: _Rows, **arrays: npt.NDArray[Any]) -> None:
        """Add at most `capacity` rows, each with the row before it in its episode, and its step."""
        rows = self.ring.total_added + np.arange(len(step))
        self._forget_before(self.ring.total_added + len(step) - self.ring.capacity)
        self.ring.extend(**arrays)
        places = rows % self.ring.capacity
        self._step[places] = step
        self._previous[places] = previous
        self._next[places] = _NO_ROW
        linked = previous >= self.ring.oldest
        self._next[previous[linked] % self.ring.capacity] = rows[linked]
        ready = self._newly_complete(rows)
        ready = ready[self._stack_is_held(ready)]
        self._can_sample[ready % self.ring.capacity] = True
        if self.priorities is not None:
            self.priorities.admit(np.sort(ready))

    def _forget_before(self, oldest: int) -> None:
        """Stop sampling the rows before `oldest`, and those whose stack needs one of them."""
        rows = np.arange(self.ring.oldest, max(oldest, self.ring.oldest))
        for _ in range(self.stack):
            self._can_sample[rows % self.ring.capacity] = False
            if self.priorities is not None:
                self.priorities.retire(rows)
            rows = self._next[rows % self.ring.capacity]
            rows = rows[rows != _NO_ROW]

    def _newly_complete(self, rows: _Rows) -> _Rows:
        """List earlier rows whose return is now known: N steps on, or at an episode's end."""
        is_last = self._ending(rows) == _LAST
        complete = [np.empty(0, np.int64)]
        before = rows
        for back in range(1, self.steps + 1):
            before = self._previous[before % self.ring.capacity]
            held = before >= self.ring.oldest
            before, is_last = before[held], is_last[held]
            complete.append(before if back == self.steps else before[is_last])
        return np.concatenate(complete)

    def _stack_is_held(self, rows: _Rows) -> npt.NDArray[np.bool_]:
        step = self._step[rows % self.ring.capacity]
        is_held = np.ones(len(rows), np.bool_)
        before = rows
        for back in range(1, self.stack):
            before = self._previous[before % self.ring.capacity]
            is_held &= (step < back) | (before >= self.ring.oldest)
        return is_held

    # -- sampling ----------------------------------------------------------------------------

    def sample(self, rng: np.random.Generator, n: int, beta: float = 1.0) -> Transitions:
        """Sample n transitions that begin in the window, with replacement.

        Args:
            rng: what is drawn with.
            n: how many.
            beta: as in `Priorities.sample_rows`; without priorities it has no effect.

        Raises:
            ValueError: no row can be sampled yet.
        """
        if self.priorities is None:
            rows = self.ring.sample_rows(rng, n, self.can_sample)
            return self.transitions(rows, np.ones(n, np.float32))
        self._follow_window()
        return self.transitions(*self.priorities.sample_rows(rng, n, beta))

    def update(self, rows: _Rows, errors: npt.NDArray[Any]) -> None:
        """Give sampled rows their new priorities; as `Priorities.update`.

        Raises:
            ValueError: this ring samples uniformly, or the errors do not fit.
        """
        if self.priorities is None:
            raise ValueError("this ring samples uniformly: it was made without priorities")
        self.priorities.update(rows, errors)

    def can_sample(self, rows: _Rows) -> npt.NDArray[np.bool_]:
        """Whether transitions can begin at these rows, which must be held; bool, of their shape."""
        answer: npt.NDArray[np.bool_] = self._can_sample[rows % self.ring.capacity]
        return answer

    def transitions(self, rows: _Rows, weights: npt.NDArray[np.float32]) -> Transitions:
        """Build the transitions that begin at these rows [n], for which `can_sample` holds."""
        after, returns, discounts = self._walk(rows)
        return Transitions(
            rows=rows,
            weights=weights,
            stacks=self.stacks(rows),
            actions=self.ring.gather(rows, ["action"])["action"],
            returns=returns,
            next_stacks=self.stacks(after),
            discounts=discounts,
        )

    def stacks(self, rows: _Rows) -> npt.NDArray[Any]:
        """Gather the stacks [n, S, *frame shape] that end with the frames of these rows [n]."""
        wanted = np.empty((len(rows), self.stack), np.int64)
        is_padding = np.zeros(wanted.shape, np.bool_)
        wanted[:, -1] = rows
        for i in range(self.stack - 2, -1, -1):
            before = self._previous[wanted[:, i + 1] % self.ring.capacity]
            is_padding[:, i] = self._step[wanted[:, i + 1] % self.ring.capacity] == 0
            wanted[:, i] = np.where(is_padding[:, i], wanted[:, i + 1], before)
        frames: npt.NDArray[Any] = self.ring.gather(wanted, ["frame"])["frame"]
        if self.padding == "zeros":
            frames[is_padding] = 0
        return frames

    def _walk(self, rows: _Rows) -> tuple[_Rows, npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Follow each row's steps: the row it ends at, the return, and the discount there."""
        after, returns, discounts = rows.copy(), np.zeros(len(rows)), np.ones(len(rows))
        for _ in range(self.steps):
            step = self.ring.gather(after, ["reward", "ending"])
            moves = step["ending"] != _LAST
            returns += np.where(moves, discounts * step["reward"], 0.0)
            discounts *= np.where(moves, self.gamma, 1.0)
            discounts[step["ending"] == TERMINATED] = 0.0
            after = np.where(moves, self._next[after % self.ring.capacity], after)
        return after, returns.astype(np.float32), discounts.astype(np.float32)

    def _follow_window(self) -> None:
        if self.priorities is not None:
            self.priorities.begin_window(self.ring.total_added - self.ring.sampled_rows)

    # -- checking ----------------------------------------------------------------------------

    def _ending(self, rows: _Rows) -> npt.NDArray[np.uint8]:
        ending: npt.NDArray[np.uint8] = self.ring.gather(rows, ["ending"])["ending"]
        return ending

    def check_valid(self) -> tuple[bool, str]:
        """Whether links, rows that can be sampled and priorities agree; why not if they do not."""
        rows = np.arange(self.ring.oldest, self.ring.total_added)
        places = rows % self.ring.capacity
        following = self._next[places]
        linked = following != _NO_ROW
        if (self._previous[following[linked] % self.ring.capacity] != rows[linked]).any():
            return False, "a row's next one does not have it as its previous one"
        if not np.array_equal(self._can_sample[places], self._expected(rows)):
            return False, "the rows that can be sampled are not those with a whole stack and return"
        if self.priorities is None:
            return self.ring.check_valid()
        self._follow_window()
        if not np.array_equal(self.priorities.state()["row"], rows[self._can_sample[places]]):
            return False, "the rows with priorities are not those that can be sampled"
        return self.priorities.check_valid()

    def _expected(self, rows: _Rows) -> npt.NDArray[np.bool_]:
        """Recompute `can_sample` from the rows."""
        is_complete = self._ending(rows) != _LAST
        after = rows
        for _ in range(self.steps):
            known = after != _NO_ROW
            goes = known & (self._ending(np.where(known, after, rows)) != _LAST)
            after = np.where(goes, self._next[after % self.ring.capacity], after)
        return is_complete & (after != _NO_ROW) & self._stack_is_held(rows)

    def _check_step(
        self,
        streams: Sequence[int],
        given: dict[str, npt.NDArray[Any]],
        last_frames: npt.NDArray[Any],
    ) -> None:
        ended = np.flatnonzero(given["ending"] != GOES_ON)
        if len(set(streams)) != len(streams):
            raise SchemaError(f"a step names each stream once; got {list(streams)}")
        if len(streams) + len(ended) > self.ring.capacity:
            raise SchemaError(
                f"{len(streams)} streams do not fit a ring of {self.ring.capacity} frames"
            )
        counts = {name: (array, len(streams)) for name, array in given.items()}
        for name, (array, count) in [*counts.items(), ("frame", (last_frames, len(ended)))]:
            dtype, shape = self.schema.fields[name]
            if array.dtype != dtype or array.shape != (count, *shape):
                raise SchemaError(
                    f"array {name!r} of {len(streams)} streams, {len(ended)} of which end: "
                    f"expected {dtype} {[count, *shape]}, got {array.dtype} {list(array.shape)}"
                )
        check_endings(given["ending"])


def _extended(array: npt.NDArray[Any], count: int, filling: int = 0) -> npt.NDArray[Any]:
    return np.concatenate([array, np.full(count, filling, array.dtype)])


def _check_settings(ring: FrameRing) -> None:
    if ring.stack < 1 or ring.steps < 1 or not 0.0 <= ring.gamma <= 1.0:
        raise ValueError(
            "expected stack >= 1, steps >= 1 and gamma between 0 and 1; "
            f"got {ring.stack}, {ring.steps} and {ring.gamma}"
        )
    if ring.padding not in ("zeros", "first"):
        raise ValueError(f"padding {ring.padding!r} must be 'zeros' or 'first'")
    if ring.priorities is not None and ring.priorities.capacity != ring.ring.capacity:
        raise ValueError(
            f"priorities of capacity {ring.priorities.capacity} do not fit a ring of "
            f"{ring.ring.capacity}"
        )
