"""Play the checkpoints of runs and the scripted players of their game, each against each.

What is recorded counts, and only what is missing is played. New checkpoints join while a run is in
training (`arena.rating.rate`).
"""

from __future__ import annotations

import logging
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from arena.match.evidence import Evidence
from arena.match.match import PAIRS_AT_ONCE, Match
from arena.match.origins import Origins
from arena.match.records import MOST_PAIRS, MatchLog, read_matches
from arena.names import AgentNameError
from arena.rating.ladder import thinned
from arena.teams.names import find_team_agent, team_game_of
from arena.teams.playing import SEEDS, play_batch, seeds_as_openings
from arena.teams.skill import Skill, TeamResults, fit_skills
from envs.teams import TeamAgent, TeamGame
from store import checkpoints
from store.errors import CheckpointError, StoreError
from store.run import Run, open_run

REFERENCE_GAMES, REFERENCE_SEED = 128, 0  # of the scripted players, the same for all runs
AGENTS_KEPT = 16  # loaded at the same time

_logger = logging.getLogger("ludens.arena")


@dataclass(frozen=True)
class TeamLadderSettings:
    """How checkpoints play.

    Attributes:
        games: of each pairing, at least.
        most: checkpoints of each run.
        seed: of the matches' seeds and of what is random in the agents.
        threads: that advance the matches.
        device: where networks run.
    """

    games: int = 40
    most: int = 12
    seed: int = 0
    threads: int = 1
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.games < 2 or self.games % 2:
            raise ValueError(
                f"games = {self.games}: expected an even number of each pairing, for seeds played "
                "from both sides"
            )
        for name, least in (("most", 1), ("seed", 0), ("threads", 1)):
            if (number := getattr(self, name)) < least:
                word = "checkpoints" if name == "most" else name
                raise ValueError(f"{word} = {number}: expected {least} or more")


@dataclass(frozen=True)
class TeamLadderState:
    """How far a ladder is: pairings with all their matches, of how many, and new matches."""

    finished: int
    pairings: int
    new_games: int


def open_team_runs(store_url: str, names: Sequence[str]) -> tuple[TeamGame, list[Run]]:
    """Open runs of one game of teams by name, and return them with their game.

    Raises AgentNameError for a name that comes twice or for runs of different games, StoreError for
    a run that is not there or has no checkpoint.
    """
    runs = [open_run(store_url, name) for name in names]
    games = [team_game_of(run.info) for run in runs]
    for i, run in enumerate(runs):
        if run.name in names[:i]:
            raise AgentNameError(f"run {run.name!r} is named twice")
        if games[i] is None or games[i] is not games[0]:
            raise AgentNameError(
                f"run {run.name!r} learned {run.info.game!r} and run {runs[0].name!r} "
                f"{runs[0].info.game!r}: only runs of one game are rated together"
            )
        if not checkpoints.steps(run):
            raise StoreError(f"run {run.name!r} has no checkpoint yet; there is nothing to rate")
    assert games[0] is not None
    return games[0], runs


