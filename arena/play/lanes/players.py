"""Who plays a match of Lanes: an agent for each team, and a person for one hero if there is one.

An agent is `wanderer`, `pusher` or `fighter`, the scripted players, or a run or its checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from arena.names import HUMAN, AgentNameError
from arena.play.lanes.person import Person
from arena.teams.names import find_team_agent
from envs.lanes.batch import find_mode
from envs.lanes.one_match import LanesMatch
from envs.registry import find_team_game
from envs.teams import TeamAgent

DEFAULT_AGENT = "fighter"
YOU = "you"

FindTeam = Callable[[str, str, str], TeamAgent]
"""Returns an agent by its name, the game's name and the URL of the store; AgentNameError."""


def find_team(text: str, game: str, store_url: str) -> TeamAgent:
    """Find an agent that plays a team; raises AgentNameError with the nearest name."""
    return find_team_agent(text, find_team_game(game), store_url)


class Players:
    """Answers for all heroes of a match, each decision once, as a `Timeline` asks.

    Args:
        game: the mode.
        agents: of the left and the right team; None where a person plays alone.
        person: who plays a hero in place of the team's agent.
        seed: of the agents' chance.
    """

    def __init__(
        self,
        game: str,
        agents: tuple[TeamAgent | None, TeamAgent | None],
        person: Person | None = None,
        seed: int = 0,
    ) -> None:
        self.game, self.agents, self.person = game, agents, person
        self._rngs = [np.random.default_rng([seed, team]) for team in range(2)]

    @property
    def names(self) -> tuple[str, str]:
        """Return who plays the left and the right team."""
        left, right = (self._name(team) for team in range(2))
        return left, right

    def _name(self, team: int) -> str:
        agent, person = self.agents[team], self.person
        if person is None or person.team != team:
            return "nobody" if agent is None else agent.name
        return YOU if agent is None else f"{YOU} and {agent.name}"

    def __call__(self, match: LanesMatch) -> NDArray[np.int8]:
        """Return the actions of the next decision, int8 [players, 3]."""
        actions = np.zeros((match.spec.players, 3), np.int8)
        begins = np.array([match.decisions == 0])
        agents = match.layout.agents
        for team, agent in enumerate(self.agents):
            if agent is not None:
                seen = match.observations(team)[None], match.masks(team)[None]
                chosen = agent.act(*seen, begins, self._rngs[team])[0]
                actions[team * agents : (team + 1) * agents] = chosen
        if self.person is not None:
            actions[self.person.player] = self.person.action(match)
        return actions


def seat_players(
    game: str,
    names: tuple[str, str],
    *,
    allies: str = DEFAULT_AGENT,
    hero: int = 1,
    seed: int = 0,
    store_url: str = "",
    find: FindTeam = find_team,
) -> Players:
    """Find who plays by the names of the left and the right team, of which one may be "human".

    Args:
        allies: who plays the other heroes of the person's team.
        hero: the person's, from 1.
        seed: of the agents' chance.
        store_url: of runs.
        find: finds agents.

    Raises AgentNameError for a name, ValueError for a hero that a team does not have.
    """
    count = find_mode(game).agents
    if names == (HUMAN, HUMAN):
        raise AgentNameError(f"{game}: one person plays at a terminal; name an agent as opponent")
    person, agents = None, []
    for team, name in enumerate(names):
        if name == HUMAN:
            person = Person(team, hero - 1, count)
            name = allies if count > 1 else ""
        agents.append(find(name, game, store_url) if name else None)
    return Players(game, (agents[0], agents[1]), person, seed)
