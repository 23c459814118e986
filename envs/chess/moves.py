"""The legal moves of a position: counted, listed in the order of their actions, or whether any.

Moves are found a direction at a time for all pieces together. Two sliders of one side never reach
one square in the same direction, so the squares reached count the moves. A pinned piece moves only
in the directions of its line; in check, pieces other than the king move only to `targets`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.boards.bits import popcount
from envs.chess.attacks import (
    diagonal_rays,
    king_attacks,
    knight_attacks,
    line_from_king,
    pawns_below,
    ray,
    step_to,
    straight_rays,
)
from envs.chess.board import (
    EAST,
    NORTH,
    NORTH_EAST,
    NORTH_WEST,
    ONE,
    RANK_1,
    SOUTH,
    SOUTH_EAST,
    SOUTH_WEST,
    WEST,
    ZERO,
    Variant,
)
from envs.compiled.jitable import jitable
from envs.game import State

SIXTY_FOUR, SIX_BITS = np.uint64(64), np.uint64(63)
EIGHT = np.uint64(8)


@jitable
def occupied_squares(state: State) -> Any:
    """Return the squares of all pieces."""
    return (
        state["pawns"] | state["knights"] | state["diagonal"] | state["straight"] | state["kings"]
    )


@jitable
def attacked_squares(state: State, other: Any, empty: Any) -> Any:
    """Return the squares that the opponent attacks, whose pieces are `other`."""
    return (
        straight_rays(state["straight"] & other, empty)
        | diagonal_rays(state["diagonal"] & other, empty)
        | knight_attacks(state["knights"] & other)
        | pawns_below(state["pawns"] & other)
        | king_attacks(state["kings"] & other)
    )


@jitable
def checking_pieces(state: State, king: Any, other: Any, empty: Any) -> Any:
    """Return the opponent's pieces that attack the king."""
    return other & (
        (straight_rays(king, empty) & state["straight"])
        | (diagonal_rays(king, empty) & state["diagonal"])
        | (knight_attacks(king) & state["knights"])
        | ((step_to(king, NORTH_EAST) | step_to(king, NORTH_WEST)) & state["pawns"])
    )


@jitable
def in_check(state: State, variant: Variant) -> bool:
    """Return whether the side to move is in check."""
    occupied = occupied_squares(state)
    other = occupied & ~state["own"]
    king = state["kings"] & state["own"]
    return checking_pieces(state, king, other, variant.squares & ~occupied) != ZERO


@jitable
def checks_and_pins(state: State, own: Any, other: Any, squares: Any) -> tuple[Any, ...]:
    """Return (targets, doubled, pins): what checks and pins leave to the side to move.

    `targets`: where a piece other than the king may go so that no check remains; `doubled`: whether
    two pieces give check; then the pinned pieces on the king's file, rising diagonal, rank and
    falling diagonal.
    """
    king = state["kings"] & own
    straight, diagonal = state["straight"] & other, state["diagonal"] & other
    check_n, pin_n = line_from_king(king, own, other, straight, squares, NORTH)
    check_ne, pin_ne = line_from_king(king, own, other, diagonal, squares, NORTH_EAST)
    check_e, pin_e = line_from_king(king, own, other, straight, squares, EAST)
    check_se, pin_se = line_from_king(king, own, other, diagonal, squares, SOUTH_EAST)
    check_s, pin_s = line_from_king(king, own, other, straight, squares, SOUTH)
    check_sw, pin_sw = line_from_king(king, own, other, diagonal, squares, SOUTH_WEST)
    check_w, pin_w = line_from_king(king, own, other, straight, squares, WEST)
    check_nw, pin_nw = line_from_king(king, own, other, diagonal, squares, NORTH_WEST)
    lines = check_n | check_ne | check_e | check_se | check_s | check_sw | check_w | check_nw
    leapers = other & (
        (knight_attacks(king) & state["knights"])
        | ((step_to(king, NORTH_EAST) | step_to(king, NORTH_WEST)) & state["pawns"])
    )
    doubled, targets = False, squares & ~own
    if lines | leapers != ZERO:
        sliders = lines & (straight | diagonal)
        checkers = sliders | leapers
        doubled = checkers & (checkers - ONE) != ZERO
        targets = lines | leapers
    return targets, doubled, pin_n | pin_s, pin_ne | pin_sw, pin_e | pin_w, pin_se | pin_nw


@jitable
def en_passant_allowed(state: State, pawn: Any, squares: Any) -> bool:
    """Return whether a pawn that can capture en passant leaves its king out of check."""
    target = state["en_passant"]
    captured = target >> EIGHT
    occupied = (occupied_squares(state) ^ pawn ^ captured) | target
    other = occupied & ~(state["own"] | target)
    king = state["kings"] & state["own"]
    return checking_pieces(state, king, other, squares & ~occupied) == ZERO


@jitable
def en_passant_from(state: State, direction: int, squares: Any) -> Any:
    """Return the target square if a pawn may capture en passant there, by a step in `direction`."""
    target = state["en_passant"]
    if target == ZERO:
        return ZERO
    pawn = step_to(target, (direction + 4) % 8) & state["pawns"] & state["own"]
    if pawn == ZERO or not en_passant_allowed(state, pawn, squares):
        return ZERO
    return target


