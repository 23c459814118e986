"""A player that asks another program for its moves, and holds it to the rules."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.players import Analysis, ForfeitError, opinion
from arena.engine.limits import Clocks
from arena.engine.protocols.dialects import DIALECTS
from arena.opponents.asking import Answer, Engine, TimedEngine
from arena.opponents.gtp_engine import GtpEngine
from arena.opponents.known_lines import KnownLines
from arena.opponents.names import OpponentName, parse_opponent
from arena.opponents.process import CrashError, ProgramError
from arena.opponents.universal_engine import UniversalEngine
from arena.opponents.xboard_engine import XboardEngine
from envs.game import Game, NotationError
from envs.positions import Past

NO_MOVE = -1


class ResignError(ProgramError):
    """A program ends its game, and goes on to serve."""


class OpponentPlayer:
    """Another program as a player; it runs until this object is no longer used.

    It is asked about one position after the other. One that crashes is started again and asked
    once more. It forfeits a game by a second crash, by no answer in time, by resigning, and by a
    move that is not legal.
    """

    def __init__(self, game: Game, engine: Engine, name: str) -> None:
        self.game = game
        self.name = name
        self._engine = engine
        self._lines = KnownLines(game)
        self._runs = False

    def start(self) -> None:
        """Start the program. Raises ProgramError."""
        self._runs = False
        self._engine.start()
        self._runs = True

    def stop(self) -> None:
        """Kill the program; the next question starts it again."""
        self._engine.stop()
        self._runs = False

    def forget(self) -> None:
        """Have the program forget what it knows of earlier games; where it fails, it is killed.

        One that was killed is started again: here no clock runs.
        """
        try:
            if self._runs:
                self._engine.forget()
            else:
                self.start()
        except ProgramError:
            self.stop()

    def choose(
        self, states: NDArray[Any], rng: np.random.Generator, past: Past | None = None
    ) -> NDArray[np.int64]:
        """See Player. Raises ForfeitError, with the moves that were chosen."""
        chosen, _, reasons = self._ask_all(states, past)
        if reasons:
            raise ForfeitError(self.name, chosen, reasons)
        return chosen

    def choose_by_clock(
        self, state: NDArray[Any], past: Past | None, clocks: Clocks
    ) -> tuple[int, float, int, float]:
        """Return a move in a position, a record [1], of a side that has the time of its clock.

        With the move come its value, NaN where unknown, the moves to mate, 0 where unknown, and the
        seconds that the program took. Raises ForfeitError.
        """
        engine = self._engine
        if not isinstance(engine, TimedEngine):
            raise ValueError(f"agent {self.name!r} cannot play by the clock")
        asks = partial(engine.ask_by_clock, clocks=clocks)
        reasons: dict[int, str] = {}
        try:
            answer = self._ask(state[0], past, 0, asks)
            action = self._action(state[0], answer.word)
            return action, answer.value_to_play, answer.mate, answer.seconds
        except ResignError as error:
            reasons[0] = str(error)  # the program is well, and plays the next game
        except ProgramError as error:
            reasons[0] = str(error)
            self.stop()
        except NotationError:
            reasons[0] = f"it answered {answer.word!r:.40}, which is not a legal move"
        raise ForfeitError(self.name, np.full(1, NO_MOVE, np.int64), reasons)

    def analyze(self, states: NDArray[Any], past: Past | None = None) -> Analysis:
        """Return its moves and its values. Raises ForfeitError."""
        chosen, values, reasons = self._ask_all(states, past)
        if reasons:
            raise ForfeitError(self.name, chosen, reasons)
        policy = np.zeros((len(states), self.game.num_actions), np.float32)
        policy[np.arange(len(states)), chosen] = 1.0
        return opinion(policy, values)

    def _ask_all(
        self, states: NDArray[Any], past: Past | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], dict[int, str]]:
        """Return moves and values [n], and for each position without a move, why."""
        chosen = np.full(len(states), NO_MOVE, np.int64)
        values = np.full(len(states), np.nan, np.float32)
        reasons: dict[int, str] = {}
        for row, state in enumerate(states):
            try:
                answer = self._ask(state, past, row, self._engine.ask)
                chosen[row] = self._action(state, answer.word)
                values[row] = answer.value_to_play
            except ResignError as error:
                reasons[row] = str(error)
            except ProgramError as error:
                reasons[row] = str(error)
                self.stop()
            except NotationError:
                reasons[row] = f"it answered {answer.word!r:.40}, which is not a legal move"
        return chosen, values, reasons

    def _ask(self, state: Any, past: Past | None, row: int, asks: Callable[..., Answer]) -> Answer:
        """Ask, and once more after a crash."""
        line = self._lines.line_to(state, past, row)
        if not self._runs:
            self.start()
        try:
            return asks(self.game, line, state)
        except CrashError:
            self.start()
            return asks(self.game, line, state)

    def _action(self, state: Any, word: str) -> int:
        if word.lower() == "resign":
            raise ResignError("it resigned")
        if word.lower() == "win":
            raise ResignError("it declared a win, which the rules here do not give it")
        return self.game.parse_legal(state, word)


def find_opponent(text: str, game: Game) -> OpponentPlayer:
    """Start a program by its name as a player.

    Raises ValueError for a name that cannot be read, for a game that the protocol does not have,
    and for a program that does not start, with what it wrote.
    """
    name = parse_opponent(text)
    make: Callable[[Game, OpponentName], Engine]
    if name.protocol == "gtp":
        games, make = ["Go"] + [game.name] * is_go(game), GtpEngine
    elif name.protocol == "xboard":
        games, make = ["chess", "shogi"], XboardEngine
    else:
        games, make = [*DIALECTS[name.protocol].variants], UniversalEngine
    if game.name not in games:
        raise ValueError(f"agent {text!r} plays {' and '.join(games)}, not {game.name!r}")
    try:
        engine = make(game, name)
        player = OpponentPlayer(game, engine, text)
        player.start()
    except ProgramError as error:
        raise ValueError(f"agent {text!r}: {error}") from None
    return player


def is_go(game: Game) -> bool:
    """Return whether a game is Go by its name: go9, go19_komi5.5."""
    return game.name.startswith("go") and game.name[2:3].isdigit()
