"""Upgrade what an older program wrote to the current schema version, in memory on read.

Every format that a store keeps has a version of its own: those of `FORMATS`, and each kind of
episode ("alphazero/1", "frames/1", "trajectory/1"). Files are never rewritten. To add version 2 of
a format, add to the end of this file the function that makes a version 1 into a 2:

    @MANIFEST.step(1)
    def _name_the_optimiser(manifest): ...

From then on the writers write 2, and readers read 1 and 2. A kind of episode is named by its
schema; its definition registers the step beside it, with `episodes("alphazero").step(1)`.
`tests/store/data` has a golden file of each version. A version that this program does not know
is refused by name.

Two things need no version. A run's settings follow a rule (`store.settings`): missing ones have
their defaults, unknown ones are left out. The trainer's lock is temporary, and only people read its
text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from store.errors import SchemaError, StoreError

if TYPE_CHECKING:
    from store.replay.episodes import EpisodeBatch

T = TypeVar("T")
Step = Callable[[T], T]

_KIND = re.compile(r"(?P<family>.+)/(?P<version>[0-9]{1,9})")


class VersionError(StoreError):
    """A file is of a version that this program cannot read; `is_newer` if a later one can."""

    def __init__(self, message: str, *, is_newer: bool) -> None:
        super().__init__(message)
        self.is_newer = is_newer


class VersionChain(Generic[T]):
    """The versions of one kind of document, and the step from each to the next.

    Attributes:
        what: how messages call the version, e.g. "schema version".
    """

    def __init__(self, what: str, first: int = 1) -> None:
        self.what = what
        self._first = first
        self._steps: dict[int, Step[T]] = {}

    @property
    def current(self) -> int:
        """Return the version that the writers write: the one that the last step leads to."""
        return max([self._first, *(version + 1 for version in self._steps)])

    def step(self, version: int) -> Callable[[Step[T]], Step[T]]:
        """Register, as a decorator, the function that upgrades this version to the next.

        It returns the new thing and may change the one it is given. Raises ValueError when there
        is such a step already.
        """

        def register(function: Step[T]) -> Step[T]:
            if version in self._steps:
                raise ValueError(f"there is a step from {self.what} {version} already")
            self._steps[version] = function
            return function

        return register

    def upgrade(self, thing: T, version: Any, to: int | None = None) -> T:
        """Upgrade a document from its version to `to` (the current one if None).

        Raises:
            VersionError: the version is newer, has no step that leads on, or is no number; or a
                step failed, which does not mean that the file is damaged.
        """
        goal = self.current if to is None else to
        if type(version) is not int or not self._reaches(version, goal):
            raise self._refusal(version, goal)
        for step in range(version, goal):
            try:
                thing = self._steps[step](thing)
            except Exception as error:  # a mistake in a step must not send a file to quarantine
                why = f"its upgrade failed ({type(error).__name__}: {error})"
                raise VersionError(f"{self._named(step)}: {why}", is_newer=False) from error
        return thing

    def _reaches(self, version: int, goal: int) -> bool:
        return version <= goal and all(step in self._steps for step in range(version, goal))

    def _refusal(self, version: Any, goal: int) -> VersionError:
        is_newer = type(version) is int and version > goal
        why = "; a newer version of the program wrote it" if is_newer else ""
        oldest = goal
        while oldest - 1 in self._steps:
            oldest -= 1
        reads = str(goal) if oldest == goal else f"{oldest} to {goal}"
        return VersionError(
            f"{self._named(version)}, this version of the program reads {reads}{why}",
            is_newer=is_newer,
        )

    def _named(self, version: Any) -> str:
        return f"{self.what}{'' if self.what.endswith('/') else ' '}{version!r}"


class Documents(VersionChain[dict[str, Any]]):
    """The versions of documents that name their own: {"format": "ludens-match/1", ...}.

    Args:
        family: the part before the slash.
        unnamed: version of the documents that do not say one; None if all do.
    """

    def __init__(self, family: str, unnamed: int | None = None) -> None:
        super().__init__(f"format {family}/")
        self.family = family
        self._unnamed = unnamed

    @property
    def name(self) -> str:
        """Return the current value of "format"."""
        return f"{self.family}/{self.current}"

    def read(self, document: Any) -> dict[str, Any]:
        """Upgrade a document of any version to the current one, which names it.

        Raises:
            VersionError: it is of a newer version or another format, or says none.
            TypeError: it is no document at all.
        """
        if not isinstance(document, dict):
            raise TypeError(f"a document of {self.name!r} is an object, got {document!r:.80}")
        return {**self.upgrade(document, self._version_of(document)), "format": self.name}

    def _version_of(self, document: Mapping[str, Any]) -> int:
        if "format" not in document and self._unnamed is not None:
            return self._unnamed
        said = document.get("format")
        found = _KIND.fullmatch(said) if isinstance(said, str) else None
        if found is None or found["family"] != self.family:
            raise VersionError(f"format {said!r:.80}, expected {self.name!r}", is_newer=False)
        return int(found["version"])


UNKNOWN_SOURCE = "unknown"
"""Source of a user's own game in a run from before its hash was kept."""

