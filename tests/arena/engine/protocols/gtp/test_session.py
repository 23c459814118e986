"""GTP's grammar and order in this process, with a desk that a test answers for."""

from queue import SimpleQueue
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.engine.protocols.gtp.grammar import Command, GtpError
from arena.engine.protocols.gtp.session import ON_THE_DESK, GtpSession, OtherSizeError
from arena.engine.protocols.lines import Inbox

WAIT_S = 60.0
SEARCHES = {"genmove", "lz-analyze", "kata-genmove_analyze"}


class FakeDesk:
    """Answers at once, but for searches, which end when a test or a stop says so."""

    def __init__(self, game: str, done: Any) -> None:
        self.game, self.done = game, done
        self.calls, self.stops, self.closed = list[str](), 0, 0

    def answer(self, command: Command) -> Any:
        self.calls.append(command.name)
        if command.name == "play" and command.args[-1:] == ("Z9",):
            raise GtpError("illegal move")
        if command.name == "loadsgf" and self.game == "go9" and command.args:
            raise OtherSizeError(19 if command.args[0] == "19" else 13)
        return (lambda: None) if command.name in SEARCHES else ""

    def stop(self) -> None:
        self.stops += 1

    def close(self) -> None:
        self.closed += 1


class Conversation:
    """A session whose events a test handles when it wants to."""

    def __init__(self, sizes: dict[int, str] | None = None) -> None:
        self.written, self.desks = list[str](), list[FakeDesk]()
        self.inbox: Inbox = SimpleQueue()

        def load(game: str, options: Any, done: Any) -> FakeDesk:
            self.desks.append(FakeDesk(game, done))
            return self.desks[-1]

        def write(*lines: str) -> None:
            self.written.extend(lines)

        sizes = sizes or {9: "go9", 13: "go13"}
        self.session = GtpSession("Test", "1.2", sizes[9], sizes, load, self.inbox, write)

    def say(self, *lines: str) -> str:
        """Return what is written for some lines, once an agent that they need is there."""
        before = len(self.written)
        for line in lines:
            self.session.receive(line)
            while self.session.is_loading:
                self.handle()
        return "\n".join(self.written[before:])

    def handle(self) -> None:
        event = self.inbox.get(timeout=WAIT_S)
        assert callable(event)
        event()

    def finish(self, text: str) -> str:
        """Return what is written when a search ends with an answer."""
        before = len(self.written)
        self.desks[-1].done(lambda: text)
        self.handle()
        return "\n".join(self.written[before:])


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("protocol_version", "= 2\n"),
        ("7 name", "=7 Test\n"),
        ("version # which?", "= 1.2\n"),
        ("\x01 3\tver\x7fsion\r", "=3 1.2\n"),
        ("known_command genmove", "= true\n"),
        ("known_command foo", "= false\n"),
        ("known_command", "= false\n"),
        ("8 foo", "?8 unknown command\n"),
        ("9", "?9 unknown command\n"),
        ("boardsize 13", "=\n"),
        ("boardsize 8", "? unacceptable size\n"),
        ("komi 6.5", "=\n"),
        ("komi nan", "? syntax error: komi 'nan': expected a number from -1000 to 1000\n"),
        ("time_settings 60 10 3", "=\n"),
        ("kgs-time_settings byoyomi 60 10 3", "=\n"),
        ("kata-time_settings fischer 60 1", "=\n"),
        ("time_left b 30 0", "=\n"),
        ("kata-set-rules chinese-kgs", "=\n"),
        ('kata-set-rules {"ko":"POSITIONAL","suicide":false}', "=\n"),
        ("# a comment", ""),
        ("", ""),
        ("4 quit", "=4\n"),
    ],
)
def test_what_needs_no_board(line: str, answer: str) -> None:
    talk = Conversation()
    assert talk.say(line) == answer
    assert not talk.desks


@pytest.mark.parametrize("rules", ["japanese", '{"ko":"SIMPLE"}', '{"suicide":true}', "[]", "{"])
def test_other_rules_are_refused(rules: str) -> None:
    assert "the rules here are" in Conversation().say(f"kata-set-rules {rules}")


def test_commands_are_answered_in_their_order() -> None:
    talk = Conversation()
    assert talk.say("1 play b D4", "2 play w Z9", "3 genmove b") == "=1\n\n?2 illegal move\n"
    assert talk.say("4 name", "5 quit", "6 name") == ""
    assert talk.finish("E5") == "=3 E5\n\n=4 Test\n\n=5\n"
    assert not talk.session.receive("7 name")


@pytest.mark.parametrize("line", ["", "2 name"])
def test_any_line_ends_an_analysis(line: str) -> None:
    talk = Conversation()
    assert talk.say("1 lz-analyze 10") == "=1"
    assert talk.say(line) == ""
    assert talk.desks[0].stops >= 1
    assert talk.finish("") == ("\n=2 Test\n" if line else "")


def test_a_move_with_its_analysis() -> None:
    talk = Conversation()
    assert talk.say("kata-genmove_analyze b 10", "") == "="
    assert talk.desks[0].stops == 0
    assert talk.finish("play D4") == "play D4\n"


def test_a_record_of_another_size_changes_the_board() -> None:
    talk = Conversation()
    assert talk.say("loadsgf 19") == "? cannot load file: the agent does not play on 19x19\n"
    assert talk.say("loadsgf 13") == "=\n"
    assert [desk.game for desk in talk.desks] == ["go9", "go13"]
    assert talk.desks[0].closed == 1


def test_one_agent_may_play_on_several_sizes() -> None:
    talk = Conversation({7: "go9_from7", 9: "go9_from7", 13: "go13"})
    assert talk.say("boardsize 7", "play b D4", "boardsize 9") == "=\n\n=\n\n=\n"
    assert talk.say("boardsize 8") == "? unacceptable size\n"
    (desk,) = talk.desks
    assert desk.calls == ["boardsize", "play", "boardsize", "clear_board"]
    talk.say("boardsize 13", "play b D4")
    assert (desk.closed, talk.desks[1].calls) == (1, ["play"])


WORDS = st.sampled_from([*sorted(ON_THE_DESK - {"loadsgf"}), "komi", "boardsize", "time_left"])
WORDS |= st.sampled_from(["1", "9", "13", "-1", "1e999", "b", "White", "D4", "Z9", "\x00", "#"])
LINES = st.lists(WORDS, max_size=5).map(" ".join) | st.text(max_size=20)


@settings(max_examples=30, deadline=None)
@given(st.lists(LINES, min_size=10, max_size=30))
def test_no_line_ends_a_session(lines: list[str]) -> None:
    talk = Conversation()
    for line in (line for line in lines if "quit" not in line and "\n" not in line):
        talk.say(line)
        while talk.session._thinks is not None:
            talk.finish("")
    assert talk.say("99 name") == "=99 Test\n"


def test_what_was_asked_before_the_input_ended_is_answered_first() -> None:
    talk = Conversation()
    talk.say("1 genmove b", "2 genmove w")
    talk.session.end_input()
    assert talk.finish("E5") == "=1 E5\n"
    assert talk.inbox.empty()
    assert talk.finish("C3") == "=2 C3\n"
    assert talk.inbox.get_nowait() is None


def test_an_analysis_ends_with_the_input() -> None:
    talk = Conversation()
    talk.say("lz-analyze b 10")
    talk.session.end_input()
    assert talk.desks[0].stops == 1
    talk.finish("")
    assert talk.inbox.get_nowait() is None


def test_the_input_may_end_while_nothing_is_asked() -> None:
    talk = Conversation()
    talk.session.end_input()
    assert talk.inbox.get_nowait() is None
