"""Compare an ablation's variants: Elo over the first one, and error rates where known.

The newest checkpoints of all variants play a ladder in which the first variant is fixed at zero
Elo, so that every error bar is that of a difference from it. Each plays with its own run's search:
a variant that searches otherwise is rated with that difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from arena.match.contenders import newest_step, written
from arena.match.openings import Openings
from arena.names import find_agent, parse_agent_name
from arena.rating.ladder import Ladder, LadderSettings, LadderState, open_runs
from arena.rating.table import RatingTable, Trained, how_trained, table_of
from arena.solvers.error_rates import Errors, error_rates
from arena.solvers.registry import solved_sets
from envs.game import Game
from store.run import open_run


@dataclass(frozen=True)
class ErrorRates:
    """Share of the positions of each solved set where an agent's move worsens the result."""

    without_search: Errors
    searched: Errors  # with the ladder's simulations


@dataclass(frozen=True)
class VariantResult:
    """One variant.

    Attributes:
        variant: its label.
        agent: the exact name of its checkpoint.
        elo: over the first variant.
        error: half of its 95% interval.
        superiority: likelihood that it is stronger than the first variant.
        games: rated games.
        trained: its training so far.
        errors: None for a game without a solver.
    """

    variant: str
    agent: str
    elo: float
    error: float
    superiority: float
    games: int
    trained: Trained
    errors: ErrorRates | None


@dataclass(frozen=True)
class Ablation:
    """The results in the order of the variants, and the ladder they come from."""

    results: list[VariantResult]
    table: RatingTable

    def to_json(self) -> dict[str, Any]:
        """Values for JSON."""
        results = [asdict(result) for result in self.results]
        return {"outcomes": results, "standing": self.table.to_json()}


def ablation_ladder(
    game: Game,
    store_url: str,
    runs: Sequence[str],
    openings: Openings,
    settings: LadderSettings,
) -> Ladder:
    """Make a ladder of the runs' newest checkpoints, with the first run's fixed at zero.

    Raises StoreError for a run without a checkpoint.
    """
    _, (first, *others) = open_runs(store_url, runs, game)
    options = {"simulations": str(settings.simulations)}
    zero = written(first.name, newest_step(first), options)
    return Ladder(game, store_url, others, {zero: 0.0}, openings, settings)


def measure_errors(ladder: Ladder) -> dict[str, ErrorRates]:
    """Measure each agent's error rates, by name; empty for a game without a solver."""
    sets = solved_sets(ladder.game.name)
    if not sets:
        return {}

    def rates(agent: str, simulations: int) -> Errors:
        player = find_agent(agent, ladder.game, ladder.store_url, simulations=simulations)
        return error_rates(player, sets)

    agents, searched = [*ladder.anchors, *ladder.contenders], ladder.settings.simulations
    return {agent: ErrorRates(rates(agent, 0), rates(agent, searched)) for agent in agents}


def ablation_of(
    ladder: Ladder,
    state: LadderState,
    labels: Mapping[str, str],
    errors: Mapping[str, ErrorRates],
) -> Ablation:
    """Make the ablation's results from a ladder state; `labels` are by run."""
    ratings = state.ratings
    bars = dict(zip(ratings.agents, ratings.error_bars().tolist(), strict=True))
    elo = dict(zip(ratings.agents, ratings.elo.tolist(), strict=True))
    (zero,) = ladder.anchors
    agents = {run: agent for agent, (run, _) in ladder.contenders.items()}
    results = []
    for run, label in labels.items():
        agent = agents.get(run, zero)
        _, step, _ = parse_agent_name(agent)
        assert step is not None  # exact names have one
        if agent in elo:  # else its checkpoint could not be loaded
            results.append(
                VariantResult(
                    label,
                    agent,
                    elo[agent],
                    bars[agent],
                    ratings.superiority(agent, zero),
                    ladder.results.games_and_score(agent)[0],
                    how_trained(open_run(ladder.store_url, run), step),
                    errors.get(agent),
                )
            )
    return Ablation(results, table_of(ladder, state))
