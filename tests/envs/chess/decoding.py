"""Recover positions from the planes of chess, by their documented layout alone."""

import chess
import numpy as np

KINDS = (chess.PAWN, chess.KNIGHT, chess.BISHOP, chess.ROOK, chess.QUEEN, chess.KING)


def decode_pieces(planes, black_to_move):
    """The pieces of twelve planes [12, 8, 8], as {square: piece} in White's view."""
    pieces = {}
    for plane in range(12):
        own = plane < 6
        for rank, file in zip(*np.nonzero(planes[plane])):
            assert planes[plane, rank, file] == 1
            square = chess.square(int(file), int(7 - rank if black_to_move else rank))
            assert square not in pieces
            pieces[square] = chess.Piece(KINDS[plane % 6], own != black_to_move)
    return pieces


def constant(plane):
    """The one value of a plane."""
    assert (plane == plane[0, 0]).all()
    return float(plane[0, 0])


def decode(planes):
    """(board, its repetitions, the piece placements before it) of planes [119, 8, 8].

    The square en passant is recovered from the board before: which pawn has just made two steps.
    """
    black = constant(planes[112]) == 1
    placements = [decode_pieces(planes[14 * age : 14 * age + 12], black) for age in range(8)]
    board = chess.Board(None)
    board.set_piece_map(placements[0])
    board.turn = not black
    ply = round(constant(planes[113]) * 512)
    board.fullmove_number = ply // 2 + 1
    assert ply % 2 == black
    rights = [constant(planes[114 + i]) == 1 for i in range(4)]
    for own, files in ((True, rights[:2]), (False, rights[2:])):
        rank = chess.BB_RANK_1 if own != black else chess.BB_RANK_8
        board.castling_rights |= rank & (
            (chess.BB_FILE_H if files[0] else 0) | (chess.BB_FILE_A if files[1] else 0)
        )
    board.halfmove_clock = round(constant(planes[118]) * 100)
    board.ep_square = passed_square(placements, black)
    repetitions = [int(constant(planes[12 + i])) for i in range(2)]
    return board, sum(repetitions), placements[1:]


def passed_square(placements, black):
    """The square that a pawn has just passed by two steps, or None."""
    start, end = (8, 24) if black else (48, 32)
    pawn = chess.Piece(chess.PAWN, black)
    for file in range(8):
        was, now = placements[1], placements[0]
        if was.get(start + file) == pawn == now.get(end + file):
            if start + file not in now and end + file not in was:
                return (start + end) // 2 + file
    return None
