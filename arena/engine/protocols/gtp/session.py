"""A session of the Go Text Protocol: what needs no board at once, the agent when it is needed.

Commands are answered one after the other, in their order. Nothing heavy is imported here: NumPy,
Numba and PyTorch come with the agent, in a thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from arena.engine.protocols.gtp.grammar import (
    Command,
    GtpError,
    accepted,
    number_of,
    quoted,
    read_line,
    refused,
    require,
    whole_number_of,
)
from arena.engine.protocols.gtp.settings import (
    KINDS,
    RULES_TEXT,
    Settings,
    check_rules,
    read_time_settings,
    read_time_system,
)
from arena.engine.protocols.lines import Inbox, Writer
from arena.engine.threads import start_thread

ANALYSES = frozenset(["lz-analyze", "kata-analyze"])  # until the next line
STREAMED = ANALYSES | {"lz-genmove_analyze", "kata-genmove_analyze"}
ON_THE_DESK = STREAMED | {
    *("play", "undo", "fixed_handicap", "place_free_handicap", "set_free_handicap", "showboard"),
    *("final_score", "final_status_list", "loadsgf", "printsgf", "genmove", "reg_genmove"),
}
MOST_KOMI = 1000.0
NO_MORE = Command("", "", ())  # the input has ended

Start = Callable[[], Any]  # begins a search, whose answer comes later
Finish = Callable[[], str]  # what is left to do after it, and the answer


class OtherSizeError(GtpError):
    """A command needs a board of another size."""

    def __init__(self, size: int) -> None:
        super().__init__(f"cannot load file: the agent does not play on {size}x{size}")
        self.size = size


class Desk(Protocol):
    """An agent that was loaded, with its board: `desk.GtpDesk`."""

    def answer(self, command: Command) -> str | Start:
        """Obey, and return the answer, or the start of a search. Raises GtpError."""

    def stop(self) -> None:
        """End the thinking; its answer follows."""

    def close(self) -> None:
        """End all threads."""


class GtpSession:
    """Answers GTP's commands. See `lines.Session`.

    Args:
        name: of the engine.
        version: of the engine.
        game: the name of the first game.
        sizes: the names of the games that the agent plays, by their boards' sizes.
        load: makes the desk for a game, given its name, the settings, which change later, and what
            to call with the rest of a search; runs in a thread.
        inbox: gets what is to be done when an agent or an answer is there.
        write: writes lines.
    """

    def __init__(
        self,
        name: str,
        version: str,
        game: str,
        sizes: Mapping[int, str],
        load: Callable[[str, Settings, Callable[[Finish], None]], Desk],
        inbox: Inbox,
        write: Writer | Callable[..., None],
    ) -> None:
        self.failure: Exception | None = None  # why the agent could not be loaded
        self.is_loading = False
        self._game, self._sizes, self._load = game, sizes, load
        self._size = 0  # of a game that has several; 0: its largest
        self._inbox, self._write = inbox, write
        self._settings = Settings()
        self._desk: Desk | None = None
        self._thinks: Command | None = None  # whose answer comes later
        self._waiting: deque[Command] = deque()
        self._is_over = False
        self._own: dict[str, Callable[[tuple[str, ...]], str]] = {
            "protocol_version": lambda args: "2",
            "name": lambda args: name,
            "version": lambda args: version,
            "known_command": lambda args: str(bool(args) and args[0] in self._known).lower(),
            "list_commands": lambda args: "\n".join(sorted(self._known)),
            "quit": self._quit,
            "boardsize": self._board_size,
            "clear_board": self._clear_board,
            "komi": self._komi,
            "time_settings": self._time_settings,
            "kgs-time_settings": self._time_system,
            "kata-time_settings": self._time_system,
            "kata-list_time_settings": lambda args: " ".join(KINDS),
            "time_left": self._time_left,
            "kata-set-rules": self._set_rules,
            "kata-get-rules": lambda args: RULES_TEXT,
        }
        self._known = ON_THE_DESK | set(self._own)

    def receive(self, line: str) -> bool:
        """Take a line; any ends an analysis, and is answered then. False is after `quit`."""
        command = read_line(line)
        if command is not None and not self._is_over:
            self._waiting.append(command)
            self._go_on()
        if self._thinks is not None and self._thinks.name in ANALYSES and self._desk is not None:
            if command is None or self._waiting:
                self._desk.stop()
        return not self._is_over

    def end_input(self) -> None:
        """Answer what was asked, and end. See `lines.Session`."""
        self._waiting.append(NO_MORE)
        self._go_on()

    def close(self) -> None:
        """End the thinking, and what belongs to it."""
        if self._desk is not None:
            self._desk.close()

    # --- one command after the other ---

    def _go_on(self) -> None:
        while self._waiting and not (self.is_loading or self._thinks or self._is_over):
            command = self._waiting.popleft()
            try:
                self._act(command)
            except OtherSizeError as other:
                self._change_size(command, other)
            except GtpError as error:
                self._write(refused(command, str(error)), "")
        if self._waiting and self._thinks is not None and self._thinks.name in ANALYSES:
            assert self._desk is not None
            self._desk.stop()

    def _act(self, command: Command) -> None:
        if command is NO_MORE:
            self._is_over = True
            self._inbox.put(None)
        elif command.name in self._own:
            self._write(accepted(command, self._own[command.name](command.args)), "")
        elif command.name not in ON_THE_DESK:
            raise GtpError("unknown command")
        elif self._desk is None:
            self._waiting.appendleft(command)
            self.is_loading = True
            start_thread(self._fetch)
        else:
            answer = self._desk.answer(command)
            if isinstance(answer, str):
                self._write(accepted(command, answer), "")
                return
            if command.name in STREAMED:
                self._write(accepted(command, ""))
            self._thinks = command
            answer()

    def _finish(self, finish: Finish) -> None:
        """Answer what has been thought about."""
        command, self._thinks = self._thinks, None
        assert command is not None
        is_streamed = command.name in STREAMED
        try:
            text = finish()
            lines = [text] if is_streamed else [accepted(command, text)]
        except GtpError as error:
            lines = [] if is_streamed else [refused(command, str(error))]
        self._write(*(line for line in lines if line), "")
        self._go_on()

    def _change_size(self, command: Command, other: OtherSizeError) -> None:
        if other.size not in self._sizes:
            self._write(refused(command, str(other)), "")
            return
        self._set_size(other.size)
        self._waiting.appendleft(command)

    # --- the agent comes ---

    def _fetch(self) -> None:
        """Load the agent, in a thread, and have the session's thread take it over."""

        def done(finish: Finish) -> None:
            self._inbox.put(lambda: self._finish(finish))

        try:
            desk = self._load(self._game, self._settings, done)
        except Exception as error:  # for the command: a thread has no caller to raise to
            self.failure = error
            reason = f"the agent could not be loaded: {error}"
            self._write(refused(self._waiting[0], reason), "")
            self._inbox.put(None)
            return
        self._inbox.put(lambda: self._take(desk))

    def _take(self, desk: Desk) -> None:
        self._desk, self.is_loading = desk, False
        self._tell_size()
        self._go_on()

    # --- commands that need no board ---

    def _quit(self, args: tuple[str, ...]) -> str:
        self._is_over = True
        self._inbox.put(None)
        return ""

    def _set_size(self, size: int) -> None:
        if self._desk is not None and self._game != self._sizes[size]:
            self._desk.close()
            self._desk = None
        self._game = self._sizes[size]
        has_several = list(self._sizes.values()).count(self._game) > 1
        self._size = size if has_several else 0
        self._tell_size()

    def _tell_size(self) -> None:
        if self._desk is not None and self._size:
            self._desk.answer(Command("", "boardsize", (str(self._size),)))

    def _board_size(self, args: tuple[str, ...]) -> str:
        require(args, 1, 1, "boardsize SIZE")
        size = whole_number_of(args[0], "size", 0, 10**9)
        if size not in self._sizes:
            raise GtpError("unacceptable size")
        self._set_size(size)
        return self._clear_board(())

    def _clear_board(self, args: tuple[str, ...]) -> str:
        self._settings.time.restart()
        if self._desk is not None:
            self._desk.answer(Command("", "clear_board", ()))
        return ""

    def _komi(self, args: tuple[str, ...]) -> str:
        require(args, 1, 1, "komi POINTS")
        self._settings.komi = number_of(args[0], "komi", -MOST_KOMI, MOST_KOMI)
        return ""

    def _time_settings(self, args: tuple[str, ...]) -> str:
        self._settings.time.set(read_time_settings(args))
        return ""

    def _time_system(self, args: tuple[str, ...]) -> str:
        self._settings.time.set(read_time_system(args))
        return ""

    def _time_left(self, args: tuple[str, ...]) -> str:
        self._settings.time.tell(args)
        return ""

    def _set_rules(self, args: tuple[str, ...]) -> str:
        if not args:
            raise GtpError(f"syntax error: expected rules, such as {quoted(RULES_TEXT)}")
        check_rules(" ".join(args))
        return ""
