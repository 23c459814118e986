"""Garbage, half and interleaved lines: every command gets one answer, in its order."""

import random
import re
import threading

import pytest

from tests.arena.engine.protocols.piped import Piped

NAMES = (
    ("name", "version", "protocol_version", "list_commands", "known_command", "boardsize")
    + ("clear_board", "komi", "play", "undo", "genmove", "reg_genmove", "showboard", "loadsgf")
    + ("printsgf", "fixed_handicap", "place_free_handicap", "set_free_handicap", "final_score")
    + ("final_status_list", "time_settings", "time_left", "kgs-time_settings", "foo", "QUIT")
    + ("kata-time_settings", "kata-set-rules", "kata-get-rules", "lz-analyze", "kata-analyze")
    + ("lz-genmove_analyze", "kata-genmove_analyze")
)
WORDS = (
    ("b", "w", "White", "BLACK", "x", "D4", "a1", "G7", "H8", "I3", "T19", "pass", "PASS", "resign")
    + (
        "0",
        "1",
        "2",
        "5",
        "7",
        "8",
        "-1",
        "99999999999",
        "1e999",
        "nan",
        "7.5",
        "interval",
        "maxmoves",
    )
    + ("avoid", "allow", "b,w", "D4,E5", "alive", "dead", "/", "/dev/null", "no such file", "")
    + ("\x00", "\x07", "\x7f", "\t", "#", "# quit", "é", "\ud7ff", "{", '{"ko":', "[[[[", "%s%n")
)


def line_of(draw: random.Random, number: int) -> bytes:
    """Return a line without its end: a command, a mixture, or bytes of any kind."""
    kind = draw.random()
    if kind < 0.25:
        size = draw.randrange(1, 40 if kind > 0.001 else 5000)
        data = draw.randbytes(size).replace(b"\n", b" ")
        return data if b"quit" not in data else b""
    words = [draw.choice(NAMES)] if kind < 0.9 else []
    words += [draw.choice(WORDS) for _ in range(draw.choice((0, 0, 1, 1, 2, 2, 3, 6)))]
    if kind > 0.4:
        words.insert(0, str(number))
    text = draw.choice((" ", " ", "  ", "\t")).join(words)
    return (text + draw.choice(("", "", "\r", " # " + draw.choice(WORDS)))).encode()


def id_of(line: bytes) -> str | None:
    """Return the id that the answer to a line begins with, or None for a line without answer.

    By the specification (GTP version 2, draft 2, sections 2.2 and 2.5): control characters and
    comments go, tabs are blanks, empty lines are ignored, and a number in front is the id.
    """
    text = line.decode(errors="replace").replace("\t", " ")
    text = re.sub(r"[\x00-\x1f\x7f]", "", text.split("#")[0]).strip()
    if not text:
        return None
    found = re.match(r"([0-9]+)(?:\s|$)", text, re.ASCII)
    return found[1] if found and int(found[1]) < 2**31 else ""


def send_in_pieces(engine: Piped, data: bytes, draw: random.Random) -> None:
    """Write bytes in pieces that end anywhere, so that lines arrive in halves and many at once."""
    while data:
        size = draw.choice((1, 7, 300, 4000, 60000))
        engine.send(data[:size])
        data = data[size:]


def heads_of(output: bytes) -> list[str]:
    """Return what stands behind = or ? in each answer."""
    text = output.decode()
    assert "Traceback" not in text
    return re.findall(r"^[=?]([0-9]*)(?: |$)", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("game", "count"),
    [
        ("go7", 50),
        ("go9_from7", 50),
        pytest.param("go7", 100_000, marks=pytest.mark.slow),
        pytest.param("go9_from7", 100_000, marks=pytest.mark.slow),
    ],
)
def test_every_command_among_garbage_has_its_answer_in_its_order(game: str, count: int) -> None:
    draw = random.Random(count)
    lines = [line_of(draw, number) for number in range(count)]
    expected = [found for line in lines if (found := id_of(line)) is not None]
    assert len(expected) > 0.7 * count
    with Piped(game=game) as engine:
        data = b"".join(line + b"\n" for line in [*lines, b"2000000001 name"])
        writer = threading.Thread(target=send_in_pieces, args=(engine, data, draw))
        writer.start()
        engine.until("=2000000001 Ludens random")
        writer.join()
        engine.say("2000000002 quit")
        status, out, err = engine.ended()
    assert (status, err) == (0, b"")
    assert heads_of(out) == [*expected, "2000000001", "2000000002"]


def test_a_handicap_is_as_large_as_the_board_has_places_for() -> None:
    with Piped(game="go9_from7") as engine:
        engine.say("1 boardsize 8", "2 fixed_handicap 5", "3 place_free_handicap 5", "4 name")
        engine.until("=4 Ludens random")
        engine.say("5 quit")
        status, out, err = engine.ended()
    assert (status, err) == (0, b"")
    text = out.decode()
    assert "?2 invalid number of stones: 5 handicap stones on 8x8: expected 2 to 4" in text
    assert "=3 C3 F6 C6 F3" in text
