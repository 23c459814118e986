"""Compiled null-window search for Connect Four: exact scores from 64-bit boards.

A position is two integers, as in the game itself: `own` (stones of the side to move) and `mask`
(all stones), bit = column * 7 + row, row 0 at the bottom, row 6 always empty (a sentinel that
keeps lines from wrapping into the next column). All arithmetic is on int64.

The score is counted for the side to move: 0 draws; s > 0 wins with the mover's (22 - s)-th stone,
so sooner is larger; s < 0 loses to the opponent's (22 + s)-th stone.

The method is the classical one (J. Tromp's Fhourstones; P. Pons, "Solving Connect 4: how to build
a perfect AI"): negamax with a null window, a transposition table, moves that lose at once left
out, the rest ordered by the threats they make. To it are added both bounds and the best move in
each table entry, and enhanced transposition cutoffs (J. Schaeffer and A. Plaat, 1996).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from envs.connect_four import COLUMNS, ROWS

CELLS = COLUMNS * ROWS
STRIDE = ROWS + 1
KEY_BITS = COLUMNS * STRIDE
CENTRE_FIRST = (3, 2, 4, 1, 5, 0, 6)

BOTTOM = sum(1 << (column * STRIDE) for column in range(COLUMNS))
BOARD = BOTTOM * ((1 << ROWS) - 1)
COLUMN = (1 << ROWS) - 1
LANE = (1 << STRIDE) - 1
KEY_MASK = (1 << KEY_BITS) - 1
# Odd, hence a bijection modulo 2**49: bucket and remainder together still name the position.
HASH_MULTIPLIER = 0x1E3779B97F4A7

# Fields of a table entry, from the low bits: upper bound, lower bound (both offset by 32, so that
# an empty entry, 0, bounds nothing), best column, log2 of the nodes spent, the key's remainder.
BOUND_OFFSET = 32
BOUND_MASK = 63
LOWER_SHIFT = 6
COLUMN_SHIFT = 12
WORK_SHIFT = 15
WORK_MASK = 31
KEY_SHIFT = 20
NO_COLUMN = 7
MOST_WORK = 1 << WORK_MASK  # for entries that must stay

# Probing costs a cache miss; later than these plies it no longer pays (measured).
LAST_MIRROR_PLY = 16
LAST_ETC_PLY = 22

ILLEGAL = -128  # the score of a full column


def _count_bits(typing_context: Any, bits: Any) -> Any:
    """Number of set bits of an int64: one machine instruction."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.int64), codegen


popcount: Any = intrinsic(_count_bits)


@njit(cache=True, nogil=True)
def winning_cells(stones: int, mask: int) -> int:
    """Empty cells, playable now or later, that complete four in line for `stones`."""
    cells = (stones << 1) & (stones << 2) & (stones << 3)
    for step in (STRIDE - 1, STRIDE, STRIDE + 1):
        two_before = (stones << step) & (stones << 2 * step)
        two_after = (stones >> step) & (stones >> 2 * step)
        cells |= two_before & ((stones << 3 * step) | (stones >> step))
        cells |= two_after & ((stones >> 3 * step) | (stones << step))
    return cells & (BOARD ^ mask)


@njit(cache=True, nogil=True)
def playable_cells(mask: int) -> int:
    """The next free cell of every column that is not full."""
    return (mask + BOTTOM) & BOARD


@njit(cache=True, nogil=True)
def non_losing_cells(own: int, mask: int) -> int:
    """Moves after which the opponent cannot win at once; the mover must have no win at once."""
    playable = playable_cells(mask)
    threats = winning_cells(own ^ mask, mask)
    forced = playable & threats
    if forced:
        if forced & (forced - 1):
            return 0  # two threats cannot both be stopped
        playable = forced
    return playable & ~(threats >> 1)  # nor may a move make room for the opponent's win above it


@njit(cache=True, nogil=True)
def mirrored(bits: int) -> int:
    """The bitboard seen in a mirror: column 0 becomes column 6."""
    return (
        ((bits & LANE) << 42)
        | ((bits & (LANE << 7)) << 28)
        | ((bits & (LANE << 14)) << 14)
        | (bits & (LANE << 21))
        | ((bits >> 14) & (LANE << 14))
        | ((bits >> 28) & (LANE << 7))
        | (bits >> 42)
    )


