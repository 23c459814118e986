"""Play games of a team without opponents, and of one agent whose actions are real numbers.

The counterpart of `arena.evaluation.games` in environments of `envs.teams`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.learning_method import LearningMethod
from arena.evaluation.games import Games, Report, games_of_each
from arena.evaluation.records import Evaluation, EvaluationKey
from arena.evaluation.settings import EvaluationSettings
from envs.teams import TeamAgent, TeamSpec, TeamVector, find_team, make_team_vector
from envs.teams.random_actions import RandomTeam
from envs.vector import EnvironmentClass
from store.run import Run


def play_team_games(
    agent: TeamAgent,
    vector: TeamVector,
    games: int,
    rng: np.random.Generator,
    seed: int,
    report: Report = lambda finished, games: None,
) -> Games:
    """Play `games` games, shared out to the places of the vector before the first.

    A game's score is the return of the team, the mean over its agents. See
    `arena.evaluation.games.play_games` for which games count.

    Raises ValueError unless each place has a game at least.
    """
    missing = games_of_each(games, vector.count)
    found: list[list[tuple[float, int]]] = [[] for _ in missing]
    steps = vector.reset(seed)
    begins = np.ones(vector.count, np.bool_)
    report(0, games)
    while missing.any():
        steps = vector.step(agent.act(steps.observations, steps.masks, begins, rng))
        begins = steps.terminated | steps.truncated
        for place in np.flatnonzero(begins & (missing > 0)):
            missing[place] -= 1
            found[place].append((float(steps.scores[place, 0]), int(steps.lengths[place])))
            report(games - int(missing.sum()), games)
    scores, lengths = zip(*(game for of_one in found for game in of_one), strict=True)
    none: NDArray[np.int64] = np.zeros((games, 0), np.int64)
    return Games(np.array(scores, np.float64), np.array(lengths, np.int64), none)


class TeamSetting:
    """An environment of one team, in which agents are evaluated; see `evaluator.Setting`.

    Args:
        name: of the environment; a class of a user's own as typed, never as stored.
        settings: see there.

    Attributes:
        spec: of the environment.
        epsilon: 0, as agents of teams draw their actions themselves.

    Raises:
        ValueError: there is no such environment, its teams oppose each other, or a protocol or a
            share of random actions is asked for.
    """

    epsilon = 0.0

    def __init__(self, name: str | EnvironmentClass, settings: EvaluationSettings) -> None:
        self._name, self.settings = name, settings
        self.spec: TeamSpec = find_team(name)
        if self.spec.teams > 1:
            raise ValueError(f"{self.spec.name!r} has opposing teams, which play matches")
        if settings.protocol:
            raise ValueError(
                f"protocol {settings.protocol!r}: {self.spec.name!r} is no game of Atari, and has "
                "its own rules alone"
            )
        if settings.epsilon:
            raise ValueError(
                f"epsilon = {settings.epsilon:g}: agents of {self.spec.name!r} draw their actions "
                "as they learned to; expected none"
            )

    @property
    def protocol(self) -> str:
        """Return "", as there is none."""
        return ""

    def key(self, step: int | None) -> EvaluationKey:
        """Return the key of the evaluation of a checkpoint, or of another agent."""
        return EvaluationKey(self.spec.name, step, "", 0.0, self.settings.seed)

    def play(self, agent: TeamAgent, step: int | None, report: Report) -> Evaluation:
        """Play the games of an agent.

        The same seed repeats them with as many games in as many environments at once.
        """
        settings = self.settings
        count = min(settings.environments, settings.games)
        vector = make_team_vector(self._name, count, seed=settings.seed)
        try:
            rng = np.random.default_rng([settings.seed, 1])
            games = play_team_games(agent, vector, settings.games, rng, settings.seed, report)
        finally:
            vector.close()
        return Evaluation(self.key(step), games.scores, games.lengths, int(games.lengths.sum()))

    def play_random(self, report: Report) -> Evaluation:
        """Play the games of an agent of random actions."""
        return self.play(RandomTeam(self.spec), None, report)

    def play_run(
        self, method: LearningMethod[Any], run: Run, step: int, name: str, report: Report
    ) -> Evaluation:
        """Play the games of a checkpoint; raises as `LearningMethod.team_agent`."""
        device = self.settings.device
        agent = method.team_agent(run, step, {}, spec=self.spec, name=name, device=device)
        return self.play(agent, step, report)
