"""Note how strong a run's checkpoints were in the last ladder that rated them.

    <run>/kept/ratings-<number>.json    the one with the highest number counts

So a program that plays them at a given strength need not read and fit all recorded matches. Nothing
in a store is replaced: new ratings are a new file, and those before are removed after that.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from store.errors import UNREADABLE, AlreadyStoredError
from store.files.protocol import MOST_JSON_BYTES, Files
from store.upgrades import KEPT
from store.upkeep.keeps import KEPT_FOLDER, encode_note

_NAME = re.compile(r"ratings-(\d{9})\.json")
_logger = logging.getLogger("ludens.store")


@dataclass(frozen=True)
class NotedRating:
    """A checkpoint's rating; `error` is half of its 95% interval."""

    step: int
    elo: float
    error: float


@dataclass(frozen=True)
class NotedRatings:
    """The ratings of a run's checkpoints in one ladder.

    Attributes:
        simulations: of each move, with which they hold; 0 is the network alone.
        anchors: {agent: the Elo that it was given}, which make the scale.
        ratings: of the checkpoints, by step.
    """

    simulations: int
    anchors: Mapping[str, float]
    ratings: Sequence[NotedRating]


def note_ratings(files: Files, noted: NotedRatings) -> None:
    """Note the ratings in place of those before.

    Raises StoreWriteError or OSError.
    """
    before = _numbers(files)
    number = max(before, default=0) + 1
    while True:
        try:
            files.create_same(_key(number), encode_note(asdict(noted)))
            break
        except AlreadyStoredError:  # by another program, since they were listed
            number += 1
    if before:
        files.remove_many([_key(older) for older in before])


def read_ratings(files: Files) -> NotedRatings | None:
    """Read the newest ratings; None without an intact note."""
    numbers = _numbers(files)
    if not numbers:
        return None
    try:
        return _decode(KEPT.read(json.loads(files.read(_key(max(numbers)), MOST_JSON_BYTES))))
    except UNREADABLE as error:
        _logger.warning("the note of the ratings is skipped: %s", error)
        return None


def _decode(document: dict[str, Any]) -> NotedRatings:
    """Raise ValueError, KeyError or TypeError for what no program of ours wrote."""
    ratings = [
        NotedRating(int(one["step"]), _finite(one["elo"]), _finite(one["error"]))
        for one in document["ratings"]
    ]
    anchors = {str(name): _finite(elo) for name, elo in dict(document["anchors"]).items()}
    simulations = int(document["simulations"])
    if simulations < 0 or any(one.step < 0 for one in ratings):
        raise ValueError(f"{simulations} simulations, steps {[one.step for one in ratings]}")
    return NotedRatings(simulations, anchors, ratings)


def _finite(number: Any) -> float:
    if not math.isfinite(number):
        raise ValueError(f"{number} is no rating")
    return float(number)


def _numbers(files: Files) -> list[int]:
    found = map(_NAME.fullmatch, files.names(KEPT_FOLDER))
    return [int(match[1]) for match in found if match]


def _key(number: int) -> str:
    return f"{KEPT_FOLDER}/ratings-{number:09d}.json"
