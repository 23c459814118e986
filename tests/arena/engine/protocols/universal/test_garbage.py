"""Sessions with an agent behind them, in both interfaces, that get lines nobody should write."""

from queue import SimpleQueue
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.players import RandomPlayer
from arena.engine.protocols.dialects import DIALECTS
from arena.engine.protocols.lines import Inbox
from arena.engine.protocols.universal.desk import UniversalDesk
from arena.engine.protocols.universal.dialect import GO_FLAGS
from arena.engine.protocols.universal.grammar import command_of
from arena.engine.protocols.universal.session import UniversalSession
from arena.engine.threads import all_threads_end
from envs.registry import find_game

WAIT_S = 300.0  # a first `go mate` compiles
GAMES = {"uci": "chess5", "usi": "minishogi"}
POSITIONS = {
    "uci": ["fen", "rnbqk/ppppp/5/PPPPP/RNBQK", "w", "e2e3", "b2b3", "KQkq"],
    "usi": ["sfen", "rbsgk/4p/5/P4/KGSBR", "4k/5/4G/5/K4", "b", "G", "3e3d", "G*1b", "2b3a+"],
}


def lines_of(name: str) -> st.SearchStrategy[str]:
    """Return lines of a protocol's words in any order, and of any text."""
    dialect = DIALECTS[name]
    words = [*sorted(dialect.commands - {"quit"}), *dialect.numbers, *GO_FLAGS, "mate"]
    words += ["searchmoves", "startpos", "moves", "name", "value", "on", "-", "1", "MultiPV"]
    words += ["Threads", "Temperature", "true", "0", "-1", "99999999999999999", "win"]
    words += [*POSITIONS[name], "\x00", "é", "٣", "\ufffd"]
    some = st.lists(st.sampled_from(words), max_size=12).map(" ".join)
    start = st.sampled_from(["position startpos moves", "go nodes", "setoption name", "go"])
    meant = st.tuples(start, some).map(" ".join)
    return (some | meant | st.text(max_size=40)).filter(lambda line: "quit" not in line)


class Talk:
    """A session with a random agent behind it."""

    def __init__(self, name: str) -> None:
        self.written = list[str]()
        self.gos = 0
        self._dialect = DIALECTS[name]
        game = find_game(GAMES[name])
        inbox: Inbox = SimpleQueue()

        def write(*lines: str) -> None:
            self.written.extend(lines)

        def load(options: Any) -> UniversalDesk:
            return UniversalDesk(self._dialect, game, RandomPlayer(game), options, write, 1)

        self.session = UniversalSession(self._dialect, "x", game.name, load, inbox, write)
        self.session.receive("isready")
        event = inbox.get(timeout=WAIT_S)
        assert callable(event)
        event()

    def say(self, line: str) -> None:
        self.gos += command_of(line, self._dialect)[:1] == ["go"]
        assert self.session.receive(line)

    def end(self) -> None:
        """Check that it still listens, and that each `go` had one answer."""
        self.session.receive("isready")
        self.session.close()
        assert all_threads_end(WAIT_S)
        assert self.written.count("readyok") >= 2
        answers = [line for line in self.written if line.startswith(("bestmove ", "checkmate "))]
        assert len(answers) == self.gos
        assert all(line and line.isprintable() for line in self.written)


def hold(name: str, data: st.DataObject, least: int) -> None:
    talk = Talk(name)
    for line in data.draw(st.lists(lines_of(name), min_size=least, max_size=2 * least)):
        talk.say(line)
    talk.end()


@pytest.mark.parametrize("name", list(GAMES))
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_no_line_ends_a_session(name: str, data: st.DataObject) -> None:
    hold(name, data, 15)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(GAMES))
@settings(max_examples=2500, deadline=None)
@given(data=st.data())
def test_no_line_of_a_hundred_thousand_does(name: str, data: st.DataObject) -> None:
    hold(name, data, 40)
