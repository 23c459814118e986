"""Play matches: pairs of games from shared openings, colours swapped, many at a time.

A match is played in batches of pairs. With a log each finished batch is stored, and the same
match continues after the stored batches.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice, takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.players import ForfeitError, Player, side_by_side
from arena.match.clock import TimeControl
from arena.match.evidence import Evidence, distinct, repeat_themselves
from arena.match.openings import Opening, Openings, random_openings
from arena.match.pool import MatchPool, PlannedBatch, UnplayableError, play_all
from arena.match.records import Batch, MatchKey, MatchLog
from arena.match.timed import FIRST, SECOND, play_timed
from arena.opponents.names import is_opponent
from arena.opponents.opponent import OpponentPlayer
from arena.rating.elo import score_interval
from arena.rating.sprt import Sprt, SprtState
from envs.batch import statuses
from envs.game import Game
from envs.positions import new_past, play_moves

PAIRS_AT_ONCE = 128
SPRT_PAIRS_AT_ONCE = 32  # how often a sequential test looks
SPRT_GAMES = 20_000  # default limit of a test's games
PROGRAM_PAIRS_AT_ONCE = 4  # with another program, which is asked about one position at a time
TIMED_PAIRS_AT_ONCE = 1  # by the clock, one game after the other

_logger = logging.getLogger("ludens.arena")

Report = Callable[[int, int], None]  # games finished, of how many
Keep = Callable[[PlannedBatch, Batch], None]
Played = Generator[tuple[PlannedBatch, Batch], None, None]
PlayPlans = Callable[[Iterable[PlannedBatch], Callable[[int], None]], Played]
"""Plays planned batches and yields each when it is over.

The second argument is called with the finished games of a batch in progress.
"""


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
    """The result of a match from its first agent's view."""

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
    clock: str = ""  # by which it was played, SECONDS+INCREMENT
    lost_on_time: tuple[int, int] = (0, 0)  # games, by the first and by the second agent
    resumed_games: int = 0  # recorded before this call
    repeated_games: int = 0  # recorded ones that repeat others, and do not count
    is_used_up: bool = False  # from these openings the agents would only repeat their games
    sprt: SprtState | None = None

    def to_json(self) -> dict[str, Any]:
        """Return values for JSON, with the score."""
        sprt = {"sprt": self.sprt._asdict()} if self.sprt else {}
        return {**asdict(self), **sprt, "score": self.total.score}


class Match:
    """A match and its openings; plans any batch of its pairs."""

    def __init__(self, key: MatchKey, openings: Openings, clock: TimeControl | None = None) -> None:
        self.key = key
        self.openings = openings
        self.clock = clock
        self.repeats = clock is None and repeat_themselves(key.agents)
        self._stream = openings.stream(key.seed)
        self._drawn: list[Opening] = []

    def plan(self, first_pair: int, pairs: int) -> PlannedBatch:
        """Plan a batch of consecutive pairs. The same key and numbers give the same games.

        Once the openings are used up, agents that play by chance begin again with the first; for
        others the batch is shorter, or empty: they would play the same games again.
        """
        end = first_pair + pairs
        self._drawn += islice(self._stream, max(0, end - len(self._drawn)))
        chosen = self._drawn[first_pair:end]
        if len(chosen) < pairs and not self.repeats:
            chosen = [self._drawn[i % len(self._drawn)] for i in range(first_pair, end)]
        return PlannedBatch(self.key, first_pair, tuple(chosen), self.clock)


