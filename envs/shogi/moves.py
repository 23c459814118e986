"""The legal moves of shogi and minishogi, in the order of their actions.

For one direction and distance the targets of all pieces are found at once, as a set. No move is
made and taken back: pinned pieces stay on their line, in check pieces go where they meet it, and
the king avoids attacked cells. A pawn drop that checks is followed by looking for a reply.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from envs.boards.bits import lowest_bit, reverse_bits
from envs.compiled.jitable import jitable
from envs.game import Rule, State
from envs.shogi.attacks import Attacks, make_attacks, sliders, steppers
from envs.shogi.bits import ONE, WORD, ZERO, has, lowest_cell, only
from envs.shogi.board import KNIGHT, LANCE, PAWN, Board
from envs.shogi.pieces import occupied, sort_words, words_of


class Moves(NamedTuple):
    """Compiled helpers, closures over the tables of one board."""

    legal_actions: Rule
    turn: Rule
    attacks: Attacks


def _turner(board: Board) -> Rule:
    wide = board.cells > 64
    down = np.uint64((128 - board.cells) % 64)

    @jitable
    def turn(low: Any, high: Any) -> Any:
        """Turn a set of cells by half a turn."""
        first, last = reverse_bits(high), reverse_bits(low)
        if wide:
            return (first >> down) | (last << (WORD - down)), last >> down
        return last >> down, ZERO

    return turn


def _writer(board: Board) -> Rule:
    cells, zone = board.cells, board.zone * board.size
    promoting = board.promoting

    @jitable
    def write_moves(
        low: Any,
        high: Any,
        plane: int,
        offset: int,
        promotable: Any,
        forced: Any,
        barred: int,
        actions: Any,
        count: int,
        promoted: int,
    ) -> Any:
        """Write the moves of one plane, given their targets; return both numbers.

        Promoting moves are written backwards from the end. `forced` pieces must promote if they
        reach one of the first `barred` cells.
        """
        while low | high != ZERO:
            if low != ZERO:
                target = lowest_bit(low)
                low = low & (low - ONE)
            else:
                target = 64 + lowest_bit(high)
                high = high & (high - ONE)
            start = target - offset
            if (target < zone or start < zone) and has(promotable[0], promotable[1], start):
                promoted += 1
                actions[len(actions) - promoted] = (plane + promoting) * cells + start
                if target < barred and has(forced[0], forced[1], start):
                    continue
            actions[count] = plane * cells + start
            count += 1
        return count, promoted

    return write_moves


@jitable
def join_promotions(actions: Any, count: int, promoted: int) -> int:
    """Move the promoting moves, written backwards from the end, behind the `count` others."""
    first = len(actions) - promoted
    left, right = first, len(actions) - 1
    while left < right:
        actions[left], actions[right] = actions[right], actions[left]
        left, right = left + 1, right - 1
    for i in range(promoted):
        actions[count + i] = actions[first + i]
    return count + promoted


def _limits(board: Board, attacks: Attacks) -> Rule:
    """Return `limits`: where checks and pins let pieces go."""
    _, attacked_cells, pins_and_checks = attacks

    @jitable
    def limits(w: Any, kinds_l: Any, kinds_h: Any) -> Any:
        """Return pinned pieces, where pieces may go and where the king may: six words.

        The cells of the second set need not be on the board.
        """
        own_l, own_h = w[0], w[1]
        any_l, any_h = occupied(w)
        opp_l, opp_h = any_l & ~own_l, any_h & ~own_h
        pinned_l, pinned_h, allow_l, allow_h, checks = pins_and_checks(
            kinds_l, kinds_h, own_l, own_h, opp_l, opp_h
        )
        if checks == 0:
            allow_l, allow_h = ~own_l, ~own_h
        elif checks > 1:
            allow_l, allow_h = ZERO, ZERO
        open_l, open_h = ~any_l | (kinds_l[8] & own_l), ~any_h | (kinds_h[8] & own_h)
        bad_l, bad_h = attacked_cells(kinds_l, kinds_h, opp_l, opp_h, open_l, open_h)
        return pinned_l, pinned_h, allow_l, allow_h, ~(own_l | bad_l), ~(own_h | bad_h)

    return limits


def _knight_moves(board: Board, shift: Rule, write_moves: Rule) -> Rule:
    """Return `knight_moves`, which does nothing where there are no knights."""
    size, first = board.size, 8 * board.reach
    exist = board.knight_planes > 0

    @jitable
    def knight_moves(
        low: Any, high: Any, allow: Any, actions: Any, count: int, promoted: int
    ) -> Any:
        """Write the moves of the knights given; return both numbers."""
        if not exist or low | high == ZERO:
            return count, promoted
        knights = low, high
        low, high = shift(low, high, 0)
        for side in range(2):
            to_l, to_h = shift(low, high, 1 if side else 7)
            to_l, to_h = to_l & allow[0], to_h & allow[1]
            offset = 2 * side - 1 - 2 * size
            count, promoted = write_moves(
                to_l,
                to_h,
                first + side,
                offset,
                knights,
                knights,
                2 * size,
                actions,
                count,
                promoted,
            )
        return count, promoted

    return knight_moves


def _direction_moves(board: Board, shift: Rule, write_moves: Rule) -> Rule:
    """Return `direction_moves`, which writes the moves in one direction."""
    size, reach, offsets = board.size, board.reach, np.array(board.offsets)

    @jitable
    def direction_moves(
        d: int, first: Any, far: Any, w: Any, allow: Any, actions: Any, count: int, promoted: int
    ) -> Any:
        """Write steps to the cells of `first` and slides of `far`; return both numbers."""
        promotable = w[0] & ~w[8] & ~(w[2] & w[6] & ~w[4]), w[1] & ~w[9] & ~(w[3] & w[7] & ~w[5])
        forced = (w[2] ^ w[4]) & ~w[6], (w[3] ^ w[5]) & ~w[7]  # pawns and lances
        barred = size if d == 0 else 0
        any_l, any_h = occupied(w)
        (low, high), (far_l, far_h) = first, far
        plane, offset = d * reach, offsets[d]
        while True:
            count, promoted = write_moves(
                low, high, plane, offset, promotable, forced, barred, actions, count, promoted
            )
            far_l, far_h = shift(far_l, far_h, d)
            if plane == d * reach:
                far_l, far_h = far_l & ~any_l, far_h & ~any_h
                far_l, far_h = shift(far_l, far_h, d)
            low, high = far_l & allow[0], far_h & allow[1]
            if far_l | far_h == ZERO:
                return count, promoted
            far_l, far_h = far_l & ~any_l, far_h & ~any_h
            plane, offset = plane + 1, offset + offsets[d]

    return direction_moves


def _board_moves(board: Board, attacks: Attacks) -> Rule:
    """Return `board_moves`, which writes all moves but drops."""
    rays, shift = board.rays, attacks.shift
    limits, write_moves = _limits(board, attacks), _writer(board)
    direction_moves = _direction_moves(board, shift, write_moves)
    knight_moves = _knight_moves(board, shift, write_moves)

    @jitable
    def board_moves(w: Any, actions: Any) -> Any:
        """Write the moves of pieces on the board.

        Returns their number and the cells that a drop or a capture may go to.
        """
        kinds_l, kinds_h = sort_words(w)
        pinned_l, pinned_h, allow_l, allow_h, safe_l, safe_h = limits(w, kinds_l, kinds_h)
        allow = allow_l, allow_h
        king_l, king_h = kinds_l[8] & w[0], kinds_h[8] & w[1]
        king = lowest_cell(king_l, king_h)
        others_l, others_h = w[0] & ~king_l, w[1] & ~king_h
        count, promoted = 0, 0
        for d in range(8):
            away = (d + 4) & 7
            free_l = others_l & (~pinned_l | rays[d, king, 0] | rays[away, king, 0])
            free_h = others_h & (~pinned_h | rays[d, king, 1] | rays[away, king, 1])
            far = sliders(kinds_l, d) & free_l, sliders(kinds_h, d) & free_h
            low, high = steppers(kinds_l, d) & free_l, steppers(kinds_h, d) & free_h
            low, high = shift(low | far[0], high | far[1], d)
            step_l, step_h = shift(king_l, king_h, d)
            first = (low & allow_l) | (step_l & safe_l), (high & allow_h) | (step_h & safe_h)
            count, promoted = direction_moves(d, first, far, w, allow, actions, count, promoted)
        low, high = kinds_l[5] & w[0] & ~pinned_l, kinds_h[5] & w[1] & ~pinned_h
        count, promoted = knight_moves(low, high, allow, actions, count, promoted)
        return join_promotions(actions, count, promoted), allow_l, allow_h

    return board_moves


def _pawn_drops(board: Board, attacks: Attacks, turn: Rule, board_moves: Rule) -> Rule:
    """Return `pawn_targets`, closures over the tables of one board."""
    cells, size = board.cells, board.size
    columns = np.array(
        [board.cell_sets(range(column, cells, size)) for column in range(size)], np.uint64
    )
    far_row = board.cell_sets(range(size))[0]
    shift = attacks.shift

    @jitable
    def is_pawn_mate(w: Any, cell_l: Any, cell_h: Any, actions: Any) -> bool:
        """Return whether the opponent has no reply to a pawn dropped before its king."""
        any_l, any_h = occupied(w)
        own_l, own_h = turn(any_l & ~w[0], any_h & ~w[1])
        b0_l, b0_h = turn(w[2] | cell_l, w[3] | cell_h)
        b1_l, b1_h = turn(w[4], w[5])
        b2_l, b2_h = turn(w[6], w[7])
        b3_l, b3_h = turn(w[8], w[9])
        replies = (own_l, own_h, b0_l, b0_h, b1_l, b1_h, b2_l, b2_h, b3_l, b3_h)
        return board_moves(replies, actions)[0] == 0  # the check is adjacent: no drop meets it

    @jitable
    def pawn_targets(w: Any, low: Any, high: Any, scratch: Any) -> Any:
        """Return those of the empty cells given where a pawn may be dropped."""
        low = low & ~far_row
        any_l, any_h = occupied(w)
        pawns_l = w[0] & w[2] & ~(w[4] | w[6] | w[8])
        pawns_h = w[1] & w[3] & ~(w[5] | w[7] | w[9])
        while pawns_l | pawns_h != ZERO:
            pawn = lowest_cell(pawns_l, pawns_h)
            pawn_l, pawn_h = only(pawn)
            pawns_l, pawns_h = pawns_l ^ pawn_l, pawns_h ^ pawn_h
            low, high = low & ~columns[pawn % size, 0], high & ~columns[pawn % size, 1]
        king_l = any_l & ~(w[0] | w[2] | w[4] | w[6])
        king_h = any_h & ~(w[1] | w[3] | w[5] | w[7])
        check_l, check_h = shift(king_l, king_h, 4)
        check_l, check_h = check_l & low, check_h & high
        if check_l | check_h != ZERO and is_pawn_mate(w, check_l, check_h, scratch):
            low, high = low ^ check_l, high ^ check_h
        return low, high

    return pawn_targets


def make_moves(board: Board) -> Moves:
    """Return the helpers for one board."""
    attacks, turn = make_attacks(board), _turner(board)
    board_moves = _board_moves(board, attacks)
    pawn_targets = _pawn_drops(board, attacks, turn, board_moves)
    cells, drops = board.cells, board.drops
    far_row = board.cell_sets(range(board.size))[0]
    far_rows = board.cell_sets(range(2 * board.size))[0]
    kinds = np.array(board.kinds)
    full_l, full_h = board.cell_sets(range(cells))

    @jitable
    def legal_actions(state: State, actions: Any) -> int:
        """Write the legal actions, ascending, into int32 [max_legal]; return their number."""
        w = words_of(state)
        count, allow_l, allow_h = board_moves(w, actions)
        any_l, any_h = occupied(w)
        empty_l, empty_h = allow_l & ~any_l & full_l, allow_h & ~any_h & full_h
        if empty_l | empty_h == ZERO:
            return count
        hand = state["hand"]
        for i in range(len(kinds)):
            kind = kinds[i]
            if hand[kind - 1] == 0:
                continue
            low, high = empty_l, empty_h
            if kind == PAWN:
                low, high = pawn_targets(w, low, high, actions[count:])
            elif kind == LANCE:
                low = low & ~far_row
            elif kind == KNIGHT:
                low = low & ~far_rows
            base = (drops + i) * cells
            while low != ZERO:
                actions[count] = base + lowest_bit(low)
                count += 1
                low = low & (low - ONE)
            while high != ZERO:
                actions[count] = base + 64 + lowest_bit(high)
                count += 1
                high = high & (high - ONE)
        return count

    return Moves(legal_actions, turn, attacks)
