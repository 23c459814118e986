"""A game gone through afterwards: what each position was worth, and which moves gave it away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any

import numpy as np

from agents.players import Player
from arena.play.screen.move_history import MoveHistory
from arena.play.screen.thinking import Snapshot, Thought, start_thread
from arena.solvers.players import SolverPlayer
from arena.solvers.registry import SOLVERS
from envs.game import Game

# Drops of value in [-1, 1] from which a move is marked, for its mover: 2 is from won to lost.
MARKS = ((0.8, "??"), (0.5, "?"), (0.25, "?!"))


@dataclass(frozen=True)
class Judgement:
    """What one move gave away."""

    drop: float  # of value for the mover, at least 0
    exact: bool  # both values are proven
    mark: str  # "??", "?", "?!" or none


def mark_of(drop: float) -> str:
    """The mark of a move that lost so much value."""
    return next((mark for least, mark in MARKS if drop >= least), "")


class Review:
    """Opinions on every position of a game, filled in by a thread of its own.

    Args:
        analyst: whose opinion it is, beside the solver's where the game has one.
        turn: held while the analyst thinks.
    """

    def __init__(self, game: Game, moves: Sequence[int], analyst: Player, turn: Lock) -> None:
        self.game = game
        self.history = MoveHistory(game, moves)
        self.analyst = analyst
        self.snapshots: list[Snapshot | None] = [None] * len(self.history.states)
        self.exact: list[float | None] = [None] * len(self.history.states)
        self.error: Exception | None = None
        self.finished = Event()
        self._turn = turn
        self._cancelled = Event()
        self._thought: Thought | None = None

    def start(self) -> None:
        """Begin to go through the game."""
        start_thread(self.run)

    def cancel(self) -> None:
        """Leave the rest."""
        self._cancelled.set()
        if self._thought is not None:
            self._thought.cancel()

    @property
    def progress(self) -> str:
        """How much has been gone through."""
        done = sum(snapshot is not None for snapshot in self.snapshots)
        if self.error is not None:
            return f"the analysis failed: {self.error}"
        return "" if self.finished.is_set() else f"{done} of {len(self.snapshots)} positions"

    def run(self) -> None:
        """Go through the game in this thread: the analyst forwards, then the solver backwards."""
        try:
            for ply, state in enumerate(self.history.states):
                self._judge_position(ply, state)
            self._solve()
        except Exception as error:  # told on the screen: a thread has nobody else to tell
            self.error = error
        finally:
            self.finished.set()

    def _judge_position(self, ply: int, state: Any) -> None:
        if self.game.rules.is_terminal(state):
            self.exact[ply] = float(self.game.rules.value_to_play(state))
        elif not self._cancelled.is_set():
            self._thought = Thought(self.game, self.analyst, state)
            if self._cancelled.is_set():  # between the two lines above
                return
            self._thought.run(self._turn)
            if self._thought.error is not None:
                raise self._thought.error
            snapshot = self._thought.snapshot
            self.snapshots[ply] = snapshot
            if snapshot is not None and snapshot.exact is not None:
                self.exact[ply] = snapshot.exact

    def _solve(self) -> None:
        """Exact values from the end backwards, where a solver answers soon."""
        if self.game.name not in SOLVERS:
            return
        player = SolverPlayer(self.game)
        # Earlier positions would hold up the others for minutes.
        for ply in range(len(self.history.moves), player.solver.prompt_from - 1, -1):
            state = self.history.states[ply]
            if not self._cancelled.is_set() and self.exact[ply] is None:
                self.exact[ply] = float(player.analyze(np.atleast_1d(state)).exact[0])

    def value(self, ply: int) -> float | None:
        """What the position is worth to its side to move, exact where that is known."""
        snapshot = self.snapshots[ply]
        if self.exact[ply] is not None:
            return self.exact[ply]
        return None if snapshot is None else snapshot.value_to_play

    def judge(self, ply: int) -> Judgement | None:
        """What the move made at a ply gave away; None where it is not known (yet)."""
        before, after = self.value(ply), self.value(ply + 1)
        if before is None or after is None:
            return None
        sides = [int(self.game.rules.to_play(self.history.states[i])) for i in (ply, ply + 1)]
        drop = max(0.0, before - (after if sides[0] == sides[1] else -after))
        exact = self.exact[ply] is not None and self.exact[ply + 1] is not None
        return Judgement(drop, exact, mark_of(drop))
