"""Matches: pairs of games from shared openings, colours swapped, many at once.

A match goes on in batches of pairs. With a log each finished batch is in the store, and the same
match continues after those that are there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.players import Player
from arena.match_records import Batch, MatchKey, MatchLog
from arena.openings import Opening, Openings, random_openings
from arena.ratings import score_interval
from arena.sprt import Sprt, SprtState
from envs.game import Game

PAIRS_AT_ONCE = 128
SPRT_PAIRS_AT_ONCE = 32  # how often a sequential test looks
SPRT_GAMES = 20_000  # after so many it gives up, unless told otherwise

Report = Callable[[int, int], None]  # games finished, of how many


@dataclass(frozen=True)
class Tally:
    """Results of the first agent."""

    wins: int
    draws: int
    losses: int

    @property
    def games(self) -> int:
        """How many games."""
        return self.wins + self.draws + self.losses

    @property
    def score(self) -> float:
        """Share of the points, 0 to 1; a draw is half a point."""
        return (self.wins + self.draws / 2) / self.games if self.games else math.nan


@dataclass(frozen=True)
class MatchResult:
    """What a match came to, seen by its first agent."""

    game: str
    agents: tuple[str, str]
    seed: int
    openings: str
    total: Tally
    as_first_player: Tally
    as_second_player: Tally
    pairs: tuple[int, int, int, int, int]  # pairs of 0, 1/2, 1, 3/2 and 2 points
    interval: tuple[float, float]  # 95% confidence of the score
    mean_plies: float  # openings included
    resumed_games: int = 0  # that were recorded before
    sprt: SprtState | None = None

    def to_json(self) -> dict[str, Any]:
        """Values for JSON; the score is said too."""
        sprt = {"sprt": self.sprt._asdict()} if self.sprt else {}
        return {**asdict(self), **sprt, "score": self.total.score}


class Match:
    """Two players, their openings and seed; plays any batch of its pairs."""

    def __init__(
        self, game: Game, players: tuple[Player, Player], openings: Openings, seed: int
    ) -> None:
        self.game = game
        self.players = players
        self.openings = openings
        self.seed = seed
        self._stream: Iterator[Opening] = iter(())
        self._streamed = -1  # openings taken from it; it is begun when first needed

    @property
    def key(self) -> MatchKey:
        """What its record is found by."""
        names = (self.players[0].name, self.players[1].name)
        return MatchKey(self.game.name, names, self.seed, self.openings.label)

    def play(self, first_pair: int, pairs: int, report: Callable[[int], None]) -> Batch:
        """Play these pairs, all at once, reporting the number of finished games now and then.

        The same seed and batch repeat the same games.
        """
        openings = self._openings(first_pair, pairs)
        states = np.repeat(np.concatenate([o.state for o in openings]), 2)
        rngs = [np.random.default_rng([self.seed, 1, 2 * first_pair, agent]) for agent in range(2)]
        for latest in _play_together(self.game, self.players, states, rngs):
            scores, plies = latest
            report(int(np.isfinite(scores).sum()))
        points = np.rint(2 * scores).astype(np.int64).reshape(-1, 2)
        lengths = plies.reshape(-1, 2) + np.array([[o.plies] for o in openings])
        return Batch(first_pair, points, lengths)

    def _openings(self, first: int, count: int) -> list[Opening]:
        if self._streamed != first:
            self._stream = islice(self.openings.stream(self.seed), first, None)
        self._streamed = first + count
        return list(islice(self._stream, count))


def play_match(
    game: Game,
    first: Player,
    second: Player,
    games: int | None = None,
    *,
    seed: int = 0,
    openings: Openings | None = None,
    sprt: Sprt | None = None,
    log: MatchLog | None = None,
    report: Report = lambda finished, games: None,
) -> MatchResult:
    """Play `games` games, each opening twice with the colours swapped; the same seed repeats it.

    Args:
        game: the game.
        first: the agent whose results are told.
        second: its opponent.
        games: how many, recorded ones included (default: 100; with a test, `SPRT_GAMES` at most).
        seed: of openings and chances.
        openings: default `random_openings`.
        sprt: a test that ends the match as soon as it is decided, after a whole batch.
        log: where results are recorded, and whence the match goes on.
        report: is told how far it is.

    Raises:
        ValueError: the number of games is not even and positive, or there are not as many openings.
    """
    match = Match(game, (first, second), openings or random_openings(game), seed)
    wanted = _wanted_pairs(games, match.openings, sprt)
    batches = [] if log is None else [b.up_to(wanted) for b in log.read()]
    batches = _until_decided([b for b in batches if len(b.points)], sprt)
    resumed = sum(b.points.size for b in batches)
    at_once = PAIRS_AT_ONCE if sprt is None else SPRT_PAIRS_AT_ONCE
    done = max(batches[-1].end if batches else 0, log.next_pair() if log else 0)
    while done < wanted and not (sprt and _is_decided(batches, sprt)):
        count = min(wanted, (done // at_once + 1) * at_once) - done
        batch = match.play(done, count, lambda n: report(2 * done + n, 2 * wanted))  # noqa: B023
        batches.append(batch if log is None else log.write(batch))
        done += count
    return _result(match, batches, sprt, resumed)


def _wanted_pairs(games: int | None, openings: Openings, sprt: Sprt | None) -> int:
    available = openings.count
    if games is None:
        games = 100 if sprt is None else SPRT_GAMES
        games = min(games, 2 * available) if available else games
    if games < 2 or games % 2:
        raise ValueError(f"{games} games: expected an even number, for pairs with colours swapped")
    if available is not None and games > 2 * available:
        raise ValueError(
            f"{games} games: there are {available} {openings.label} openings, enough for "
            f"{2 * available} games"
        )
    return games // 2


def pair_counts(batches: list[Batch]) -> NDArray[np.int64]:
    """Pairs [5] with 0, 1/2, 1, 3/2 and 2 points of the first agent."""
    points = [b.points.sum(axis=1) for b in batches]
    return np.bincount(np.concatenate([[], *points]).astype(np.int64), minlength=5)


def _is_decided(batches: list[Batch], sprt: Sprt) -> bool:
    return sprt.state(pair_counts(batches)).decision != "undecided"


def _until_decided(batches: list[Batch], sprt: Sprt | None) -> list[Batch]:
    """The batches up to the one that decided the test: those after it were not part of it."""
    for count in range(1, len(batches) if sprt else 0):
        if sprt and _is_decided(batches[:count], sprt):
            return batches[:count]
    return batches


def _play_together(
    game: Game,
    agents: tuple[Player, Player],
    states: NDArray[Any],
    rngs: list[np.random.Generator],
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int64]]]:
    """Play positions [n] out; in even ones the first agent has the first player's side.

    Yields after every ply the first agent's scores, NaN while a game goes on, and the plies played.
    """
    sides = np.arange(len(states)) % 2  # of the first agent
    scores, plies = np.full(len(states), np.nan), np.zeros(len(states), np.int64)
    active = np.arange(len(states))
    while len(active):
        to_move = np.array([game.rules.to_play(states[i]) for i in active]) ^ sides[active]
        for agent in range(2):
            chosen = active[to_move == agent]
            if len(chosen):
                _move(game, agents[agent], states, chosen, rngs[agent])
        plies[active] += 1
        for i in active:
            if game.rules.is_terminal(states[i]):
                value = float(game.rules.value_to_play(states[i]))
                is_mine = game.rules.to_play(states[i]) == sides[i]
                scores[i] = (1 + (value if is_mine else -value)) / 2
        active = active[np.isnan(scores[active])]
        yield scores, plies


def _move(
    game: Game,
    agent: Player,
    states: NDArray[Any],
    chosen: NDArray[np.int64],
    rng: np.random.Generator,
) -> None:
    for i, action in zip(chosen, agent.choose(states[chosen], rng)):
        if not game.legal_mask(states[i])[action]:
            raise RuntimeError(f"{agent.name} chose action {action}, which is not legal")
        game.rules.step(states[i], int(action))


def _result(match: Match, batches: list[Batch], sprt: Sprt | None, resumed: int) -> MatchResult:
    if not batches:
        raise ValueError("no pair of this match could be read: its records are damaged")
    points = np.concatenate([b.points for b in batches])
    counts = pair_counts(batches)
    key = match.key
    return MatchResult(
        game=key.game,
        agents=key.agents,
        seed=key.seed,
        openings=key.openings,
        total=_tally(points.ravel()),
        as_first_player=_tally(points[:, 0]),
        as_second_player=_tally(points[:, 1]),
        pairs=(int(counts[0]), int(counts[1]), int(counts[2]), int(counts[3]), int(counts[4])),
        interval=score_interval(points.sum(axis=1) / 4),
        mean_plies=float(np.concatenate([b.plies for b in batches]).mean()),
        resumed_games=resumed,
        sprt=sprt.state(counts) if sprt else None,
    )


def _tally(points: NDArray[np.int64]) -> Tally:
    losses, draws, wins = np.bincount(points, minlength=3).tolist()
    return Tally(wins, draws, losses)
