"""Make a ladder's rating table: each run's best checkpoint, and its trend in Elo."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from arena.rating.elo import NORMAL_95, Ratings, intransitive_triples, trend
from arena.rating.ladder import Ladder, LadderState
from arena.rating.recorded import note_rated
from store import checkpoints
from store.errors import CheckpointError, CheckpointNotFoundError
from store.run import Run
from store.upkeep.ratings import NotedRating, NotedRatings

TREND_CHECKPOINTS = 4  # the newest, over which the slope is taken


@dataclass(frozen=True)
class Row:
    """One agent; what is not known is None.

    Attributes:
        agent: its exact name.
        run: the run it is of, "" for an anchor.
        step: of the checkpoint.
        elo: the rating.
        error: half of its 95% interval.
        games: rated games.
        score: share of their points.
        superiority: likelihood that it is stronger than the next row's agent.
        minutes: trained.
        trained_games: games of self-play by then.
        trained_simulations: simulations of self-play by then.
    """

    agent: str
    run: str
    step: int | None
    elo: float
    error: float
    games: int
    score: float | None
    superiority: float | None
    minutes: float | None = None
    trained_games: int | None = None
    trained_simulations: int | None = None


class Trained(NamedTuple):
    """A run's training up to a checkpoint; None where unknown."""

    minutes: float | None = None
    games: int | None = None  # of self-play
    simulations: int | None = None


@dataclass(frozen=True)
class Trend:
    """Elo that a run gains in 1000 learner steps, over its newest checkpoints.

    `error` is half of the 95% interval.
    """

    checkpoints: int
    per_1000_steps: float
    error: float

    @property
    def verdict(self) -> str:
        """Say whether the run gains, given the error bars."""
        if self.per_1000_steps > self.error:
            return "still gains"
        return "loses strength" if self.per_1000_steps < -self.error else "shows no gain"


@dataclass(frozen=True)
class RatingTable:
    """A ladder's result; `rows` from the strongest down, `best` and `trends` by run."""

    game: str
    simulations: int
    openings: str
    width: float
    is_reached: bool
    has_openings: bool
    out_of_reach: list[str]
    new_games: int
    first_player_elo: float
    rows: list[Row]
    best: dict[str, Row]
    trends: dict[str, Trend]
    intransitive: list[tuple[str, str, str]]

    def to_json(self) -> dict[str, Any]:
        """Return values for JSON, with the verdicts."""
        trends = {run: {**asdict(t), "verdict": t.verdict} for run, t in self.trends.items()}
        return {**asdict(self), "trends": trends}


def table_of(ladder: Ladder, state: LadderState) -> RatingTable:
    """Make the table of a ladder state."""
    rows = _rows(ladder, state.ratings)
    of_runs = {run.name: [row for row in rows if row.run == run.name] for run in ladder.runs}
    trends = {name: _trend(found, state.ratings) for name, found in of_runs.items()}
    return RatingTable(
        game=ladder.game.name,
        simulations=ladder.settings.simulations,
        openings=ladder.openings.label,
        width=ladder.settings.width,
        is_reached=state.widest <= ladder.settings.width,
        has_openings=ladder.has_openings,
        out_of_reach=[*state.out_of_reach],
        new_games=state.new_games,
        first_player_elo=state.ratings.first_player_elo,
        rows=rows,
        best={name: found[0] for name, found in of_runs.items() if found},
        trends={name: found for name, found in trends.items() if found},
        intransitive=intransitive_triples(ladder.results),
    )


def note_table(ladder: Ladder, table: RatingTable) -> None:
    """Note each run's rated checkpoints in the store: programs may play them at their strength."""
    anchors = {name: elo for name, elo in ladder.anchors.items() if elo is not None}
    for run in ladder.runs:
        rated = [
            NotedRating(row.step, row.elo, row.error)
            for row in table.rows
            if row.run == run.name and row.step is not None and row.games and isfinite(row.error)
        ]
        if rated:
            rated.sort(key=lambda one: one.step)
            note_rated(run, NotedRatings(table.simulations, anchors, rated))


def _rows(ladder: Ladder, ratings: Ratings) -> list[Row]:
    bars = ratings.error_bars()
    order = np.argsort(-ratings.elo, kind="stable").tolist()
    runs = {run.name: run for run in ladder.runs}
    rows = []
    for rank, i in enumerate(order):
        agent = ratings.agents[i]
        run, step = ladder.place_of(agent) or ("", 0)
        games, score = ladder.results.games_and_score(agent)
        following = ratings.agents[order[rank + 1]] if rank + 1 < len(order) else None
        rows.append(
            Row(
                agent,
                run,
                step if run else None,
                float(ratings.elo[i]),
                float(bars[i]),
                games,
                score if games else None,
                ratings.superiority(agent, following) if following else None,
                *(how_trained(runs[run], step) if run else Trained()),
            )
        )
    return rows


def how_trained(run: Run, step: int) -> Trained:
    """Return the training up to a checkpoint; empty where it cannot be read any more."""
    try:
        found = checkpoints.read_metadata(run, step)
    except (CheckpointError, CheckpointNotFoundError):
        return Trained()
    counters = found.get("counters", {})
    seconds = found.get("elapsed_s")
    minutes = None if seconds is None else float(seconds) / 60.0
    return Trained(minutes, counters.get("games"), counters.get("simulations"))


def _trend(rows: list[Row], ratings: Ratings) -> Trend | None:
    """Fit a run's trend; None for fewer than three checkpoints."""
    placed = [(row.step, row.agent) for row in rows if row.step is not None]
    newest = sorted(placed)[-TREND_CHECKPOINTS:]
    if len(newest) < 3:
        return None
    index = [ratings.agents.index(agent) for _, agent in newest]
    part = ratings.covariance[np.ix_(index, index)]
    slope, error = trend(ratings.elo[index], part, [step / 1000 for step, _ in newest])
    return Trend(len(newest), slope, NORMAL_95 * error)
