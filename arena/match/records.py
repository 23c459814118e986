"""Store records of matches: one immutable file a batch of pairs, written when it ends.

    <store>/<run>/matches/<id>-<first pair>-<pairs>.jsonl

Files in a store are never appended to or replaced (an object store could not), so a match grows by
files. Its id comes from what decides its games: game, agents and their runs, seed and openings; so
the same match finds its own files and goes on after them. A file has one line: agents, total,
score, the result of each game, and the opening of each pair.

A run may be deleted and its name be given to another. Games of the one are not games of the other,
so a record says when each agent's run was created.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from envs.notation.records import MoveNote
from store.errors import UNREADABLE, AlreadyStoredError
from store.files.protocol import MOST_JSON_BYTES, Files
from store.upgrades import MATCH
from store.upkeep.verify import MATCH_FOLDER

MOST_PAIRS = 10**7  # of one match, by the names of its files
NOT_SAID = ("", "")

_NAME = re.compile(r"(?P<id>[0-9a-f]{16})-(?P<first>\d{7})-(?P<pairs>\d{1,7})\.jsonl")
_logger = logging.getLogger("ludens.arena")


@dataclass(frozen=True)
class MatchKey:
    """What decides the games of a match, so that the same key is the same match.

    Attributes:
        game: its name.
        agents: exact names.
        seed: of openings and chances.
        openings: their label.
        created: when each agent's run was created (`RunInfo.created`); "" for an agent of no run,
            and in records that do not say it.
    """

    game: str
    agents: tuple[str, str]
    seed: int
    openings: str
    created: tuple[str, str] = NOT_SAID

    @cached_property
    def id(self) -> str:
        """16 hexadecimal digits."""
        # Not today's format: a match must find the records of before a change of it.
        parts = ["ludens-match/1", self.game, *self.agents, self.seed, self.openings]
        text = json.dumps([*parts, *(self.created if any(self.created) else ())])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def not_dated(self) -> MatchKey:
        """Return the key of the same match in records that do not say when runs were created."""
        return replace(self, created=NOT_SAID)

    def created_runs(self) -> Iterator[tuple[str, str]]:
        """Yield name and time of creation of the agents' runs, as far as they are known."""
        for agent, created in zip(self.agents, self.created, strict=True):
            if created:
                yield agent.partition("@")[0], created


@dataclass(frozen=True)
class Batch:
    """n pairs of a match, played together.

    Attributes:
        first_pair: number of pairs of the match before these.
        points: [n, 2] half points (0, 1, 2) of the first agent, moving first and moving second.
        plies: [n, 2] lengths of those games, openings included.
        opening_ids: n names of the positions that the pairs began from (`Opening.id`); None in
            records that do not have them.
        moves: of the 2n games, those of a pair side by side, after the opening; None for what was
            read from the store, which does not keep them.
        notes: of each of those moves, in games by the clock.
        late: int64 [n, 2] the agent that lost on time in each game: 1 or 2, 0 for neither; None
            for games without a clock.
    """

    first_pair: int
    points: NDArray[np.int64]
    plies: NDArray[np.int64]
    opening_ids: tuple[str, ...] | None = None
    moves: tuple[tuple[int, ...], ...] | None = None
    notes: tuple[tuple[MoveNote, ...], ...] | None = None
    late: NDArray[np.int64] | None = None

    @property
    def end(self) -> int:
        """Number of pairs of the match up to the last of these."""
        return self.first_pair + len(self.points)

    def outcomes(self) -> NDArray[np.int64]:
        """Count the pairs by result, [3, 3], as `arena.rating.elo.Results` takes them."""
        counts = np.zeros((3, 3), np.int64)
        np.add.at(counts, (self.points[:, 0], self.points[:, 1]), 1)
        return counts

    def up_to(self, pairs: int) -> Batch:
        """Return the batch without the match's pairs from number `pairs` on."""
        return self.only(range(min(len(self.points), max(0, pairs - self.first_pair))))

    def after(self, pairs: int) -> Batch:
        """Return the batch without the match's first `pairs` pairs."""
        skipped = min(len(self.points), max(0, pairs - self.first_pair))
        rest = self.only(range(skipped, len(self.points)))
        return replace(rest, first_pair=self.first_pair + skipped)

    def only(self, kept: Sequence[int]) -> Batch:
        """Return a batch of these pairs alone, by their indices in the batch."""
        chosen = np.array(kept, np.int64)
        ids = None if self.opening_ids is None else tuple(self.opening_ids[i] for i in kept)
        return Batch(self.first_pair, self.points[chosen], self.plies[chosen], ids)