@dataclass
class TeamLadder:
    """Plays, and keeps the results.

    Attributes:
        game: the game.
        store_url: where the runs are.
        runs: whose checkpoints play, all of this game.
        settings: see `TeamLadderSettings`.
        results: all that counts, from records and from play.
        contenders: {agent: (run, step)} of the checkpoints that play.
        new_games: matches played.
    """

    game: TeamGame
    store_url: str
    runs: Sequence[Run]
    settings: TeamLadderSettings
    results: TeamResults = field(default_factory=TeamResults)
    contenders: dict[str, tuple[str, int]] = field(default_factory=dict)
    new_games: int = 0
    has_games_left = True  # for checkpoints to come
    _evidence: Evidence = field(default_factory=Evidence)
    _unplayable: set[str] = field(default_factory=set)
    _agents: OrderedDict[str, TeamAgent] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self._origins = Origins(self.store_url, self.runs)
        for run in self.runs:
            for key, batch in read_matches(run.files):
                if key.game == self.game.name and self._origins.are_of(key):
                    self.results.add(key, self._evidence.take(key, batch))
        self.refresh()

    def refresh(self) -> bool:
        """List the runs' checkpoints again; True when the contenders changed."""
        found = {
            f"{run.name}@{step}": (run.name, step)
            for run in self.runs
            for step in thinned(checkpoints.steps(run), self.settings.most)
        }
        is_new = found != self.contenders
        self.contenders = found
        return is_new

    def agents(self) -> list[str]:
        """List the scripted players and the checkpoints that can be loaded, in a fixed order."""
        able = [name for name in self.contenders if name not in self._unplayable]
        return [*self.game.scripts, *able]

    def skills(self) -> dict[str, Skill]:
        """Rate the agents by the results so far; the first scripted player is zero."""
        return fit_skills(self.results, self.agents(), self.game.scripts)

    def state(self) -> TeamLadderState:
        """Count the pairings that have all their matches."""
        pairings = [*combinations(self.agents(), 2)]
        finished = sum(not self._missing(*pairing) for pairing in pairings)
        return TeamLadderState(finished, len(pairings), self.new_games)

    def play(self) -> Iterator[TeamLadderState]:
        """Play batch after batch until each pairing has its matches.

        Yields the state before the first batch and after each; new checkpoints join when `refresh`
        finds them. Raises what an agent raises; one that cannot be loaded plays no more.
        """
        while True:
            yield self.state()
            unfinished = (two for two in combinations(self.agents(), 2) if self._missing(*two))
            pairing = next(unfinished, None)
            if pairing is None:
                return
            self._play_batch(*pairing)

    def _missing(self, one: str, other: str) -> int:
        """Count the pairs of matches that a pairing still needs."""
        is_reference = {one, other} <= {*self.game.scripts}
        games = REFERENCE_GAMES if is_reference else self.settings.games
        return max(0, games // 2 - self.results.pairs(one, other))

    def _play_batch(self, one: str, other: str) -> None:
        """Play and record the next pairs of two agents."""
        is_reference = {one, other} <= {*self.game.scripts}
        seed = REFERENCE_SEED if is_reference else self.settings.seed
        seeds = seeds_as_openings()
        mixed = zlib.crc32(f"{seed} {one} {other}".encode())
        key = self._origins.key(self.game.name, (one, other), mixed, SEEDS)
        log = MatchLog(self._home(one, other).files, key)
        loaded = self._loaded(one), self._loaded(other)
        if loaded[0] is None or loaded[1] is None:
            return
        # A match of both that is recorded already, by another seed, counts in `_missing`.
        first, end = log.gaps(MOST_PAIRS)[0]
        pairs = min(self._missing(one, other), PAIRS_AT_ONCE, end - first)
        planned = Match(key, seeds).plan(first, pairs)
        batch = play_batch(self.game, (loaded[0], loaded[1]), planned, self.settings.threads)
        batch = log.write(batch)
        self.results.add(key, self._evidence.take(key, batch))
        self.new_games += batch.points.size

    def _loaded(self, name: str) -> TeamAgent | None:
        """Load an agent, or return the one that played before; None if it cannot be loaded."""
        if name not in self._agents:
            try:
                found = find_team_agent(
                    name, self.game, self.store_url, device=self.settings.device
                )
            except (CheckpointError, AgentNameError) as error:  # damaged, or pruned since
                self._unplayable.add(name)
                if self._unplayable >= {*self.contenders}:
                    raise
                _logger.warning("%s plays no more: %s", name, error)
                return None
            self._agents[name] = found
        self._agents.move_to_end(name)
        while len(self._agents) > AGENTS_KEPT:
            self._agents.popitem(last=False)
        return self._agents[name]

    def _home(self, one: str, other: str) -> Run:
        """Return the run that stores their record: the first checkpoint's, else the first run."""
        names = [self.contenders[name][0] for name in (one, other) if name in self.contenders]
        return next((run for name in names for run in self.runs if run.name == name), self.runs[0])
