"""`ludens engine` as a process for tests: what it wrote, what it started, what runs."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ludens
from benchmarks.processes import family, is_alive

SCRIPT = str(Path(ludens.__file__).resolve())
WAIT_S = 300.0  # for what comes at once, on a machine that is busy or compiles


def command(agent: str, *more: str) -> list[str]:
    """Return the command of an engine."""
    return [sys.executable, SCRIPT, "engine", "--agent", agent, "--seed", "1", *more]


def session_of(leader: int) -> list[int]:
    """Return the processes of a session that run, read from /proc."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and is_alive(int(folder.name)):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
            if int(fields[3]) == leader:
                found.append(int(folder.name))
    return found


class Piped:
    """A process in a session of its own, and the lines that it wrote."""

    def __init__(self, words: list[str], *lines: str) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            words, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
        )
        self.read = b""
        self.members = set[int]()  # all processes that were ever seen to belong to it
        self.say(*lines)

    def say(self, *lines: str) -> None:
        """Write some lines."""
        self.send("".join(f"{line}\n" for line in lines).encode())

    def send(self, data: bytes) -> None:
        """Write bytes."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def until(self, text: str) -> None:
        """Read until it has written a text."""
        assert self.process.stdout is not None
        last = time.monotonic() + WAIT_S
        while text.encode() not in self.read:
            left = max(0.0, last - time.monotonic())
            assert select.select([self.process.stdout], [], [], left)[0], text
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            assert data, f"it ended before {text!r}"
            self.read += data
        self.members.update(family(self.process.pid))

    def close_input(self) -> None:
        """End its input."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.stdin = None

    def ended(self) -> tuple[int, bytes, bytes]:
        """Wait for its end, with its input open if it was; return status, output and errors."""
        self.process.wait(WAIT_S)
        out, err = self.process.communicate()
        return self.process.returncode, self.read + out, err

    def left_over(self) -> list[int]:
        """Return the processes that should be gone, after a moment for them to go."""
        last = time.monotonic() + WAIT_S
        left = self._running()
        while left and time.monotonic() < last:
            time.sleep(0.05)
            left = self._running()
        return left

    def _running(self) -> list[int]:
        return [*session_of(self.process.pid), *filter(is_alive, self.members)]


@contextmanager
def piped(words: list[str], *lines: str) -> Iterator[Piped]:
    """Start a process that is killed at the end, whatever comes."""
    found = Piped(words, *lines)
    try:
        yield found
    finally:
        found.process.kill()
        found.process.wait(WAIT_S)
        for file in (found.process.stdin, found.process.stdout, found.process.stderr):
            if file is not None and not file.closed:
                file.close()