RUN = VersionChain[dict[str, Any]]("schema version")
"""Steps take the document of a `run.json`."""

MANIFEST = VersionChain[dict[str, Any]]("schema version")
"""Steps take the document of a checkpoint's manifest, without its seal."""

SEGMENT = VersionChain[Any]("segment version")
"""Steps take and return a segment's `pyarrow.RecordBatch`, its metadata in its schema."""

MATCH = Documents("ludens-match")
"""Steps take the one line of a file of `arena.match.records`."""

EVALUATION = Documents("ludens-evaluation")
"""Steps take a file of `arena.evaluation.records`."""

PROGRESS = Documents("ludens-progress")
"""Steps take a file of `store.progress.log`: the facts of a session, or a table of records."""

ARCHIVE = Documents("ludens-run")
"""Steps take the index of an archive, without its seal."""

HOLD = Documents("ludens-hold", unnamed=1)
"""Steps take a file of `store.upkeep.holds`."""

KEPT = Documents("ludens-kept")
"""Steps take a file of `store.upkeep.keeps`: a name, or what is noted of the best checkpoint."""

WINDOW = Documents("ludens-window")
"""Steps take the order of segments in a checkpoint (`store.replay.window`)."""

TRAINER = Documents("ludens-trainer", unnamed=1)
"""Steps take the learner's state in a checkpoint, tensors and plain values."""

ACTOR = Documents("ludens-actor", unnamed=1)
"""Steps take an actor's state in a checkpoint, its arrays by name under "arrays"."""

FORMATS: dict[str, VersionChain[Any]] = {
    "run": RUN,
    "checkpoint": MANIFEST,
    "segment": SEGMENT,
    "match": MATCH,
    "evaluation": EVALUATION,
    "progress": PROGRESS,
    "archive": ARCHIVE,
    "hold": HOLD,
    "kept": KEPT,
    "window": WINDOW,
    "trainer": TRAINER,
    "actor": ACTOR,
}
"""Every format but the kinds of episodes, by the name of its folders of golden files."""

_EPISODES: dict[str, VersionChain[EpisodeBatch]] = {}


def episodes(family: str) -> VersionChain[EpisodeBatch]:
    """Return the chain of a kind of episode: "alphazero" for "alphazero/1" and later.

    The kind's definition registers its steps; they take and return an `EpisodeBatch`.
    """
    return _EPISODES.setdefault(family, VersionChain(f"episode kind {family}/"))