@jitable
def castling_rooks(state: State, occupied: Any, attacked: Any, pinned_on_rank: Any) -> Any:
    """Return the own rooks that the king may castle with, if it is not in check.

    The king goes to the c or g file, the rook to the d or f file. All squares on their ways must be
    empty but for these two pieces, those of the king not attacked; and the rook must not shield the
    king along the first rank.
    """
    king, found = state["kings"] & state["own"], ZERO
    rooks = state["castling"] & RANK_1 & ~pinned_on_rank
    while rooks != ZERO:
        rook = rooks & ~(rooks - ONE)
        rooks = rooks ^ rook
        if rook > king:
            king_to, rook_to = ONE << np.uint64(6), ONE << np.uint64(5)
        else:
            king_to, rook_to = ONE << np.uint64(2), ONE << np.uint64(3)
        way = span(king, king_to)
        blocked = (way | span(rook, rook_to)) & occupied & ~(king | rook)
        if blocked | (way & attacked) == ZERO:
            found = found | rook
    return found


@jitable
def span(first: Any, second: Any) -> Any:
    """Return the squares from one bit to another, both included."""
    low, high = min(first, second), max(first, second)
    return (high | (high - ONE)) & ~(low - ONE)


@jitable
def king_moves(state: State, own: Any, other: Any, squares: Any) -> tuple[Any, Any]:
    """Return the squares that the king may step to, and those that the opponent attacks.

    The king does not shield a square behind it.
    """
    king = state["kings"] & own
    attacked = attacked_squares(state, other, (squares & ~(own | other)) | king)
    return king_attacks(king) & squares & ~(own | attacked), attacked


@jitable
def pawn_moves(
    state: State, own: Any, other: Any, pins: Any, targets: Any, variant: Variant
) -> tuple[Any, Any, Any, Any]:
    """Return where pawns go: by one step, by two steps, by captures north-east and north-west.

    Captures en passant are not among them. `pins` are the pins of `checks_and_pins`.
    """
    on_file, rising, on_rank, falling = pins
    pawns, empty = state["pawns"] & own, variant.squares & ~(own | other)
    step = ((pawns & ~(rising | on_rank | falling)) << EIGHT) & empty
    double = ((step & variant.after_push) << EIGHT) & empty & targets
    rising_captures = step_to(pawns & ~(on_file | on_rank | falling), NORTH_EAST) & other & targets
    falling_captures = step_to(pawns & ~(on_file | on_rank | rising), NORTH_WEST) & other & targets
    return step & targets, double, rising_captures, falling_captures


@jitable
def count_legal(state: State, variant: Variant) -> int:
    """Return the number of legal moves."""
    own, squares = state["own"], variant.squares
    occupied = occupied_squares(state)
    other, empty = occupied & ~own, squares & ~occupied
    steps, attacked = king_moves(state, own, other, squares)
    count = popcount(steps)
    targets, doubled, on_file, rising, on_rank, falling = checks_and_pins(
        state, own, other, squares
    )
    if doubled:
        return count
    pinned = on_file | rising | on_rank | falling
    movers = state["straight"] & own
    along = movers & ~(pinned ^ on_file)
    count += popcount(ray(along, empty, NORTH) & targets)
    count += popcount(ray(along, empty, SOUTH) & targets)
    along = movers & ~(pinned ^ on_rank)
    count += popcount(ray(along, empty, EAST) & targets)
    count += popcount(ray(along, empty, WEST) & targets)
    movers = state["diagonal"] & own
    along = movers & ~(pinned ^ rising)
    count += popcount(ray(along, empty, NORTH_EAST) & targets)
    count += popcount(ray(along, empty, SOUTH_WEST) & targets)
    along = movers & ~(pinned ^ falling)
    count += popcount(ray(along, empty, SOUTH_EAST) & targets)
    count += popcount(ray(along, empty, NORTH_WEST) & targets)
    knights = state["knights"] & own & ~pinned
    while knights != ZERO:
        knight = knights & ~(knights - ONE)
        count += popcount(knight_attacks(knight) & targets)
        knights = knights ^ knight
    pins = (on_file, rising, on_rank, falling)
    return count + _count_rare(state, own, other, occupied, pins, targets, attacked, variant)


@jitable
def _count_rare(
    state: State,
    own: Any,
    other: Any,
    occupied: Any,
    pins: Any,
    targets: Any,
    attacked: Any,
    variant: Variant,
) -> int:
    """Return the number of the pawns' moves and of castlings."""
    step, double, rising, falling = pawn_moves(state, own, other, pins, targets, variant)
    count = popcount(step) + popcount(double) + popcount(rising) + popcount(falling)
    promoting = (step | rising | falling) & variant.last_rank
    if promoting != ZERO:
        last = variant.last_rank
        promotions = popcount(step & last) + popcount(rising & last) + popcount(falling & last)
        count += 3 * promotions
    if state["en_passant"] != ZERO:
        count += en_passant_from(state, NORTH_EAST, variant.squares) != ZERO
        count += en_passant_from(state, NORTH_WEST, variant.squares) != ZERO
    if state["castling"] & RANK_1 != ZERO and attacked & state["kings"] & own == ZERO:
        count += popcount(castling_rooks(state, occupied, attacked, pins[2]))
    return count
