"""Count each distinct game once: a repeated game is no new evidence.

An agent that searches with a network, or plays its policy, is deterministic in a match. Two
such agents play the same game whenever they begin from the same opening, whatever the seed, the
batch or the day (but for the last bits of a network's answer, which are no new evidence either), so
a pair of games from an opening counts once over all that is recorded of them.
The solver's choice among equally good moves changes no result that it can force, so it is no new
evidence either. Where an agent plays by chance in every game (`PLAY_BY_CHANCE`) each pair of games
is a new sample and counts: pairs of one opening then measure that opening alone. Such a pair is
identified by its match and its number, and counts once if several runs have recorded it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from itertools import islice

import numpy as np

from arena.match.openings import ATTEMPTS, Opening, balanced_openings, random_position
from arena.match.records import Batch, MatchKey
from arena.opponents.names import is_opponent, repeats_itself
from envs.game import Game
from envs.registry import BUILT_IN, find_game

PLAY_BY_CHANCE = ("random", "mcts")  # any legal move; rollouts
MOST_UNNAMED = 20_000  # pairs of one match whose openings are drawn again

_RANDOM = re.compile(r"random:(\d{1,4})")


def repeat_themselves(agents: Iterable[str]) -> bool:
    """Whether agents with these exact names repeat the same game from the same opening."""
    return not any(_plays_by_chance(agent) for agent in agents)


def _plays_by_chance(agent: str) -> bool:
    if is_opponent(agent):
        return not repeats_itself(agent)
    return re.split("[@:]", agent)[0] in PLAY_BY_CHANCE


class Evidence:
    """The pairs of games that count; pass each batch to one `Evidence` only once."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, frozenset[str]], set[str]] = {}
        self._numbers: dict[str, set[int]] = {}  # of the pairs of each match, by its id

    def take(self, key: MatchKey, batch: Batch) -> Batch:
        """Return the batch without pairs that repeat an earlier pair or each other."""
        if not repeat_themselves(key.agents):
            return self._unknown(key, batch)
        seen = self._openings(key)
        kept = []
        for i, name in enumerate(opening_ids(key, batch)):
            if name not in seen:
                seen.add(name)
                kept.append(i)
        return batch if len(kept) == len(batch.points) else batch.only(kept)

    def has_all(self, key: MatchKey, openings: Iterable[Opening]) -> bool:
        """Whether all pairs from these openings would repeat games that were counted."""
        if not repeat_themselves(key.agents):
            return False
        seen = self._openings(key)
        return all(opening.id in seen for opening in openings)

    def numbers(self, key: MatchKey) -> Collection[int]:
        """Return the numbers of the pairs that were counted, of agents that play by chance."""
        return self._numbers.get(key.id, ())

    def _unknown(self, key: MatchKey, batch: Batch) -> Batch:
        """Return the batch without pairs of this match that were counted before."""
        known = self._numbers.setdefault(key.id, set())
        numbers = range(batch.first_pair, batch.end)
        kept = [i for i, number in enumerate(numbers) if number not in known]
        known.update(numbers)
        return batch if len(kept) == len(batch.points) else batch.only(kept)

    def _openings(self, key: MatchKey) -> set[str]:
        return self._seen.setdefault((key.game, frozenset(key.agents)), set())


def distinct(records: Iterable[tuple[MatchKey, Batch]]) -> Iterator[tuple[MatchKey, Batch]]:
    """Keep the pairs that count of recorded batches; drop batches without any."""
    evidence = Evidence()
    for key, batch in records:
        counted = evidence.take(key, batch)
        if len(counted.points):
            yield key, counted


def opening_ids(key: MatchKey, batch: Batch) -> tuple[str, ...]:
    """Return each pair's `Opening.id`, drawn again where the record does not name it.

    Where that cannot be done (a book, a game of one's own) each pair of a match counts as one from
    another opening.
    """
    if batch.opening_ids is not None:
        return batch.opening_ids
    numbers = range(batch.first_pair, batch.end)
    known = _unnamed(key.game, key.openings, key.seed).up_to(batch.end)
    return tuple(known[i] if i < len(known) else f"{key.openings} {key.seed} {i}" for i in numbers)


class _Unnamed:
    """The ids of a stream of openings, cached as they are drawn."""

    def __init__(self, stream: Iterator[Opening]) -> None:
        self._stream = islice(stream, MOST_UNNAMED)
        self._ids: list[str] = []

    def up_to(self, end: int) -> list[str]:
        """Return at least `end` ids, fewer if the stream ends."""
        self._ids += (o.id for o in islice(self._stream, max(0, end - len(self._ids))))
        return self._ids


@lru_cache(maxsize=256)
def _unnamed(game_name: str, label: str, seed: int) -> _Unnamed:
    """Return the openings of a match whose records do not name them; none if unknown.

    Built-in games alone: a name that comes from a store is no file to import.
    """
    if game_name in BUILT_IN:
        game = find_game(game_name)
        if named := _RANDOM.fullmatch(label):
            return _Unnamed(_repeating_stream(game, int(named[1]), seed))
        # Those with a number of plies are not drawn again: each costs a search.
        if label == "balanced" and (even := balanced_openings(game)).label == label:
            return _Unnamed(even.stream(seed))
    return _Unnamed(iter(()))


def _repeating_stream(game: Game, plies: int, seed: int) -> Iterator[Opening]:
    """Draw random openings as older records did: the stream restarts when few are left."""
    rng = np.random.default_rng([seed, 0])
    seen: set[bytes] = set()
    while True:
        found = None
        for _ in range(ATTEMPTS):
            state = random_position(game, plies, rng)
            if state is not None:
                found = state
                if state.tobytes() not in seen:
                    break
        else:
            seen.clear()
        if found is None:
            return
        seen.add(found.tobytes())
        yield Opening(found, plies)
