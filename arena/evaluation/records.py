"""Store evaluations of a run's checkpoints: one immutable file each.

    <store>/<run>/evaluations/<id>-<step>-<games>.json

The id comes from environment, step, protocol, epsilon and seed; so whoever asks for an evaluation
finds it. A second one with more games has a file of its own, and counts in place of the first. A
run's name is not in a record: runs are exported and imported under others.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from arena.evaluation.statistics import mean_error
from envs.atari.measures import measures_of
from envs.atari.protocol import NATURE
from envs.atari.scores import human_normalised
from store.errors import UNREADABLE, AlreadyStoredError
from store.files.protocol import MOST_JSON_BYTES, Files
from store.upgrades import EVALUATION
from store.upkeep.verify import EVALUATION_FOLDER

MOST_GAMES = 10**6  # of one evaluation, by the names of its files

_NAME = re.compile(r"(?P<id>[0-9a-f]{16})-(?P<step>\d{9,18})-(?P<games>\d{1,7})\.json")
_logger = logging.getLogger("ludens.arena")


@dataclass(frozen=True)
class EvaluationKey:
    """What the games of an evaluation are of; a record with the same key stands for it.

    The number of environments at once is not in it: that changes which games a seed plays, but not
    how likely a score is.

    Attributes:
        environment: its name.
        step: the checkpoint's; None for an agent without one, whose evaluation is not stored.
        protocol: name of the Atari protocol; "" for other environments.
        epsilon: share of random actions.
        seed: of the environments and of what is random in the agent.
    """

    environment: str
    step: int | None
    protocol: str
    epsilon: float
    seed: int

    @cached_property
    def id(self) -> str:
        """16 hexadecimal digits."""
        # Not today's format: an evaluation must be found that was stored before a change of it.
        parts = [self.environment, self.step, self.protocol, self.epsilon, self.seed]
        text = json.dumps(["ludens-evaluation/1", *parts])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Evaluation:
    """The games of one agent under one protocol.

    Attributes:
        key: what they are of.
        scores: true returns of the n games, [n].
        lengths: their agent steps, [n].
        frames: frames of the environment in all of them.
        minutes: of training up to the checkpoint; None where unknown, as is the next.
        rows: training rows made by then.
        counts: steps of each game that a measure of the environment counted, {its name: [n]}.
    """

    key: EvaluationKey
    scores: NDArray[np.float64]
    lengths: NDArray[np.int64]
    frames: int
    minutes: float | None = None
    rows: int | None = None
    counts: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)

    @property
    def measured(self) -> dict[str, float]:
        """Return the share of all steps that each measure counted, by the measure's name."""
        steps = int(self.lengths.sum())
        return {name: int(counts.sum()) / max(steps, 1) for name, counts in self.counts.items()}

    @property
    def games(self) -> int:
        """Return how many games."""
        return len(self.scores)

    @property
    def mean(self) -> float:
        """Return the mean score."""
        return float(self.scores.mean())

    @property
    def deviation(self) -> float | None:
        """Return the standard deviation of the scores, by n - 1; None for one game."""
        return float(self.scores.std(ddof=1)) if self.games > 1 else None

    @property
    def error(self) -> float | None:
        """Return half of the 95% interval of the mean; None for one game."""
        return mean_error(self.scores)

    @property
    def median(self) -> float:
        """Return the median score."""
        return float(np.median(self.scores))

    @property
    def human_normalised(self) -> float | None:
        """Return the mean score where 0 is random play and 1 a person's; None if unknown.

        Both were published for the protocol `nature` alone (`envs.atari.scores`).
        """
        if self.key.protocol != NATURE.name:
            return None
        return human_normalised(self.key.environment, self.mean)

    def to_json(self) -> dict[str, Any]:
        """Return values for JSON."""
        return {
            "environment": self.key.environment,
            "step": self.key.step,
            "minutes": self.minutes,
            "rows": self.rows,
            "protocol": self.key.protocol,
            "epsilon": self.key.epsilon,
            "seed": self.key.seed,
            "games": self.games,
            "mean": self.mean,
            "deviation": self.deviation,
            "error": self.error,
            "median": self.median,
            "best": float(self.scores.max()),
            "human_normalised": self.human_normalised,
            **self.measured,
            "frames": self.frames,
            "scores": self.scores.tolist(),
            "lengths": self.lengths.tolist(),
            **({"counts": _lists(self.counts)} if self.counts else {}),
        }


class ReadableFiles(Protocol):
    """What reading evaluations needs of a run's `Files`."""

    def names(self, folder: str) -> list[str]:
        """List the files directly in a folder, sorted by name."""

    def read(self, key: str, most: int | None = None) -> bytes:
        """Read a file of at most `most` bytes; raises OSError."""