def play_batch(
    game: Game,
    players: tuple[Player, Player],
    planned: PlannedBatch,
    report: Callable[[int], None] = lambda finished: None,
) -> Batch:
    """Play the pairs of a batch together, reporting the number of finished games.

    Other programs forget earlier games first, so that those of a batch depend on the batch alone.
    """
    for player in players:
        if isinstance(player, OpponentPlayer):
            player.forget()
    if planned.clock is not None:
        return play_timed(game, players, planned, report)
    first, seed = planned.first_pair, planned.key.seed
    states = np.repeat(np.concatenate([o.state for o in planned.openings]), 2)
    rngs = [np.random.default_rng([seed, 1, 2 * first, agent]) for agent in range(2)]
    moves: list[list[int]] = [[] for _ in states]
    for latest in play_out(game, players, states, rngs, moves):
        scores, plies = latest
        report(int(np.isfinite(scores).sum()))
    points = np.rint(2 * scores).astype(np.int64).reshape(-1, 2)
    lengths = plies.reshape(-1, 2) + np.array([[o.plies] for o in planned.openings])
    ids = tuple(opening.id for opening in planned.openings)
    return Batch(first, points, lengths, ids, tuple(map(tuple, moves)))


def play_match(
    game: Game,
    first: Player,
    second: Player,
    games: int | None = None,
    *,
    seed: int = 0,
    openings: Openings | None = None,
    sprt: Sprt | None = None,
    clock: TimeControl | None = None,
    log: MatchLog | None = None,
    pool: MatchPool | None = None,
    report: Report = lambda finished, games: None,
    keep: Keep = lambda planned, batch: None,
) -> MatchResult:
    """Play `games` games, each opening twice with the colours swapped; the same seed repeats it.

    Args:
        game: the game.
        first: the agent whose results are returned.
        second: its opponent.
        games: how many, recorded ones included (default: 100; with a test, `SPRT_GAMES` at most).
        seed: of openings and chances.
        openings: default `random_openings`.
        sprt: a test that ends the match as soon as it is decided, after a whole batch.
        clock: by which the games are played, one after the other; not to be recorded.
        log: where results are recorded, and from which the match goes on.
        pool: who plays it, by the agents' names (default: the players themselves, here).
        report: called with the progress.
        keep: called with each batch that was played, its moves included.

    Raises:
        ValueError: the number of games is not even and positive, or there are not as many openings.
    """
    openings = openings or random_openings(game)
    match = Match(
        MatchKey(game.name, (first.name, second.name), seed, openings.label), openings, clock
    )

    def play(plans: Iterable[PlannedBatch], tell: Callable[[int], None]) -> Played:
        if pool is None:
            return ((p, play_batch(game, (first, second), p, tell)) for p in plans)
        return play_all(pool, plans)

    return carry_out(match, games, play, sprt=sprt, log=log, report=report, keep=keep)


def carry_out(
    match: Match,
    games: int | None,
    play: PlayPlans,
    *,
    sprt: Sprt | None = None,
    log: MatchLog | None = None,
    report: Report = lambda finished, games: None,
    keep: Keep = lambda planned, batch: None,
) -> MatchResult:
    """Play what is not recorded of a match, by `play`; see `play_match`."""
    wanted = _wanted_pairs(games, match.openings, sprt)
    progress = _recorded_progress(match, wanted, log, sprt)

    def tell(finished: int = 0) -> None:
        pairs = wanted - progress.impossible
        report(2 * (pairs - sum(progress.unplayed.values())) + finished, 2 * pairs)

    if not progress.is_decided():
        with closing(play(progress.plans(), tell)) as played:
            _follow(progress, played, log, tell, keep)
    return _result(progress, sprt)


def _recorded_progress(
    match: Match, wanted: int, log: MatchLog | None, sprt: Sprt | None
) -> _MatchProgress:
    """Load the recorded part of a match of that many pairs."""
    recorded = [] if log is None else [b.up_to(wanted) for b in log.read()]
    at_once = PAIRS_AT_ONCE if sprt is None else SPRT_PAIRS_AT_ONCE
    if match.clock is not None:
        at_once = TIMED_PAIRS_AT_ONCE
    elif any(map(is_opponent, match.key.agents)):
        at_once = PROGRAM_PAIRS_AT_ONCE
    todo = _cut([(0, wanted)] if log is None else log.gaps(wanted), at_once)
    return _MatchProgress(match, [b for b in recorded if len(b.points)], todo, sprt)


