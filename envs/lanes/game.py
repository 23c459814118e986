"""The modes of Lanes as games of teams, which `envs.registry` finds by name."""

from __future__ import annotations

from envs.lanes.batch import LanesVector, find_mode
from envs.lanes.rules import MODES
from envs.lanes.scripted_team import ScriptedTeam
from envs.lanes.scripts import SCRIPTS
from envs.lanes.state import spec_of
from envs.teams.game import TeamGame


class LanesGame(TeamGame):
    """A mode of Lanes. A hero sees and does the same in all modes, so agents of one play all.

    Args:
        name: of the mode.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.spec = spec_of(find_mode(name))
        self.title = f"Lanes, {self.spec.agents} against {self.spec.agents}"
        self.scripts = SCRIPTS
        self.relatives = tuple(MODES)

    def make_vector(self, count: int, threads: int = 1) -> LanesVector:
        """See TeamGame."""
        return LanesVector(self.name, count, threads=threads)

    def make_script(self, name: str) -> ScriptedTeam:
        """See TeamGame."""
        return ScriptedTeam(name, self.name)


LANES_1V1, LANES_3V3, LANES_5V5 = map(LanesGame, ("lanes_1v1", "lanes_3v3", "lanes_5v5"))
