"""Keep the newest frames of streams in RAM, and sample stacks with n-step returns.

The frames of all streams lie in the order of arrival, and each has links to the frames before and
after it in its episode (`store.memory.frame_links`). So streams need no separate places, and stacks
and returns follow these links, for a whole batch at a time.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from store.errors import SchemaError
from store.memory.frame_links import FrameLinks, Places
from store.memory.frame_streams import FrameStreams, OpenEpisode
from store.memory.frames import (
    ERROR,
    FRAMES_KIND,
    GOES_ON,
    TERMINATED,
    check_endings,
    check_pieces,
)
from store.memory.priorities import Priorities
from store.memory.ring import Ring
from store.memory.transitions import Transitions
from store.replay.episodes import EpisodeBatch, EpisodeSchema
from store.replay.window import ReplayWindow

_LAST = 2  # added to an ending, of an episode's last frame, after which nothing was done
_TERMINAL = _LAST + TERMINATED

_Rows = npt.NDArray[np.int64]
_Outcomes = tuple[npt.NDArray[Any], npt.NDArray[np.float32], npt.NDArray[np.float32]]


class FrameRing:
    """The newest `capacity` frames of some streams, sampled as transitions of stacks.

    A row is one frame. It is sampled from when it has an action, all frames of its stack are held,
    and either N steps are known from there or the episode terminates before. So a truncated episode
    ends for the sampler with the transition whose N-th step is its last. Rows of an episode whose
    piece was lost are sampled only where nothing of it is missing.

    Args:
        capacity: frames held at most.
        schema: a `frames_schema`.
        stack: S, frames a stack (Mnih et al. 2015: 4).
        steps: N of N-step returns (Rainbow, Hessel et al. 2018: 3).
        gamma: discount a step.
        padding: what an episode's first stacks have before its first frame: "zeros", or that frame
            again ("first").
        window: as in `Ring`.
        priorities: to sample by priority, of the same capacity; uniformly if None.

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
        names = ("frame", "action", "reward", *((ERROR,) if ERROR in schema.fields else ()))
        fields = {name: schema.fields[name] for name in names}
        self.ring = Ring(capacity, {**fields, "ending": (np.uint8, ())}, window)
        self.streams = FrameStreams()
        self._links = FrameLinks(capacity)
        self._can_sample = np.zeros(capacity, np.bool_)  # by place
        _check_settings(self)
        self._gammas = (gamma ** np.arange(steps)).astype(np.float32)
        self._discount = np.float32(gamma**steps)

    def __len__(self) -> int:
        return len(self.ring)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays when full."""
        by_priority = self.priorities.nbytes if self.priorities is not None else 0
        return self.ring.nbytes + self._links.nbytes + self._can_sample.nbytes + by_priority

    # -- adding ------------------------------------------------------------------------------

    def extend(self, batch: EpisodeBatch) -> int:
        """Add stored pieces, those of a stream in their order; return their frames.

        Raises:
            SchemaError: another schema, or a piece whose lengths do not fit; none was added.
        """
        if batch.schema != self.schema:
            raise SchemaError(f"this ring takes {self.schema}, got a batch of {batch.schema}")
        check_pieces(batch)
        count, first = batch.rows("frame"), self.ring.total_added
        starts = batch.offsets["frame"][:-1]
        previous = first - 1 + np.arange(count)
        previous[starts] = self.streams.rows_before(batch, first)
        lengths = batch.lengths("frame")
        begun = np.repeat(batch.values["first_step"] - starts, lengths)
        columns = self._columns_of(batch)
        for begin in range(0, count, self.ring.capacity):
            part = slice(begin, min(begin + self.ring.capacity, count))
            step = begun[part] + np.arange(part.start, part.stop)
            self._add(previous[part], step, {name: a[part] for name, a in columns.items()})
        return count

    def _columns_of(self, batch: EpisodeBatch) -> dict[str, npt.NDArray[Any]]:
        """Return a batch's frames, and its other fields with an entry for each frame."""
        given, ends = batch.values["ending"], batch.offsets["frame"][1:]
        has_ended = given != GOES_ON
        last = ends[has_ended] - 1
        is_step = np.ones(batch.rows("frame"), np.bool_)
        is_step[last] = False
        ending = np.zeros(len(is_step), np.uint8)
        ending[last - 1] = given[has_ended]
        ending[last] = given[has_ended] + _LAST
        columns = {"frame": batch.values["frame"], "ending": ending}
        for name in self._step_fields():
            filled = np.full(len(is_step), _filling(name), self.schema.fields[name][0])
            filled[is_step] = batch.values[name]
            columns[name] = filled
        return columns

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
        opened = [self.streams.current(stream) for stream in names]
        for i, (stream, now) in enumerate(zip(names, opened)):
            newest = OpenEpisode(now.episode, int(rows[i]), now.step + 1)
            self.streams.advance(stream, newest, ended=bool(endings[i] != GOES_ON))
        step = np.array([now.step + 1 for now in opened], np.int64)
        columns = {
            "frame": np.concatenate([frames, last_frames]),
            "ending": np.concatenate([endings, endings[ended] + np.uint8(_LAST)]),
        }
        for name in self._step_fields():
            known = given.get(name, np.full(len(names), np.nan, np.float32))
            filling = np.full(len(ended), _filling(name), known.dtype)
            columns[name] = np.concatenate([known, filling])
        previous = np.array([now.row for now in opened] + rows[ended].tolist(), np.int64)
        self._add(previous, np.concatenate([step, step[ended] + 1]), columns)

    def restart(self, streams: Iterable[int] | None = None) -> None:
        """Begin a new episode with the next step of these streams, of all if None.

        For an actor that was killed and starts its streams again: what their unfinished episodes
        would have gone on with never comes, and is not bridged to what comes instead.
        """
        self.streams.restart(streams)

    def _add(self, previous: _Rows, step: _Rows, columns: dict[str, npt.NDArray[Any]]) -> None:
        """Add at most `capacity` rows, each with the row before it in its episode, and its step."""
        ring = self.ring
        rows = ring.total_added + np.arange(len(step))
        self._forget_before(ring.total_added + len(step) - ring.capacity)
        ring.extend(**columns)
        places = rows % ring.capacity
        self._can_sample[places] = False
        linked = previous >= ring.oldest
        self._links.put(places, step, np.where(linked, previous % ring.capacity, places))
        ready = self._newly_complete(places)
        ready = ready[self._links.holds_stack(ready, self.stack)]
        self._can_sample[ready] = True
        if self.priorities is not None:
            ready = ready[np.argsort(self._rows_at(ready))]
            errors = ring.array(ERROR)[ready] if ERROR in self.schema.fields else None
            self.priorities.admit(self._rows_at(ready), errors)

    def _forget_before(self, oldest: int) -> None:
        """Stop sampling the rows before `oldest`, and those whose stack needs one of them."""
        first = self.ring.oldest
        leaving = np.arange(first, max(min(oldest, self.ring.total_added), first))
        if not len(leaving):
            return
        places: Places = leaving % self.ring.capacity
        for _ in range(self.stack):
            self._can_sample[places] = False
            if self.priorities is not None:
                self.priorities.retire(self._rows_at(places))
            places = self._links.after(places)
        self._links.unlink(leaving % self.ring.capacity)

    def _newly_complete(self, places: Places) -> Places:
        """List places whose return is now known: N steps on, or before a terminal frame."""
        ending = self.ring.array("ending")
        is_terminal = ending[places] == _TERMINAL
        complete = [places[:0]]
        for back in range(1, self.steps + 1):
            before = self._links.before(places, 1)
            linked = before != places
            places, is_terminal = before[linked], is_terminal[linked]
            complete.append(places if back == self.steps else places[is_terminal])
        return np.concatenate(complete)

    def _rows_at(self, places: Places) -> _Rows:
        """Return the numbers of the rows held at some places."""
        newest = self.ring.total_added - 1
        return newest - (newest - places.astype(np.int64)) % self.ring.capacity

    def _step_fields(self) -> list[str]:
        return [name for name in ("action", "reward", ERROR) if name in self.schema.fields]

    # -- filling it again --------------------------------------------------------------------

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return what `fill` cannot know from the stored pieces, as arrays, for a checkpoint."""
        ring = self.ring
        rows = {"total_added": np.array([ring.total_added]), "window": np.array([ring.window])}
        if self.priorities is not None:
            self._follow_window()
        given = {} if self.priorities is None else self.priorities.state()
        return {
            **rows,
            **{f"streams.{name}": array for name, array in self.streams.state(ring.oldest).items()},
            **{f"priorities.{name}": array for name, array in given.items()},
        }

    def fill(self, window: ReplayWindow, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Fill the ring with the window that it held when `state` was saved, and restore that.

        Each row has its number of then, and with it its priority. Rows of a segment that is gone
        are not sampled. The window's rows must be frames.

        Raises:
            ValueError: the window has more rows than were ever added.
            SchemaError: a batch of another schema.
        """
        total = int(state["total_added"][0])
        first = total - window.rows
        if first < 0:
            raise ValueError(f"a window of {window.rows} rows, of which {total} were ever added")
        self._forget_before(self.ring.total_added)
        self.ring.total_added = first
        self.streams = FrameStreams()
        for before, batch in window.placed():
            self._skip_to(first + before)
            self.extend(batch)
        self._skip_to(total)
        self._load(state)

    def _skip_to(self, row: int) -> None:
        """Leave rows empty, so that the next one has this number."""
        missing = row - self.ring.total_added
        if missing <= 0:
            return
        self._forget_before(row - self.ring.capacity)
        kept = min(missing, self.ring.capacity)
        self.ring.skip(missing)
        places = np.arange(row - kept, row) % self.ring.capacity
        self.ring.array("ending")[places] = GOES_ON
        self._can_sample[places] = False
        self._links.put(places, np.zeros(kept, np.int64), places)

    def _load(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        self.ring.window = int(state["window"][0])
        self.streams.load(_part(state, "streams."))
        if self.priorities is None:
            return
        self.priorities.load(_part(state, "priorities."))
        held = np.arange(self.ring.oldest, self.ring.total_added)
        held = held[self.can_sample(held)]
        known = self.priorities.rows
        self.priorities.retire(np.setdiff1d(known, held))
        self.priorities.admit(np.setdiff1d(held, known))

    # -- sampling ----------------------------------------------------------------------------

    def sample(
        self,
        rng: np.random.Generator,
        n: int,
        beta: float = 1.0,
        out: npt.NDArray[Any] | None = None,
    ) -> Transitions:
        """Sample n transitions that begin in the window, with replacement.

        Args:
            rng: what is drawn with.
            n: how many.
            beta: as in `Priorities.sample_rows`; without priorities it has no effect.
            out: as in `transitions`.

        Raises:
            ValueError: no row can be sampled yet.
        """
        return self.transitions(*self.draw(rng, n, beta), out)

    def draw(
        self, rng: np.random.Generator, n: int, beta: float = 1.0
    ) -> tuple[_Rows, npt.NDArray[np.float32]]:
        """Draw the rows int64 [n] and weights float32 [n] of n transitions, as `sample` does."""
        if self.priorities is None:
            return self.ring.sample_rows(rng, n, self.can_sample), np.ones(n, np.float32)
        self._follow_window()
        return self.priorities.sample_rows(rng, n, beta)

    def update(self, rows: _Rows, errors: npt.NDArray[Any]) -> None:
        """Give sampled rows their new priorities; as `Priorities.update`.

        Raises:
            ValueError: this ring samples uniformly, or the errors do not fit.
        """
        if self.priorities is None:
            raise ValueError("this ring samples uniformly: it was made without priorities")
        self.priorities.update(rows, errors)

    @property
    def has_samples(self) -> bool:
        """Return whether a transition can begin at any row held."""
        return bool(self._can_sample.any())

    def can_sample(self, rows: _Rows) -> npt.NDArray[np.bool_]:
        """Whether transitions can begin at these rows, which must be held; bool, of their shape."""
        return self._can_sample.take(rows % self.ring.capacity)

    def has_stacks(self, rows: _Rows) -> npt.NDArray[np.bool_]:
        """Whether all frames of the stacks that end at these rows are held; bool, of their shape.

        The first frames after a gap lack some, and the oldest ones of the ring.
        """
        held = self._links.holds_stack(rows.ravel() % self.ring.capacity, self.stack)
        return held.reshape(rows.shape)

    def transitions(
        self,
        rows: _Rows,
        weights: npt.NDArray[np.float32],
        out: npt.NDArray[Any] | None = None,
    ) -> Transitions:
        """Build the transitions that begin at these rows [n], for which `can_sample` holds.

        Args:
            rows: numbers, int64 [n].
            weights: float32 [n] that go with them.
            out: [n, S + N, *frame shape] to write the frames into; a new array if None.
        """
        table = self._links.table(rows % self.ring.capacity, self.stack - 1, self.steps)
        actions, returns, discounts = self._outcomes(table)
        return Transitions(
            rows=rows,
            weights=weights,
            frames=self._frames(table, out),
            stack=self.stack,
            actions=actions,
            returns=returns,
            discounts=discounts,
        )

    def outcomes(self, rows: _Rows) -> _Outcomes:
        """Return actions, returns and discounts [n] of the transitions that begin at rows [n]."""
        return self._outcomes(self._links.table(rows % self.ring.capacity, 0, self.steps))

    def _outcomes(self, table: npt.NDArray[np.int32]) -> _Outcomes:
        """Return `outcomes` by the places [.. + 1 + N, n] up to N steps after the first ones."""
        here = table[-1 - self.steps : -1]
        rewards = self.ring.array("reward").take(here)  # [N, n]; 0 at a last frame
        ended = self.ring.array("ending").take(table[-1]) == _TERMINAL
        discounts = np.where(ended, np.float32(0), self._discount)
        return self.ring.array("action").take(here[0]), self._gammas @ rewards, discounts

    def frame_places(self, rows: _Rows, ahead: int) -> npt.NDArray[np.int32]:
        """Return where the frames around rows [n] are: int32 [n, S + ahead], places in the ring.

        They are those of a stack, then those of `ahead` steps after it, as `transitions` copies
        them. The capacity stands for a frame of zeros.
        """
        places = rows % self.ring.capacity
        table = self._links.table(places, self.stack - 1, ahead)
        if self.padding == "zeros":
            back = np.arange(self.stack - 1, 0, -1)[:, None]
            early = self._links.step.take(places) < back
            table[: self.stack - 1][early] = self.ring.capacity
        return np.ascontiguousarray(table.T)

    def stacks(self, rows: _Rows) -> npt.NDArray[Any]:
        """Copy the stacks [n, S, *frame shape] that end with the frames of these rows [n].

        Where a stack's earlier frames are not held any more, the earliest one held stands for them.
        """
        places = rows % self.ring.capacity
        return self._frames(self._links.table(places, self.stack - 1, 0), None)

    def steps_at(self, rows: _Rows) -> dict[str, npt.NDArray[Any]]:
        """Copy what was done at rows of any shape: "action", "reward", "ending", "acted".

        "acted" is False at an episode's last frame, where the others have no meaning.
        """
        columns = self.ring.gather(rows, ["action", "reward", "ending"])
        return {**columns, "acted": columns["ending"] < _LAST + TERMINATED}

    def _frames(
        self, table: npt.NDArray[np.int32], out: npt.NDArray[Any] | None
    ) -> npt.NDArray[Any]:
        """Copy the frames at the places of a table [S + N, n] into [n, S + N, *frame shape]."""
        # "wrap" without effect: the default mode would make a copy of `out` to check the places
        frames = self.ring.array("frame").take(table.T, axis=0, out=out, mode="wrap")
        if self.padding == "zeros" and self.stack > 1:
            steps = self._links.step.take(table[self.stack - 1])
            early = np.flatnonzero(steps < self.stack - 1)
            for i, step in zip(early.tolist(), steps[early].tolist()):
                frames[i, : self.stack - 1 - step] = 0
        return frames

    def _follow_window(self) -> None:
        if self.priorities is not None:
            ring = self.ring
            is_whole = ring.window == ring.capacity  # rows that left have no priorities anyway
            self.priorities.begin_window(0 if is_whole else ring.total_added - ring.sampled_rows)

    # -- checking ----------------------------------------------------------------------------

    def check_valid(self) -> tuple[bool, str]:
        """Whether links, rows that can be sampled and priorities agree; why not if they do not."""
        rows = np.arange(self.ring.oldest, self.ring.total_added)
        places = rows % self.ring.capacity
        following = self._links.next[places]
        linked = following != places
        if (self._links.previous[following[linked]] != places[linked]).any():
            return False, "a row's next one does not have it as its previous one"
        if not np.array_equal(self._can_sample[places], self._expected(places)):
            return False, "the rows that can be sampled are not those with a whole stack and return"
        if self.priorities is None:
            return self.ring.check_valid()
        self._follow_window()
        if not np.array_equal(self.priorities.rows, rows[self._can_sample[places]]):
            return False, "the rows with priorities are not those that can be sampled"
        return self.priorities.check_valid()

    def _expected(self, places: Places) -> npt.NDArray[np.bool_]:
        """Recompute `can_sample` from the rows."""
        ending = self.ring.array("ending")
        moved = np.zeros(len(places), np.int64)
        after = places
        for _ in range(self.steps):
            following = self._links.next.take(after)
            moved += following != after
            after = following
        is_complete = (moved == self.steps) | ((moved > 0) & (ending[after] == _TERMINAL))
        return is_complete & self._links.holds_stack(places, self.stack)

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


def _filling(name: str) -> float:
    """Return what a field has at an episode's last frame, after which nothing was done."""
    return float("nan") if name == ERROR else 0


def _part(state: Mapping[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {n.removeprefix(prefix): a for n, a in state.items() if n.startswith(prefix)}


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
