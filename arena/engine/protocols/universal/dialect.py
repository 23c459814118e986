"""What one of the universal interfaces has of its own: its words, options, scores and answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from arena.engine.protocols.universal.options import Option, Options

if TYPE_CHECKING:
    from arena.engine.snapshot import Snapshot
    from envs.game import Game, State

    # given what was found, whether the agent can prove anything, and what writes moves
    Checkmate = Callable[[Snapshot | None, bool, Callable[[Sequence[int]], Sequence[str]]], str]

COMMANDS = ("debug", "isready", "setoption", "register", "position", "go", "stop", "ponderhit")
GO_NUMBERS = ("wtime", "btime", "winc", "binc", "movestogo", "depth", "nodes", "movetime")
GO_FLAGS = ("infinite", "ponder")


@dataclass(frozen=True)
class Dialect:
    """One interface. Nothing heavy is imported for it: it is there before an agent is.

    Attributes:
        name: the first command; also part of others (`uciok`, `ucinewgame`, `UCI_Variant`).
        position_word: what a position's text follows.
        first: the letter of the first player's clock in `go`.
        variants: the games that it is for, and what `UCI_Variant` calls them; the first is the
            one that every program plays.
        options_of: the options of an engine for a game, given its name.
        centipawns: a value in [-1, 1] in centipawns.
        value_of: centipawns as a value in [-1, 1].
        mate: what follows `score mate`, given a proven value of 1 or -1 and the plies to it, 0
            where they are unknown.
        no_move: the best move of a game that is over, given its value for the side to move.
        written: a legal move of a position.
        checkmate: the answer to `go mate`, a search for a mate for some time; without it the
            number of `mate` is a limit of moves.
        more_commands: those that the other interface lacks.
        more_numbers: of `go`, those that the other interface lacks.
        prefixes: of the options that all programs understand alike.
    """

    name: str
    position_word: str
    first: str
    variants: Mapping[str, str]
    options_of: Callable[[str], tuple[Option, ...]]
    centipawns: Callable[[float], int]
    value_of: Callable[[int], float]
    mate: Callable[[float, int], str]
    no_move: Callable[[float], str]
    written: Callable[[Game, Options, State, int], str]
    checkmate: Checkmate | None = None
    more_commands: tuple[str, ...] = ()
    more_numbers: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ("uci",)

    @cached_property
    def commands(self) -> frozenset[str]:
        """Return the words that begin a line's command."""
        own = (self.name, self.new_game, "quit", *self.more_commands)
        return frozenset((*COMMANDS, *own))

    @property
    def new_game(self) -> str:
        """Return the command of a new game."""
        return f"{self.name}newgame"

    @property
    def times_mate(self) -> bool:
        """Whether `go mate` is a search for a mate for some time."""
        return self.checkmate is not None

    @property
    def second(self) -> str:
        """Return the letter of the second player's clock."""
        return "b" if self.first == "w" else "w"

    @property
    def numbers(self) -> tuple[str, ...]:
        """Return the words of `go` that a number follows."""
        return (*GO_NUMBERS, *self.more_numbers) + (() if self.times_mate else ("mate",))
