"""Go programs, by the Go Text Protocol, version 2 (Farnebaeck 2002).

Options become the program's arguments, `level=10` is `--level 10`, but for `timeout`: the seconds
that an answer may take. GNU Go is told its mode and Ludens' rules; any other program needs its own
arguments in the command: `gtp:katago gtp -model FILE`.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from arena.engine.limits import Clocks
from arena.opponents.asking import ANSWER_S, LATE_S, Answer, Client, seconds_option
from arena.opponents.known_lines import KnownLine
from arena.opponents.names import OpponentName
from arena.opponents.process import Program, ProgramError
from envs.game import Game

START_S = 60.0  # to load, too
MOST_LINES = 1000  # of one answer
GNU_GO = (
    *("--mode", "gtp", "--quiet", "--chinese-rules", "--positional-superko"),
    "--capture-all-dead",  # the score counts the board as it stands
)


class GtpEngine(Client):
    """A Go program. `start` is before the first question, and again after a `stop`."""

    def __init__(self, game: Game, name: OpponentName) -> None:
        _, rows, columns = game.planes_shape
        if rows != columns:
            raise ProgramError(f"{game.name}: the protocol has only square boards")
        options = dict(name.options)
        self._wait_s = seconds_option(options, "timeout") or ANSWER_S
        options.pop("timeout", None)
        arguments = [word for key, value in options.items() for word in (f"--{key}", value)]
        usual = GNU_GO if Path(name.command[0]).name == "gnugo" else ()
        self._command = (*name.command, *usual, *arguments)
        self._board = _board(game, game.new_state())

    def start(self) -> None:
        """Start the program and set the board. Raises ProgramError."""
        self.stop()
        self._program = Program(self._command)
        self._command_it("protocol_version", START_S)
        self._set_board()

    def forget(self) -> None:
        """Clear the board, which is all that the protocol has for this. Raises ProgramError."""
        self._command_it("clear_board")

    def ask(self, game: Game, line: KnownLine, state: Any) -> Answer:
        """Ask for a move in a position. Raises ProgramError."""
        self._place(game, line)
        word = self._command_it(f"genmove {_colour(game, state)}").split("\n")[0]
        return Answer(word, math.nan)

    def ask_by_clock(self, game: Game, line: KnownLine, state: Any, clocks: Clocks) -> Answer:
        """Ask for a move; of an increment the protocol knows nothing. Raises ProgramError."""
        self._place(game, line)
        clock, colour = clocks.of(int(game.rules.to_play(state))), _colour(game, state)
        seconds = max(1, math.floor(clock.remaining))
        self._command_it(f"time_settings {seconds} 0 0")
        self._command_it(f"time_left {colour} {seconds} 0")
        began = time.monotonic()
        word = self._command_it(f"genmove {colour}", max(0.0, clock.remaining) + LATE_S)
        return Answer(word.split("\n")[0], math.nan, seconds=time.monotonic() - began)

    def _set_board(self) -> None:
        size, komi = self._board
        for command in (f"boardsize {size}", f"komi {komi}", "clear_board"):
            self._command_it(command)

    def _place(self, game: Game, line: KnownLine) -> None:
        before, self._board = self._board, _board(game, line.start)
        if self._board == before:
            self._command_it("clear_board")
        else:  # of a game of several sizes
            self._set_board()
        assert game.cells is not None
        for point, stone in enumerate(game.cells(line.start)):
            if stone:  # in any order: no chain is without a liberty on the way
                self._play("bw"[int(stone) - 1], game.format_action(point))
        states = game.line(list(line.moves), line.start)
        for state, move in zip(states, line.moves, strict=False):
            self._play(_colour(game, state), game.format_action(move))

    def _play(self, colour: str, point: str) -> None:
        self._command_it(f"play {colour} {point}")

    def _command_it(self, command: str, wait_s: float | None = None) -> str:
        """Return a command's answer. Raises ProgramError, also for a refusal."""
        program = self._program
        assert program is not None
        deadline = time.monotonic() + (wait_s or self._wait_s)
        program.write(command)
        while not (line := program.read_line(deadline)):
            pass
        lines = [line]
        while line := program.read_line(deadline):
            if len(lines) == MOST_LINES:
                raise ProgramError(f"{program.command}: an answer of over {MOST_LINES} lines")
            lines.append(line)
        if not lines[0].startswith("="):
            raise ProgramError(f"{program.command}: {command!r} was answered {lines[0]!r:.200}")
        return "\n".join([lines[0].lstrip("=").strip(), *lines[1:]])


def _board(game: Game, state: Any) -> tuple[int, str]:
    """Return the size of the board that a position is on, and its komi."""
    assert game.format_position is not None
    rows, *_, komi = game.format_position(state).split()
    return rows.count("/") + 1, komi


def _colour(game: Game, state: Any) -> str:
    return "bw"[int(game.rules.to_play(state))]
