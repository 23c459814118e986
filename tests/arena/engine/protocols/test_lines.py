"""Lines over pipes, without any protocol."""

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from threading import Timer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.engine.protocols import lines
from arena.engine.protocols.lines import MOST_LINE_BYTES, Inbox, Splitter, Writer, converse


class Echo:
    """Writes each line again, and ends with `end`; `later` is answered through the inbox."""

    def __init__(self, inbox: Inbox, write: Writer, at: Callable[[str], None]) -> None:
        self.inbox, self.write, self.at = inbox, write, at
        self.closed, self.is_late, self.is_stuck, self.is_loading = 0, False, False, False

    def receive(self, line: str) -> bool:
        self.at(line)
        self.is_late |= line == "late"
        self.is_stuck |= line in ("stuck", "load")
        self.is_loading |= line == "load"
        if line == "later":
            self.inbox.put(self.in_its_turn)
        self.write(line)
        return line != "end"

    def in_its_turn(self) -> None:
        self.write(f"in {threading.current_thread().name}")
        self.inbox.put(None)

    def end_input(self) -> None:
        if self.is_late:
            self.write("at last")
        if not self.is_stuck:
            self.inbox.put(None)
        if self.is_loading:
            Timer(0.3, self.loaded).start()

    def loaded(self) -> None:
        self.write("loaded")
        self.is_loading = False

    def close(self) -> None:
        self.closed += 1


def conversation(data: bytes, *, ends: bool = True, at: Callable[[str], None] = len) -> str:
    """Return what is written for some input, which ends, or stays open."""
    read_in, write_in = os.pipe()
    read_out, write_out = os.pipe()
    sessions: list[Echo] = []

    def make(inbox: Inbox, write: Writer) -> Echo:
        sessions.append(Echo(inbox, write, at))
        return sessions[0]

    threads = threading.active_count()
    try:
        os.write(write_in, data)
        if ends:
            os.close(write_in)
        converse(make, read_in, write_out)
        assert [session.closed for session in sessions] == [1]
        assert threading.active_count() == threads
        return os.read(read_out, 1 << 16).decode()
    finally:
        for file in (read_in, read_out, write_out, *([] if ends else [write_in])):
            os.close(file)


def test_lines_are_answered_in_their_order_up_to_the_end() -> None:
    assert conversation(b"one\ntwo\nend\nthree\n", ends=False) == "one\ntwo\nend\n"
    assert conversation(b"one\nno newline") == "one\nno newline\n"


def test_after_its_input_a_session_may_answer_what_it_owes() -> None:
    assert conversation(b"late\n") == "late\nat last\n"


def test_a_session_that_never_answers_ends_some_time_after_its_input(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines, "LEAVING_S", 0.05)
    assert conversation(b"stuck\n") == "stuck\n"


def test_after_its_input_a_session_has_all_the_time_that_loading_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines, "LEAVING_S", 0.05)
    monkeypatch.setattr(lines, "LOOKING_S", 0.01)
    assert conversation(b"load\n") == "load\nloaded\n"


def test_a_session_whose_answers_nobody_reads_ends_with_its_input() -> None:
    read_in, write_in = os.pipe()
    read_out, write_out = os.pipe()
    os.write(write_in, b"stuck\n")

    leaving = Timer(0.05, os.close, [read_out])

    def leave(line: str) -> None:
        os.close(write_in)
        leaving.start()

    began = time.monotonic()
    converse(lambda inbox, write: Echo(inbox, write, leave), read_in, write_out)
    assert time.monotonic() - began < lines.LEAVING_S
    leaving.join()  # the next test counts threads
    os.close(read_in)
    os.close(write_out)


def test_what_threads_put_into_the_inbox_is_done_in_the_sessions_thread() -> None:
    name = threading.current_thread().name
    assert conversation(b"later\n", ends=False) == f"later\nin {name}\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_its_handlers_are_those_of_before(number: int) -> None:
    before = signal.getsignal(number)
    found = conversation(b"kill\n", ends=False, at=lambda line: os.kill(os.getpid(), number))
    assert found == "kill\n"
    assert signal.getsignal(number) is before


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=10))
def test_lines_do_not_depend_on_how_they_come(data: bytes, cuts: list[int]) -> None:
    splitter, found = Splitter(), list[str]()
    ends = [0, *sorted(cuts), len(data)]
    for begin, end in itertools.pairwise(ends):
        found += splitter.lines(data[begin:end])
    found += splitter.last()
    wanted = [part.decode(errors="replace") for part in data.split(b"\n")]
    assert found == (wanted if wanted[-1] else wanted[:-1])


def test_a_line_that_is_too_long_is_dropped_alone() -> None:
    splitter = Splitter()
    assert splitter.lines(b"a\n" + b"x" * (MOST_LINE_BYTES + 1)) == ["a"]
    for _ in range(3):
        assert splitter.lines(b"x" * MOST_LINE_BYTES) == []
    assert splitter.lines(b"x\nb\n") == ["b"]
    assert splitter.lines(b"y" * (MOST_LINE_BYTES + 1) + b"\nc\n") == ["c"]
    assert splitter.last() == []


def test_whole_lines_are_written_from_many_threads(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    file = os.open(path, os.O_CREAT | os.O_WRONLY)
    write = Writer(file, lambda: None)
    writers = [
        threading.Thread(target=lambda i=i: [write(f"{i}a", f"{i}b") for _ in range(200)])
        for i in range(4)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    os.close(file)
    found = path.read_text().splitlines()
    assert len(found) == 1600
    assert all(first[0] == then[0] for first, then in zip(found[::2], found[1::2]))
    assert set(found) == {f"{i}{letter}" for i in range(4) for letter in "ab"}


def test_nobody_reading_is_told_once() -> None:
    read, write = os.pipe()
    os.close(read)
    told: list[str] = []
    writer = Writer(write, lambda: told.append("broken"))
    writer("a")
    writer("b")
    os.close(write)
    assert told == ["broken"]
