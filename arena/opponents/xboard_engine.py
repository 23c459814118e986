"""Programs by the Chess Engine Communication Protocol, which XBoard speaks (Mann and Muller 2009).

Chess programs know its version 2. GNU Shogi knows the first, where positions cannot be set, and
writes moves as USI does. Limits are `depth` and `movetime` (whole seconds, for that is what the
protocol has); `timeout` is the seconds that an answer may take. There are no other options.
"""

from __future__ import annotations

import math
import re
import time
from pathlib import Path
from typing import Any

from arena.engine.protocols.dialects import DIALECTS
from arena.engine.protocols.universal.options import Options
from arena.opponents.asking import ANSWER_S, Answer, Client, seconds_option, whole_option
from arena.opponents.known_lines import KnownLine
from arena.opponents.names import OpponentName
from arena.opponents.process import HangError, Program, ProgramError
from envs.game import Game

START_S = 60.0  # to load, for a program that asks for time
FEATURES_S = 2.0  # after which a program has none: the protocol's own number
MARGIN_S = 5.0  # beyond a limit of time
USUAL_S = 1  # of a move, where no limit is given
FIRST_S = 60  # of a move by a depth alone: the first version always has a clock

_LIMITS = ("depth", "movetime", "timeout")
_FEATURE = re.compile(r'(\w+)=("[^"]*"|\S+)')
_MOVE = re.compile(r"(?:depth = )?(?:move|My move is:?|\d+\. \.\.\.) (\S+).*", re.IGNORECASE)
_RESULT = re.compile(r"(1-0|0-1|1/2-1/2)\b.*")
_REFUSAL = re.compile(r"(illegal move|invalid move|error)\b.*", re.IGNORECASE)
_TAKEN = frozenset(["done", "ping", "setboard", "usermove", "variants", "myname", "colors", "time"])


class XboardEngine(Client):
    """A chess program, or GNU Shogi. `start` is before the first question, and after a `stop`.

    Raises ProgramError for options that the protocol does not have.
    """

    def __init__(self, game: Game, name: OpponentName) -> None:
        options = {key.lower(): text for key, text in name.options.items()}
        if unknown := set(options) - set(_LIMITS):
            key = min(unknown)
            raise ProgramError(f"{key}={options[key]}: expected one of {', '.join(_LIMITS)}")
        depth, seconds = whole_option(options, "depth"), whole_option(options, "movetime")
        if depth is None and seconds is None:
            seconds = USUAL_S
        self._is_first = game.name == "shogi"  # version 1, of GNU Shogi
        self._dialect = DIALECTS["usi" if self._is_first else "uci"]  # how moves are written
        gnu_shogi = ("-X",) if Path(name.command[0]).name == "gnushogi" else ()
        self._command = (*name.command, *gnu_shogi)
        self._limits = _limit_lines(depth, seconds, self._is_first)
        self._wait_s = seconds_option(options, "timeout") or (
            ANSWER_S if seconds is None else seconds + MARGIN_S
        )
        assert game.format_position is not None
        self._initial = game.format_position(game.new_state())
        self._features: dict[str, str] = {}
        self._pings = 0

    def start(self) -> None:
        """Start the program, and learn its features. Raises ProgramError."""
        self.stop()
        self._program = Program(self._command)
        self._features = {} if self._is_first else self._read_features(self._program)
        self.forget()

    def forget(self) -> None:
        """Begin another game. Raises ProgramError."""
        self._write("new", "easy", "force")  # `easy`: do not think meanwhile
        self._wait_until_ready()

    def ask(self, game: Game, line: KnownLine, state: Any) -> Answer:
        """Ask for a move in a position. Raises ProgramError."""
        self._write("force", "new", "easy", "force")
        assert game.format_position is not None
        start = game.format_position(line.start)
        if start != self._initial:
            if self._features.get("setboard") != "1":
                raise ProgramError(f"{self._shown}: it cannot begin at a position, {start!r}")
            self._write(f"setboard {start}")
        word = "usermove " if self._features.get("usermove") == "1" else ""
        moves = zip(game.line(list(line.moves), line.start), line.moves, strict=False)
        texts = (self._dialect.written(game, Options(), at, move) for at, move in moves)
        self._write(*(word + text for text in texts))
        self._wait_until_ready()
        self._write(*self._limits, "go")  # in this order: a clock of the first version has run
        return Answer(self._read_move(), math.nan)

    def _read_features(self, program: Program) -> dict[str, str]:
        """Return what the program says that it has; nothing, if it knows the first version."""
        self._write("xboard", "protover 2")
        features: dict[str, str] = {}
        deadline = time.monotonic() + FEATURES_S
        while features.get("done") != "1":
            try:
                line = program.read_line(deadline)
            except HangError:
                break
            if line.startswith("feature "):
                found = {key: text.strip('"') for key, text in _FEATURE.findall(line)}
                features |= {key: found[key] for key in _TAKEN & set(found)}
                self._write(*(f"{_reply(key)} {key}" for key in found))
                if found.get("done") == "0":
                    deadline = time.monotonic() + START_S
        return features

    def _wait_until_ready(self) -> None:
        """Wait for the answers to what was written, where the program can say so."""
        if self._features.get("ping") != "1":
            return
        self._pings += 1
        self._write(f"ping {self._pings}")
        deadline = time.monotonic() + START_S
        while (line := self._read(deadline)) != f"pong {self._pings}":
            self._refuse_refusal(line)

    def _read_move(self) -> str:
        deadline = time.monotonic() + self._wait_s
        while True:
            line = self._read(deadline)
            if found := _MOVE.fullmatch(line):
                return found[1]
            if line.lower() == "resign":
                return line
            self._refuse_refusal(line)
            if _RESULT.fullmatch(line) and self._features.get("ping") == "1":  # else of before
                raise ProgramError(f"{self._shown}: it ended the game: {line!r:.200}")

    def _refuse_refusal(self, line: str) -> None:
        if _REFUSAL.match(line) and "protover" not in line:  # which a slow one refuses late
            raise ProgramError(f"{self._shown}: it answered {line!r:.200}")

    @property
    def _shown(self) -> str:
        assert self._program is not None
        return self._program.command

    def _write(self, *lines: str) -> None:
        assert self._program is not None
        for line in lines:
            self._program.write(line)

    def _read(self, deadline: float) -> str:
        assert self._program is not None
        return self._program.read_line(deadline)


def _limit_lines(depth: int | None, seconds: int | None, is_first: bool) -> list[str]:
    """Return the commands for a limit; the first version has one move a clock for the seconds."""
    if is_first:
        minutes, rest = divmod(FIRST_S if seconds is None else seconds, 60)
        clock = [f"level 1 {minutes}:{rest:02}"]
    else:
        clock = [] if seconds is None else [f"st {seconds}"]
    if depth is None:
        return clock
    return clock + (["depth", str(depth)] if is_first else [f"sd {depth}"])  # the first asks for it


def _reply(feature: str) -> str:
    return "accepted" if feature in _TAKEN else "rejected"
