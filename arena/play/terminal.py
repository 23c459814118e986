"""Play a game at the terminal, line by line, between people and agents."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from agents.players import Player
from arena.play.analysis import Verdict, analyze_positions
from envs.game import Game, NotationError, State
from envs.notation.records import GameRecord
from envs.positions import past_of

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
HELP = "a move, or: undo, hint, moves (what is legal), board, help, quit"


def shows_a_screen() -> bool:
    """Whether a screen can be drawn: on a terminal, or in a browser that Textual serves."""
    if os.environ.get("TEXTUAL_DRIVER"):
        return True
    terminal = all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    return terminal and os.environ.get("TERM", "dumb") != "dumb"


class QuitError(Exception):
    """The person at the terminal quits."""


@dataclass
class Terminal:
    """The terminal that shows a game and asks for moves; `read` returns "" at end of input."""

    read: Callable[[str], str]  # shows a prompt, returns a line with its newline
    say: Callable[[str], None]
    colours: bool = False


@dataclass
class HumanPlayer:
    """A player whose moves come from the terminal."""

    name: str = "you"


Seat = Player | HumanPlayer


@dataclass
class Table:
    """One game: its players and its moves."""

    game: Game
    seats: tuple[Seat, Seat]
    terminal: Terminal
    seed: int = 0
    moves: list[int] = field(default_factory=list)
    start: State | None = None  # where the moves begin; None is the game's initial position

    def play(self) -> None:
        """Play until the game is over or a person quits; the record is in `moves`."""
        say = self.terminal.say
        say(f"{self.game.title}: {self._seat_name(0)} against {self._seat_name(1)}")
        if any(isinstance(seat, HumanPlayer) for seat in self.seats):
            say(HELP)
        self.show_board()
        try:
            while not self.game.rules.is_terminal(self.state):
                self._turn()
        except (QuitError, KeyboardInterrupt):
            say("\nleft unfinished")
        else:
            say(self.result())
        say(f"game: {self.game.write_position(self.start, self.moves) or '(no moves)'}")

    @property
    def state(self) -> np.void:
        """Return the position as a new record."""
        state: np.void = self.game.line(self.moves, self.start)[-1]
        return state

    def _seat_name(self, side: int) -> str:
        return f"{self.seats[side].name} as {self.game.player_names[side]}"

    def show_board(self) -> None:
        """Draw the position, in colours where the terminal has them."""
        drawing = self.game.render(self.state)
        self.terminal.say(drawing if self.terminal.colours else COLOUR.sub("", drawing))

    def _turn(self) -> None:
        seat = self.seats[int(self.game.rules.to_play(self.state))]
        if isinstance(seat, HumanPlayer):
            action = self._ask()
            if action is None:
                return
        else:
            rng = np.random.default_rng([self.seed, len(self.moves)])
            line = self.game.line(self.moves, self.start)
            past = [past_of(self.game, [line])] if self.game.has_history else []
            action = int(seat.choose(line[-1:].copy(), rng, *past)[0])
            word = self.game.written(self.state, action)
            self.terminal.say(f"\n{seat.name} plays {word}")
        self.moves.append(action)
        self.show_board()

    def _ask(self) -> int | None:
        """Ask for a person's move; None after another request was handled. Raises QuitError."""
        side = int(self.game.rules.to_play(self.state))
        line = self.terminal.read(f"\n{self.game.player_names[side]} to move: ")
        word = line.strip().lower()
        if not line or word in ("quit", "exit", "q"):
            raise QuitError
        requests: dict[str, Callable[[], None]] = {
            "": lambda: None,
            "undo": self._undo,
            "hint": self._hint,
            "moves": lambda: self.terminal.say(" ".join(self._legal())),
            "board": self.show_board,
            "help": lambda: self.terminal.say(HELP),
        }
        if word in requests:
            requests[word]()
            return None
        try:
            return self.game.parse_legal(self.state, line.strip(), len(self.moves) + 1)
        except NotationError as error:
            self.terminal.say(str(error))
            return None

    def _legal(self) -> list[str]:
        legal = np.flatnonzero(self.game.legal_mask(self.state))
        return [self.game.written(self.state, int(action)) for action in legal]

    def _undo(self) -> None:
        """Undo to the person's own last move."""
        side = self.game.rules.to_play(self.state)
        line = self.game.line(self.moves, self.start)
        for ply in reversed(range(len(self.moves))):
            if self.game.rules.to_play(line[ply]) == side:
                del self.moves[ply:]
                self.show_board()
                return
        self.terminal.say("there is no move of yours to take back")

    def _hint(self) -> None:
        """Print a playing agent's choice, if an agent plays."""
        agents = [seat for seat in self.seats if not isinstance(seat, HumanPlayer)]
        if not agents:
            self.terminal.say("no agent at this table can be asked")
            return
        (verdict,) = analyze_positions(self.game, agents[0], [self.moves], [self.start])
        self.terminal.say(f"{agents[0].name} would play {describe(verdict)}")

    def record(self) -> GameRecord:
        """Return the game so far."""
        names = (self.seats[0].name, self.seats[1].name)
        points = first_points(self.game, self.state)
        return GameRecord(self.start, tuple(self.moves), names, points)

    def result(self) -> str:
        """Describe the result of the finished game."""
        value = float(self.game.rules.value_to_play(self.state))
        side = int(self.game.rules.to_play(self.state))
        if value == 0:
            return "a draw"
        return f"{self._seat_name(side if value > 0 else 1 - side)} wins"


def first_points(game: Game, state: State) -> float | None:
    """Return the first player's points, 1, 0.5 or 0; None for a game that is not over."""
    if not game.rules.is_terminal(state):
        return None
    value = float(game.rules.value_to_play(state))
    return (1 + (-value if game.rules.to_play(state) else value)) / 2


def describe(verdict: Verdict) -> str:
    """Format a verdict in half a line."""
    if verdict.exact is not None:
        outcome = {1.0: "a proven win", 0.0: "a proven draw", -1.0: "a proven loss"}
        known = outcome.get(verdict.exact, f"proven {verdict.exact:+.2f}")
        return f"{verdict.move} ({known}{f' in {verdict.plies} plies' if verdict.plies else ''})"
    if verdict.value is None:
        return str(verdict.move)
    return f"{verdict.move} (value {verdict.value:+.2f})"
