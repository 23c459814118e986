import pytest

from arena.engine.protocols.lines import MOST_TEXT
from arena.engine.protocols.uci import UCI
from arena.engine.protocols.universal.grammar import (
    MOST,
    PositionWords,
    command_of,
    info_string,
    read_go,
    read_position,
)
from arena.engine.protocols.universal.options import OptionError, Options, set_option

FEN = "4k3/8/8/8/8/8/8/4K2R w K - 0 1"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("isready", ["isready"]),
        ("  joho   debug \t on\r", ["debug", "on"]),
        ("setoption name quit value go", ["setoption", "name", "quit", "value", "go"]),
        ("", []),
        ("Isready isreadyy", []),
    ],
)
def test_what_stands_before_a_command_is_skipped(line: str, words: list[str]) -> None:
    assert command_of(line, UCI) == words


def test_a_position_is_a_start_and_moves() -> None:
    assert read_position(["startpos"], UCI) == PositionWords("", ())
    assert read_position(["startpos", "moves", "e2e4", "e7e5"], UCI) == ("", ("e2e4", "e7e5"))
    assert read_position(f"fen {FEN} moves e1g1".split(), UCI) == (FEN, ("e1g1",))
    assert read_position(f"fen {FEN}".split(), UCI) == (FEN, ())


@pytest.mark.parametrize("text", ["", "fen", "fen moves e2e4", "start", "startpos e2e4", "moves"])
def test_other_words_are_no_position(text: str) -> None:
    with pytest.raises(ValueError, match="expected startpos or fen"):
        read_position(text.split(), UCI)


def test_go_is_numbers_flags_and_moves() -> None:
    text = "ponder wtime 1000 btime -5 winc 10 searchmoves e2e4 d2d4 nodes 7 infinite"
    found = read_go(text.split(), UCI)
    assert found.numbers == {"wtime": 1000, "btime": -5, "winc": 10, "nodes": 7}
    assert found.flags == {"ponder", "infinite"}
    assert found.searchmoves == ("e2e4", "d2d4")
    assert found.ignored == ()


def test_go_says_what_it_ignored() -> None:
    found = read_go(
        ["nodes", "x", "depth", "movetime", "5", "wtime", "١٢", "nonsense", "mate"], UCI
    )
    assert found.numbers == {"movetime": 5}
    assert found.ignored == ("nodes", "x", "depth", "wtime", "١٢", "nonsense", "mate")


def test_a_number_has_bounds_however_long_it_is() -> None:
    assert read_go(["nodes", "9" * 100_000], UCI).numbers == {"nodes": MOST}
    assert read_go(["wtime", "-" + "9" * 100_000], UCI).numbers == {"wtime": -MOST}


def test_options_are_set_by_name_in_any_case() -> None:
    offered, options = UCI.options_of("chess"), Options()
    for words in (
        "name Threads value 1",
        "name move overhead value 20",
        "name UCI_CHESS960 value TRUE",
        "name Temperature value 0.5",
    ):
        set_option(words.split(), offered, options)
    assert (options.threads, options.overhead) == (1, 20)
    assert (options.chess960, options.temperature) == (True, 0.5)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("name Threads value 0", "Threads = '0': expected 1 to"),
        ("name Threads value", "Threads = '': expected 1 to"),
        ("name MultiPV value 2.5", "MultiPV = '2.5': expected 1 to 256"),
        ("name Ponder value 1", "Ponder = '1': expected true or false"),
        ("name Temperature value nan", "a number from 0 to 10"),
        ("name Temperature value warm", "a number from 0 to 10"),
        ("name Contempt value 3", "no option 'Contempt': expected one of Threads, Hash"),
        ("Threads value 1", "no option"),
        ("", "no option ''"),
    ],
)
def test_what_an_option_cannot_be_changes_nothing(words: str, why: str) -> None:
    options = Options()
    with pytest.raises(OptionError, match=why):
        set_option(words.split(), UCI.options_of("chess"), options)
    assert options == Options()


def test_what_is_told_is_one_line_of_a_bounded_length() -> None:
    assert info_string("a\nb\rc\x1b[") == "info string a b c ["
    assert len(info_string("x" * 10_000)) < MOST_TEXT + 20