def _follow(
    progress: _MatchProgress,
    played: Iterable[tuple[PlannedBatch, Batch]],
    log: MatchLog | None,
    tell: Callable[[], None],
    keep: Keep,
) -> None:
    """Record the batches of a match as they finish, until its test is decided."""
    try:
        for planned, batch in played:
            progress.add(planned, batch if log is None else log.write(batch))
            keep(planned, batch)  # after the log: what cannot be kept is not played again
            tell()
            if progress.is_decided():
                return
    except UnplayableError as gone:
        raise gone.cause from None


def _cut(gaps: Iterable[tuple[int, int]], at_once: int) -> list[tuple[int, int]]:
    """Cut the gaps [first, end) into batches (first pair, pairs) that end at multiples."""
    return [
        (first, min(end, stop + at_once) - first)
        for begin, end in gaps
        for stop in range(begin - begin % at_once, end, at_once)
        for first in (max(begin, stop),)
    ]


class _MatchProgress:
    """The finished batches of a match, and the state of its test.

    Attributes:
        match: whose batches these are.
        unplayed: {first pair: pairs} of the batches that are not there.
        impossible: pairs that were wanted and for which no opening is left.
    """

    def __init__(
        self, match: Match, recorded: list[Batch], todo: list[tuple[int, int]], sprt: Sprt | None
    ) -> None:
        self.match = match
        self.unplayed = dict(todo)
        self.impossible = 0
        self._batches = recorded
        self._recorded = {batch.first_pair for batch in recorded}
        self._sprt = sprt
        self._evidence = Evidence()
        self._counts = np.zeros(5, np.int64)  # pairs that the test has looked at
        self._looked = 0  # batches of the prefix that the test has looked at
        self._decided = False

    def plans(self) -> Iterator[PlannedBatch]:
        """Yield the batches to play, in order, as far as there are openings for them."""
        for first, pairs in list(self.unplayed.items()):
            planned = self.match.plan(first, pairs)
            self.impossible += pairs - len(planned.openings)
            self.unplayed[first] = len(planned.openings)
            if planned.openings:
                yield planned
            else:
                del self.unplayed[first]

    def add(self, planned: PlannedBatch, batch: Batch) -> None:
        """Add a finished batch."""
        del self.unplayed[planned.first_pair]
        self._batches = sorted([*self._batches, batch], key=lambda b: b.first_pair)

    def is_decided(self) -> bool:
        """Whether the test is, after one batch or another of the prefix.

        Batches may be over in any order. Only those before the first that is missing decide, so
        that the test ends where it would if they were played one by one.
        """
        prefix = self._prefix()
        while self._sprt and not self._decided and self._looked < len(prefix):
            batch = prefix[self._looked]
            counted = self._evidence.take(self.match.key, batch) if self.match.repeats else batch
            self._counts += pair_counts([counted])
            self._looked += 1
            self._decided = self._sprt.state(self._counts).decision != "undecided"
        return self._decided

    def played(self) -> list[Batch]:
        """Return the batches of the result, up to the one that decided the test."""
        return self._prefix()[: self._looked] if self.is_decided() else self._batches

    def counted(self) -> list[Batch]:
        """Return the batches of `played` with only the pairs that count."""
        if not self.match.repeats:
            return self.played()
        return [b for _, b in distinct((self.match.key, batch) for batch in self.played())]

    def resumed(self) -> int:
        """Count the games of the result that were recorded before."""
        return sum(b.points.size for b in self.counted() if b.first_pair in self._recorded)

    def is_used_up(self, counted: int) -> bool:
        """Whether all openings are played, so that further games would repeat earlier ones."""
        if self.is_decided() or not self.match.repeats:
            return False
        is_short = counted < sum(len(batch.points) for batch in self.played())
        return bool(self.impossible) or is_short or counted == self.match.openings.count

    def _prefix(self) -> list[Batch]:
        missing = min(self.unplayed, default=math.inf)
        return list(takewhile(lambda b: b.first_pair < missing, self._batches))


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
    """Count pairs [5] by the first agent's points: 0, 1/2, 1, 3/2 and 2."""
    points = [b.points.sum(axis=1) for b in batches]
    return np.bincount(np.concatenate([[], *points]).astype(np.int64), minlength=5)


