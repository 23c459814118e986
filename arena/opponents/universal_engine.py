"""Programs for chess by the Universal Chess Interface, and for shogi by its Shogi Interface.

Limits are `nodes`, `depth`, `movetime` and, by USI, `byoyomi` (seconds of a move, the limit that
every shogi program knows); `elo` limits the strength. All other options are the engine's own, by
their names in any case, spaces written as such or as _; UCI_ or USI_ before a name may be left out.
"""

from __future__ import annotations

import math
import re
import time
from difflib import get_close_matches
from typing import Any, NamedTuple

from arena.engine.limits import Clocks
from arena.engine.protocols.dialects import DIALECTS
from arena.engine.protocols.universal.dialect import Dialect
from arena.engine.protocols.universal.options import Options
from arena.opponents.asking import ANSWER_S, LATE_S, Answer, Client, seconds_option, whole_option
from arena.opponents.known_lines import KnownLine
from arena.opponents.names import OpponentName
from arena.opponents.process import Program, ProgramError
from envs.game import Game

START_S = 60.0  # to introduce itself, and to load
MARGIN_S = 5.0  # beyond a limit of time
USUAL_S = 0.1  # of a move, where no limit is given
MOST_OPTIONS = 1000

_LIMITS = ("nodes", "depth", "movetime", "byoyomi", "elo", "timeout")
_OPTION = re.compile(r"option name (?P<name>.+?) type (?P<type>\w+)(?P<rest>.*)")
_SCORE = re.compile(r" score (?:cp (?P<cp>[+-]?\d{1,9})|mate (?P<mate>[+-]?\d{0,9}))(?: |$)")


class _Option(NamedTuple):
    name: str
    kind: str
    least: int | None
    most: int | None
    choices: tuple[str, ...]


class UniversalEngine(Client):
    """A program for chess or shogi. `start` is before the first question, and after a `stop`.

    Raises ProgramError for options that the program does not have, once it is started.
    """

    def __init__(self, game: Game, name: OpponentName) -> None:
        self._game, self._name = game, name
        self._dialect = DIALECTS[name.protocol]
        self._written = Options()  # how moves are written
        limits = {key.lower(): text for key, text in name.options.items()}
        self._own = {k: v for k, v in name.options.items() if k.lower() not in _LIMITS}
        self._elo = whole_option(limits, "elo")
        self._limits, seconds = _limit_words(limits, self._dialect)  # those that were given
        asked = self._limits
        if not asked:
            usual = "byoyomi" if _has_byoyomi(self._dialect) else "movetime"
            asked, seconds = _time_word(usual, USUAL_S), USUAL_S
        self._go = f"go{' btime 0 wtime 0' if ' byoyomi ' in asked else ''}{asked}"
        self._wait_s = seconds_option(limits, "timeout") or (
            ANSWER_S if seconds is None else seconds + MARGIN_S
        )

    def start(self) -> None:
        """Start the program and set its options. Raises ProgramError."""
        self.stop()
        self._program = program = Program(self._name.command)
        deadline = time.monotonic() + START_S
        program.write(self._dialect.name)
        options: dict[str, _Option] = {}
        while (line := program.read_line(deadline)) != f"{self._dialect.name}ok":
            if (found := _OPTION.fullmatch(line)) and len(options) < MOST_OPTIONS:
                option = _read_option(found)
                options[_folded(option.name)] = option
        for key, value in self._wanted(options).items():
            option = _checked(options, key, value, self._dialect)
            program.write(f"setoption name {option.name} value {value}")
        self._begin_game(program, deadline)

    def _begin_game(self, program: Program, deadline: float) -> None:
        program.write(self._dialect.new_game)
        program.write("isready")
        while program.read_line(deadline) != "readyok":
            pass

    def forget(self) -> None:
        """Begin another game, for which the protocol has a word. Raises ProgramError."""
        assert self._program is not None
        self._begin_game(self._program, time.monotonic() + START_S)

    def _wanted(self, options: dict[str, _Option]) -> dict[str, str]:
        """Return the options to set: those of the name, and what this game needs."""
        wanted = dict(self._own)
        if "threads" in options and "threads" not in map(_folded, wanted):
            wanted["Threads"] = "1"  # as many games at a time as one asks for, not more threads
        if self._elo is not None:
            wanted |= {"LimitStrength": "true", "Elo": str(self._elo)}
        variant = _find(options, "variant", self._dialect)
        is_set = variant in [_find(options, key, self._dialect) for key in wanted]
        if variant and not is_set:  # first: it may change what the others are
            wanted = {variant.name: self._dialect.variants[self._game.name], **wanted}
        if self._game.name == "chess" and "uci_chess960" in options:
            self._written.chess960 = True  # every castling is then written in one way
            wanted["UCI_Chess960"] = "true"
        return wanted

    def ask(self, game: Game, line: KnownLine, state: Any) -> Answer:
        """Ask for a move in a position. Raises ProgramError."""
        return self._ask(game, line, self._go, self._wait_s)

    def ask_by_clock(self, game: Game, line: KnownLine, state: Any, clocks: Clocks) -> Answer:
        """Ask for a move; limits of the program's name hold beside the clock.

        Raises ProgramError.
        """
        letters = self._dialect.first, self._dialect.second
        sides = list(zip(letters, (clocks.first, clocks.second), strict=True))
        times = [f"{s}time {round(1000 * max(0.001, clock.remaining))}" for s, clock in sides]
        times += [f"{s}inc {round(1000 * clock.increment)}" for s, clock in sides]
        left = clocks.of(int(game.rules.to_play(state))).remaining
        go = f"go {' '.join(times)}{self._limits}"
        return self._ask(game, line, go, max(0.0, left) + LATE_S)

    def _ask(self, game: Game, line: KnownLine, go: str, wait_s: float) -> Answer:
        program, dialect = self._program, self._dialect
        assert program is not None
        assert game.format_position is not None
        words = [f"position {dialect.position_word} {game.format_position(line.start)}"]
        if line.moves:
            before = game.line(list(line.moves), line.start)
            moves = zip(before, line.moves, strict=False)
            texts = (dialect.written(game, self._written, at, move) for at, move in moves)
            words += ["moves", *texts]
        program.write(" ".join(words))
        began = time.monotonic()  # what comes before is our own work, not the program's thinking
        program.write(go)
        deadline, value, mate = began + wait_s, math.nan, 0
        while True:
            said = program.read_line(deadline)
            if said.startswith("bestmove"):
                seconds = time.monotonic() - began
                return Answer((said.split() + [""])[1], value, mate, seconds)
            if score := _SCORE.search(said):
                value = _value(score["cp"], score["mate"], dialect)
                mate = int(score["mate"]) if (score["mate"] or "+") not in "+-" else 0


