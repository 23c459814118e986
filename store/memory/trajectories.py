"""Define stored multi-agent trajectories, and cut them into sequences for recurrent networks.

An episode has A places for agents, who come and go. It is cut into sequences of T steps for
truncated back-propagation through time (OpenAI Five, Berner et al. 2019, appendix C: 16 steps);
each begins with the recurrent states its agents had when they played it.

Shapes: L steps of an episode, T steps of a sequence, A agents, B sequences of a batch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from store.errors import SchemaError
from store.memory.frames import check_endings
from store.memory.ring import Ring
from store.replay.episodes import EpisodeBatch, EpisodeSchema

TRAJECTORY_KIND = "trajectory/1"

FACT = "fact."  # before the name of a fact
_STATE = "state."  # before the name of a recurrent state
_OWN_NAMES = ("present", "policy_version", "ending")
_MASK = "mask"  # of a ring: who is present, and where a sequence has steps

_Fields = Mapping[str, tuple[npt.DTypeLike, tuple[int, ...]]]


def trajectory_schema(
    agents: int,
    steps: _Fields,
    states: _Fields,
    facts: _Fields | None = None,
    *,
    kind: str = TRAJECTORY_KIND,
) -> EpisodeSchema:
    """Make the schema of an episode, or of a piece of an unfinished one.

    Args:
        agents: A, places for agents; an absent agent's place is unused.
        steps: for each name (dtype, shape of one agent's item) what is known at each step:
            observations, actions, log-probabilities, rewards, value targets, ...
        states: the same for recurrent states. An episode has one at each sequence's first step.
        facts: for each name (dtype, shape of one item) what is known of the episode as a whole; a
            ring does not hold them.
        kind: of the schema; one's own where the names of steps and facts have a meaning of theirs.

    Raises:
        SchemaError: a name is taken, or a dtype or shape cannot be stored.
    """
    own = (*_OWN_NAMES, _MASK)
    taken = [name for name in steps if name in own or name.startswith((_STATE, FACT))]
    if taken or agents < 1:
        raise SchemaError(
            f"expected agents >= 1 and names other than {own}, {_STATE}... and {FACT}...; "
            f"got {agents} agents and {list(steps)}"
        )
    per_agent = {
        name: (np.dtype(dtype), (agents, *shape)) for name, (dtype, shape) in steps.items()
    }
    recurrent = {
        _STATE + name: (np.dtype(dtype), (agents, *shape))
        for name, (dtype, shape) in states.items()
    }
    known = facts or {}
    return EpisodeSchema(
        kind,
        {
            "present": (np.dtype(np.bool_), (agents,)),  # [L] who plays at the step
            "policy_version": (np.dtype(np.int64), ()),  # [L] of the weights that acted
            "ending": (np.dtype(np.uint8), ()),  # [1] of the last step: see store.memory.frames
            **per_agent,  # [L]
            **recurrent,  # [ceil(L / T)]
            **{FACT + name: (np.dtype(dtype), shape) for name, (dtype, shape) in known.items()},
        },
    )


@dataclass(frozen=True)
class Sequences:
    """A batch of B sequences.

    Attributes:
        rows: int64 [B], numbers of the sequences in the ring.
        steps: for each name [B, T, A, *item shape]; zeros where the mask is False.
        states: for each name [B, A, *item shape], recurrent states before the first step; zeros
            for those absent from it.
        mask: bool [B, T, A], which agents were present; False too after an episode's end.
        arrives: bool [B, T, A], which were absent a step before, in the same sequence: there the
            recurrent state starts again.
        ending: uint8 [B, T], of each step, as in `store.memory.frames`.
        policy_version: int64 [B], the oldest weights that acted in the sequence.
    """

    rows: npt.NDArray[np.int64]
    steps: dict[str, npt.NDArray[Any]]
    states: dict[str, npt.NDArray[Any]]
    mask: npt.NDArray[np.bool_]
    arrives: npt.NDArray[np.bool_]
    ending: npt.NDArray[np.uint8]
    policy_version: npt.NDArray[np.int64]


class TrajectoryRing:
    """The newest sequences of some episodes, sampled while their policy is not too old.

    Args:
        capacity: sequences held at most.
        schema: a `trajectory_schema`.
        length: T, steps of a sequence; an episode's last one is filled up and masked.
        window: as in `Ring`.
        staleness: how many versions older than the learner's a sequence may be to be sampled; no
            limit if None (OpenAI Five kept it between 0 and 1, section 4.2).

    Raises:
        ValueError: a setting out of range.
    """

    def __init__(
        self,
        capacity: int,
        schema: EpisodeSchema,
        *,
        length: int = 16,
        window: int | None = None,
        staleness: int | None = None,
    ) -> None:
        if length < 1 or (staleness is not None and staleness < 0):
            raise ValueError(f"expected length >= 1, staleness >= 0; got {length}, {staleness}")
        if not schema.fields.keys() >= {*_OWN_NAMES}:
            raise ValueError(f"expected a trajectory's schema, got one of kind {schema.kind!r}")
        self.schema = schema
        self.length = length
        self.staleness = staleness
        own = (name for name in schema.fields if name not in _OWN_NAMES)
        names = [name for name in own if not name.startswith(FACT)]
        self._states = [name for name in names if name.startswith(_STATE)]
        self._steps = [name for name in names if not name.startswith(_STATE)]
        self.ring = Ring(capacity, self._ring_fields(), window)

    def _ring_fields(self) -> _Fields:
        fields = self.schema.fields
        per_step = {n: (fields[n][0], (self.length, *fields[n][1])) for n in self._steps}
        return {
            **per_step,
            **{name: fields[name] for name in self._states},
            _MASK: (np.bool_, (self.length, *fields["present"][1])),
            "ending": (np.uint8, (self.length,)),
            "policy_version": (np.int64, ()),
        }

    def __len__(self) -> int:
        return len(self.ring)

    def extend(self, batch: EpisodeBatch) -> int:
        """Cut stored episodes into sequences and add these; return their number.

        Raises:
            SchemaError: another schema, or lengths that do not fit; nothing was added.
        """
        if batch.schema != self.schema:
            raise SchemaError(f"this ring takes {self.schema}, got a batch of {batch.schema}")
        lengths = batch.lengths("present")
        counts = -(-lengths // self.length)
        self._check_lengths(batch, lengths, counts)
        items, is_step = self._cut(batch.offsets["present"], counts)
        present = _padded(batch.values["present"], items, is_step)
        columns = {name: _padded(batch.values[name], items, present) for name in self._steps}
        for name in self._states:
            columns[name] = batch.values[name].copy()
            columns[name][~present[:, 0]] = 0
        self.ring.extend(
            **columns,
            mask=present,
            ending=self._endings(batch, items, is_step),
            policy_version=batch.values["policy_version"][items].min(axis=1),
        )
        return len(items)

    def _cut(
        self, offsets: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return each sequence's items by step [sequences, T], and a mask of those that exist.

        What is beyond the episode's end has the item of the sequence's first step.
        """
        ends = np.repeat(offsets[1:], counts)
        first = np.cumsum(counts) - counts
        number = np.arange(counts.sum()) - np.repeat(first, counts)  # of a sequence in its episode
        begins = np.repeat(offsets[:-1], counts) + number * self.length
        items = begins[:, None] + np.arange(self.length)
        is_step = items < ends[:, None]
        return np.where(is_step, items, begins[:, None]), is_step

    def _endings(
        self,
        batch: EpisodeBatch,
        items: npt.NDArray[np.int64],
        is_step: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.uint8]:
        endings = np.zeros(batch.rows("present"), np.uint8)
        has_steps = batch.lengths("present") > 0
        endings[batch.offsets["present"][1:][has_steps] - 1] = batch.values["ending"][has_steps]
        return _padded(endings, items, is_step)

    def sample(
        self, rng: np.random.Generator, n: int, policy_version: int | None = None
    ) -> Sequences:
        """Sample n sequences of the window uniformly with replacement, copied.

        Args:
            rng: what is drawn with.
            n: how many.
            policy_version: the learner's, which the staleness is counted from.

        Raises:
            ValueError: nothing in the window is fresh enough, or there is a limit of staleness and
                no version to count from.
        """
        if self.staleness is None:
            rows = self.ring.sample_rows(rng, n)
        else:
            oldest = self._oldest_version(policy_version)
            rows = self.ring.sample_rows(rng, n, lambda drawn: self._versions(drawn) >= oldest)
        return self.sequences(rows)

    def fresh(self, policy_version: int | None = None) -> int:
        """Count the sequences of the window that a learner of that version can sample."""
        if self.staleness is None:
            return self.ring.sampled_rows
        window = np.arange(self.ring.total_added - self.ring.sampled_rows, self.ring.total_added)
        oldest = self._oldest_version(policy_version)
        return int(np.count_nonzero(self._versions(window) >= oldest))

    def sequences(self, rows: npt.NDArray[np.int64]) -> Sequences:
        """Gather the sequences of these row numbers [B]; raises IndexError when one is not held."""
        columns = self.ring.gather(rows)
        mask = columns["mask"]
        arrives = mask.copy()
        arrives[:, 0] = False  # the recurrent state tells what they bring along
        arrives[:, 1:] &= ~mask[:, :-1]
        return Sequences(
            rows=rows,
            steps={name: columns[name] for name in self._steps},
            states={name.removeprefix(_STATE): columns[name] for name in self._states},
            mask=mask,
            arrives=arrives,
            ending=columns["ending"],
            policy_version=columns["policy_version"],
        )

    def check_valid(self) -> tuple[bool, str]:
        """Whether the ring is consistent, and why not if it is not."""
        held = self.ring.newest()
        for name in self._steps:
            if held[name][~held["mask"]].any():
                return False, f"{name!r} is not zero where no agent was"
        return self.ring.check_valid()

    def _versions(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        versions: npt.NDArray[np.int64] = self.ring.gather(rows, ["policy_version"])[
            "policy_version"
        ]
        return versions

    def _oldest_version(self, policy_version: int | None) -> int:
        if policy_version is None or self.staleness is None:
            raise ValueError(
                f"with a staleness of {self.staleness}, sampling needs the learner's policy version"
            )
        return policy_version - self.staleness

    def _check_lengths(
        self,
        batch: EpisodeBatch,
        lengths: npt.NDArray[np.int64],
        counts: npt.NDArray[np.int64],
    ) -> None:
        expected = dict.fromkeys(("policy_version", *self._steps), lengths)
        expected |= dict.fromkeys(self._states, counts)
        expected["ending"] = np.ones(len(batch), np.int64)
        for name, wanted in expected.items():
            wrong = np.flatnonzero(batch.lengths(name) != wanted)
            if len(wrong):
                i = wrong[0]
                raise SchemaError(
                    f"episode {i} of {lengths[i]} steps in sequences of {self.length}: expected "
                    f"{wanted[i]} items of {name!r}, got {batch.lengths(name)[i]}"
                )
        check_endings(batch.values["ending"])


def _padded(
    values: npt.NDArray[Any], items: npt.NDArray[np.int64], kept: npt.NDArray[np.bool_]
) -> npt.NDArray[Any]:
    """Gather the chosen items, zeros where they are not kept."""
    chosen = values.take(items, axis=0)
    chosen[~kept] = 0
    return chosen
