"""Past opponents and how good each still is (OpenAI et al. 2019, appendix N)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.ppo.config import PoolConfig

MOST_FALL = 1.0  # of a quality by one match: an opponent e times less likely
LEAST_CHANCE = 1e-12


class Result(NamedTuple):
    """How a match against a past opponent ended.

    Attributes:
        opponent: its number.
        score: of the newest network: 1 won, 0.5 drawn, 0 lost.
    """

    opponent: int
    score: float


def probabilities(qualities: Sequence[float]) -> NDArray[np.float64]:
    """Return how likely each opponent is chosen: the softmax of the qualities, float64 [N]."""
    greatest = max(qualities, default=0.0)
    weights: NDArray[np.float64] = np.exp(np.array(qualities, np.float64) - greatest)
    shares: NDArray[np.float64] = weights / weights.sum() if len(weights) else weights
    return shares


class Pool:
    """The qualities of past opponents by number; who keeps their weights is no matter of this.

    Attributes:
        qualities: {number: quality}, the older first.
    """

    def __init__(self, config: PoolConfig) -> None:
        self.config = config
        self.qualities: dict[int, float] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self.qualities)

    def add(self) -> tuple[int, int | None]:
        """Add an opponent of the greatest quality of all; return its number, and whose it takes.

        Beyond the size, that of the lowest quality goes, the oldest of equal ones.
        """
        number, self._next = self._next, self._next + 1
        gone = self.remove_worst() if len(self) >= self.config.size else None
        self.qualities[number] = max(self.qualities.values(), default=0.0)
        return number, gone

    def remove_worst(self) -> int:
        """Remove the opponent of the lowest quality, the oldest of equal ones; return its number.

        Raises ValueError without any.
        """
        worst = min(self.qualities, key=self.qualities.__getitem__)
        del self.qualities[worst]
        return worst

    def update(self, results: Iterable[Result]) -> None:
        """Lower the quality of each opponent that was beaten, once a match.

        By rate / (N p) of N opponents, where p is how likely it was chosen: one that is rarely
        chosen moves as fast as one that often is. The p of all these matches is that of now, as
        they were chosen before any of them was known; and no match counts for more than MOST_FALL.
        One that has left the pool is passed over.
        """
        chances = probabilities([*self.qualities.values()]).tolist()
        chosen = dict(zip(self.qualities, chances, strict=True))
        for result in results:
            if result.score > 0.5 and result.opponent in self.qualities:
                fall = self.config.rate / (len(self) * max(chosen[result.opponent], LEAST_CHANCE))
                self.qualities[result.opponent] -= min(fall, MOST_FALL)

    def state(self) -> dict[str, Any]:
        """Return the qualities as plain values."""
        return {"qualities": dict(self.qualities), "next": self._next}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`."""
        self.qualities = {int(number): float(q) for number, q in state["qualities"].items()}
        self._next = int(state["next"])


class Opponents:
    """Whom each of a worker's matches is against; changed between matches only.

    Attributes:
        opponents: int64 [m] the number of a past opponent, or LATEST.
        sides: int64 [m] the team that the newest network has against a past one.
    """

    LATEST = -1

    def __init__(self, config: PoolConfig, matches: int, rng: np.random.Generator) -> None:
        self.config = config
        self.rng = rng
        self.opponents = np.full(matches, self.LATEST)
        self.sides = np.zeros(matches, np.int64)
        self.qualities: dict[int, float] = {}
        self._taken: dict[int, int] = {}  # matches begun against each that plays now
        self._owed = 0  # matches against past opponents that wait for a place
        expected = (1.0 - config.latest) * matches / config.at_once
        self._most = max(1, round(2 * expected))  # of one, before another gets its place

    def begin(self, matches: Iterable[int]) -> None:
        """Choose opponents for matches that begin."""
        for match in matches:
            self.opponents[match] = self.LATEST
            if not self.qualities:
                continue
            self._owed += self.rng.random() >= self.config.latest
            if self._owed and (chosen := self._choose()) != self.LATEST:
                self._owed -= 1
                self.opponents[match] = chosen
                self.sides[match] = self.rng.integers(2)

    def playing(self) -> list[int]:
        """Return the past opponents of the current matches."""
        return [int(number) for number in np.unique(self.opponents) if number != self.LATEST]

    def _choose(self) -> int:
        """Draw by quality, but at most `at_once` play.

        For one that is drawn and has no place, one of those that have plays instead, until it has
        begun its share of matches and gives up its place so; while there is no such one, it is
        LATEST. Opponents so likely that they would fill a place always keep theirs.
        """
        playing = self.playing()
        self._taken = {number: self._taken.get(number, 0) for number in playing}
        numbers = [*self.qualities]
        chances = probabilities([*self.qualities.values()])
        chosen = self._draw(numbers)
        lasting = {n for n, p in zip(numbers, chances, strict=True) if p * self.config.at_once >= 1}
        going = {n for n in playing if self._taken[n] >= self._most} - lasting
        has_place = chosen in playing or len(playing) < self.config.at_once
        is_crowded = len(numbers) > self.config.at_once
        if is_crowded and (chosen in going or not has_place):
            stay = [n for n in numbers if n in playing and n not in lasting | going]
            if not stay and not going:  # every place is a lasting one's
                stay = [n for n in numbers if n in playing]
            if not stay:
                return self.LATEST
            chosen = self._draw(stay)
        self._taken[chosen] = self._taken.get(chosen, 0) + 1
        return chosen

    def _draw(self, numbers: Sequence[int]) -> int:
        chances = probabilities([self.qualities[number] for number in numbers])
        return numbers[int(self.rng.choice(len(numbers), p=chances))]
