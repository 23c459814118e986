"""Play a match between two agents of a game of teams, and format its result."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from arena.match.match import Match, MatchResult, Played, Report, Tally, carry_out
from arena.match.pool import PlannedBatch
from arena.match.records import MatchKey, MatchLog
from arena.match.text import tally_text, verdict_text
from arena.rating.sprt import Sprt, SprtState
from arena.teams.playing import play_batch, seeds_as_openings
from envs.teams import TeamAgent, TeamGame


@dataclass(frozen=True)
class TeamMatchResult:
    """The result of a match of teams from its first agent's view.

    Attributes:
        game, agents, seed: of the match.
        total: of all matches, `as_left` of those as team 0, `as_right` of those as team 1.
        pairs: pairs of 0, 1/2, 1, 3/2 and 2 points.
        interval: 95% confidence of the score, by pairs.
        mean_decisions: of a match.
        mean_minutes: of game time.
        resumed_games: matches that were recorded before.
        sprt: state of a test, if there was one.
    """

    game: str
    agents: tuple[str, str]
    seed: int
    total: Tally
    as_left: Tally
    as_right: Tally
    pairs: tuple[int, int, int, int, int]
    interval: tuple[float, float]
    mean_decisions: float
    mean_minutes: float
    resumed_games: int
    sprt: SprtState | None = None

    def to_json(self) -> dict[str, Any]:
        """Return values for JSON, with the score."""
        document = asdict(self)
        del document["sprt"]
        sprt = {"sprt": self.sprt._asdict()} if self.sprt else {}
        return {**document, **sprt, "score": self.total.score}


def play_team_match(
    game: TeamGame,
    first: TeamAgent,
    second: TeamAgent,
    games: int | None = None,
    *,
    seed: int = 0,
    threads: int = 1,
    sprt: Sprt | None = None,
    log: MatchLog | None = None,
    report: Report = lambda finished, games: None,
) -> tuple[TeamMatchResult, str]:
    """Play `games` matches, each seed from both sides; the same seed repeats them.

    Args:
        game: the game.
        first: the agent whose results are returned.
        second: its opponent, another object even if it is the same agent.
        games: how many, recorded ones included; an even number (default: 100).
        seed: of the matches' seeds and of what is random in the agents.
        threads: that advance the matches.
        sprt: a test that ends the match when it is decided.
        log: where results are recorded, and from which the match goes on.
        report: called with the progress.

    Returns the result, and its text. Raises ValueError for a number that is odd or below 2.
    """
    seeds = seeds_as_openings()
    match = Match(MatchKey(game.name, (first.name, second.name), seed, seeds.label), seeds)

    def play(plans: Iterable[PlannedBatch], tell: Callable[[int], None]) -> Played:
        return ((p, play_batch(game, (first, second), p, threads, tell)) for p in plans)

    played = carry_out(match, games, play, sprt=sprt, log=log, report=report)
    result = _result(game, played)
    tested = [verdict_text(sprt, played)] if sprt and played.sprt else []
    return result, "\n".join([*_lines(result), *tested])


def _result(game: TeamGame, played: MatchResult) -> TeamMatchResult:
    return TeamMatchResult(
        played.game,
        played.agents,
        played.seed,
        played.total,
        played.as_first_player,
        played.as_second_player,
        played.pairs,
        played.interval,
        played.mean_plies,
        played.mean_plies * game.spec.seconds / 60.0,
        played.resumed_games,
        played.sprt,
    )


def _lines(result: TeamMatchResult) -> list[str]:
    low, high = result.interval
    total = result.total
    lost, half, even, most, won = result.pairs
    before = f" ({result.resumed_games} recorded before)" if result.resumed_games else ""
    return [
        f"{result.agents[0]} against {result.agents[1]}, {result.game}, "
        f"{total.games} matches{before}:",
        f"  score          {100 * total.score:5.1f}%  (95%: {100 * low:.1f} to {100 * high:.1f})",
        f"  all matches    {tally_text(total)}",
        f"  as left team   {tally_text(result.as_left)}",
        f"  as right team  {tally_text(result.as_right)}",
        f"  pairs          {lost} of 0 points, {half} of 1/2, {even} of 1, {most} of 3/2, "
        f"{won} of 2",
        f"  length         {result.mean_decisions:.1f} decisions, {result.mean_minutes:.1f} min of "
        f"game time; seed {result.seed}",
    ]
