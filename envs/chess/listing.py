"""Write the legal moves as actions, in ascending order.

Actions are ordered by plane, so moves are found a plane at a time: the squares that pieces reach in
a direction at a distance, stepped back to the squares that the pieces come from.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.boards.bits import lowest_bit, rotate_left
from envs.chess.attacks import knight_step, step_to
from envs.chess.board import (
    EAST,
    INSIDE,
    KNIGHT_TURNS,
    NORTH,
    NORTH_EAST,
    NORTH_WEST,
    ONE,
    RANK_1,
    TURNS,
    WEST,
    ZERO,
    Variant,
)
from envs.chess.moves import (
    castling_rooks,
    checks_and_pins,
    en_passant_from,
    king_moves,
    occupied_squares,
    pawn_moves,
)
from envs.compiled.jitable import jitable
from envs.game import State

SIXTY_FOUR, SIX_BITS = np.uint64(64), np.uint64(63)


@jitable
def write_origins(actions: Any, count: int, plane: int, origins: Any, variant: Variant) -> int:
    """Append the action of a plane for each square; return the number of actions so far."""
    width = variant.width
    base = plane * width * width
    while origins != ZERO:
        square = lowest_bit(origins)
        actions[count] = base + (square >> 3) * width + (square & 7)
        count += 1
        origins = origins & (origins - ONE)
    return count


@jitable
def write_ray(
    actions: Any,
    count: int,
    direction: int,
    sliders: Any,
    near: Any,
    far: Any,
    far_distance: int,
    empty: Any,
    targets: Any,
    variant: Variant,
) -> int:
    """Append the queen's moves in a direction; return the number of actions so far.

    `sliders` move to `targets` at any distance. `near` are squares reached by one step in other
    ways (kings, pawns), `far` those reached at `far_distance` (a pawn's two steps, castling).
    """
    turn, inside = TURNS[direction], INSIDE[direction]
    back, reached = ZERO, sliders
    for distance in range(1, variant.reach + 1):
        reached = rotate_left(reached, turn) & inside
        back = (back + SIXTY_FOUR - turn) & SIX_BITS
        arriving = reached & targets
        if distance == 1:
            arriving = arriving | near
        if distance == far_distance:
            arriving = arriving | far
        plane = direction * variant.reach + distance - 1
        count = write_origins(actions, count, plane, rotate_left(arriving, back), variant)
        reached = reached & empty
        if reached == ZERO and distance >= far_distance:
            break
    return count


@jitable
def write_knights(actions: Any, count: int, knights: Any, targets: Any, variant: Variant) -> int:
    """Append the knights' moves; return the number of actions so far."""
    if knights == ZERO:
        return count
    for direction in range(8):
        arriving = knight_step(knights, direction) & targets
        origins = rotate_left(arriving, (SIXTY_FOUR - KNIGHT_TURNS[direction]) & SIX_BITS)
        count = write_origins(actions, count, 8 * variant.reach + direction, origins, variant)
    return count


@jitable
def write_underpromotions(
    actions: Any, count: int, step: Any, rising: Any, falling: Any, variant: Variant
) -> int:
    """Append the promotions to knight, bishop and rook; return the number of actions so far."""
    last = variant.last_rank
    if (step | rising | falling) & last == ZERO:
        return count
    first_plane = 8 * variant.reach + 8
    for piece in range(3):
        plane = first_plane + 3 * piece
        count = write_origins(actions, count, plane, (falling & last) >> np.uint64(7), variant)
        count = write_origins(actions, count, plane + 1, (step & last) >> np.uint64(8), variant)
        count = write_origins(actions, count, plane + 2, (rising & last) >> np.uint64(9), variant)
    return count


@jitable
def castling_sides(
    state: State, own: Any, occupied: Any, attacked: Any, pinned_on_rank: Any
) -> tuple[Any, Any, int, int]:
    """Return the rooks to castle with east and west of the king, and their distances (0: none)."""
    king = state["kings"] & own
    if state["castling"] & RANK_1 == ZERO or attacked & king != ZERO:
        return ZERO, ZERO, 0, 0
    rooks = castling_rooks(state, occupied, attacked, pinned_on_rank)
    west = rooks & (king - ONE)
    east = rooks ^ west
    square = lowest_bit(king)
    east_distance = lowest_bit(east) - square if east != ZERO else 0
    west_distance = square - lowest_bit(west) if west != ZERO else 0
    return east, west, east_distance, west_distance


@jitable
def list_legal(state: State, actions: Any, variant: Variant) -> int:
    """Write the legal actions into int32 [max_legal], ascending; return their number."""
    own, squares = state["own"], variant.squares
    occupied = occupied_squares(state)
    other, empty = occupied & ~own, squares & ~occupied
    steps, attacked = king_moves(state, own, other, squares)
    targets, doubled, on_file, rising, on_rank, falling = checks_and_pins(
        state, own, other, squares
    )
    pins, pinned = (on_file, rising, on_rank, falling), on_file | rising | on_rank | falling
    if doubled:
        targets = ZERO
    step, double, east_captures, west_captures = pawn_moves(
        state, own, other, pins, targets, variant
    )
    castle_east, castle_west, to_east, to_west = castling_sides(
        state, own, occupied, attacked, on_rank
    )
    king, count = state["kings"] & own, 0
    for direction in range(8):
        axis = direction & 3
        along = pins[axis] | ~pinned
        sliders = (state["diagonal"] if axis & 1 else state["straight"]) & own & along
        near = step_to(king, direction) & steps
        far, far_distance = ZERO, 0
        if direction == NORTH:
            near, far, far_distance = near | step, double, 2 if double != ZERO else 0
        elif direction == NORTH_EAST:
            near = near | east_captures | en_passant_from(state, direction, squares)
        elif direction == NORTH_WEST:
            near = near | west_captures | en_passant_from(state, direction, squares)
        elif direction == EAST:
            far, far_distance = castle_east, to_east
        elif direction == WEST:
            far, far_distance = castle_west, to_west
        if sliders | near | far != ZERO:
            count = write_ray(
                actions, count, direction, sliders, near, far, far_distance, empty, targets, variant
            )
    knights = state["knights"] & own & ~pinned
    count = write_knights(actions, count, knights, targets, variant)
    return write_underpromotions(actions, count, step, east_captures, west_captures, variant)