def play_out(
    game: Game,
    agents: tuple[Player, Player],
    states: NDArray[Any],
    rngs: list[np.random.Generator],
    moves: Sequence[list[int]] = (),
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int64]]]:
    """Play positions [n] to the end; in even ones the first agent is the first player.

    The moves of each game are added to its list of `moves`, if there are any. Both agents think at
    the same time, about the positions where each is to move. Yields after every ply the first
    agent's scores, NaN while a game goes on, and the plies played. A player that forfeits
    (`agents.players.ForfeitError`) loses that game at once.
    """
    sides = np.arange(len(states)) % 2  # of the first agent
    scores, plies = np.full(len(states), np.nan), np.zeros(len(states), np.int64)
    to_play, values = np.zeros(len(states), np.int64), np.zeros(len(states), np.float64)
    over = np.zeros(len(states), np.bool_)
    statuses(states, to_play, over, values)
    past = new_past(game, states)
    # One player cannot think in two threads.
    with ThreadPoolExecutor(1 if agents[0] is agents[1] else 2) as threads:
        while not over.all():
            choices = []
            for agent, (player, rng) in enumerate(zip(agents, rngs, strict=True)):
                chosen = np.flatnonzero(~over & ((to_play ^ sides) == agent))
                if len(chosen):
                    thinks = side_by_side(player, len(chosen))
                    known = [past.take(chosen)] if game.has_history else []
                    choose = partial(thinks.choose, states[chosen], rng, *known)
                    choices.append((agent, player, chosen, threads.submit(choose)))
            lost = np.full(len(states), -1)  # the agent that forfeits a game
            for agent, player, chosen, answer in choices:
                actions, is_offered = _offered(player, answer)
                lost[chosen[~is_offered]] = agent
                chosen, actions = chosen[is_offered], actions[is_offered]
                illegal = play_moves(game, states, past, chosen, actions)
                if illegal >= 0:
                    raise _not_legal(player, actions[illegal])
                for row, action in zip(chosen, actions) if moves else ():
                    moves[int(row)].append(int(action))
            plies[~over & (lost < 0)] += 1
            scores[lost >= 0] = lost[lost >= 0]  # the second agent's forfeit is a point
            statuses(states, to_play, over, values)
            mine = np.where(to_play == sides, values, -values)
            ended = over & np.isnan(scores)
            scores[ended] = (1 + mine[ended]) / 2
            over |= np.isfinite(scores)
            yield scores, plies


def _offered(
    player: Player, answer: Future[NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return a player's moves, and where there is one; it is warned of games that are forfeited."""
    try:
        actions = answer.result()
        return actions, np.ones(len(actions), np.bool_)
    except ForfeitError as error:
        for reason in error.reasons.values():
            _logger.warning("%s forfeits a game: %s", player.name, reason)
        return error.chosen, error.chosen >= 0


def _not_legal(player: Player, action: int) -> RuntimeError:
    return RuntimeError(f"{player.name} chose action {action}, which is not legal")


def _result(progress: _MatchProgress, sprt: Sprt | None) -> MatchResult:
    key, batches = progress.match.key, progress.counted()
    if not batches:
        raise ValueError("no pair of this match could be read: its records are damaged")
    points = np.concatenate([b.points for b in batches])
    counts = pair_counts(batches)
    repeated = sum(b.points.size for b in progress.played()) - points.size
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
        clock=str(progress.match.clock or ""),
        lost_on_time=(_late(batches, FIRST), _late(batches, SECOND)),
        resumed_games=progress.resumed(),
        repeated_games=repeated,
        is_used_up=progress.is_used_up(len(points)),
        sprt=sprt.state(counts) if sprt else None,
    )


def _late(batches: list[Batch], agent: int) -> int:
    return sum(int((b.late == agent).sum()) for b in batches if b.late is not None)


def _tally(points: NDArray[np.int64]) -> Tally:
    losses, draws, wins = np.bincount(points, minlength=3).tolist()
    return Tally(wins, draws, losses)
