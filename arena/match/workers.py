"""Play the batches of a match in this process or in Ray tasks.

A task holds nothing but the agents that its process loaded before. If that process or its node
dies, Ray plays the batch again elsewhere, and the games are the same.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from agents.players import ForfeitError, Player, RandomPlayer
from arena.match.match import play_batch
from arena.match.pool import PlannedBatch, UnplayableError
from arena.match.records import Batch
from arena.names import AgentNameError, find_agent
from envs.game import Game
from envs.game_file import find_or_load
from store.errors import CheckpointError, CheckpointNotFoundError

PLAYERS_KEPT = 24  # loaded at the same time
RETRIES = 4  # of a batch whose process died
POLL_S = 0.5

Guard = Callable[[], AbstractContextManager[object]]


class LoadedAgents:
    """A cache of the agents of one game and store that played last.

    Of other programs it starts those with an exact name in `programs` alone: names that a person
    typed, never ones that were stored.
    """

    def __init__(self, game: Game, store_url: str, programs: frozenset[str] = frozenset()) -> None:
        self.game = game
        self._store_url = store_url
        self._programs = programs
        self._players: OrderedDict[str, Player] = OrderedDict()

    def play(self, planned: PlannedBatch) -> Batch:
        """Play a batch. Raises UnplayableError, and what an agent raises."""
        one, other = (self.load(name) for name in planned.key.agents)
        return play_batch(self.game, (one, other), planned)

    def load(self, name: str) -> Player:
        """Load an agent by name; raises UnplayableError."""
        if name in self._players:
            self._players.move_to_end(name)
            return self._players[name]
        try:
            may_start = name in self._programs
            player = find_agent(name, self.game, self._store_url, programs=may_start)
        except (CheckpointError, CheckpointNotFoundError, AgentNameError) as error:
            raise UnplayableError(name, error) from error  # damaged, or pruned since
        self._players[name] = player
        if len(self._players) > PLAYERS_KEPT:
            self._players.popitem(last=False)
        return player

    def know(self, names: Iterable[str]) -> bool:
        """Whether all these agents are loaded."""
        return all(name in self._players for name in names)

    def warm(self, planned: PlannedBatch) -> None:
        """Compile the kernels that a batch needs, or load them from the cache on disk.

        Raises UnplayableError.
        """
        chance = RandomPlayer(self.game)
        play_batch(self.game, (chance, chance), replace(planned, openings=planned.openings[:1]))
        for name in planned.key.agents:
            if name not in self._players:
                with suppress(ForfeitError):  # it loses the game that is played, not the match
                    self.load(name).choose(planned.openings[0].state, np.random.default_rng(0))


class LocalPool:
    """A `MatchPool` in this process: one batch, played by `take`; see `LoadedAgents`."""

    def __init__(self, game: Game, store_url: str, programs: frozenset[str] = frozenset()) -> None:
        self._agents = LoadedAgents(game, store_url, programs)
        self._waiting: deque[PlannedBatch] = deque()

    @property
    def in_flight(self) -> Collection[PlannedBatch]:
        """See MatchPool."""
        return self._waiting

    @property
    def has_room(self) -> bool:
        """See MatchPool."""
        return not self._waiting

    def submit(self, batch: PlannedBatch) -> None:
        """See MatchPool."""
        self._waiting.append(batch)

    def take(self) -> tuple[PlannedBatch, Batch]:
        """See MatchPool."""
        planned = self._waiting.popleft()
        return planned, self.play(planned)

    def play(self, planned: PlannedBatch) -> Batch:
        """Play a batch. Raises like `LoadedAgents.play`."""
        return self._agents.play(planned)

    def cancel(self) -> None:
        """See MatchPool."""
        self._waiting.clear()


class RayPool:
    """A `MatchPool` on the connected Ray cluster: each batch is a task on one core.

    Args:
        workers: batches at once.
        game: a game's name, or the file of a user's own, which every node has in that place.
        store_url: where the runs are, as every node understands it.
        guard: entered in a worker while it loads agents and compiles.
        programs: other programs that the workers may start, each its own; see `LoadedAgents`.
    """

    def __init__(
        self,
        workers: int,
        game: str | Path,
        store_url: str,
        guard: Guard = nullcontext,
        programs: frozenset[str] = frozenset(),
    ) -> None:
        import ray

        self._ray: Any = ray
        self._workers = workers
        self._where = (game.resolve() if isinstance(game, Path) else game), store_url
        self._guard = guard
        self._programs = programs
        self._task = ray.remote(num_cpus=1, max_retries=RETRIES)(play_in_worker)
        self._calls: dict[Any, PlannedBatch] = {}

    @property
    def in_flight(self) -> Collection[PlannedBatch]:
        """See MatchPool."""
        return self._calls.values()

    @property
    def has_room(self) -> bool:
        """See MatchPool."""
        return len(self._calls) < self._workers

    def submit(self, batch: PlannedBatch) -> None:
        """See MatchPool."""
        self._calls[self._task.remote(batch, *self._where, self._guard, self._programs)] = batch

    def take(self) -> tuple[PlannedBatch, Batch]:
        """See MatchPool."""
        ready: list[Any] = []
        while not ready:  # short waits, so that Ctrl-C is handled between them
            ready, _ = self._ray.wait(list(self._calls), timeout=POLL_S)
        planned = self._calls.pop(ready[0])
        try:
            answer = self._ray.get(ready[0])
        except self._ray.exceptions.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, Exception) else error) from error
        except self._ray.exceptions.RayError as error:
            one, other = planned.key.agents
            pairs = f"pairs {planned.first_pair} to {planned.end - 1}"
            what = str(error).strip().partition("\n")[0] or type(error).__name__
            raise ChildProcessError(
                f"{one} against {other}, {pairs}: no worker could play them, in up to "
                f"{1 + RETRIES} attempts: {what}"
            ) from error
        return planned, answer

    def cancel(self) -> None:
        """See MatchPool; kills the playing processes at once."""
        for call in self._calls:
            with suppress(self._ray.exceptions.RayError):
                self._ray.cancel(call, force=True)
        self._calls.clear()


@cache
def _agents_here(game: str | Path, store_url: str, programs: frozenset[str]) -> LoadedAgents:
    return LoadedAgents(find_or_load(game), store_url, programs)


def play_in_worker(
    planned: PlannedBatch,
    game: str | Path,
    store_url: str,
    guard: Guard,
    programs: frozenset[str],
) -> Batch:
    """Play a batch as a task of `RayPool`. Raises like `LoadedAgents.play`."""
    agents = _agents_here(game, store_url, programs)
    if not agents.know(planned.key.agents):
        with guard():
            agents.warm(planned)
    return agents.play(planned)
