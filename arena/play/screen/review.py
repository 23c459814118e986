"""Review a finished game: the value of each position, and the moves that lost value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any

import numpy as np

from agents.players import Player
from arena.engine.snapshot import Snapshot
from arena.engine.threads import start_thread
from arena.play.screen.move_history import MoveHistory
from arena.play.screen.thinking import Thought
from arena.solvers.players import SolverPlayer
from arena.solvers.registry import SOLVERS
from envs.game import Game, State

# Drops of value in [-1, 1] from which a move is marked, for its mover: 2 is from won to lost.
MARKS = ((0.8, "??"), (0.5, "?"), (0.25, "?!"))


@dataclass(frozen=True)
class Judgement:
    """The value that one move lost."""

    drop: float  # of value for the mover, at least 0
    exact: bool  # both values are proven
    mark: str  # "??", "?", "?!" or none


def mark_of(drop: float) -> str:
    """Return the mark of a move that lost `drop` of value."""
    return next((mark for least, mark in MARKS if drop >= least), "")


class Review:
    """The analyses of all positions of a game, made in a separate thread.

    Args:
        analyst: the agent that analyses, beside the game's solver, if any.
        turn: held while the analyst thinks.
        start: where the game began, if not at the initial position.
    """

    def __init__(
        self,
        game: Game,
        moves: Sequence[int],
        analyst: Player,
        turn: Lock,
        start: State | None = None,
    ) -> None:
        self.game = game
        self.history = MoveHistory(game, moves, start)
        self.analyst = analyst
        self.snapshots: list[Snapshot | None] = [None] * len(self.history.states)
        self.exact: list[float | None] = [None] * len(self.history.states)
        self.error: Exception | None = None
        self.finished = Event()
        self._turn = turn
        self._cancelled = Event()
        self._thought: Thought | None = None

    def start(self) -> None:
        """Start the review."""
        start_thread(self.run)

    def cancel(self) -> None:
        """Cancel the review of the remaining positions."""
        self._cancelled.set()
        if self._thought is not None:
            self._thought.cancel()

    @property
    def progress(self) -> str:
        """Describe the progress of the review, or its error."""
        done = sum(snapshot is not None for snapshot in self.snapshots)
        if self.error is not None:
            return f"the analysis failed: {self.error}"
        return "" if self.finished.is_set() else f"{done} of {len(self.snapshots)} positions"

    def run(self) -> None:
        """Review the game in this thread: the analyst forwards, then the solver backwards."""
        try:
            for ply, state in enumerate(self.history.states):
                self._judge_position(ply, state)
            self._solve()
        except Exception as error:  # shown on the screen: a thread has no caller to raise to
            self.error = error
        finally:
            self.finished.set()

    def _judge_position(self, ply: int, state: Any) -> None:
        if self.game.rules.is_terminal(state):
            self.exact[ply] = float(self.game.rules.value_to_play(state))
        elif not self._cancelled.is_set():
            self._thought = Thought(self.game, self.analyst, state, past=self.history.past(ply))
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
        """Solve positions from the end backwards, while the solver is fast."""
        if self.game.name not in SOLVERS:
            return
        player = SolverPlayer(self.game)
        # Earlier positions would hold up the others for minutes.
        for ply in range(len(self.history.moves), player.solver.prompt_from - 1, -1):
            state = self.history.states[ply]
            if not self._cancelled.is_set() and self.exact[ply] is None:
                self.exact[ply] = float(player.analyze(np.atleast_1d(state)).exact[0])

    def value(self, ply: int) -> float | None:
        """Return the position's value for the side to move, exact where known."""
        snapshot = self.snapshots[ply]
        if self.exact[ply] is not None:
            return self.exact[ply]
        return None if snapshot is None else snapshot.value_to_play

    def judge(self, ply: int) -> Judgement | None:
        """Judge the move made at a ply; None while unknown."""
        before, after = self.value(ply), self.value(ply + 1)
        if before is None or after is None:
            return None
        sides = [int(self.game.rules.to_play(self.history.states[i])) for i in (ply, ply + 1)]
        drop = max(0.0, before - (after if sides[0] == sides[1] else -after))
        exact = self.exact[ply] is not None and self.exact[ply + 1] is not None
        return Judgement(drop, exact, mark_of(drop))
