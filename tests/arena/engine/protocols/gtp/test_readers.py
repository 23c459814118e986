"""Lines of analysis as Sabaki, q5Go and Lizzie read them, by rules that are written again here.

KaTrain is not among them: it asks KataGo's analysis engine in JSON, and no GTP engine.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import pytest

from arena.engine.protocols.gtp.info import info_line
from arena.engine.snapshot import Candidate, Line, Snapshot
from envs.go.notation import format_point
from tests.arena.engine.protocols.piped import Piped

SIZE = 7
PASS = SIZE**2
CANDIDATES = (
    Candidate(3, 0.7, 70, 0.25, 1.0, 1.0),
    Candidate(PASS, 0.2, 20, 0.5, -0.5, None),
    Candidate(8, 0.1, 10, 0.25, 0.0, None),
)
LINES = (
    Line((3, PASS, 9), 70, 1.0, 1.0, 2),
    Line((PASS, 4), 20, -0.5, None, 0),
    Line((8,), 10, 0.0, None, 0),
)
SNAPSHOT = Snapshot(CANDIDATES, LINES, 100, 0, 0.4, None, 0)


class Move(NamedTuple):
    """What a program shows of one move: visits, and the win rate from 0 to 1."""

    word: str
    visits: int
    winrate: float
    line: tuple[str, ...]


def words_of(actions: Sequence[int]) -> list[str]:
    return [format_point(action, SIZE, SIZE) for action in actions]


def read_as_sabaki(line: str, is_kata: bool) -> list[Move]:
    """Read pairs of a key and a value up to `pv`; the line itself ends before a pass.

    A win rate is of 1 where it has a point, else of 10,000. Moves that are passes are not shown.
    """
    assert line.startswith("info ")
    found = []
    for part in re.split(r"\s*info\s+", line)[1:]:
        text = part.strip()
        moves = re.search(r"(pass|[A-Za-z]\d+)(\s+(pass|[A-Za-z]\d+))*$", text)
        assert moves is not None
        *tokens, last = text[: moves.start()].split()
        assert last == "pv"
        assert len(tokens) % 2 == 0
        values = dict(zip(tokens[::2], tokens[1::2]))
        shown = float(values["winrate"])
        winrate = shown if "." in values["winrate"] else shown / 10_000
        assert is_kata == ("." in values["winrate"])
        variation = moves[0].partition("pass")[0].split()
        if re.fullmatch(r"[A-Za-z]\d+", values["move"]):
            found.append(Move(values["move"], int(values["visits"]), winrate, tuple(variation)))
    return found


def read_as_q5go(line: str, is_kata: bool) -> list[Move]:
    """Find each key between blanks, behind `info move `; win rates are read as was asked for."""
    assert line.startswith("info move ")
    found = []
    for part in filter(None, line.split("info move ")):
        word = re.match(r"(\S+)\s+", part)
        visits = re.search(r"\s+visits\s+(\d+)\s+", part)
        winrate = re.search(r"\s+winrate\s+(\S+)\s+", part)
        variation = re.search(r"\s+pv\s+(.*)$", part)
        assert word is not None
        assert visits is not None
        assert winrate is not None
        assert variation is not None
        rate = float(winrate[1]) if is_kata else int(winrate[1]) / 10_000
        found.append(Move(word[1], int(visits[1]), rate, tuple(variation[1].split())))
    return found


def read_as_lizzie(line: str, is_kata: bool) -> list[Move]:
    """Read pairs of a key and a value, split by single blanks; every number of `lz` is whole."""
    assert line.startswith("info ")
    found = []
    for part in line[5:].split(" info "):
        words, values = part.strip().split(" "), {}
        at = words.index("pv")
        for key, value in zip(words[:at:2], words[1:at:2], strict=True):
            values[key] = value
        numbers = {key: float(value) for key, value in values.items() if key != "move"}
        if not is_kata:
            assert all(value.isdecimal() for key, value in values.items() if key != "move")
        rate = numbers["winrate"] / (1 if is_kata else 10_000)
        moves = tuple(words[at + 1 :])
        found.append(Move(values["move"], int(values["visits"]), rate, moves))
    return found


READERS = (read_as_sabaki, read_as_q5go, read_as_lizzie)
Reader = Callable[[str, bool], list[Move]]


@pytest.mark.parametrize("form", ["lz", "kata"])
@pytest.mark.parametrize("reader", READERS)
def test_other_programs_read_passes_and_proven_moves(reader: Reader, form: str) -> None:
    found = reader(info_line(SNAPSHOT, form, words_of), form == "kata")
    wanted = [
        Move("D7", 70, 1.0, ("D7", "pass", "C6")),
        Move("pass", 20, 0.25, ("pass", "E7")),
        Move("B6", 10, 0.5, ("B6",)),
    ]
    if reader is read_as_sabaki:
        wanted = [wanted[0]._replace(line=("D7",)), wanted[2]]
    assert found == wanted


@pytest.mark.parametrize("value", [-1.0, -0.99999, 0.0, 1.0])
def test_a_win_rate_keeps_its_form_at_the_ends(value: float) -> None:
    """`1` and `0` of KataGo's form would be read as one of 10,000 without a point."""
    moves = (replace(CANDIDATES[0], exact=None), *CANDIDATES[1:])
    lines = (replace(LINES[0], value_to_play=value, exact=None),)
    line = info_line(replace(SNAPSHOT, candidates=moves, lines=lines), "kata", words_of)
    for reader in READERS:
        assert reader(line, True)[0].winrate == pytest.approx((1 + value) / 2, abs=1e-5)


@pytest.mark.slow  # compiles the search of Go
@pytest.mark.parametrize("form", ["lz", "kata"])
def test_a_search_is_shown_and_its_move_is_found(form: str) -> None:
    """As Sabaki and q5Go ask: colour and centiseconds; the answer ends with `play`."""
    with Piped(agent="mcts:400", game="go9") as engine:
        engine.say(f"1 {form}-analyze B 5")
        engine.until("info move")
        engine.say("2 protocol_version")
        engine.until("=2 2\n\n")
        engine.say(f"3 {form}-genmove_analyze W 5", "4 quit")
        engine.until("=4\n\n")
        status, out, err = engine.ended()
    assert (status, err) == (0, b"")
    first, moved = out.decode().split("=3\n")
    assert first.startswith("=1\ninfo move ")
    shown = [text for text in out.decode().splitlines() if text.startswith("info")]
    for line in shown:
        for reader in READERS:
            moves = reader(line, form == "kata")
            assert moves
            assert moves == sorted(moves, key=lambda move: -move.visits)
            assert all(0 <= move.winrate <= 1 for move in moves)
    played = re.search(r"^play (pass|[A-HJ-T]\d+)\n\n", moved, re.MULTILINE)
    assert played is not None
    assert played[1] in {move.word for move in read_as_q5go(shown[-1], form == "kata")}
