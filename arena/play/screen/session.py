"""Run a game for the screen without drawing: seats, clocks, turns, searching agents.

Everything happens in the caller's thread, when it calls `tick`; agents search in their own
threads, and `tick` collects the results.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import numpy as np

from agents.alphazero.player import RawNetworkPlayer
from agents.players import ROLLOUT_CONFIG, Player, RandomPlayer, SearchPlayer, rollout_player
from arena.engine.snapshot import Snapshot
from arena.names import ROLLOUT_SIMULATIONS
from arena.play.screen.move_history import MoveHistory
from arena.play.screen.review import Review
from arena.play.screen.thinking import (
    Thought,
    next_level,
    simulations_of,
    with_simulations,
)
from arena.play.terminal import HumanPlayer, Seat, first_points
from envs.game import Game, State
from envs.notation.records import GameRecord
from mcts.config import SearchConfig
from mcts.forest import Forest

MOVE, HINT, TREE = "move", "hint", "tree"  # the purpose of a search


@dataclass
class Chair:
    """A side's player, its strength, and the time it has used."""

    seat: Seat
    simulations: int | None = None  # None where it cannot be changed
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.seat, HumanPlayer):
            self.simulations = simulations_of(self.seat)

    @property
    def is_human(self) -> bool:
        """Whether moves come from the keyboard."""
        return isinstance(self.seat, HumanPlayer)

    @property
    def player(self) -> Player:
        """Return the agent at its current strength. Raises ValueError for a human's chair."""
        if isinstance(self.seat, HumanPlayer):
            raise ValueError("a human's moves come from the keyboard")
        if self.simulations == simulations_of(self.seat):
            return self.seat
        return with_simulations(self.seat, self.simulations or 0)

    @property
    def title(self) -> str:
        """Return the name, with the strength where it was changed."""
        if isinstance(self.seat, HumanPlayer) or self.simulations == simulations_of(self.seat):
            return self.seat.name
        strength = f"{self.simulations:,} sims" if self.simulations else "no search"
        return f"{self.seat.name} at {strength}"


@dataclass(frozen=True)
class FinishedThought:
    """A finished search that can still be shown: its position, tree and result."""

    moves: tuple[int, ...]
    state: Any  # the position, which does not change
    side: int  # to move there
    name: str
    snapshot: Snapshot | None
    forest: Forest | None


