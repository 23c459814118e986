"""Chess programs, by the Universal Chess Interface.

Limits are `nodes`, `depth` and `movetime` (seconds); `elo` limits the strength. All other options
are the engine's own, by their names in any case, spaces written as such or as _.
"""

from __future__ import annotations

import math
import re
import time
from difflib import get_close_matches
from typing import Any, NamedTuple

from arena.engine.limits import Clocks
from arena.engine.protocols.uci_info import STEEPNESS
from arena.opponents.asking import ANSWER_S, LATE_S, Answer, seconds_option, whole_option
from arena.opponents.known_lines import KnownLine
from arena.opponents.names import OpponentName
from arena.opponents.process import Program, ProgramError
from envs.chess.board import STANDARD
from envs.chess.fen import format_fen
from envs.chess.notation import format_uci
from envs.game import Game

GAMES = ("chess",)
START_S = 20.0  # to introduce itself
MARGIN_S = 5.0  # beyond a limit of time
MOVETIME_S = 0.1  # where no limit is given
MOST_OPTIONS = 1000

_LIMITS = ("nodes", "depth", "movetime", "elo", "timeout")
_OPTION = re.compile(r"option name (?P<name>.+?) type (?P<type>\w+)(?P<rest>.*)")
_SCORE = re.compile(r" score (cp|mate) (-?\d{1,9})\b")


class _Option(NamedTuple):
    name: str
    kind: str
    least: int | None
    most: int | None


class UciEngine:
    """A chess program. `start` is before the first question, and again after a `stop`.

    Raises ProgramError for options that the program does not have, once it is started.
    """

    def __init__(self, game: Game, name: OpponentName) -> None:
        self._name = name
        self._program: Program | None = None
        self._chess960 = False
        limits = {key.lower(): text for key, text in name.options.items()}
        self._own = {k: v for k, v in name.options.items() if k.lower() not in _LIMITS}
        nodes, depth = whole_option(limits, "nodes"), whole_option(limits, "depth")
        movetime = seconds_option(limits, "movetime")
        self._limits = _limit_words(nodes, depth, movetime)  # those that were given
        if not self._limits:
            movetime = MOVETIME_S
        self._elo = whole_option(limits, "elo")
        self._wait_s = seconds_option(limits, "timeout") or (
            ANSWER_S if movetime is None else movetime + MARGIN_S
        )
        self._go = f"go{_limit_words(nodes, depth, movetime)}"

    def start(self) -> None:
        """Start the program and set its options. Raises ProgramError."""
        self.stop()
        self._program = program = Program(self._name.command)
        deadline = time.monotonic() + START_S
        program.write("uci")
        options: dict[str, _Option] = {}
        while (line := program.read_line(deadline)) != "uciok":
            if (found := _OPTION.fullmatch(line)) and len(options) < MOST_OPTIONS:
                rest = found["rest"]
                option = _Option(
                    found["name"], found["type"], _bound(rest, "min"), _bound(rest, "max")
                )
                options[_folded(option.name)] = option
        wanted = dict(self._own)
        if "threads" in options and "threads" not in map(_folded, wanted):
            wanted["Threads"] = "1"  # as many games at a time as one asks for, not more threads
        if self._elo is not None:
            wanted |= {"UCI_LimitStrength": "true", "UCI_Elo": str(self._elo)}
        self._chess960 = "uci_chess960" in options
        if self._chess960:
            wanted["UCI_Chess960"] = "true"  # every castling is then written in one way
        for key, value in wanted.items():
            option = _checked(options, key, value)
            program.write(f"setoption name {option.name} value {value}")
        self._begin_game(program, deadline)

    def _begin_game(self, program: Program, deadline: float) -> None:
        program.write("ucinewgame")
        program.write("isready")
        while program.read_line(deadline) != "readyok":
            pass

    def forget(self) -> None:
        """Begin another game, for which the protocol has a word. Raises ProgramError."""
        assert self._program is not None
        self._begin_game(self._program, time.monotonic() + START_S)

    def stop(self) -> None:
        """Kill the program, if it runs."""
        if self._program is not None:
            self._program.stop()
        self._program = None

    def ask(self, game: Game, line: KnownLine, state: Any) -> Answer:
        """Ask for a move in a position. Raises ProgramError."""
        return self._ask(game, line, self._go, self._wait_s)

    def ask_by_clock(self, game: Game, line: KnownLine, state: Any, clocks: Clocks) -> Answer:
        """Ask for a move; limits of the program's name hold beside the clock.

        Raises ProgramError.
        """
        white, black = (
            (round(1000 * max(0.001, clock.remaining)), round(1000 * clock.increment))
            for clock in (clocks.first, clocks.second)
        )
        go = f"go wtime {white[0]} btime {black[0]} winc {white[1]} binc {black[1]}{self._limits}"
        left = clocks.of(int(game.rules.to_play(state))).remaining
        return self._ask(game, line, go, max(0.0, left) + LATE_S)

    def _ask(self, game: Game, line: KnownLine, go: str, wait_s: float) -> Answer:
        program = self._program
        assert program is not None
        words = [f"position fen {format_fen(line.start, STANDARD)}"]
        if line.moves:
            before = game.line(list(line.moves), line.start)
            moves = zip(before, line.moves, strict=False)
            written = (format_uci(at, move, STANDARD, self._chess960) for at, move in moves)
            words += ["moves", *written]
        program.write(" ".join(words))
        program.write(go)
        deadline, value, mate = time.monotonic() + wait_s, math.nan, 0
        while True:
            said = program.read_line(deadline)
            if said.startswith("bestmove"):
                return Answer((said.split() + [""])[1], value, mate)
            if score := _SCORE.search(said):
                value = _value(score[1], int(score[2]))
                mate = int(score[2]) if score[1] == "mate" else 0


def _limit_words(nodes: int | None, depth: int | None, movetime: float | None) -> str:
    """Return what follows `go` for these limits, a blank before each."""
    words = {"nodes": nodes, "depth": depth}
    words["movetime"] = None if movetime is None else max(1, round(1000 * movetime))
    return "".join(f" {key} {value}" for key, value in words.items() if value is not None)


def _bound(rest: str, word: str) -> int | None:
    found = re.search(rf" {word} (-?\d{{1,18}})\b", rest)
    return int(found[1]) if found else None


def _folded(name: str) -> str:
    return re.sub(r"[ -]", "_", name.lower())


def _checked(options: dict[str, _Option], key: str, value: str) -> _Option:
    """Return the option of a name in any case. Raises ProgramError if it does not take a value."""
    option = options.get(_folded(key))
    if option is None:
        near = get_close_matches(_folded(key), [*options, *_LIMITS], n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        known = ", ".join([*_LIMITS, *sorted(options)[:12]])
        raise ProgramError(f"it has no option {key!r}{hint} (there are {known})")
    if option.kind == "spin" and option.least is not None and option.most is not None:
        number = int(value) if re.fullmatch(r"-?\d{1,18}", value) else None
        if number is None or not option.least <= number <= option.most:
            raise ProgramError(
                f"{option.name}: expected {option.least} to {option.most}, got {value!r}"
            )
    return option


def _value(kind: str, number: int) -> float:
    """Return a score as a value in [-1, 1]: Ludens' own formula of centipawns, turned round."""
    if kind == "mate":
        return 1.0 if number > 0 else -1.0
    return math.atan(number / 90) / STEEPNESS
