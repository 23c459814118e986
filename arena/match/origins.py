"""When the runs of agents were created: a name may be of another run than it was."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from arena.match.records import MatchKey
from arena.opponents.names import is_opponent
from store.errors import StoreError
from store.run import Run, open_run


class Origins:
    """Tells when the runs of agents were created; a run is read once.

    Args:
        store_url: where the runs are.
        runs: those that are open already.
    """

    def __init__(self, store_url: str | Path, runs: Iterable[Run] = ()) -> None:
        self._store_url = store_url
        self._known = {run.name: run.info.created for run in runs}

    def created(self, agent: str) -> str:
        """Return when an agent's run was created, "" if there is none: RUN@STEP names one."""
        name, at, _ = agent.partition("@")
        if not at or is_opponent(agent):
            return ""
        if name not in self._known:
            try:
                self._known[name] = open_run(self._store_url, name).info.created
            except StoreError:  # who plays says what is wrong with it
                self._known[name] = ""
        return self._known[name]

    def key(self, game: str, agents: tuple[str, str], seed: int, openings: str) -> MatchKey:
        """Return the key of a match between agents of today's runs."""
        one, other = agents
        created = (self.created(one), self.created(other))
        return MatchKey(game, agents, seed, openings, created)

    def are_of(self, key: MatchKey) -> bool:
        """Whether a recorded match was between agents of today's runs, as far as is known."""
        pairs = zip(key.agents, key.created, strict=True)
        return all(not then or then == self.created(agent) for agent, then in pairs)
