"""Record matches as trajectories in a run's replay log, and read them again.

A trajectory is an episode of `store.memory.trajectories` with the steps of all players of a match,
whole or, where it is very long, in pieces. Readers know it by its schema alone and ask nothing of
an environment, which a stored text could not name if it is a user's own.

Shapes: L steps of a match, p players, h heads of an action.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.running.episode_log import EpisodeLog
from envs.teams import TeamSpec
from store.errors import SchemaError, StoreError
from store.memory.frames import GOES_ON, TERMINATED, TRUNCATED, check_endings
from store.memory.trajectories import FACT, trajectory_schema
from store.replay.episodes import UUID_BYTES, Episode, EpisodeSchema
from store.replay.log import segment_key
from store.replay.segments import decode_segment
from store.replay.walk import merged_newest_first, stored_segments
from store.run import Run
from store.upgrades import upgrade_episodes

KIND = "team/1"
ROWS = "policy_version"
"""The array whose items count the steps of a trajectory, as replay is kept by rows."""
NO_OPPONENT = -1
"""In place of a past opponent's number: the newest network plays all teams."""
ENDINGS = {GOES_ON: "goes on", TERMINATED: "ended", TRUNCATED: "limit"}

Arrays = Mapping[str, npt.NDArray[Any]]
"""A trajectory's arrays, by the names of its schema."""

_MOST_NUMBER = 2**53  # of a trajectory, far above any
_OF_STEP = {"reward": np.float32, "log_probability": np.float32, "value": np.float32}
_OF_ENVIRONMENT = ("observation", "action", "action_mask")
_logger = logging.getLogger("ludens.store")


def match_schema(spec: TeamSpec) -> EpisodeSchema:
    """Make the schema of an environment's matches.

    Each step [L] has of each player its `observation`, `action_mask` (where choices have one),
    `action` [h] as it was drawn, the environment's `reward` that followed, and where the newest
    network acted the `log_probability` of the action and the `value`, else NaN; and
    `policy_version`, the learner's updates until the newest network. What is known of a match as a
    whole is in `_facts_of`. The true state is left out: a seed and actions lead to it.
    """
    real = spec.heads[0].kind == "real"
    size = spec.heads[0].size if real else len(spec.heads)
    own: dict[str, tuple[npt.DTypeLike, tuple[int, ...]]] = {
        "observation": (spec.observation_dtype, spec.observation_shape),
        "action": (np.float32 if real else np.int32, (size,)),
    }
    if spec.mask_size:
        own["action_mask"] = (np.uint8, (spec.mask_size,))
    return _schema(spec.players, spec.teams, own)


def _schema(
    players: int, teams: int, own: Mapping[str, tuple[npt.DTypeLike, tuple[int, ...]]]
) -> EpisodeSchema:
    steps = {**own, **{name: (dtype, ()) for name, dtype in _OF_STEP.items()}}
    return trajectory_schema(players, steps, {}, _facts_of(players, teams), kind=KIND)


def _facts_of(players: int, teams: int) -> Mapping[str, tuple[npt.DTypeLike, tuple[int, ...]]]:
    """Return what is known of a match, one item each."""
    return {
        "number": (np.int64, ()),  # of the trajectory in its run, from 1
        "worker": (np.int64, ()),  # who played it
        "place": (np.int64, ()),  # where, among the matches of the worker
        "first_step": (np.int64, ()),  # of this piece in its match; 0 if it begins it
        "opponent": (np.int64, ()),  # number of the past opponent, or NO_OPPONENT
        "side": (np.int64, ()),  # the newest network's team against a past opponent
        "newest": (np.bool_, (players,)),  # which players the newest network was
        "scores": (np.float32, (teams,)),  # NaN where the match goes on
        "end_value": (np.float32, (players,)),  # what follows a limit; 0 otherwise
        "seed": (np.uint64, ()),  # of the match; no item where it has none
    }