def upgrade_episodes(batch: EpisodeBatch, kind: str) -> EpisodeBatch:
    """Upgrade episodes of an earlier version of a kind; another family's stay unchanged.

    Raises:
        VersionError: they are of a newer version, or nothing leads from theirs to `kind`.
        SchemaError: a registered step made episodes of an unexpected kind.
    """
    theirs, ours = _KIND.fullmatch(batch.schema.kind), _KIND.fullmatch(kind)
    if theirs is None or ours is None or theirs["family"] != ours["family"]:
        return batch
    found, goal = int(theirs["version"]), int(ours["version"])
    if found == goal:
        return batch
    upgraded = episodes(ours["family"]).upgrade(batch, found, goal)
    if upgraded.schema.kind != kind:
        raise SchemaError(
            f"the upgrade of {batch.schema.kind!r} made {upgraded.schema.kind!r}, expected {kind!r}"
        )
    return upgraded


@RUN.step(1)
def _sealed_from_now_on(document: dict[str, Any]) -> dict[str, Any]:
    """Version 2 of `run.json` has a seal, checked and taken off by its reader; nothing else."""
    return document


@RUN.step(2)
def _a_name_and_a_hash_from_now_on(document: dict[str, Any]) -> dict[str, Any]:
    """Version 3 never holds a path of code; of one in version 2, the file's name is what stays."""
    path, config = document["game"], document.get("config")
    if not isinstance(path, str) or not path.endswith(".py"):
        return {**document, "game_source": ""}
    name = PurePath(path).stem
    if isinstance(config, dict) and "game" in config:
        config = {**config, "game": name}
    return {**document, "game": name, "game_source": UNKNOWN_SOURCE, "config": config}


@RUN.step(3)
def _algorithm_named_from_now_on(document: dict[str, Any]) -> dict[str, Any]:
    """Version 4 names the algorithm; before it there was only one, which has no name here."""
    return {**document, "algorithm": ""}


@HOLD.step(1)
@TRAINER.step(1)
@ACTOR.step(1)
def _named_from_now_on(document: dict[str, Any]) -> dict[str, Any]:
    """Version 2 says its format; nothing else."""
    return document


@EVALUATION.step(1)
def _measures_from_now_on(document: dict[str, Any]) -> dict[str, Any]:
    """Version 2 has the steps that an environment's measures counted; version 1 had none."""
    return {**document, "counts": {}}


@MATCH.step(1)
def _openings_named_from_now_on(document: dict[str, Any]) -> dict[str, Any]:
    """Version 2 names the opening of each pair; of one in version 1, the reader finds it."""
    return {**document, "opening_ids": None}


@MATCH.step(2)
def _dated_runs_from_now_on(document: dict[str, Any]) -> dict[str, Any]:
    """Version 3 says when the agents' runs were created."""
    return {**document, "created": ["", ""]}


@ACTOR.step(2)
def _policies_as_entries_from_now_on(document: dict[str, Any]) -> dict[str, Any]:
    """Version 3 has the actions with weight of each row's policy, version 2 all actions."""
    arrays = dict(document["arrays"])
    for name in [name for name in arrays if name.endswith(".row_policy")]:
        shard = name.removesuffix(".row_policy")
        policy, count = arrays.pop(name), arrays[f"{shard}.row_count"]
        policy = policy[np.arange(policy.shape[1]) < count[:, None]]
        row, action = np.nonzero(policy)
        counts = np.bincount(row, minlength=len(policy)).astype(np.uint16)
        arrays[f"{shard}.policy_count"] = counts
        arrays[f"{shard}.policy_action"] = action.astype(np.uint16)
        arrays[f"{shard}.policy_weight"] = policy[row, action]
    return {**document, "arrays": arrays}


@ACTOR.step(3)
def _starts_and_surprise_from_now_on(document: dict[str, Any]) -> dict[str, Any]:
    """Version 4 has the positions that the running games began from, and their rows' surprise."""
    arrays = dict(document["arrays"])
    for name in [name for name in arrays if name.endswith(".row_value")]:
        shard = name.removesuffix(".row_value")
        arrays[f"{shard}.row_surprise"] = np.full_like(arrays[name], np.nan)
        arrays[f"{shard}.start"] = np.zeros(0, np.uint8)
        arrays[f"{shard}.start_bytes"] = np.zeros(len(arrays[name]), np.int64)
    return {**document, "arrays": arrays}