class GameSession:
    """One game at a time between two seats; agents move by themselves unless it is paused.

    Args:
        pace: seconds that a move of two agents stays on the board before the next.
        now: a clock in seconds.
        begin: where games begin, and the moves made there before; None is the initial position.
        keep: gets each game that is left, by a new one or at the end.
    """

    def __init__(
        self,
        game: Game,
        seats: Sequence[Seat],
        *,
        seed: int = 0,
        pace: float = 0.5,
        now: Callable[[], float] = time.monotonic,
        begin: GameRecord | None = None,
        keep: Callable[[GameRecord], None] | None = None,
    ) -> None:
        self.game = game
        self.chairs = [Chair(seat) for seat in seats]
        self.begin = begin or GameRecord(None, ())
        self.history = MoveHistory(game, self.begin.moves, self.begin.start)
        self._keep = keep
        self.seed = seed
        self.pace = pace
        self.paused = False
        self.message = ""
        self.hint: int | None = None
        self.thought: Thought | None = None
        self.purpose = MOVE
        self.found: FinishedThought | None = None  # the last search that finished
        self.opened: FinishedThought | None = None  # for the tree explorer, until collected
        self._turn = Lock()  # networks and solvers serve one thread at a time
        self._now = now
        self._seen = self._moved = now()
        self._thought_after: tuple[int, ...] = ()  # the moves that lead to the searched position
        self._steps = 0  # moves that agents may make while paused

    # --- state ---

    @property
    def side(self) -> int:
        """Return the side to move, 0 or 1."""
        return int(self.game.rules.to_play(self.history.state))

    @property
    def is_over(self) -> bool:
        """Whether the game has ended."""
        return bool(self.game.rules.is_terminal(self.history.state))

    @property
    def watching(self) -> bool:
        """Whether only agents play."""
        return not any(chair.is_human for chair in self.chairs)

    @property
    def awaits_human(self) -> bool:
        """Whether a person is to move."""
        return not self.is_over and self.chairs[self.side].is_human

    def legal(self) -> list[int]:
        """Return the legal actions, none at the end."""
        return [int(a) for a in np.flatnonzero(self.game.legal_mask(self.history.state))]

    def result(self) -> str:
        """Describe the result of the finished game."""
        winner = self.winner()
        if winner is None:
            return "a draw"
        return f"{self.chairs[winner].title} as {self.game.player_names[winner]} wins"

    def winner(self) -> int | None:
        """Return the winner of the finished game, None after a draw."""
        value = float(self.game.rules.value_to_play(self.history.state))
        return None if value == 0 else self.side if value > 0 else 1 - self.side

    def adviser(self) -> Player:
        """Return who gives hints: a playing agent, else tree search with random rollouts."""
        agents = [chair for chair in self.chairs if not chair.is_human]
        strong = [c for c in agents if not isinstance(c.player, RandomPlayer)]
        if strong:
            return strong[0].player
        return self.analyst()

    def analyst(self) -> Player:
        """Return who reviews games: a playing network or search, else search with rollouts."""
        players = [chair.player for chair in self.chairs if not chair.is_human]
        able = [p for p in players if isinstance(p, (SearchPlayer, RawNetworkPlayer))]
        if able:
            return able[0]
        config = replace(ROLLOUT_CONFIG, simulations=ROLLOUT_SIMULATIONS)
        return rollout_player(self.game, config, name=f"mcts:{ROLLOUT_SIMULATIONS}")

    # --- time ---

    def tick(self) -> None:
        """Advance the clock, collect a search's result, start the next search."""
        now = self._now()
        if not self.is_over and not self.paused:
            self.chairs[self.side].seconds += now - self._seen
        self._seen = now
        if self.thought is not None and self.thought.finished.is_set():
            self._take(self.thought)
        waiting = self.watching and now - self._moved < self.pace and not self._steps
        if self.thought is None and self._agent_may_move() and not waiting:
            ply = len(self.history.moves)
            self._think(self.chairs[self.side].player, MOVE, [self.seed, ply])

    def _agent_may_move(self) -> bool:
        allowed = not self.paused or self._steps > 0
        return allowed and not self.is_over and not self.chairs[self.side].is_human

    def _think(self, player: Player, purpose: str, seed: list[int] | None = None) -> None:
        thought = Thought(self.game, player, self.history.state, seed, self.history.past())
        self._start(thought, purpose, self.history.moves)

    def _start(self, thought: Thought, purpose: str, moves: Sequence[int]) -> None:
        self.cancel()
        self.thought, self.purpose, self._thought_after = thought, purpose, tuple(moves)
        thought.start(self._turn)

    def _take(self, thought: Thought) -> None:
        self.thought = None
        if thought.error is not None:
            self.paused = True
            self.message = f"{thought.player.name} failed: {thought.error} (p tries again)"
            return
        side = int(self.game.rules.to_play(thought.states[0]))
        found = FinishedThought(
            self._thought_after,
            thought.states[0],
            side,
            thought.player.name,
            thought.snapshot,
            thought.forest,
        )
        if self.purpose == TREE:
            self.opened = found
            return
        self.found = found
        if thought.action is None:
            return
        if self.purpose == HINT:
            self._tell_hint(thought, thought.action)
        else:
            self._steps = max(0, self._steps - 1)
            self._move(thought.action)

    def _tell_hint(self, thought: Thought, action: int) -> None:
        self.hint = action
        value = thought.snapshot.candidates[0].value if thought.snapshot else None
        if value is None and thought.snapshot:
            value = thought.snapshot.value_to_play
        worth = "" if value is None else f" (value {value:+.2f})"
        word = self.game.written(thought.states[0], action)
        self.message = f"hint: {word}{worth}, says {thought.player.name}"

    def _move(self, action: int) -> None:
        self.history.play(action)
        self._moved = self._now()
        self.hint = None
        self.message = f"the game is over: {self.result()}" if self.is_over else ""

    def cancel(self) -> None:
        """Cancel the running search; its thread ends after a slice."""
        if self.thought is not None:
            self.thought.cancel()
            self.thought = None

    # --- requests ---

    def play(self, action: int) -> None:
        """Play a person's move; `message` says why it is refused."""
        if self.is_over:
            self.message = "the game is over: n begins a new one, u takes back"
        elif not self.chairs[self.side].is_human:
            self.message = f"it is {self.chairs[self.side].title}'s move"
        elif action not in self.legal():
            self.message = f"{self.game.format_action(action)} is not legal here"
        else:
            self.cancel()
            self._move(action)

    def undo(self) -> None:
        """Undo to a person's own last move; where only agents play, one move, and pause."""
        if self._back_to_human(range(len(self.history.moves) - 1, -1, -1), self.history.undo):
            self.message = ""
        else:
            self.message = "there is no move to take back"

    def redo(self) -> None:
        """Redo moves until a person is to move."""
        plies = range(1, len(self.history.undone) + 1)
        if self._back_to_human(plies, self.history.redo):
            self.message = f"the game is over: {self.result()}" if self.is_over else ""
        else:
            self.message = "nothing was taken back"

    def _back_to_human(self, steps: range, step: Callable[[], bool]) -> bool:
        """Step until a person is to move, at most through `steps`; False if nothing changed."""
        if not len(steps) or (step == self.history.undo and not self._human_before()):
            return False
        self.cancel()
        self.hint, self.found = None, None
        if self.watching:
            self.paused = True
            return step()
        moved = False
        for _ in steps:
            moved = step() or moved
            if self.is_over or self.chairs[self.side].is_human:
                break
        return moved

    def _human_before(self) -> bool:
        """Whether there is an earlier position with a person to move, or only agents play."""
        sides = [int(self.game.rules.to_play(state)) for state in self.history.states[:-1]]
        return self.watching or any(self.chairs[side].is_human for side in sides)

    def ask_hint(self) -> None:
        """Ask for the best move and its value; `tick` brings it."""
        if self.is_over:
            self.message = "the game is over"
        elif self.thought is not None:
            self.message = "the agent is thinking; space makes it move now"
        else:
            adviser = self.adviser()
            self.message = f"{adviser.name} is looking for a hint"
            self._think(adviser, HINT)

    def ask_tree(self, moves: Sequence[int]) -> None:
        """Ask for a search of the position after `moves` to be explored; `tick` brings it."""
        searcher = self.analyst()
        if simulations_of(searcher) == 0:
            searcher = with_simulations(searcher, SearchConfig().simulations)
        line = MoveHistory(self.game, moves, self.history.start)
        thought = Thought(self.game, searcher, line.state, past=line.past())
        self._start(thought, TREE, moves)

    def review(self) -> Review:
        """Make the analyst's review of the game so far; cancels a running search."""
        self.cancel()
        moves, start = self.history.moves, self.history.start
        return Review(self.game, moves, self.analyst(), self._turn, start)

    def stop_thinking(self) -> None:
        """End the search early; the agent moves by its result so far."""
        if self.thought is None:
            self.message = "no agent is thinking"
        else:
            self.thought.stop()
            if not isinstance(self.thought.player, SearchPlayer):
                self.message = f"{self.thought.player.name} cannot be hurried"

    def swap_sides(self) -> None:
        """Exchange the seats; the clocks stay with the sides."""
        self.cancel()
        first, second = self.chairs
        first.seat, second.seat = second.seat, first.seat
        first.simulations, second.simulations = second.simulations, first.simulations
        self.hint = None
        self.message = f"{self.chairs[0].title} now plays {self.game.player_names[0]}"

    def change_strength(self, up: bool) -> None:
        """Change the agents' simulations; a running search starts again."""
        changed = [chair for chair in self.chairs if chair.simulations is not None]
        if not changed:
            self.message = "no agent here has a strength to change"
            return
        self.cancel()
        for chair in changed:
            chair.simulations = next_level(chair.simulations or 0, up)
        self.message = ", ".join(dict.fromkeys(chair.title for chair in changed))

    def pause(self) -> None:
        """Pause or resume the clocks and the agents."""
        self.paused = not self.paused
        self._steps = 0
        if self.paused and self.purpose == MOVE:
            self.cancel()
        self.message = "paused: p goes on, . makes one move" if self.paused else ""

    def step(self) -> None:
        """Let the agent to move make one move, and stay paused."""
        if self.is_over or self.chairs[self.side].is_human:
            self.message = "no agent is to move"
            return
        self.paused, self._steps = True, 1

    def new_game(self, moves: Sequence[int] | None = None, start: State | None = None) -> None:
        """Start a new game after `moves` from `start`, or where games begin, clocks at zero."""
        self.keep_game()
        self.cancel()
        if moves is None:
            moves, start = self.begin.moves, self.begin.start
        self.history = MoveHistory(self.game, moves, start)
        self.hint = self.found = self.opened = None
        self._steps = 0
        for chair in self.chairs:
            chair.seconds = 0.0
        self._seen = self._moved = self._now()
        self.message = f"the game is over: {self.result()}" if self.is_over else ""

    def record(self) -> GameRecord:
        """Return the game so far, with the players and the result."""
        names = (self.chairs[0].title, self.chairs[1].title)
        points = first_points(self.game, self.history.state)
        return GameRecord(self.history.start, tuple(self.history.moves), names, points)

    def keep_game(self) -> None:
        """Hand a game that is left to `keep`, if a move was made in it."""
        if self._keep is not None and tuple(self.history.moves) != self.begin.moves:
            self._keep(self.record())

    def describe(self) -> str:
        """Name the players, for the head of a saved game."""
        names = self.game.player_names
        return "; ".join(f"{name}: {c.title}" for name, c in zip(names, self.chairs))