@dataclass(frozen=True)
class Trajectory:
    """A recorded match, or a piece of a very long one.

    Attributes:
        arrays: by the names of its schema.
        recorded: when it was committed, seconds since 1970 by the store's clock.
    """

    arrays: Arrays
    recorded: float

    def __post_init__(self) -> None:
        """Raise SchemaError where lengths do not fit each other, or a figure cannot be."""
        steps = {n: len(a) for n, a in self.arrays.items() if not n.startswith(FACT)}
        if steps.pop("ending") != 1 or len({*steps.values()}) != 1 or not steps[ROWS]:
            raise SchemaError(f"a trajectory of arrays of different lengths: {steps}")
        facts = {n: len(a) for n, a in self.arrays.items() if n.startswith(FACT)}
        if facts.pop(FACT + "seed") > 1 or {*facts.values()} != {1}:
            raise SchemaError(f"a trajectory with other facts than one of each: {facts}")
        check_endings(self.arrays["ending"])
        if not 0 < self.number < _MOST_NUMBER:
            raise SchemaError(f"a trajectory of the number {self.number}")

    def fact(self, name: str) -> Any:
        """Return what is known of the match under a name, an array or a number."""
        return self.arrays[FACT + name][0]

    @property
    def number(self) -> int:
        """Return its number in the run, from 1."""
        return int(self.fact("number"))

    @property
    def steps(self) -> int:
        """Return its steps."""
        return len(self.arrays[ROWS])

    @property
    def first_step(self) -> int:
        """Return the number of its first step in the match: 0 unless it is a later piece."""
        return int(self.fact("first_step"))

    @property
    def versions(self) -> tuple[int, int]:
        """Return the updates until the newest network at its first and at its last step."""
        return int(self.arrays[ROWS][0]), int(self.arrays[ROWS][-1])

    @property
    def ending(self) -> str:
        """Return how it ends, one of ENDINGS."""
        return ENDINGS[int(self.arrays["ending"][0])]

    @property
    def scores(self) -> list[float] | None:
        """Return the teams' scores; None where the match goes on."""
        goes_on = self.arrays["ending"][0] == GOES_ON
        return None if goes_on else [float(score) for score in self.fact("scores")]

    @property
    def opponent(self) -> int | None:
        """Return the past opponent's number; None if the newest network played all teams."""
        number = int(self.fact("opponent"))
        return None if number == NO_OPPONENT else number

    @property
    def side(self) -> int | None:
        """Return the newest network's team against a past opponent."""
        return None if self.opponent is None else int(self.fact("side"))

    @property
    def seed(self) -> int | None:
        """Return the seed of the match, None where it has none."""
        found = self.arrays[FACT + "seed"]
        return int(found[0]) if len(found) else None

    @property
    def teams(self) -> int:
        """Return how many teams opposed each other."""
        return int(self.fact("scores").shape[0])

    def to_json(self) -> dict[str, Any]:
        """Return what is known of it, without its steps."""
        scores = self.scores
        return {
            "number": self.number,
            "recorded": self.recorded,
            "version": self.versions,
            "first_step": self.first_step,
            "steps": self.steps,
            "ending": self.ending,
            "scores": None if scores is None or not np.isfinite(scores).all() else scores,
            "opponent": self.opponent,
            "side": self.side,
            "worker": int(self.fact("worker")),
            "place": int(self.fact("place")),
            "seed": self.seed,
        }


class TrajectoryLog:
    """Numbers the trajectories of a run and adds them to its replay log.

    Args:
        run: the run; numbers go on after the newest one that is stored there.
        episodes: the log, of a `match_schema`.
    """

    def __init__(self, run: Run, episodes: EpisodeLog) -> None:
        self._run_name, self._episodes = run.name, episodes
        newest = next(stored_trajectories(run), None)
        self._number = 1 if newest is None else newest.number + 1

    def add(self, trajectories: Iterable[Arrays]) -> None:
        """Add trajectories, all their arrays but their numbers; see `EpisodeLog.add`."""
        for arrays in trajectories:
            name = f"{self._run_name}/{self._number}".encode()
            numbered = {**arrays, FACT + "number": np.array([self._number], np.int64)}
            uuid = hashlib.blake2b(name, digest_size=UUID_BYTES).digest()
            self._episodes.add([Episode(uuid, numbered)])
            self._number += 1


def stored_trajectories(run: Run) -> Iterator[Trajectory]:
    """Yield a run's recorded matches, the newest first, each segment read when it is reached.

    What cannot be read is passed over with a warning, as is what was dropped meanwhile without one.
    """
    listed = stored_segments(run.files)
    committed = {(s.writer, s.name): s.committed_ns for s in listed}
    newest = merged_newest_first([(s.writer, s.name) for s in listed], lambda *s: committed[s])
    for writer, name in newest:
        key = segment_key(writer, name)
        try:
            batch = decode_segment(name, run.files.read(key))
            batch = upgrade_episodes(batch, KIND)
            if not _is_of_matches(batch.schema):
                continue
            when = committed[writer, name] / 1e9
            found = [Trajectory(batch.episode(i).arrays, when) for i in range(len(batch))]
        except FileNotFoundError:
            continue
        except (StoreError, OSError) as error:
            _logger.warning("segment %s is passed over: %s", key, error)
            continue
        yield from reversed(found)


def _is_of_matches(schema: EpisodeSchema) -> bool:
    """Return whether a stored schema is one that `match_schema` makes for some environment."""
    fields = schema.fields
    if schema.kind != KIND or not {"observation", "action"} <= fields.keys():
        return False
    players, teams = (fields.get(name, (None, ()))[1] for name in ("present", FACT + "scores"))
    if len(players) != 1 or len(teams) != 1:
        return False
    own = {n: (fields[n][0], fields[n][1][1:]) for n in _OF_ENVIRONMENT if n in fields}
    return schema == _schema(players[0], teams[0], own)
