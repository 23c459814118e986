"""Play a ladder: checkpoints and anchors play until their error bars are narrow enough.

The next pairing is the most informative one: the pairing whose games, by the
present ratings, narrow the error bars most (a step of optimal experimental design). Every
batch is recorded, and a ladder begins with all that is recorded of its agents. Pairs of games that
were played before count once (`arena.match.evidence`).
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from agents.running.run_game import how_to_name_it, is_game_of, registered_game
from arena.match.contenders import written
from arena.match.evidence import Evidence, repeat_themselves
from arena.match.match import PROGRAM_PAIRS_AT_ONCE, Match
from arena.match.openings import Openings
from arena.match.origins import Origins
from arena.match.pool import MatchPool, PlannedBatch, UnplayableError, fill
from arena.match.records import MOST_PAIRS, Batch, MatchKey, MatchLog, read_matches
from arena.match.workers import LocalPool
from arena.names import AgentNameError, find_agent, parse_agent_name
from arena.opponents.names import is_opponent
from arena.rating.elo import ELO, Floats, Ratings, Results, fit_ratings
from envs.game import Game
from store import checkpoints
from store.errors import StoreError
from store.run import Run, open_run
from store.upkeep.milestones import first_of_cells

PAIRS_AT_ONCE, MOST_PAIRS_AT_ONCE = 32, 128
FEW_GAMES, HOPELESS_SHARE = 1000, 0.02  # see `out_of_reach`

_logger = logging.getLogger("ludens.arena")


@dataclass(frozen=True)
class LadderSettings:
    """How a ladder is played.

    Attributes:
        width: Elo of the error bars that are good enough for checkpoints.
        simulations: of the checkpoints' searches, one move; 0 is the network alone.
        most: checkpoints of each run.
        games: new games at most.
        seed: of openings and chances.
    """

    width: float = 25.0
    simulations: int = 64
    most: int = 12
    games: int = 20_000
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.width > 0.0:
            raise ValueError(f"width = {self.width:g}: expected Elo points above 0")
        for name, least in (("simulations", 0), ("most", 1), ("games", 0), ("seed", 0)):
            if (number := getattr(self, name)) < least:
                word = "checkpoints" if name == "most" else name
                raise ValueError(f"{word} = {number}: expected {least} or more")


@dataclass(frozen=True)
class LadderState:
    """The ratings of a ladder so far, and the agents that need more games.

    `waited_for` are the agents whose bars are still too wide; none when it is done. Those of
    `out_of_reach` are too wide as well, and will remain so.
    """

    ratings: Ratings
    new_games: int
    waited_for: tuple[str, ...]
    out_of_reach: tuple[str, ...]
    widest: float  # Elo, of the checkpoints' bars


def open_runs(
    store_url: str, names: Sequence[str], game: Game | None = None
) -> tuple[Game, list[Run]]:
    """Open runs by name, and return them with their game; `game` is a user's own, if any.

    Raises AgentNameError for a name that comes twice, runs of different games, or a game that has
    to be given; StoreError for a run that is not there or has no checkpoint.
    """
    runs = [open_run(store_url, name) for name in names]
    for i, run in enumerate(runs):
        if run.name in names[:i]:
            raise AgentNameError(f"run {run.name!r} is named twice")
        if run.info.game != runs[0].info.game:
            raise AgentNameError(
                f"run {run.name!r} learned {run.info.game!r} and run {runs[0].name!r} "
                f"{runs[0].info.game!r}: only runs of one game are rated together"
            )
        if not checkpoints.steps(run):
            raise StoreError(f"run {run.name!r} has no checkpoint yet; there is nothing to rate")
    return _game_of(runs[0], game), runs


def _game_of(run: Run, given: Game | None) -> Game:
    game = registered_game(run.info) if given is None else given
    if game is None:
        raise AgentNameError(how_to_name_it(run, f"ludens rate {run.name} --game FILE"))
    if not is_game_of(run.info, game):
        raise AgentNameError(f"run {run.name!r} learned {run.info.game!r}, not {game.name!r}")
    return game


def thinned(steps: Sequence[int], most: int) -> list[int]:
    """Choose at most `most` of these rising steps, the first and the newest among them.

    With `most` 1 only the newest. Else the first step in each cell of 1, 2, 4, ... steps, of the
    smallest such size that leaves few enough: what was chosen of fewer steps and is dropped later
    is never chosen again, and the rest stays, so that no game is wasted on it. The cells are those
    of milestones (`store.upkeep.milestones`), so dropping old checkpoints adds no new one.
    """
    if most == 1:
        return [*steps[-1:]]
    level = 0
    while len(chosen := {*steps[-1:], *first_of_cells(steps, level)}) > most:
        level += 1
    return sorted(chosen)


def most_informative(
    ratings: Ratings,
    playable: Sequence[str],
    wide: Sequence[str],
    excluded: frozenset[frozenset[str]] = frozenset(),
) -> tuple[str, str] | None:
    """Choose the two agents whose next batch narrows the bars most, or None.

    A batch that tells `w` about the difference d of two ratings takes Cd (Cd)' w / (1 + w d'Cd)
    from the covariance C; what counts is the variance of the `wide` agents.

    Args:
        ratings: as they are known.
        playable: who can play.
        wide: whose bars should become narrower.
        excluded: pairings that cannot be played.
    """
    index = {name: i for i, name in enumerate(ratings.agents)}
    places = [index[name] for name in playable]
    information = PAIRS_AT_ONCE * ratings.pair_information()[np.ix_(places, places)]
    told = ratings.covariance[np.ix_([index[name] for name in wide], places)]
    narrowed = _of_differences(told.T @ told) * information
    known = _of_differences(ratings.covariance[np.ix_(places, places)]) * information
    gain = np.triu(narrowed / (1.0 + known), k=1)
    for pairing in excluded & {frozenset(two) for two in combinations(playable, 2)}:
        i, j = sorted(playable.index(name) for name in pairing)
        gain[i, j] = 0.0
    if not gain.any():
        return None
    i, j = np.argwhere(gain * (1.0 + 1e-9) >= gain.max())[0]  # the first of equals
    return playable[i], playable[j]


def _of_differences(moments: Floats) -> Floats:
    """Compute second moments [n, n] of x_i - x_j, from those of x."""
    each = np.diag(moments)
    return each[:, None] + each[None, :] - 2.0 * moments


def out_of_reach(ratings: Ratings, results: Results, wide: Sequence[str]) -> tuple[str, ...]:
    """List the `wide` agents whose bars stay wide after many games.

    Such an agent loses, wins or draws all its games: they gave less than HOPELESS_SHARE of the
    information that as many decided games against its equals would have.
    """
    variance = dict(zip(ratings.agents, np.diag(ratings.covariance).tolist(), strict=True))

    def is_hopeless(name: str) -> bool:
        games, _ = results.games_and_score(name)
        equals = games * 0.25 / ELO**2  # information per Elo squared
        return games >= FEW_GAMES and variance[name] * HOPELESS_SHARE * equals > 1.0

    return tuple(filter(is_hopeless, wide))


def as_if_played(ratings: Ratings, batches: Collection[PlannedBatch]) -> Ratings:
    """Return the ratings with the covariance expected after these (see `most_informative`)."""
    index = {name: i for i, name in enumerate(ratings.agents)}
    information = ratings.pair_information()
    covariance = ratings.covariance.copy()
    for batch in batches:
        if not index.keys() >= {*batch.key.agents}:
            continue  # one of them has left since
        a, b = (index[name] for name in batch.key.agents)
        told = covariance[:, a] - covariance[:, b]
        weight = len(batch.openings) * information[a, b]
        covariance -= np.outer(told, told) * (weight / (1.0 + weight * (told[a] - told[b])))
    return replace(ratings, covariance=covariance)


@dataclass
class Ladder:
    """Plays and rates.

    Attributes:
        game: the game.
        store_url: where the runs are.
        runs: whose checkpoints are rated.
        anchors: further agents by exact name, with the Elo that they are fixed at, or None. Other
            programs may be among them: whoever calls has these names from a person. One with
            recorded games is started only to play more, and where it is not there its games count.
        openings: what the games begin from; records with other openings do not count.
        settings: see `LadderSettings`.
        pool: who plays (default: this process, one batch at a time).
        results: all that counts, from records and from play.
        contenders: {agent: (run, step)} of the checkpoints that play.
    """

    game: Game
    store_url: str
    runs: Sequence[Run]
    anchors: Mapping[str, float | None]
    openings: Openings
    settings: LadderSettings
    pool: MatchPool | None = None
    results: Results = field(default_factory=Results)
    contenders: dict[str, tuple[str, int]] = field(default_factory=dict)
    new_games: int = 0
    _ratings: Ratings | None = None  # the last
    _evidence: Evidence = field(default_factory=Evidence)
    _matches: dict[MatchKey, Match] = field(default_factory=dict)
    _unplayable: set[str] = field(default_factory=set)
    _excluded: set[frozenset[str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        programs = frozenset(filter(is_opponent, self.anchors))
        self._origins = Origins(self.store_url, self.runs)
        self._pool: MatchPool = self.pool or LocalPool(self.game, self.store_url, programs)
        for run in self.runs:
            for key, batch in read_matches(run.files):
                same = (key.game, key.openings) == (self.game.name, self.openings.label)
                if same and len({*key.agents}) == 2 and all(map(self.place_of, key.agents)):
                    if self._origins.are_of(key):
                        self._count(key, batch)
        for name in self.anchors:  # an agent that cannot play fails before the first game
            if not self._may_be_missing(name):
                find_agent(name, self.game, self.store_url, programs=name in programs)
        self.refresh()

    @property
    def has_games_left(self) -> bool:
        """Whether another pair of games may be played."""
        return self.new_games + 2 <= self.settings.games

    @property
    def has_openings(self) -> bool:
        """Whether no pairing has run out of openings."""
        return not self._excluded

    def refresh(self) -> bool:
        """List the runs' checkpoints again; True when the contenders changed."""
        found = {
            self.name_of(run.name, step): (run.name, step)
            for run in self.runs
            for step in thinned(checkpoints.steps(run), self.settings.most)
        }
        is_new = found != self.contenders
        self.contenders = found
        return is_new

    def name_of(self, run: str, step: int) -> str:
        """Return the exact name of a checkpoint with the ladder's search."""
        return written(run, step, {"simulations": str(self.settings.simulations)})

    def place_of(self, agent: str) -> tuple[str, int] | None:
        """Return (run, step) of a rated checkpoint, ("", 0) of an anchor."""
        if agent in self.anchors:
            return "", 0
        try:
            name, step, _ = parse_agent_name(agent)
        except AgentNameError:  # in a record, which anyone may have written
            return None
        if step is not None and name in [run.name for run in self.runs]:
            if agent == self.name_of(name, step):
                return name, step
        return None

    def _may_be_missing(self, anchor: str) -> bool:
        """Whether an anchor rates with its recorded games alone where it cannot be started."""
        return is_opponent(anchor) and self.results.games_and_score(anchor)[0] > 0

    def state(self) -> LadderState:
        """Compute the ratings, and list the agents whose bars are too wide.

        Zero is the mean of the contenders, unless an anchor is fixed.
        """
        fixed = {name: elo for name, elo in self.anchors.items() if elo is not None}
        able = self._able()
        agents = [*able, *self.anchors]
        zero = able if len(able) > 1 else agents
        ratings = fit_ratings(
            self.results, agents=agents, anchors=fixed, zero=zero, near=self._ratings
        )
        self._ratings = ratings
        bars = dict(zip(ratings.agents, ratings.error_bars().tolist()))
        widest = max((bars[name] for name in able), default=0.0)
        waited_for, hopeless = self._waited_for(ratings)
        return LadderState(ratings, self.new_games, waited_for, hopeless, widest)

    def _able(self) -> list[str]:
        return [name for name in self.contenders if name not in self._unplayable]

    def _waited_for(
        self, ratings: Ratings, coming: Collection[PlannedBatch] = ()
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """List who needs more games after those in flight, and whom more games do not help."""
        bars = dict(zip(ratings.agents, ratings.error_bars().tolist()))
        wide = [name for name in self._able() if bars[name] > self.settings.width]
        playing = {name for batch in coming for name in batch.key.agents}
        unplayed = [
            name
            for name, elo in self.anchors.items()
            if elo is None and name not in playing and not self.results.games_and_score(name)[0]
        ]
        hopeless = out_of_reach(ratings, self.results, wide)
        return (*(name for name in wide if name not in hopeless), *unplayed), hopeless

    def play(self) -> Iterator[LadderState]:
        """Play batch after batch until all bars are narrow or the games are used up.

        Yields the state before the first batch and after each; new checkpoints join when
        `refresh` finds them. A pool with room for several plays them at the same time: each is
        chosen as if those in flight were over. Raises ValueError when there is no agent to play
        against, and like `MatchPool.take`.
        """
        try:
            while True:
                agents = self._agents()
                if len(agents) < 2:
                    raise ValueError(
                        f"{' '.join(agents) or 'no agent'} is alone: expected another checkpoint "
                        "that can be loaded, or an anchor"
                    )
                state = self.state()
                yield state
                if agents != self._agents():
                    continue  # they are not in these ratings
                fill(self._pool, lambda: self._plan(state))  # noqa: B023
                if not self._pool.in_flight:
                    return
                self._take()
        finally:
            self._pool.cancel()

    def _agents(self) -> list[str]:
        return sorted({*self.contenders, *self.anchors} - self._unplayable)

    def _plan(self, state: LadderState) -> PlannedBatch | None:
        """Plan the most informative batch beside those in flight; None when all is done."""
        coming = self._pool.in_flight
        expected = as_if_played(state.ratings, coming) if coming else state.ratings
        wide, _ = self._waited_for(expected, coming)
        while wide and self._pairs_left > 0:
            excluded = frozenset(self._excluded)
            pairing = most_informative(expected, self._agents(), wide, excluded)
            if pairing is None:
                return None
            if (batch := self._batch_of(*pairing)) is not None:
                return batch
            self._excluded.add(frozenset(pairing))
        return None

    @property
    def _pairs_left(self) -> int:
        planned = sum(len(batch.openings) for batch in self._pool.in_flight)
        return (self.settings.games - self.new_games) // 2 - planned

    def _batch_of(self, one: str, other: str) -> PlannedBatch | None:
        """Plan the next pairs of two agents; None when they have played every opening.

        Openings that they have played in another match, by another seed, are skipped where they
        are a whole batch; a few among new ones are played again and do not count.
        """
        seed = zlib.crc32(f"{self.settings.seed} {one} {other}".encode())
        key = self._origins.key(self.game.name, (one, other), seed, self.openings.label)
        match = self._matches.setdefault(key, Match(key, self.openings))
        most = MOST_PAIRS
        if self.openings.count is not None and repeat_themselves(key.agents):
            most = self.openings.count
        taken = [(b.first_pair, b.end) for b in self._pool.in_flight if b.key == key]
        taken += [(number, number + 1) for number in self._evidence.numbers(key)]
        while gaps := self._log(key).gaps(most, taken):
            first, end = gaps[0]
            pairs = min(self._pairs_at_once(one, other), self._pairs_left, end - first)
            batch = match.plan(first, pairs)
            if not batch.openings:
                return None
            if not self._evidence.has_all(key, batch.openings):
                return batch
            taken.append((first, batch.end))
        return None

    def _pairs_at_once(self, one: str, other: str) -> int:
        """Return the pairs of a batch: more when both ratings are known well, which is faster."""
        if is_opponent(one) or is_opponent(other):
            return PROGRAM_PAIRS_AT_ONCE
        known = min(self.results.games_and_score(name)[0] for name in (one, other))
        return max(PAIRS_AT_ONCE, min(known // 4, MOST_PAIRS_AT_ONCE))

    def _take(self) -> None:
        """Wait for a batch, and add its results."""
        try:
            planned, batch = self._pool.take()
        except UnplayableError as gone:
            if gone.agent in self.anchors and not self._may_be_missing(gone.agent):
                raise gone.cause from None
            if gone.agent not in self._unplayable:
                _logger.warning("%s plays no more: %s", gone.agent, gone.cause)
                self._unplayable.add(gone.agent)
            return
        batch = self._log(planned.key).write(batch)
        self._count(planned.key, batch)
        self.new_games += batch.points.size

    def _count(self, key: MatchKey, batch: Batch) -> None:
        """Add a batch's new pairs to the results."""
        self.results.add(*key.agents, self._evidence.take(key, batch).outcomes())

    def _log(self, key: MatchKey) -> MatchLog:
        return MatchLog(self._home(*key.agents).files, key)

    def _home(self, one: str, other: str) -> Run:
        """Return the run that stores their record: the first checkpoint's, else the first run."""
        names = [place[0] for place in map(self.place_of, (one, other)) if place]
        return next((run for name in names for run in self.runs if run.name == name), self.runs[0])
