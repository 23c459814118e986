"""A session of both interfaces in this process, with a desk that notes what it is asked."""

from queue import SimpleQueue
from threading import Event
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.engine.protocols.lines import Inbox
from arena.engine.protocols.uci import UCI
from arena.engine.protocols.universal.dialect import GO_FLAGS, Dialect
from arena.engine.protocols.universal.session import UniversalSession
from arena.engine.protocols.usi import USI
from arena.engine.strength import Strengths
from arena.engine.threads import all_threads_end
from store.upkeep.ratings import NotedRating

WAIT_S = 60.0


class NotingDesk:
    """Notes its calls, and takes no position whose text has an x."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def place(self, position: Any) -> None:
        if "x" in position.start + "".join(position.moves):
            raise ValueError("an x")
        self.calls.append(f"place {position.start} {' '.join(position.moves)}".rstrip())

    def go(self, words: Any) -> None:
        self.calls.append(f"go {words.numbers}")

    def stop(self) -> None:
        self.calls.append("stop")

    def ponderhit(self) -> None:
        self.calls.append("ponderhit")

    def new_game(self) -> None:
        self.calls.append("new_game")

    def close(self) -> None:
        self.calls.append("close")


class Conversation:
    """A session whose events a test handles when it wants to."""

    def __init__(
        self,
        failure: Exception | None = None,
        dialect: Dialect = UCI,
        strengths: Strengths | None = None,
    ) -> None:
        self.desk, self.written = NotingDesk(), list[str]()
        self.may_load = Event()
        self.inbox: Inbox = SimpleQueue()
        self.loads = 0

        def load(options: Any) -> NotingDesk:
            assert self.may_load.wait(WAIT_S)
            self.loads, self.options = self.loads + 1, options
            if failure is not None:
                raise failure
            return self.desk

        def write(*lines: str) -> None:
            self.written.extend(lines)

        (game, *_) = dialect.variants
        self.session = UniversalSession(
            dialect, "Ludens test", game, load, self.inbox, write, strengths
        )

    def say(self, *lines: str) -> list[str]:
        """Return what is written for some lines."""
        before = len(self.written)
        for line in lines:
            assert self.session.receive(line)
        return self.written[before:]

    def loaded(self) -> None:
        """Let the agent come, and handle that it came."""
        self.may_load.set()
        event = self.inbox.get(timeout=WAIT_S)
        assert callable(event)
        event()


def ready(dialect: Dialect = UCI) -> Conversation:
    conversation = Conversation(dialect=dialect)
    conversation.say("isready")
    conversation.loaded()
    conversation.written.clear()
    return conversation


def test_the_handshake_needs_no_agent() -> None:
    talk = Conversation()
    said = talk.say("uci")
    assert said[0] == "id name Ludens test"
    assert said[1].startswith("id author ")
    assert said[-1] == "uciok"
    assert all(line.startswith("option name ") for line in said[2:-1])
    talk.say("setoption name Threads value 1", "ucinewgame", "stop", "ponderhit", "debug on")
    assert not talk.session.is_loading


def test_a_rated_agent_offers_to_play_at_a_strength() -> None:
    rated = Strengths("r", 64, [NotedRating(1, -20.5, 9.0), NotedRating(2, 1500.0, 9.0)])
    talk = Conversation(strengths=rated)
    said = talk.say("uci")
    assert "option name UCI_LimitStrength type check default false" in said
    assert "option name UCI_Elo type spin default 1500 min -21 max 1500" in said
    talk.say("setoption name UCI_LimitStrength value true", "setoption name uci_elo value 700")
    assert "expected -21 to 1500" in talk.say("setoption name UCI_Elo value 1501")[0]
    talk.say("isready")
    talk.loaded()
    assert (talk.options.limit_strength, talk.options.elo) == (True, 700)
    shogi = Conversation(dialect=USI, strengths=rated)
    assert "option name USI_Elo type spin default 1500 min -21 max 1500" in shogi.say("usi")
    shogi.say("setoption name UCI_Elo value 9")
    unrated = Conversation().say("uci")
    assert not any("Elo" in line or "Strength" in line for line in unrated)


def test_lines_wait_for_the_agent_in_their_order() -> None:
    talk = Conversation()
    assert talk.say("isready", "position startpos moves e2e4", "go nodes 5", "stop") == []
    assert talk.say("uci")[-1] == "uciok"  # at once
    talk.loaded()
    assert talk.written[-1] == "readyok"
    assert talk.desk.calls == ["place  e2e4", "go {'nodes': 5}", "stop"]
    assert talk.say("isready") == ["readyok"]
    assert talk.loads == 1


def test_quit_ends_while_the_agent_is_loaded() -> None:
    talk = Conversation()
    talk.say("go infinite")
    assert not talk.session.receive("garbage quit")
    talk.session.close()
    talk.may_load.set()
    assert all_threads_end(WAIT_S)


def test_an_agent_that_cannot_be_loaded_ends_the_session() -> None:
    talk = Conversation(ValueError("no agent\n'x'"))
    talk.say("isready")
    talk.may_load.set()
    assert talk.inbox.get(timeout=WAIT_S) is None
    assert talk.written == ["info string the agent could not be loaded: no agent 'x'"]
    assert isinstance(talk.session.failure, ValueError)


def test_a_position_that_is_none_leaves_the_one_before() -> None:
    talk = ready()
    for line in ("position startpos moves x", "position", "position fen x w - - 0 1"):
        (said,) = talk.say(line)
        assert said.startswith("info string the position stays as it was: ")
    assert talk.desk.calls == []


def test_a_wrong_option_is_told() -> None:
    talk = ready()
    assert talk.say("setoption name Threads value 1", "register later", "debug maybe") == []
    (said,) = talk.say("setoption name Threads value many")
    assert said.startswith("info string Threads = 'many': expected 1 to ")


WORDS = st.sampled_from(
    [
        *sorted((UCI.commands | USI.commands) - {"quit"}),
        *UCI.numbers,
        *USI.numbers,
        *GO_FLAGS,
        "searchmoves",
        "startpos",
        "fen",
        "sfen",
        "moves",
    ]
    + ["e2e4", "name", "value", "on", "Threads", "MultiPV", "true", "-1", "0", "99999999999999999"]
    + [
        "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR",
        "rbsgk/4p/5/P4/KGSBR",
        "P*5e",
        "w",
        "KQkq",
        "\x00",
        "é",
        "٣",
        "\ufffd",
    ]
)
LINES = st.lists(WORDS, max_size=12).map(" ".join) | st.text(max_size=40)


def hold(dialect: Dialect, lines: list[str]) -> None:
    talk = ready(dialect)
    for line in lines:
        if "quit" not in line:
            talk.say(line)
    assert all(line and line.isprintable() for line in talk.written)
    talk.written.clear()
    assert talk.say("isready") == ["readyok"]


@pytest.mark.parametrize("dialect", [UCI, USI], ids=["uci", "usi"])
@settings(max_examples=50, deadline=None)
@given(st.lists(LINES, min_size=10, max_size=40))
def test_no_line_ends_a_session_or_keeps_it_busy(dialect: Dialect, lines: list[str]) -> None:
    hold(dialect, lines)


@pytest.mark.slow
@pytest.mark.parametrize("dialect", [UCI, USI], ids=["uci", "usi"])
@settings(max_examples=3000, deadline=None)
@given(st.lists(LINES, min_size=30, max_size=40))
def test_no_line_of_a_hundred_thousand_does(dialect: Dialect, lines: list[str]) -> None:
    hold(dialect, lines)
