"""FEN, X-FEN and Shredder-FEN: read, written, refused."""

import chess
import pytest

from envs.game import NotationError
from envs.registry import find_game

GAME = find_game("chess")


@pytest.mark.parametrize(
    "position",
    [
        "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1",
        "r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R b Kq - 3 17",
        "rnbqkbnr/ppp1p1pp/8/3pPp2/8/8/PPPP1PPP/RNBQKBNR w KQkq f6 0 3",
        # X-FEN: the inner rook is named by its file, the outer one by its side.
        "rn2k1r1/ppp1pp1p/3p2p1/5bn1/P7/2N2B2/1PPPPP2/2BNK1RR w Gkq - 4 11",
        "1r2k1r1/8/8/8/8/8/8/1RR1K3 w Ckq - 0 1",
        "8/8/8/8/8/k7/8/K7 b - - 12 512",
    ],
)
def test_written_as_read(position):
    assert GAME.format_position(GAME.parse_position(position)) == position
    assert chess.Board(position, chess960=True).fen() == position


@pytest.mark.parametrize("number", [0, 1, 300, 518, 700, 959])
def test_the_three_ways_to_write_castling_rights(number):
    board = chess.Board.from_chess960_pos(number)
    shredder = GAME.parse_position(board.fen(shredder=True))
    assert shredder == GAME.parse_position(board.fen())
    assert GAME.format_position(shredder) == board.fen()
    assert shredder["castling"] == board.castling_rights


def test_a_capture_en_passant_that_is_not_legal_is_not_stored():
    position = "rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR b KQkq e3 0 1"
    assert GAME.format_position(GAME.parse_position(position)) == position.replace("e3", "-")


def test_counts_may_be_missing():
    short = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq -"
    assert GAME.parse_position(short) == GAME.new_state()


@pytest.mark.parametrize(
    ("position", "why"),
    [
        ("", "expected pieces, side"),
        ("8/8/8/8/8/8/8/8 w - - 0 1", "0 pieces are 'K'"),
        ("kk6/8/8/8/8/8/8/K7 w - - 0 1", "2 pieces are 'k'"),
        ("k7/8/8/8/8/8/8/K6P w - - 0 1", "a pawn stands"),
        ("k7/8/8/8/8/8/8/K7/8 w - - 0 1", "9 ranks"),
        ("k8/8/8/8/8/8/8/K7 w - - 0 1", "9 squares"),
        ("k7/8/8/8/8/8/8/K6x w - - 0 1", "'x' is not a piece"),
        ("k7/8/8/8/8/8/8/K7 x - - 0 1", "expected w or b"),
        ("k7/8/8/8/8/8/8/K7 w - - -1 1", "'-1' is not a count"),
        ("k7/8/8/8/8/8/8/K7 w K - 0 1", "names no rook"),
        ("4k3/8/8/8/8/8/8/R3K3 w K - 0 1", "names no rook"),
        ("4k3/8/8/8/8/8/8/4K1RR w GH - 0 1", "names no rook"),
        ("4k3/8/8/8/8/8/4K2R/8 w K - 0 1", "names no rook"),
        ("k7/8/8/8/8/8/8/K7 w - e6 0 1", "square en passant, 'e6'"),
        ("k7/8/4p3/8/8/8/8/K7 w - é6 0 1", "square en passant"),
        ("k7/8/8/8/8/8/8/K6r b - - 0 1", "is in check"),
        ("kqqqqqqq/qqq5/8/8/8/8/8/K7 b - - 0 1", "more pieces of the side of 'k'"),
        ("k7/8/8/8/8/8/PPPPPPPP/KQQ5 w - - 0 1", "more pieces of the side of 'K'"),
    ],
)
def test_refused(position, why):
    with pytest.raises(NotationError, match="is not a position") as caught:
        GAME.parse_position(position)
    assert why in str(caught.value)
    assert repr(position) in str(caught.value)


def test_cells_are_rows_from_the_far_side_of_white():
    state = GAME.parse_position("7k/8/8/8/8/8/P7/K6Q b - - 0 1")
    cells = GAME.cells(state).reshape(8, 8)
    assert cells[0, 7] == 12  # a black king
    assert (cells[6, 0], cells[7, 0], cells[7, 7]) == (1, 11, 9)
    assert (cells > 0).sum() == 4
