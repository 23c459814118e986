"""`ludens engine` as a process over pipes, for the tests of its protocols."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import ludens
from benchmarks.processes import family, is_alive

SCRIPT = str(Path(ludens.__file__).resolve())
WAIT_S = 600.0  # an agent that compiles takes minutes
GOING_S = 60.0  # until what belonged to an engine that ended is gone
ENDS = ("quit", "end", "term", "broken")  # how a process is made to end
SESSION = 3  # of /proc/<pid>/stat, after the command's name
LINUX = sys.platform.startswith("linux")


def command(agent: str, *more: str) -> list[str]:
    return [sys.executable, SCRIPT, "engine", "--agent", agent, "--seed", "1", *more]


def session_of(leader: int) -> list[int]:
    """Return the processes of a session that run, read from /proc."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[SESSION]) == leader and is_alive(int(folder.name)):
            found.append(int(folder.name))
    return found


class Piped:
    """A process in a session of its own, and the lines that it wrote.

    It is killed at the end of a `with` block.
    """

    def __init__(
        self,
        *lines: str,
        agent: str = "random",
        game: str = "chess5",
        words: list[str] | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            command(agent, "--game", game) if words is None else words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.read = b""
        self.members = set[int]()  # all processes that were seen to belong to it
        self._followed = 0  # bytes of it that `follow` has compared
        self.say(*lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait(WAIT_S)
        self.close()

    def say(self, *lines: str) -> None:
        self.send("".join(f"{line}\n" for line in lines).encode())

    def send(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def until(self, text: str) -> None:
        while text.encode() not in self.read:
            self._read_more(text)
        if LINUX:
            self.members.update(family(self.process.pid))

    def left_over(self) -> list[int]:
        """Return the processes that should be gone, after some time for them to go."""
        last = time.monotonic() + GOING_S
        while (left := self._running()) and time.monotonic() < last:
            time.sleep(0.05)
        return left

    def _running(self) -> list[int]:
        if not LINUX:
            return []
        return [*session_of(self.process.pid), *filter(is_alive, self.members)]

    def follow(self, transcript: str) -> None:
        """Hold a conversation: say what follows ">", and expect the lines that follow "<".

        An expected line is a regular expression: of the next line that was written, or after "<*"
        of a later one.
        """
        for line in filter(None, (line.strip() for line in transcript.splitlines())):
            sign, _, words = line.partition(" ")
            if sign == ">":
                self.say(words)
                continue
            found = self._next_line(words)
            while sign == "<*" and not re.fullmatch(words, found):
                found = self._next_line(words)
            assert re.fullmatch(words, found), f"{found!r} is not {words!r}"

    def _next_line(self, expected: str) -> str:
        while b"\n" not in self.read[self._followed :]:
            self._read_more(expected)
        line = self.read[self._followed :].partition(b"\n")[0]
        self._followed += len(line) + 1
        return line.decode()

    def _read_more(self, expected: str) -> None:
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], WAIT_S)[0], f"no {expected!r}"
        data = os.read(self.process.stdout.fileno(), 1 << 16)
        assert data, f"it ended before {expected!r}"
        self.read += data

    def close(self) -> None:
        for file in (self.process.stdin, self.process.stdout, self.process.stderr):
            if file is not None:
                file.close()

    def ended(self) -> tuple[int, bytes, bytes]:
        out, err = self.process.communicate(timeout=WAIT_S)
        return self.process.returncode, self.read + out, err

    def end(self, how: str) -> bytes | None:
        """Make it end, check that it does so well and wholly, and return all that it wrote.

        None is for a process whose lines nothing reads any more, which it finds out by writing.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if how == "quit":
            self.say("quit")
        elif how == "end":
            self.process.stdin.close()
            self.process.stdin = None
        elif how == "term":
            self.process.send_signal(signal.SIGTERM)
        else:
            self.process.stdout.close()
            self.say("uci", "usi")
            assert self.process.wait(WAIT_S) == 0
            assert self.left_over() == []
            self.close()
            return None
        self.process.wait(WAIT_S)  # with its input open, if it was
        assert self.left_over() == []
        status, out, err = self.ended()
        assert (status, err) == (0, b"")
        return out


def said_and_imported(words: list[str], said: str) -> str:
    """Return what `ludens engine --agent random` answers, and the heavy imports by then."""
    code = (
        f"import sys, ludens; ludens.main(['engine', '--agent', 'random', *{words!r}]);"
        "print(sorted({'numpy', 'numba', 'torch'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        input=said,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(SCRIPT).parent,
    )
    return found.stdout
