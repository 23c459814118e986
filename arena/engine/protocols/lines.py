"""Lines between this process and the program that uses it; no protocol's grammar."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from threading import Event as Flag
from threading import Lock, Thread
from typing import Any, Protocol

from store.printable import printable

MOST_LINE_BYTES = 1 << 20  # a longer line is dropped; a game of 10,000 moves is shorter
READ_BYTES = 1 << 16
END_SIGNALS = (signal.SIGTERM, signal.SIGINT)
LEAVING_S = 10.0  # from a signal, or the end of the input, until the process ends in any case
LOOKING_S = 0.5  # while the agent is still loading after the end of the input

MOST_TEXT = 300  # characters of a message on one line

Event = str | Callable[[], None] | None  # a line, something to do, or the end
Inbox = SimpleQueue[Event]  # its `put` may be called in a signal's handler


def one_line(text: str) -> str:
    """Return a message on one line: printable, cut after MOST_TEXT characters."""
    shown = printable(text[: MOST_TEXT + 1])
    return shown if len(shown) <= MOST_TEXT else f"{shown[:MOST_TEXT]}..."


class Session(Protocol):
    """What a protocol makes of the lines that it gets; all in one thread."""

    is_loading: bool  # the agent, which lines that came before wait for

    def receive(self, line: str) -> bool:
        """Act on a line without waiting for a search; False ends the session."""

    def end_input(self) -> None:
        """Put the end into the inbox once all is answered that still must be: no line follows."""

    def close(self) -> None:
        """End every search and thread."""


class Writer:
    """Writes whole lines, from any thread, each at once.

    Once the reader has closed its end, `on_broken` is called and further lines are dropped.
    """

    def __init__(self, file: int, on_broken: Callable[[], None]) -> None:
        self._file, self._on_broken = file, on_broken
        self._lock = Lock()
        self._is_broken = False

    def __call__(self, *lines: str) -> None:
        """Write lines together, so that no other thread's lines come between them."""
        data = "".join(f"{line}\n" for line in lines).encode()
        with self._lock:
            while data and not self._is_broken:
                try:
                    data = data[os.write(self._file, data) :]
                except OSError:
                    self._is_broken = True
                    self._on_broken()


class Splitter:
    """Cuts bytes that arrive in pieces into lines; what is no UTF-8 is replaced."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_dropping = False  # the rest of a line that is too long

    def lines(self, data: bytes) -> list[str]:
        """Return the lines that end within `data`."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        if self._is_dropping and whole:
            del whole[0]
            self._is_dropping = False
        if len(self._rest) > MOST_LINE_BYTES or self._is_dropping:
            self._rest, self._is_dropping = b"", True
        return [text.decode(errors="replace") for text in whole if len(text) <= MOST_LINE_BYTES]

    def last(self) -> list[str]:
        """Return what stands after the last newline, at the end of the input."""
        return [self._rest.decode(errors="replace")] if self._rest else []


class Reader:
    """Puts the lines of a file into the inbox, in a thread that `close` ends; then `at_end`.

    After the end of the input, the session has LEAVING_S to answer, not counting the time to load
    its agent. It ends at once when the reader of `answers` closes it.
    """

    def __init__(self, file: int, inbox: Inbox, session: Session, answers: int) -> None:
        self._file, self._inbox, self._session, self._answers = file, inbox, session, answers
        self._awake, self._wake = os.pipe()
        self._thread = Thread(target=self._run, name="ludens-lines", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        splitter, has_ended = Splitter(), False
        with suppress(OSError):
            while self._awake not in select.select([self._file, self._awake], [], [])[0]:
                data = os.read(self._file, READ_BYTES)
                if has_ended := not data:
                    break
                for line in splitter.lines(data):
                    self._inbox.put(line)
        for line in splitter.last():
            self._inbox.put(line)
        if has_ended:
            self._inbox.put(self._session.end_input)
            self._wait_for_answers()
        self._inbox.put(None)

    def _wait_for_answers(self) -> None:
        waiting = select.poll()
        waiting.register(self._awake, select.POLLIN)
        waiting.register(self._answers, 0)  # tells only that its reader is gone
        waited_s = 0.0
        while waited_s < LEAVING_S and not waiting.poll(LOOKING_S * 1000):
            waited_s = 0.0 if self._session.is_loading else waited_s + LOOKING_S

    def close(self) -> None:
        """End the thread, though it waits for input."""
        os.write(self._wake, b"x")
        self._thread.join()
        os.close(self._wake)
        os.close(self._awake)


@contextmanager
def ending_by_signals(inbox: Inbox) -> Iterator[None]:
    """Put the end into the inbox when the process is asked to terminate.

    It is not taken out while a write waits for a program that no longer reads: then the process
    ends LEAVING_S after the signal.
    """
    asked: SimpleQueue[int] = SimpleQueue()
    has_left = Flag()

    def leave() -> None:
        number = asked.get()
        if number and not has_left.wait(LEAVING_S):
            os._exit(128 + number)  # as shells show a signal

    def end(number: int, frame: Any) -> None:
        inbox.put(None)
        asked.put(number)

    watcher = Thread(target=leave, name="ludens-leaving", daemon=True)
    watcher.start()

    before = {number: signal.signal(number, end) for number in END_SIGNALS}
    try:
        yield
    finally:
        has_left.set()
        asked.put(0)
        watcher.join()
        for number, handler in before.items():
            signal.signal(number, handler)


def converse(make: Callable[[Inbox, Writer], Session], read_from: int, write_to: int) -> None:
    """Hold one session over two file descriptors, until it, its input or the process shall end.

    Whatever a session's threads put into the inbox to be done is done in this thread.
    """
    inbox: Inbox = SimpleQueue()
    session = make(inbox, Writer(write_to, lambda: inbox.put(None)))
    with ending_by_signals(inbox):
        reader = Reader(read_from, inbox, session, write_to)
        try:
            while (event := inbox.get()) is not None:
                if callable(event):
                    event()
                elif not session.receive(event):
                    break
        finally:
            session.close()
            reader.close()