@njit(cache=True, nogil=True)
def position_hash(own: int, mask: int, ply: int) -> int:
    """A scrambled 49-bit name of the position; early ones share it with their mirror image."""
    key = own + mask
    if ply <= LAST_MIRROR_PLY:
        key = min(key, mirrored(own) + mirrored(mask))
    return (key * HASH_MULTIPLIER) & KEY_MASK


@njit(cache=True, nogil=True)
def lookup(table: np.ndarray, remainder_bits: int, hashed: int) -> int:
    """The position's entry, or 0."""
    bucket = (hashed >> remainder_bits) << 1
    remainder = hashed & ((1 << remainder_bits) - 1)
    for slot in (bucket, bucket + 1):
        if table[slot] >> KEY_SHIFT == remainder:
            return table[slot]
    return 0


@njit(cache=True, nogil=True)
def store(
    table: np.ndarray,
    remainder_bits: int,
    hashed: int,
    lower: int,
    upper: int,
    column: int,
    work: int,
) -> None:
    """Keep an entry: the costlier of a bucket's two stays in the first slot (TwoBig1 scheme)."""
    bucket = (hashed >> remainder_bits) << 1
    remainder = hashed & ((1 << remainder_bits) - 1)
    log_work = 0
    while work > 1:
        work >>= 1
        log_work += 1
    entry = (
        (remainder << KEY_SHIFT)
        | (log_work << WORK_SHIFT)
        | (column << COLUMN_SHIFT)
        | ((lower + BOUND_OFFSET) << LOWER_SHIFT)
        | (upper + BOUND_OFFSET)
    )
    first = table[bucket]
    if first >> KEY_SHIFT == remainder:
        table[bucket] = entry
    elif (first >> WORK_SHIFT) & WORK_MASK <= log_work:
        table[bucket + 1] = first
        table[bucket] = entry
    else:
        table[bucket + 1] = entry


@njit(cache=True, nogil=True)
def entry_upper(entry: int) -> int:
    """Upper bound of the score, of an entry that is not 0."""
    return (entry & BOUND_MASK) - BOUND_OFFSET


@njit(cache=True, nogil=True)
def entry_lower(entry: int) -> int:
    """Lower bound of the score, of an entry that is not 0."""
    return ((entry >> LOWER_SHIFT) & BOUND_MASK) - BOUND_OFFSET


