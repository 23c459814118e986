"""A session of a universal interface: the handshake at once, the agent when it is needed.

Nothing heavy is imported here: NumPy, Numba and PyTorch come with the agent, in a thread. Lines
that need it wait in their order until it is there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from arena.engine.protocols.lines import Inbox, Writer
from arena.engine.protocols.universal.dialect import Dialect
from arena.engine.protocols.universal.grammar import (
    GoWords,
    PositionWords,
    command_of,
    info_string,
    read_go,
    read_position,
)
from arena.engine.protocols.universal.options import (
    OptionError,
    Options,
    default_options,
    set_option,
    strength_options,
)
from arena.engine.threads import start_thread

if TYPE_CHECKING:
    from arena.engine.strength import Strengths

NEEDS_AGENT = frozenset(["isready", "position", "go"])
AT_ONCE = frozenset(["debug", "register"])


class Desk(Protocol):
    """An agent that was loaded, with the position before it: `desk.UniversalDesk`."""

    def place(self, position: PositionWords) -> None:
        """Take a position. Raises ValueError for none, and keeps the one before."""

    def go(self, words: GoWords) -> None:
        """Think about the position; what was thought about before ends first."""

    def stop(self) -> None:
        """End the thinking; its best move follows."""

    def ponderhit(self) -> None:
        """Tell that the move pondered on was made."""

    def new_game(self) -> None:
        """Forget the last game."""

    def close(self) -> None:
        """End all threads."""


class UniversalSession:
    """Answers the commands of a universal interface. See `lines.Session`.

    Args:
        dialect: the interface.
        name: of the engine, as it introduces itself.
        game: the name of the game.
        load: makes the desk, given the options, which change later; runs in a thread.
        inbox: gets what is to be done when the agent is there.
        write: writes lines.
        strengths: the ratings of the run's checkpoints, if it has any.
    """

    def __init__(
        self,
        dialect: Dialect,
        name: str,
        game: str,
        load: Callable[[Options], Desk],
        inbox: Inbox,
        write: Writer | Callable[..., None],
        strengths: Strengths | None = None,
    ) -> None:
        self.failure: Exception | None = None  # why the agent could not be loaded
        self.is_loading = False
        self._dialect, self._name, self._load = dialect, name, load
        self._inbox, self._write = inbox, write
        limits = strength_options(dialect.name, strengths)
        self._offered = (*dialect.options_of(game), *limits)
        self._options = default_options(self._offered)
        self._desk: Desk | None = None
        self._waiting: deque[list[str]] = deque()

    def receive(self, line: str) -> bool:
        """Act on a line; what stands before its command is skipped. False is for `quit`."""
        words = command_of(line, self._dialect)
        if not words:
            return True
        if words[0] == "quit":
            return False
        if words[0] == self._dialect.name:
            self._introduce()
        elif words[0] not in AT_ONCE and (self.is_loading or self._must_load(words[0])):
            self._waiting.append(words)
        else:
            self._act(words)
        return True

    def end_input(self) -> None:
        """End at once, as `quit` does. See `lines.Session`."""
        self._inbox.put(None)

    def close(self) -> None:
        """End the thinking, and what belongs to it."""
        if self._desk is not None:
            self._desk.close()

    def _introduce(self) -> None:
        defaults = default_options(self._offered)
        offers = [option.line(getattr(defaults, option.field)) for option in self._offered]
        author, done = "id author the authors of Ludens", f"{self._dialect.name}ok"
        self._write(f"id name {self._name}", author, *offers, done)

    # --- the agent comes ---

    def _must_load(self, command: str) -> bool:
        if self._desk is None and command in NEEDS_AGENT:
            self.is_loading = True
            start_thread(self._fetch)
        return self.is_loading

    def _fetch(self) -> None:
        """Load the agent, in a thread, and have the session's thread take it over."""
        try:
            desk = self._load(self._options)
        except Exception as error:  # for the command: a thread has no caller to raise to
            self.failure = error
            self._write(info_string(f"the agent could not be loaded: {error}"))
            self._inbox.put(None)
            return
        self._inbox.put(lambda: self._take(desk))

    def _take(self, desk: Desk) -> None:
        self._desk, self.is_loading = desk, False
        while self._waiting:
            self._act(self._waiting.popleft())

    # --- commands ---

    def _act(self, words: list[str]) -> None:
        command, rest, desk = words[0], words[1:], self._desk
        if command == "setoption":
            self._set(rest)
        elif command == "debug" and rest[:1] in (["on"], ["off"]):
            self._options.debug = rest == ["on"]
        elif desk is None:
            return  # nothing to stop, and nothing to forget
        elif command == "isready":
            self._write("readyok")
        elif command == "position":
            try:
                desk.place(read_position(rest, self._dialect))
            except ValueError as error:
                self._write(info_string(f"the position stays as it was: {error}"))
        elif command == "go":
            desk.go(read_go(rest, self._dialect))
        elif command in ("stop", "gameover"):
            desk.stop()
        elif command == "ponderhit":
            desk.ponderhit()
        elif command == self._dialect.new_game:
            desk.new_game()

    def _set(self, words: list[str]) -> None:
        try:
            set_option(words, self._offered, self._options)
        except OptionError as error:
            self._write(info_string(str(error)))
