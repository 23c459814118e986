"""Keep checkpoints from pruning: the named ones, and the one noted as the best.

    <run>/kept/<step>-<name>.json              named, so that it stays
    <run>/kept/best-<files>-<step>.json        the best of that many files of recorded matches
    <run>/kept/best-score-<files>-<step>.json  the same of that many evaluations in an environment

The names of the files say all that pruning needs: a trainer learns it from one short listing,
however many matches were played. Nothing in a store is replaced, so a new best is a new file; the
one before is removed after that.
"""

import json
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from store import checkpoints
from store.errors import (
    UNREADABLE,
    AlreadyStoredError,
    CheckpointError,
    CheckpointNotFoundError,
    StoreError,
)
from store.files.protocol import MOST_JSON_BYTES, FileEntry, Files
from store.run import Run
from store.upgrades import KEPT

KEPT_FOLDER = "kept"

_NAMED = re.compile(r"(\d{9,18})-([A-Za-z0-9][A-Za-z0-9._-]{0,49})\.json")
_BEST = re.compile(r"best-(\d{9})-(\d{9,18})\.json")
_BEST_SCORE = re.compile(r"best-score-(\d{9})-(\d{9,18})\.json")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")
_logger = logging.getLogger("ludens.store")
Note = TypeVar("Note")


@dataclass(frozen=True)
class NotedBest:
    """The checkpoint that played best in a number of files of recorded matches.

    `elo` is about the mean of all who played, `error` half its 95% interval, `games` its own.
    """

    step: int
    games: int
    elo: float
    error: float
    matches: int


@dataclass(frozen=True)
class NotedScore:
    """The checkpoint with the highest mean score in a number of files of evaluations.

    Attributes:
        step: the checkpoint's.
        games: of its evaluation.
        score: their mean.
        error: half of its 95% interval; None for one game.
        protocol: name of the Atari protocol; "" for other environments.
        epsilon: share of random actions.
        evaluations: files counted.
    """

    step: int
    games: int
    score: float
    error: float | None
    protocol: str
    epsilon: float
    evaluations: int


@dataclass(frozen=True)
class KeptNames:
    """The kept checkpoints, read from the names of the files in their folder.

    Attributes:
        named: {name: step}.
        best: (files of matches counted, step) of each noted best, rising; the last one counts.
        best_score: (files of evaluations counted, step), likewise.
    """

    named: dict[str, int] = field(default_factory=dict)
    best: list[tuple[int, int]] = field(default_factory=list)
    best_score: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def among(cls, entries: Iterable[FileEntry]) -> "KeptNames":
        """Parse the names among a run's files; other names are ignored."""
        start = f"{KEPT_FOLDER}/"
        names = [e.key.removeprefix(start) for e in entries if e.key.startswith(start)]
        named = {m[2]: int(m[1]) for m in map(_NAMED.fullmatch, names) if m}
        best, best_score = (
            sorted((int(m[1]), int(m[2])) for m in map(pattern.fullmatch, names) if m)
            for pattern in (_BEST, _BEST_SCORE)
        )
        return cls(named, best, best_score)

    @property
    def steps(self) -> set[int]:
        """Return the steps that pruning keeps."""
        return {*self.named.values(), *(step for _, step in [*self.best, *self.best_score])}


def kept_names(files: Files) -> KeptNames:
    """List a run's kept checkpoints, by one listing."""
    return KeptNames.among(files.tree(KEPT_FOLDER))