@njit(cache=True, nogil=True)
def known_bounds(entry: int, ply: int) -> tuple[int, int, int]:
    """Return the score's lower and upper bound by ply and table entry, and the entry's column.

    The mover must have no win at once.
    """
    lower = -((CELLS - 2 - ply) // 2)
    upper = (CELLS - 1 - ply) // 2
    if entry:
        lower = max(lower, entry_lower(entry))
        upper = min(upper, entry_upper(entry))
        return lower, upper, (entry >> COLUMN_SHIFT) & 7
    return lower, upper, NO_COLUMN


@njit(cache=True, nogil=True)
def best_child_bound(
    own: int, mask: int, ply: int, moves: int, alpha: int, table: np.ndarray, remainder_bits: int
) -> int:
    """The first lower bound above `alpha` that the table knows of a move, or `alpha`."""
    while moves:
        cell = moves & -moves
        moves ^= cell
        hashed = position_hash(own ^ mask, mask | cell, ply + 1)
        entry = lookup(table, remainder_bits, hashed)
        if entry and -entry_upper(entry) > alpha:
            return -entry_upper(entry)
    return alpha


@njit(cache=True, nogil=True)
def order_moves(own: int, mask: int, moves: int, first_column: int, columns: np.ndarray) -> int:
    """Write the columns of `moves` most promising first; return how many.

    The table's column leads, then those that leave the mover most winning cells, then the centre.
    `columns[i]` is column * 128 + merit.
    """
    count = 0
    for column in CENTRE_FIRST:
        cell = moves & (COLUMN << (column * STRIDE))
        if cell == 0:
            continue
        merit = popcount(winning_cells(own | cell, mask | cell))
        if column == first_column:
            merit += 64
        slot = count
        while slot > 0 and columns[slot - 1] & 127 < merit:
            columns[slot] = columns[slot - 1]
            slot -= 1
        columns[slot] = (column << 7) | merit
        count += 1
    return count


@njit(cache=True, nogil=True)
def score_bound(
    own: int,
    mask: int,
    ply: int,
    alpha: int,
    table: np.ndarray,
    remainder_bits: int,
    orders: np.ndarray,
    node_count: np.ndarray,
) -> int:
    """A lower bound of the score if it is above `alpha`, else an upper bound (fail-soft).

    The mover must have no win at once. `orders` is int64[CELLS, COLUMNS] of scratch, a row a ply.
    """
    node_count[0] += 1
    moves = non_losing_cells(own, mask)
    if moves == 0:
        return -((CELLS - ply) // 2)
    if ply >= CELLS - 2:
        return 0
    hashed = position_hash(own, mask, ply)
    lower, upper, column = known_bounds(lookup(table, remainder_bits, hashed), ply)
    if lower > alpha:
        return lower
    if upper <= alpha:
        return upper
    if ply <= LAST_ETC_PLY:
        known = best_child_bound(own, mask, ply, moves, alpha, table, remainder_bits)
        if known > alpha:
            return known
    nodes_before = node_count[0]
    best = -CELLS
    for i in range(order_moves(own, mask, moves, column, orders[ply])):
        candidate = orders[ply, i] >> 7
        cell = moves & (COLUMN << (candidate * STRIDE))
        score = -score_bound(
            own ^ mask, mask | cell, ply + 1, -alpha - 1, table, remainder_bits, orders, node_count
        )
        if score > best:
            best = score
            column = candidate
            if score > alpha:
                break
    if best > alpha:
        lower = max(lower, best)
    else:
        upper = min(upper, best)
    store(table, remainder_bits, hashed, lower, upper, column, node_count[0] - nodes_before)
    return best


@njit(cache=True, nogil=True)
def exact_score(
    own: int,
    mask: int,
    table: np.ndarray,
    remainder_bits: int,
    orders: np.ndarray,
    node_count: np.ndarray,
) -> int:
    """The score of an unfinished position, by null windows that close in from the draw outwards."""
    ply = popcount(mask)
    if winning_cells(own, mask) & playable_cells(mask):
        return (CELLS + 1 - ply) // 2
    lower = -((CELLS - ply) // 2)
    upper = (CELLS - 1 - ply) // 2
    while lower < upper:
        # Scores near the draw are cheap to tell apart, far ones deep: halve towards 0.
        alpha = (lower + upper) // 2
        if alpha <= 0 and lower // 2 < alpha:
            alpha = -(-lower // 2)
        elif alpha >= 0 and upper // 2 > alpha:
            alpha = upper // 2
        alpha = min(alpha, upper - 1)
        score = score_bound(own, mask, ply, alpha, table, remainder_bits, orders, node_count)
        if score > alpha:
            lower = score
        else:
            upper = score
    return lower


@njit(cache=True, nogil=True)
def exact_move_scores(
    own: int,
    mask: int,
    table: np.ndarray,
    remainder_bits: int,
    orders: np.ndarray,
    node_count: np.ndarray,
    scores: np.ndarray,
) -> None:
    """Write the score of every move for the mover into `scores` (int8[COLUMNS])."""
    ply = popcount(mask)
    playable = playable_cells(mask)
    wins = winning_cells(own, mask)
    for column in range(COLUMNS):
        cell = playable & (COLUMN << (column * STRIDE))
        if cell == 0:
            scores[column] = ILLEGAL
        elif cell & wins:
            scores[column] = (CELLS + 1 - ply) // 2
        elif ply == CELLS - 1:
            scores[column] = 0
        else:
            scores[column] = -exact_score(
                own ^ mask, mask | cell, table, remainder_bits, orders, node_count
            )


@njit(cache=True, nogil=True)
def exact_move_scores_many(
    own_N: np.ndarray,
    mask_N: np.ndarray,
    table: np.ndarray,
    remainder_bits: int,
    orders: np.ndarray,
    node_count: np.ndarray,
    scores_NA: np.ndarray,
) -> None:
    """`exact_move_scores` of N positions, one row each."""
    for n in range(len(own_N)):
        exact_move_scores(
            own_N[n], mask_N[n], table, remainder_bits, orders, node_count, scores_NA[n]
        )


@njit(cache=True, nogil=True)
def store_exact(own: int, mask: int, score: int, table: np.ndarray, remainder_bits: int) -> None:
    """Put a known score into the table, to stay."""
    hashed = position_hash(own, mask, popcount(mask))
    store(table, remainder_bits, hashed, score, score, NO_COLUMN, MOST_WORK)
