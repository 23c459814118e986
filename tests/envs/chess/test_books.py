"""Books of openings: EPD against the package `chess`, Polyglot by books that are written here."""

from pathlib import Path

import chess
import chess.polyglot
import pytest

from arena.game_records import read_games
from arena.match.openings import book_openings
from envs.chess import books
from envs.game import NotationError
from envs.registry import find_game

CHESS = find_game("chess")
KINGS = "4k3/8/8/8/8/8/4P3/4K3"


def write_book(path: Path, *lines: str, weight: int = 1) -> Path:
    """Write a Polyglot book with the moves of these lines, in UCI."""
    entries = set()
    for line in lines:
        board = chess.Board()
        for word in line.split():
            move = board.parse_uci(word)
            target = move.to_square
            if board.is_castling(move):  # as the format writes it: the king takes its rook
                target = {6: 7, 2: 0, 62: 63, 58: 56}[move.to_square]
            promotion = (move.promotion or 1) - 1
            code = target | move.from_square << 6 | promotion << 12
            entries.add((chess.polyglot.zobrist_hash(board), code))
            board.push(move)
    rows = [chess.polyglot.ENTRY_STRUCT.pack(key, move, weight, 0) for key, move in sorted(entries)]
    path.write_bytes(b"".join(rows))
    return path


def uci(path: Path, plies: int | None = None) -> list[str]:
    return sorted(
        " ".join(CHESS.words(CHESS.new_state(), found.record.moves))
        for found in read_games(CHESS, path, plies)
    )


# --- EPD ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "fen"),
    [
        (f"{KINGS} w - -", f"{KINGS} w - - 0 1"),
        (f'{KINGS} b - - bm Kd7; id "a; b # c";', f"{KINGS} b - - 0 1"),
        (f"{KINGS} w - - hmvc 7; fmvn 33; acd 4;", f"{KINGS} w - - 7 33"),
        (f"{KINGS} w - - 7 33", f"{KINGS} w - - 7 33"),
        (f'{KINGS} w - - 7 33 bm e4; c0 "hmvc 9;";', f"{KINGS} w - - 7 33"),
        (f"  {KINGS}   w - - dm 3; pv Kd2 Ke7#;", f"{KINGS} w - - 0 1"),
    ],
)
def test_a_line_of_epd_is_a_position(line: str, fen: str, tmp_path: Path) -> None:
    path = tmp_path / "book.epd"
    path.write_text(f"# a comment\n\n{line}\n")
    (found,) = read_games(CHESS, path)
    assert CHESS.format_position is not None
    assert CHESS.format_position(found.record.start) == fen
    (opening,) = book_openings(CHESS, path).stream(0)
    assert CHESS.format_position(opening.state[0]) == fen


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("8/8 w", "'8/8 w': expected the board, the side to move, castling and en passant"),
        (f"{KINGS} w - - hmvc many;", "hmvc 'many': expected a whole number"),
        (f"{KINGS} x - -", "'x'"),
    ],
)
def test_what_is_no_position_is_told_with_its_line(line: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "book.epd"
    path.write_text(f"{KINGS} w - -\n{line}\n")
    with pytest.raises(NotationError, match=r"book\.epd:2: ") as caught:
        read_games(CHESS, path)
    assert told in str(caught.value)


def test_positions_have_no_moves_to_cut(tmp_path: Path) -> None:
    path = tmp_path / "book.epd"
    path.write_text(f"{KINGS} w - -\n")
    with pytest.raises(ValueError, match=r"openings of 4 plies: those of .* have no moves"):
        book_openings(CHESS, path, 4)


# --- Polyglot -------------------------------------------------------------------------------------

SPANISH = "e2e4 e7e5 g1f3 b8c6 f1b5 g8f6 e1g1"
QUEENS = "d2d4 d7d5 c2c4"
REVERSED = "c2c4 d7d5 d2d4"


def test_a_book_has_its_lines(tmp_path: Path) -> None:
    path = write_book(tmp_path / "book.bin", SPANISH, QUEENS)
    assert uci(path) == [QUEENS, SPANISH]
    assert uci(path, 2) == ["d2d4 d7d5", "e2e4 e7e5"]
    assert len(list(book_openings(CHESS, path, 2).stream(0))) == 2


def test_lines_that_meet_are_followed_once(tmp_path: Path) -> None:
    path = write_book(tmp_path / "book.bin", f"{QUEENS} e7e6", REVERSED)
    assert len(uci(path)) == 1
    assert len(uci(path, 1)) == 2


def test_moves_without_weight_are_not_played(tmp_path: Path) -> None:
    path = write_book(tmp_path / "book.bin", SPANISH, weight=0)
    with pytest.raises(NotationError, match=r"no games; expected .* Polyglot in a \.bin file"):
        read_games(CHESS, path)


def test_a_book_that_is_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "book.bin"
    path.write_bytes(b"x" * 17)
    with pytest.raises(NotationError, match="its size is not that of a Polyglot book"):
        read_games(CHESS, path)
    with pytest.raises(FileNotFoundError):
        read_games(CHESS, tmp_path / "none.bin")
    monkeypatch.setattr("arena.game_records.MOST_BYTES", 10)
    with pytest.raises(NotationError, match="it has over 10 bytes"):
        read_games(CHESS, path)


def test_a_book_of_too_many_lines_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_book(tmp_path / "book.bin", SPANISH, QUEENS, "c2c4 e7e5")
    monkeypatch.setattr(books, "MOST_LINES", 2)
    with pytest.raises(NotationError, match="over 2 lines of 2 plies; expected fewer --opening"):
        read_games(CHESS, path, 2)