class MatchLog:
    """The record of one match in a run's files."""

    def __init__(self, files: Files, key: MatchKey) -> None:
        self._files = files
        self.key = key
        self._keys = {key, key.not_dated()}
        self._ids = {key.id for key in self._keys}

    def read(self) -> list[Batch]:
        """Read the recorded batches in the order of their pairs, without repeated pairs."""
        found = [batch for key, batch in read_matches(self._files, self._ids) if key in self._keys]
        return sorted(found, key=lambda batch: batch.first_pair)

    def gaps(self, pairs: int, taken: Iterable[tuple[int, int]] = ()) -> list[tuple[int, int]]:
        """List the ranges [first, end) of the first `pairs` pairs neither played nor `taken`.

        Batches that were played at the same time may be recorded in any order, so a match that was
        cut has gaps. A damaged file's pairs are lost, not played again.
        """
        names = filter(None, map(_NAME.fullmatch, self._files.names(MATCH_FOLDER)))
        played = [
            (int(name["first"]), int(name["first"]) + int(name["pairs"]))
            for name in names
            if name["id"] in self._ids
        ]
        found, reached = [], 0
        for first, end in sorted([*played, *taken, (pairs, pairs)]):
            if reached < min(first, pairs):
                found.append((reached, min(first, pairs)))
            reached = max(reached, end)
        return found

    def write(self, batch: Batch) -> Batch:
        """Commit a batch. If another process committed these pairs first, its record counts.

        Raises StoreWriteError when the store refuses, AlreadyStoredError for a damaged twin.
        """
        name = f"{self.key.id}-{batch.first_pair:07d}-{len(batch.points)}.jsonl"
        try:
            self._files.create(f"{MATCH_FOLDER}/{name}", _encode(self.key, batch))
        except AlreadyStoredError:
            found = _read(self._files, f"{MATCH_FOLDER}/{name}")
            if found is None or found[0] != self.key:
                raise
            return found[1]
        return batch


class ReadableFiles(Protocol):
    """What reading records needs of a run's `Files`."""

    def names(self, folder: str) -> list[str]:
        """List the files directly in a folder, sorted by name."""

    def read(self, key: str, most: int | None = None) -> bytes:
        """Read a file of at most `most` bytes; raises OSError."""


def read_matches(
    files: ReadableFiles, ids: Collection[str] | None = None
) -> Iterator[tuple[MatchKey, Batch]]:
    """Read the recorded batches of a run, or of the matches with these ids, without repeated pairs.

    Two processes that play one match may record overlapping batches of unequal length: of the later
    one come the pairs that are new. Unreadable files are skipped with a warning; other kinds of
    record are ignored, and so are games of a run whose name another one has by now.
    """
    found = list(_read_all(files, ids))
    newest: dict[str, str] = {}
    for run, created in chain.from_iterable(key.created_runs() for key, _ in found):
        newest[run] = max(newest.get(run, ""), created)
    for key, batch in found:
        if all(created == newest[run] for run, created in key.created_runs()):
            yield key, batch


def _read_all(
    files: ReadableFiles, ids: Collection[str] | None
) -> Iterator[tuple[MatchKey, Batch]]:
    ends: dict[str, int] = {}
    for name in files.names(MATCH_FOLDER):  # sorted: by match, then by pair
        named = _NAME.fullmatch(name)
        if named is None or (ids is not None and named["id"] not in ids):
            continue
        found = _read(files, f"{MATCH_FOLDER}/{name}")
        if found is None:
            continue
        key, batch = found
        end = ends.get(key.id, 0)
        if key.id == named["id"] and batch.end > end:
            ends[key.id] = batch.end
            yield key, batch.after(end)


def _read(files: ReadableFiles, key: str) -> tuple[MatchKey, Batch] | None:
    try:
        return _decode(files.read(key, MOST_JSON_BYTES))
    except UNREADABLE as error:
        _logger.warning("record %r of a match is skipped: %s", key, error)
        return None


def _encode(key: MatchKey, batch: Batch) -> bytes:
    counts = np.bincount(batch.points.ravel(), minlength=3)
    document = {
        "format": MATCH.name,
        "game": key.game,
        "agents": key.agents,
        "created": key.created,
        "seed": key.seed,
        "openings": key.openings,
        "first_pair": batch.first_pair,
        "total": {"wins": int(counts[2]), "draws": int(counts[1]), "losses": int(counts[0])},
        "score": float(batch.points.mean() / 2),
        "points": batch.points.tolist(),
        "plies": batch.plies.tolist(),
        "opening_ids": batch.opening_ids,
    }
    return (json.dumps(document) + "\n").encode()


def _decode(data: bytes) -> tuple[MatchKey, Batch]:
    document = MATCH.read(json.loads(data))
    one, other = document["agents"]
    openings = document["openings"]
    if not isinstance(openings, str):
        raise ValueError(f"its openings are {openings!r:.80}, expected their label")
    seed, first = document["seed"], document["first_pair"]
    if not all(type(number) is int and number >= 0 for number in (seed, first)):
        raise ValueError(f"its seed is {seed!r:.80}, its first pair {first!r:.80}")
    dates = document["created"]
    if not (isinstance(dates, list) and [type(date) for date in dates] == [str, str]):
        raise ValueError(f"its runs were created {dates!r:.80}, expected two times")
    agents, created = (str(one), str(other)), (dates[0], dates[1])
    key = MatchKey(str(document["game"]), agents, seed, openings, created)
    points, plies = (_whole_numbers(document[name]) for name in ("points", "plies"))
    if points.shape != plies.shape or points.min() < 0 or points.max() > 2:
        raise ValueError("its points are not pairs of 0, 1 or 2")
    ids = document["opening_ids"]
    if ids is not None:
        if len(ids) != len(points) or not all(isinstance(name, str) for name in ids):
            raise ValueError(f"its {len(points)} pairs do not have as many openings")
        ids = tuple(ids)
    return key, Batch(first, points, plies, ids)


def _whole_numbers(rows: Iterable[Any]) -> NDArray[np.int64]:
    found = np.array(rows)
    if found.ndim != 2 or found.shape[1] != 2 or not len(found) or found.dtype.kind != "i":
        raise ValueError(f"expected pairs of whole numbers, got an array of shape {found.shape}")
    return found.astype(np.int64)