def keep(run: Run, step: int, name: str) -> None:
    """Name a checkpoint, so that no later pruning drops it.

    Raises:
        StoreError: the name is not allowed, or is another checkpoint's.
        CheckpointNotFoundError: there is no complete checkpoint of that step, or it is pruned now.
        CheckpointError: its manifest is damaged.
        StoreWriteError: the store cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise StoreError(
            f"a checkpoint cannot be named {name!r}: expected 1 to 50 letters, digits, '.', '_' or "
            "'-', the first a letter or digit"
        )
    if (other := kept_names(run.files).named.get(name, step)) != step:
        raise StoreError(
            f"the name {name!r} is that of checkpoint {other} of run {run.name!r}; release it "
            "first, or choose another"
        )
    key = f"{KEPT_FOLDER}/{step:09d}-{name}.json"
    is_new = run.files.create_same(key, encode_note({"step": step, "name": name}))
    try:
        checkpoints.read_metadata(run, step)  # after that: it may be pruned at this moment
    except (CheckpointError, CheckpointNotFoundError):
        if is_new:
            run.files.remove_many([key])
        raise


def release(run: Run, name: str) -> int:
    """Remove a checkpoint's name, so that it may be pruned; return its step.

    Raises StoreError for an unknown name; the error lists the known ones.
    """
    named = kept_names(run.files).named
    if name not in named:
        known = f"it has {', '.join(map(repr, sorted(named)))}" if named else "it has no names"
        raise StoreError(f"run {run.name!r} keeps no checkpoint named {name!r}; {known}")
    run.files.remove_many([f"{KEPT_FOLDER}/{named[name]:09d}-{name}.json"])
    return named[name]


def note_best(files: Files, best: NotedBest) -> None:
    """Note the best checkpoint, so that pruning keeps it; earlier notes are removed.

    Raises StoreWriteError or OSError.
    """
    _note(files, "best", kept_names(files).best, (best.matches, best.step), asdict(best))


def note_best_score(files: Files, best: NotedScore) -> None:
    """Note the checkpoint with the best score, as `note_best` does."""
    noted = best.evaluations, best.step
    _note(files, "best-score", kept_names(files).best_score, noted, asdict(best))


def _note(
    files: Files,
    kind: str,
    before: list[tuple[int, int]],
    noted: tuple[int, int],
    document: dict[str, Any],
) -> None:
    try:
        files.create_same(_best_key(kind, *noted), encode_note(document))
    except AlreadyStoredError:  # of the same files, by another program's reckoning
        _logger.info("the best checkpoint of %d files is noted already", noted[0])
    if older := [_best_key(kind, *other) for other in before if other < noted]:
        files.remove_many(older)


def read_best(files: Files, kept: KeptNames, matches: int) -> NotedBest | None:
    """Read the best noted for exactly `matches` files; None without an intact note."""

    def decoded(document: dict[str, Any]) -> NotedBest:
        step, games, matches = (int(document[name]) for name in ("step", "games", "matches"))
        return NotedBest(step, games, float(document["elo"]), float(document["error"]), matches)

    found = _read_note(files, "best", kept.best, matches, decoded)
    return found if found and (found.matches, found.step) == kept.best[-1] else None


def read_best_score(files: Files, kept: KeptNames, evaluations: int) -> NotedScore | None:
    """Read the best noted for exactly `evaluations` files; None without an intact note."""

    def decoded(document: dict[str, Any]) -> NotedScore:
        step, games, evaluations = (
            int(document[name]) for name in ("step", "games", "evaluations")
        )
        score, epsilon = (float(document[name]) for name in ("score", "epsilon"))
        error, protocol = document["error"], document["protocol"]
        if not (isinstance(protocol, str) and protocol.isprintable()):
            raise ValueError(f"its protocol is {protocol!r:.80}")
        error = None if error is None else float(error)
        return NotedScore(step, games, score, error, protocol, epsilon, evaluations)

    found = _read_note(files, "best-score", kept.best_score, evaluations, decoded)
    return found if found and (found.evaluations, found.step) == kept.best_score[-1] else None


def _read_note(
    files: Files,
    kind: str,
    noted: list[tuple[int, int]],
    count: int,
    decoded: Callable[[dict[str, Any]], Note],
) -> Note | None:
    """Read the last of these notes if it is of `count` files; None without an intact one."""
    if not noted or noted[-1][0] != count:
        return None
    try:
        data = files.read(_best_key(kind, *noted[-1]), MOST_JSON_BYTES)
        return decoded(KEPT.read(json.loads(data)))
    except UNREADABLE as error:
        _logger.warning("the note of the best checkpoint is skipped: %s", error)
        return None


def _best_key(kind: str, files: int, step: int) -> str:
    return f"{KEPT_FOLDER}/{kind}-{files:09d}-{step:09d}.json"


def encode_note(document: dict[str, Any]) -> bytes:
    """Return the content of a file in the folder of what is kept."""
    text = json.dumps({"format": KEPT.name, **document}, sort_keys=True, allow_nan=False)
    return (text + "\n").encode()
