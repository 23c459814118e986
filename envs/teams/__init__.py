"""Environments of teams, many matches at a time: our own, Gymnasium's, PettingZoo's, a user's."""

from envs.teams.agent import TeamAgent
from envs.teams.finding import find_team, make_team_vector, team_names
from envs.teams.game import SeededVector, TeamGame
from envs.teams.steps import ActionHead, TeamSpec, TeamSteps, TeamVector, UnitGroup

__all__ = [
    "ActionHead",
    "SeededVector",
    "TeamAgent",
    "TeamGame",
    "TeamSpec",
    "TeamSteps",
    "TeamVector",
    "UnitGroup",
    "find_team",
    "make_team_vector",
    "team_names",
]
