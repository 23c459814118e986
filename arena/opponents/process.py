"""Another program that is asked by lines: bounded reading, time limits, no process left over."""

from __future__ import annotations

import os
import selectors
import shlex
import shutil
import signal
import subprocess
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from threading import Thread

from store.printable import printable

MOST_LINE_BYTES = 1 << 16
TAIL_BYTES = 2000  # of the standard error that are kept for messages
CHUNK_BYTES = 1 << 16
GAMES_FOLDER = "/usr/games"  # where Debian has programs that play; a PATH may lack it
END_S = 2.0  # to wait for a killed process


class ProgramError(Exception):
    """A program could not be started, or did not answer as its protocol says."""


class CrashError(ProgramError):
    """A program ended."""


class HangError(ProgramError):
    """A program did not answer in time."""


class _Tail:
    """The last bytes of a stream, read in a thread until its end."""

    def __init__(self, stream: int) -> None:
        self._kept = b""
        self._thread = Thread(target=self._drain, args=(stream,), daemon=True)
        self._thread.start()

    def _drain(self, stream: int) -> None:
        with suppress(OSError):
            while data := os.read(stream, CHUNK_BYTES):
                self._kept = (self._kept + data)[-TAIL_BYTES:]
        os.close(stream)

    def text(self) -> str:
        """Return the end of what was written, in one line of printable characters."""
        self._thread.join(0.2)  # a program that just ended may have said why
        words = " ".join(self._kept.decode("utf-8", "replace").split())
        return printable(words, "")[-300:]


class Program:
    """A running program.

    It has a process group of its own, so that Ctrl-C does not reach it, and what it started ends
    with it. It is killed by `stop`, when this object is no longer used, or when Python ends.
    Raises ProgramError where it cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.command = shlex.join(command)
        found = find_program(command[0])
        if found is None:
            raise ProgramError(
                f"there is no program {command[0]!r} in PATH or {GAMES_FOLDER}, and no such file"
            )
        reading, writing = os.pipe()
        try:
            self._process = subprocess.Popen(
                [found, *command[1:]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=writing,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            os.close(reading)
            raise ProgramError(f"{self.command}: {error.strerror or error}") from None
        finally:
            os.close(writing)
        self._tail = _Tail(reading)
        self._read = b""
        self._end = weakref.finalize(self, _kill, self._process)

    def write(self, line: str) -> None:
        """Send a line. Raises CrashError if the program has ended."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n".encode())
        except OSError:
            raise self._crash() from None

    def read_line(self, deadline: float) -> str:
        """Return the next line without its end; `deadline` is a time of `time.monotonic`.

        Raises HangError, CrashError, and ProgramError for a line that is too long.
        """
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._read:
                if len(self._read) > MOST_LINE_BYTES:
                    raise ProgramError(f"{self.command}: wrote a line over {MOST_LINE_BYTES} bytes")
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise HangError(f"{self.command}: no answer in time{self._said()}")
                data = os.read(self._process.stdout.fileno(), CHUNK_BYTES)
                if not data:
                    raise self._crash()
                self._read += data
        if time.monotonic() > deadline:  # a flood of lines is no answer
            raise HangError(f"{self.command}: no answer in time{self._said()}")
        line, _, self._read = self._read.partition(b"\n")
        return line.decode("utf-8", "replace").strip()

    def stop(self) -> None:
        """Kill the program and what it started, and wait for its end."""
        self._end()

    def _crash(self) -> CrashError:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        code = self._process.returncode
        how = "closed its output" if code is None else f"ended with status {code}"
        return CrashError(f"{self.command}: {how}{self._said()}")

    def _said(self) -> str:
        text = self._tail.text()
        return f"; it wrote: {text}" if text else ""


def find_program(name: str) -> str | None:
    """Return the path of a program, also from where Debian keeps games; None if there is none."""
    return shutil.which(name) or shutil.which(name, path=GAMES_FOLDER)


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:  # else its number may be another's by now
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(END_S)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()