def _limit_words(limits: dict[str, str], dialect: Dialect) -> tuple[str, float | None]:
    """Return what follows `go` for the limits of a name, and the seconds of a limit of time.

    Raises ProgramError.
    """
    nodes, depth = whole_option(limits, "nodes"), whole_option(limits, "depth")
    times = {word: seconds_option(limits, word) for word in ("movetime", "byoyomi")}
    if times["byoyomi"] is not None and not _has_byoyomi(dialect):
        raise ProgramError(f"byoyomi is a limit of usi:, expected movetime with {dialect.name}:")
    words = [f" {k} {v}" for k, v in (("nodes", nodes), ("depth", depth)) if v is not None]
    known = {word: seconds for word, seconds in times.items() if seconds is not None}
    words += [_time_word(word, seconds) for word, seconds in known.items()]
    return "".join(words), max(known.values(), default=None)


def _time_word(word: str, seconds: float) -> str:
    return f" {word} {max(1, round(1000 * seconds))}"


def _has_byoyomi(dialect: Dialect) -> bool:
    return "byoyomi" in dialect.more_numbers


def _read_option(found: re.Match[str]) -> _Option:
    rest = found["rest"]
    choices = tuple(re.findall(r" var (\S+)", rest))
    return _Option(found["name"], found["type"], _bound(rest, "min"), _bound(rest, "max"), choices)


def _bound(rest: str, word: str) -> int | None:
    found = re.search(rf" {word} (-?\d{{1,18}})\b", rest)
    return int(found[1]) if found else None


def _folded(name: str) -> str:
    return re.sub(r"[ -]", "_", name.lower())


def _find(options: dict[str, _Option], key: str, dialect: Dialect) -> _Option | None:
    """Return the option of a name in any case, with or without what begins it."""
    folded = _folded(key)
    names = (*(f"{prefix}_{folded}" for prefix in dialect.prefixes), folded)
    return next((options[name] for name in names if name in options), None)


def _checked(options: dict[str, _Option], key: str, value: str, dialect: Dialect) -> _Option:
    """Return the option of a name in any case. Raises ProgramError if it does not take a value."""
    option = _find(options, key, dialect)
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
    if option.kind == "combo" and option.choices and value not in option.choices:
        near = get_close_matches(value, option.choices, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        some = ", ".join(option.choices[:12]) + (", ..." if option.choices[12:] else "")
        raise ProgramError(f"{option.name}: expected one of {some}, got {value!r}{hint}")
    return option


def _value(cp: str | None, mate: str, dialect: Dialect) -> float:
    """Return a score as a value in [-1, 1]: Ludens' own formula of centipawns, turned round.

    `mate +` and `mate -` are without a number of moves.
    """
    if cp is None:
        return 1.0 if mate not in ("0", "") and not mate.startswith("-") else -1.0
    return dialect.value_of(int(cp))
