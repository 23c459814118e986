"""Playing a move, and what ends a game.

The game is drawn by threefold repetition, after 100 plies without capture or pawn move, by
insufficient material, and at the cap of plies, without a claim. The same position is one with the
same side to move, pieces, castling rights and legal capture en passant (FIDE Laws, 9.2.3).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.boards.bits import byte_swap, multiply
from envs.chess.attacks import step_to
from envs.chess.board import (
    BISHOP,
    DARK_SQUARES,
    EAST,
    KNIGHT,
    NORTH_EAST,
    NORTH_WEST,
    ONE,
    QUEEN,
    RANK_1,
    ROOK,
    WEST,
    ZERO,
    Variant,
    decode_action,
)
from envs.chess.moves import (
    count_legal,
    en_passant_from,
    in_check,
    occupied_squares,
)
from envs.compiled.jitable import jitable
from envs.game import State

# The record, without its tag: 71 bytes.
FIELDS: list[tuple[str, str]] = [
    ("own", "u8"),  # the pieces of the side to move
    ("pawns", "u8"),
    ("knights", "u8"),
    ("diagonal", "u8"),  # bishops and queens
    ("straight", "u8"),  # rooks and queens
    ("kings", "u8"),
    ("castling", "u8"),  # the rooks of both sides that may still castle
    ("en_passant", "u8"),  # the square behind a pawn that can legally be captured en passant
    ("ply", "u2"),  # plies since the game began, by the FEN's move number; odd: black to move
    ("first_ply", "u2"),  # of the position that was set up; the cap counts from here
    ("no_progress", "u1"),  # plies since a capture or a pawn's move
    ("repetitions", "u1"),  # how often this position occurred before, at most 2
    ("outcome", "u1"),
]

ONGOING, CHECKMATE, STALEMATE, INSUFFICIENT, NO_PROGRESS, THREEFOLD, CAP = range(7)
OUTCOME_NAMES = (
    "",
    "checkmate",
    "stalemate",
    "insufficient material",
    "100 plies without capture or pawn move",
    "threefold repetition",
    "the cap of plies",
)
NO_PROGRESS_LIMIT = 100

_MIX = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], np.uint64
)
_HALF = np.uint64(32)


@jitable
def moved(board: Any, leave: Any, arrive: Any) -> Any:
    """Move a piece on a bitboard of its kind; on the others, take what stands where it arrives."""
    if board & leave != ZERO:
        return (board & ~leave) | arrive
    return board & ~arrive


@jitable
def turned(board: Any, variant: Variant) -> Any:
    """Return the board upside down."""
    return byte_swap(board) >> variant.turn


@jitable
def castle(state: State, king: Any, rook: Any) -> None:
    """Move king and rook, as `castling_rooks` says."""
    if rook > king:
        king_to, rook_to = ONE << np.uint64(6), ONE << np.uint64(5)
    else:
        king_to, rook_to = ONE << np.uint64(2), ONE << np.uint64(3)
    state["kings"] = (state["kings"] & ~king) | king_to
    state["straight"] = (state["straight"] & ~rook) | rook_to
    state["own"] = (state["own"] & ~(king | rook)) | king_to | rook_to


@jitable
def promote(state: State, pawn: Any, promotion: int) -> None:
    """Replace a pawn on the last rank."""
    state["pawns"] ^= pawn
    if promotion == KNIGHT:
        state["knights"] |= pawn
    if promotion in (BISHOP, QUEEN):
        state["diagonal"] |= pawn
    if promotion in (ROOK, QUEEN):
        state["straight"] |= pawn


@jitable
def move_pawn(state: State, leave: Any, arrive: Any, promotion: int, variant: Variant) -> Any:
    """Play what is special to a pawn that has moved; return the square it passed, if any."""
    if arrive == state["en_passant"]:
        state["pawns"] &= ~(arrive >> np.uint64(8))
    elif arrive & variant.last_rank != ZERO:
        promote(state, arrive, promotion if promotion else QUEEN)
    elif arrive == leave << np.uint64(16):
        return leave << np.uint64(8)
    return ZERO


@jitable
def make_move(state: State, leave: Any, arrive: Any, promotion: int, variant: Variant) -> None:
    """Play a legal move from one bit to another and turn the board, without looking for an end."""
    own, passed = state["own"], ZERO
    other = occupied_squares(state) & ~own
    quiet = other & arrive == ZERO
    king_moves = state["kings"] & leave != ZERO
    if own & arrive != ZERO:
        castle(state, leave, arrive)
    else:
        pawn = state["pawns"] & leave != ZERO
        state["pawns"] = moved(state["pawns"], leave, arrive)
        state["knights"] = moved(state["knights"], leave, arrive)
        state["diagonal"] = moved(state["diagonal"], leave, arrive)
        state["straight"] = moved(state["straight"], leave, arrive)
        state["kings"] = moved(state["kings"], leave, arrive)
        state["own"] = (own & ~leave) | arrive
        if pawn:
            quiet = False
            passed = move_pawn(state, leave, arrive, promotion, variant)
    castling = state["castling"] & ~(leave | arrive)
    if king_moves:
        castling = castling & ~RANK_1
    state["castling"] = turned(castling, variant)
    state["no_progress"] = state["no_progress"] + 1 if quiet else 0
    state["ply"] += 1
    turn_board(state, variant)
    state["en_passant"] = ZERO
    if passed != ZERO:
        set_en_passant(state, turned(passed, variant), variant)


@jitable
def turn_board(state: State, variant: Variant) -> None:
    """Turn the pieces upside down, and give the board to the other side."""
    other = occupied_squares(state) & ~state["own"]
    state["own"] = turned(other, variant)
    state["pawns"] = turned(state["pawns"], variant)
    state["knights"] = turned(state["knights"], variant)
    state["diagonal"] = turned(state["diagonal"], variant)
    state["straight"] = turned(state["straight"], variant)
    state["kings"] = turned(state["kings"], variant)


@jitable
def set_en_passant(state: State, target: Any, variant: Variant) -> None:
    """Store the square that a pawn has passed if a pawn can legally be captured there."""
    below = target >> np.uint64(8)
    if (step_to(below, EAST) | step_to(below, WEST)) & state["pawns"] & state["own"] == ZERO:
        state["en_passant"] = ZERO
        return
    state["en_passant"] = target
    east = en_passant_from(state, NORTH_EAST, variant.squares)
    if east | en_passant_from(state, NORTH_WEST, variant.squares) == ZERO:
        state["en_passant"] = ZERO


@jitable
def insufficient_material(state: State) -> bool:
    """Return whether no sequence of moves mates: king and at most a knight, or bishops of a colour.

    Bishops of one colour of squares, of either side and any number, cannot mate.
    """
    if state["pawns"] | state["straight"] != ZERO:
        return False
    knights, bishops = state["knights"], state["diagonal"]
    if knights != ZERO:
        return bishops == ZERO and knights & (knights - ONE) == ZERO
    return bishops & DARK_SQUARES == ZERO or bishops & ~DARK_SQUARES == ZERO


@jitable
def find_outcome(state: State, variant: Variant) -> int:
    """Return why the game is over, without repetition; the same order as the package `chess`."""
    stuck = count_legal(state, variant) == 0
    if stuck and in_check(state, variant):
        return CHECKMATE
    if insufficient_material(state):
        return INSUFFICIENT
    if stuck:
        return STALEMATE
    if state["no_progress"] >= NO_PROGRESS_LIMIT:
        return NO_PROGRESS
    if state["ply"] - state["first_ply"] >= variant.max_plies:
        return CAP
    return ONGOING


@jitable
def play(state: State, action: int, variant: Variant) -> None:
    """Play a legal action, and look whether it ends the game."""
    leave, arrive, promotion = decode_action(action, variant)
    make_move(state, ONE << np.uint64(leave), ONE << np.uint64(arrive), promotion, variant)
    state["repetitions"] = 0
    state["outcome"] = find_outcome(state, variant)


def is_terminal(state: State) -> bool:
    """Return whether the game is over."""
    return state["outcome"] != ONGOING


def value_to_play(state: State) -> float:
    """Return -1 if the side to move is checkmated, or 0."""
    return -1.0 if state["outcome"] == CHECKMATE else 0.0


def to_play(state: State) -> int:
    """Return 0 if White is to move, 1 if Black."""
    return state["ply"] & 1


@jitable
def _mix(key: Any, bits: Any, factor: Any) -> Any:
    key = multiply(key ^ bits, factor)
    return key ^ (key >> _HALF)


@jitable
def position_key(state: State) -> Any:
    """Return a hash of what repetition compares."""
    key = _mix(np.uint64(state["ply"] & 1), state["own"], _MIX[0])
    key = _mix(key, state["pawns"], _MIX[1])
    key = _mix(key, state["knights"], _MIX[2])
    key = _mix(key, state["diagonal"], _MIX[3])
    key = _mix(key, state["straight"], _MIX[0])
    key = _mix(key, state["kings"], _MIX[1])
    key = _mix(key, state["castling"] | state["en_passant"], _MIX[2])
    return _mix(key, key >> np.uint64(29), _MIX[3])


def evaluation_key(state: State) -> Any:
    """Cover the counts too that the planes show."""
    counts = (
        np.uint64(state["repetitions"])
        | (np.uint64(state["no_progress"]) << np.uint64(8))
        | (np.uint64(state["ply"]) << np.uint64(16))
    )
    return _mix(_mix(position_key(state), counts, _MIX[0]), ZERO, _MIX[1])


def remember(state: State, keys: Any, count: int) -> None:
    """Count how often the position occurred before; the third time ends the game.

    A capture or a pawn's move is never undone, so only the plies since then are compared, and of
    those only every other: the same side was to move.
    """
    key = position_key(state)
    oldest = max(0, count - int(state["no_progress"]))
    repetitions, place = 0, count - 2
    while place >= oldest and repetitions < 2:
        repetitions += keys[place] == key
        place -= 2
    state["repetitions"] = repetitions
    if repetitions == 2 and state["outcome"] == ONGOING:
        state["outcome"] = THREEFOLD