def read_evaluations(files: ReadableFiles) -> list[Evaluation]:
    """Read a run's evaluations, by step; of each key the one with the most games.

    Unreadable files are skipped with a warning.
    """
    found: dict[EvaluationKey, Evaluation] = {}
    for name in files.names(EVALUATION_FOLDER):
        named = _NAME.fullmatch(name)
        evaluation = _read(files, name) if named else None
        if evaluation is None or named is None or evaluation.key.id != named["id"]:
            continue
        other = found.get(evaluation.key)
        if other is None or other.games < evaluation.games:
            found[evaluation.key] = evaluation
    return sorted(found.values(), key=lambda evaluation: evaluation.key.step or 0)


def find_evaluation(files: Files, key: EvaluationKey, games: int) -> Evaluation | None:
    """Read the evaluation of this key with the most games, of at least `games`; else None."""
    named = filter(None, map(_NAME.fullmatch, files.names(EVALUATION_FOLDER)))
    names = [m[0] for m in named if m["id"] == key.id and int(m["games"]) >= games]
    for name in sorted(names, key=lambda name: int(name[:-5].rpartition("-")[2]), reverse=True):
        evaluation = _read(files, name)
        if evaluation is not None and evaluation.key == key and evaluation.games >= games:
            return evaluation
    return None


def store_evaluation(files: Files, evaluation: Evaluation) -> Evaluation:
    """Commit an evaluation. If another process committed it first, that record counts.

    Raises StoreWriteError when the store refuses, AlreadyStoredError for a damaged twin.
    """
    key = evaluation.key
    name = f"{key.id}-{key.step:09d}-{evaluation.games}.json"
    try:
        files.create(f"{EVALUATION_FOLDER}/{name}", encode(evaluation))
    except AlreadyStoredError:
        stored = find_evaluation(files, key, evaluation.games)
        if stored is None:
            raise
        return stored
    return evaluation


def encode(evaluation: Evaluation) -> bytes:
    """Encode an evaluation as a document of the current format, in one line."""
    key = evaluation.key
    document = {
        "format": EVALUATION.name,
        "environment": key.environment,
        "step": key.step,
        "minutes": evaluation.minutes,
        "rows": evaluation.rows,
        "protocol": key.protocol,
        "epsilon": key.epsilon,
        "seed": key.seed,
        "mean": evaluation.mean,
        "frames": evaluation.frames,
        "scores": evaluation.scores.tolist(),
        "lengths": evaluation.lengths.tolist(),
        "counts": _lists(evaluation.counts),
    }
    return (json.dumps(document, allow_nan=False) + "\n").encode()


def _read(files: ReadableFiles, name: str) -> Evaluation | None:
    try:
        return _decode(files.read(f"{EVALUATION_FOLDER}/{name}", MOST_JSON_BYTES))
    except UNREADABLE as error:
        _logger.warning("evaluation %r is skipped: %s", name, error)
        return None


def _decode(data: bytes) -> Evaluation:
    document = EVALUATION.read(json.loads(data))
    environment, protocol = document["environment"], document["protocol"]
    if not all(isinstance(text, str) and text.isprintable() for text in (environment, protocol)):
        raise ValueError(f"its environment is {environment!r:.80} by {protocol!r:.80}")
    step, seed, frames = (_whole(document[name]) for name in ("step", "seed", "frames"))
    key = EvaluationKey(environment, step, protocol, _finite(document["epsilon"]), seed)
    scores = _numbers(document["scores"], "if").astype(np.float64)
    lengths = _numbers(document["lengths"], "i").astype(np.int64)
    if len(scores) != len(lengths) or not np.isfinite(scores).all():
        raise ValueError(f"it has {len(scores)} scores and {len(lengths)} lengths")
    minutes, rows = document["minutes"], document["rows"]
    return Evaluation(
        key,
        scores,
        lengths,
        frames,
        None if minutes is None else _finite(minutes),
        None if rows is None else _whole(rows),
        _counts(document["counts"], environment, lengths),
    )


def _lists(counts: Mapping[str, NDArray[np.int64]]) -> dict[str, list[int]]:
    return {name: found.tolist() for name, found in counts.items()}


def _counts(
    stored: Any, environment: str, lengths: NDArray[np.int64]
) -> dict[str, NDArray[np.int64]]:
    """Decode the counts of measures that the environment has; others are left out."""
    if not isinstance(stored, dict):
        raise ValueError(f"its counts are {stored!r:.80}")
    found = {}
    for measure in measures_of(environment):
        if measure.name in stored:
            counts = _numbers(stored[measure.name], "i").astype(np.int64)
            if len(counts) != len(lengths) or (counts < 0).any() or (counts > lengths).any():
                raise ValueError(f"{measure.name}: expected a count of each game's steps")
            found[measure.name] = counts
    return found


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r:.80}: expected a whole number")
    return value


def _finite(value: Any) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r:.80}: expected a number")
    return float(value)


def _numbers(values: Any, kinds: str) -> NDArray[Any]:
    """Return a list of numbers as an array of one of these NumPy kinds, not empty."""
    found = np.array(values)
    if found.ndim != 1 or not len(found) or found.dtype.kind not in kinds:
        raise ValueError(f"{values!r:.80}: expected a list of numbers")
    return found
