"""A single match of Lanes that advances tick by tick: for replays, drawings, and people.

`LanesVector` advances many by whole decisions and follows each that ends by a new one; here the end
stays, and so does what happens within a decision. Both run the same compiled rules.

Shapes: k agents a team, p = 2 k players.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.lanes import rules as r
from envs.lanes import state as s
from envs.lanes import ticking
from envs.lanes.batch import find_mode

MOST_DECISIONS = -(-r.LIMIT // r.TICKS)  # of a match


class Sight(NamedTuple):
    """What each team sees and remembers in this tick.

    Attributes:
        visible: uint8 [2, units], 1 for living units that a team sees.
        seen: SEEN [2, remembered], enemy heroes, enemy structures and neutrals as last seen.
    """

    visible: NDArray[np.uint8]
    seen: NDArray[Any]


class Snapshot(NamedTuple):
    """A copy of a match's arrays between two decisions."""

    arrays: tuple[NDArray[Any], ...]


class LanesMatch:
    """A match from its seed.

    Args:
        game: a mode, "lanes_5v5".
        seed: of the match, 0 to 2^64 - 1.

    Attributes:
        match: MATCH [1]; units: UNIT [units]; heroes: HERO [p]: the true state.
        targets: int16 [p, TARGETS], the unit in each target slot of each hero, -1 for none.
        waits: whether a new decision is due, as between two of them.

    Raises ValueError for another mode or seed.
    """

    def __init__(self, game: str, seed: int) -> None:
        if not 0 <= seed < 2**64:
            raise ValueError(f"seed = {seed}: expected 0 to 2^64 - 1")
        mode = find_mode(game)
        self.game, self.seed, self.mode = game, seed, mode
        self.spec, self.layout = s.spec_of(mode), s.layout_of(mode)
        layout = self.layout
        places = layout.agents + layout.towers + r.CAMPS
        self.match = np.zeros(1, s.MATCH)
        self.units = np.zeros(layout.units, s.UNIT)
        self.heroes = np.zeros(self.spec.players, s.HERO)
        self._seen = np.zeros((2, places), s.SEEN)
        self._visible = np.zeros((2, layout.units), np.uint8)
        self.targets = np.zeros((self.spec.players, s.TARGETS), np.int16)
        self._rows = np.zeros((self.spec.players, s.ROW), np.int8)
        self.waits = True
        written = self._visible, self.targets, self._rows
        self._call(ticking.start_one, *written, np.uint64(seed))

    @property
    def decisions(self) -> int:
        """Return the decisions that are over."""
        return int(self.match["steps"][0]) if self.waits else int(self.match["steps"][0]) - 1

    @property
    def ticks(self) -> int:
        """Return the ticks that are over."""
        return int(self.match["tick"][0])

    @property
    def winner(self) -> int:
        """Return the team that won, DRAW, or RUNNING."""
        return int(self.match["winner"][0])

    @property
    def is_over(self) -> bool:
        """Return whether the match has ended."""
        return self.winner != r.RUNNING

    def observations(self, team: int) -> NDArray[np.int8]:
        """Return what a team's heroes observe to decide on, int8 [k, OBSERVATION], a view."""
        return self._of(team)[:, : s.OBSERVATION]

    def masks(self, team: int) -> NDArray[np.uint8]:
        """Return what a team's heroes may choose, uint8 [k, MASK], a view."""
        return self._of(team)[:, s.OBSERVATION : s.OBSERVATION + s.MASK].view(np.uint8)

    def order(self, actions: NDArray[np.int8]) -> None:
        """Begin a decision; its ticks carry it out.

        Args:
            actions: int8 [p, 3]. An action that its hero may not choose holds, or does nothing.

        Raises ValueError in the middle of a decision, after the end, or for another shape.
        """
        if not self.waits or self.is_over:
            raise ValueError("the match takes no orders now: a decision runs, or it has ended")
        if actions.shape != (self.spec.players, 3) or actions.dtype != np.int8:
            raise ValueError(
                f"actions {actions.dtype} {actions.shape}: expected int8 {(self.spec.players, 3)}"
            )
        ticking.order_one(
            *(self.match, self.units, self.heroes, self.targets, self._rows),
            *(actions, self.layout),
        )
        self.waits = False

    def tick(self) -> bool:
        """Advance by a tick; return whether the decision is over.

        Raises ValueError where no decision runs.
        """
        if self.waits:
            raise ValueError("no decision runs: expected orders first")
        self._call(ticking.tick_one)
        self.waits = self.is_over or self.ticks % r.TICKS == 0
        if self.waits:
            self._call(ticking.show_one, self._visible, self.targets, self._rows)
        return self.waits

    def step(self, actions: NDArray[np.int8]) -> None:
        """Advance by a decision; raises as `order`."""
        self.order(actions)
        while not self.tick():
            pass

    def sight(self) -> Sight:
        """Look in this tick; what the teams remember for their next decision stays as it is."""
        visible, seen = self._visible.copy(), self._seen.copy()
        if not self.waits:
            ticking.look_one(self.match, self.units, seen, visible, self.layout)
        return Sight(visible, seen)

    def snapshot(self) -> Snapshot:
        """Copy the match. Raises ValueError in the middle of a decision."""
        if not self.waits:
            raise ValueError("a decision runs: a snapshot is taken between two")
        return Snapshot(tuple(array.copy() for array in self._arrays()))

    def restore(self, snapshot: Snapshot) -> None:
        """Go to a snapshot of this match."""
        for array, copied in zip(self._arrays(), snapshot.arrays, strict=True):
            array[...] = copied
        self.waits = True

    def digest(self) -> bytes:
        """Return a hash of the true state and of what the teams remember, 32 bytes."""
        found = hashlib.sha256()
        for array in self._state():
            for field in array.dtype.names or ():  # without the padding between fields
                found.update(np.ascontiguousarray(array[field]).tobytes())
        return found.digest()

    def _of(self, team: int) -> NDArray[np.int8]:
        agents = self.layout.agents
        return self._rows[team * agents : (team + 1) * agents]

    def _call(self, kernel: Any, *rest: Any) -> None:
        kernel(*self._state(), *rest, self.layout)

    def _state(self) -> tuple[NDArray[Any], ...]:
        return self.match, self.units, self.heroes, self._seen

    def _arrays(self) -> tuple[NDArray[Any], ...]:
        return *self._state(), self._visible, self.targets, self._rows
