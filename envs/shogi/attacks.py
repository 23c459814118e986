"""Attacks on a board of two words: steps and slides of whole sets of pieces at once.

Directions are those of the side to move. The opponent's pieces point the other way, so what stands
in direction d of a cell attacks it if, for its own side, that kind of piece moves in direction d.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from envs.boards.bits import popcount
from envs.compiled.jitable import jitable
from envs.game import Rule
from envs.shogi.bits import ZERO, highest_cell, lowest_cell, only
from envs.shogi.board import Board

WORD = np.uint64(64)


@jitable
def sort_pieces(b0: Any, b1: Any, b2: Any, b3: Any) -> Any:
    """Sort one word of pieces, given the bits of their codes, by how they move.

    Returns nine words: kinds that step straight ahead, diagonally ahead, sideways and straight
    back, diagonally back; lances, knights, bishops, rooks (with their promoted sides), kings.
    """
    king = b3 & ~(b0 | b1 | b2)
    bishop = b1 & b2 & ~b0
    rook = b0 & b1 & b2
    gold = (b3 & (b0 | b1 | b2) & ~(b1 & b2)) | (b0 & b2 & ~(b1 | b3))
    silver = b2 & ~(b0 | b1 | b3)
    pawn = b0 & ~(b1 | b2 | b3)
    beside = gold | king | (bishop & b3)
    behind = silver | king | (rook & b3)
    lance = b1 & ~(b0 | b2 | b3)
    knight = b0 & b1 & ~(b2 | b3)
    return (
        beside | pawn | silver,
        behind | gold,
        beside,
        behind,
        lance,
        knight,
        bishop,
        rook,
        king,
    )


@jitable
def steppers(kinds: Any, d: int) -> Any:
    """Return the pieces of one word that step in direction d."""
    if d == 0:
        return kinds[0]
    if d == 1 or d == 7:
        return kinds[1]
    return kinds[3] if d & 1 else kinds[2]


@jitable
def sliders(kinds: Any, d: int) -> Any:
    """Return the pieces of one word that slide in direction d."""
    if d & 1:
        return kinds[6]
    return kinds[7] | kinds[4] if d == 0 else kinds[7]


class Attacks(NamedTuple):
    """Compiled helpers, closures over the tables of one board."""

    shift: Rule
    attacked_cells: Rule
    pins_and_checks: Rule


def _shifter(board: Board) -> Rule:
    step = np.abs(board.offsets).astype(np.uint64)
    entered = board.entered

    @jitable
    def shift(low: Any, high: Any, d: int) -> Any:
        """Move a set of cells one step in direction d; what leaves the board is lost."""
        s = step[d]
        if 2 <= d <= 5:  # towards higher cells
            up = (high << s) | (low >> (WORD - s))
            return (low << s) & entered[d, 0], up & entered[d, 1]
        down = (low >> s) | (high << (WORD - s))
        return down & entered[d, 0], (high >> s) & entered[d, 1]

    return shift


def _attacked(shift: Rule) -> Rule:
    @jitable
    def attacked_cells(
        kinds_l: Any, kinds_h: Any, opp_l: Any, opp_h: Any, open_l: Any, open_h: Any
    ) -> Any:
        """Return the cells that the opponent's pieces attack; slides pass through `open` cells."""
        found_l, found_h = ZERO, ZERO
        for d in range(8):
            away = (d + 4) & 7
            low, high = shift(steppers(kinds_l, d) & opp_l, steppers(kinds_h, d) & opp_h, away)
            found_l, found_h = found_l | low, found_h | high
            low, high = sliders(kinds_l, d) & opp_l, sliders(kinds_h, d) & opp_h
            while low | high != ZERO:
                low, high = shift(low, high, away)
                found_l, found_h = found_l | low, found_h | high
                low, high = low & open_l, high & open_h
        low, high = shift(kinds_l[5] & opp_l, kinds_h[5] & opp_h, 4)  # knights: back, then aslant
        if low | high != ZERO:
            left_l, left_h = shift(low, high, 5)
            right_l, right_h = shift(low, high, 3)
            found_l, found_h = found_l | left_l | right_l, found_h | left_h | right_h
        return found_l, found_h

    return attacked_cells


def make_attacks(board: Board) -> Attacks:
    """Return the helpers for one board."""
    rays = board.rays
    shift = _shifter(board)

    @jitable
    def pins_and_checks(
        kinds_l: Any, kinds_h: Any, own_l: Any, own_h: Any, opp_l: Any, opp_h: Any
    ) -> Any:
        """Find what attacks the king of the side to move, and what shields it.

        Returns pinned own pieces, the cells where a piece meets every check (capture or
        interposition, for one check), and the number of checks: five values.
        """
        king_l, king_h = kinds_l[8] & own_l, kinds_h[8] & own_h
        king = lowest_cell(king_l, king_h)
        pinned_l, pinned_h, meet_l, meet_h, checks = ZERO, ZERO, ZERO, ZERO, 0
        for d in range(8):
            near_l, near_h = shift(king_l, king_h, d)
            low = near_l & steppers(kinds_l, d) & opp_l
            high = near_h & steppers(kinds_h, d) & opp_h
            if low | high != ZERO:
                checks += 1
                meet_l, meet_h = meet_l | low, meet_h | high
            if d == 0:
                for aslant in (1, 7):
                    low, high = shift(near_l, near_h, aslant)
                    low, high = low & kinds_l[5] & opp_l, high & kinds_h[5] & opp_h
                    if low | high != ZERO:
                        checks += 1
                        meet_l, meet_h = meet_l | low, meet_h | high
            low = sliders(kinds_l, d) & opp_l & rays[d, king, 0]
            high = sliders(kinds_h, d) & opp_h & rays[d, king, 1]
            if low | high == ZERO:
                continue
            slider = lowest_cell(low, high) if 2 <= d <= 5 else highest_cell(low, high)
            away = (d + 4) & 7
            low = rays[d, king, 0] & rays[away, slider, 0]
            high = rays[d, king, 1] & rays[away, slider, 1]
            shield_l, shield_h = low & (own_l | opp_l), high & (own_h | opp_h)
            shields = popcount(shield_l) + popcount(shield_h)
            if shields == 0:
                checks += 1
                slider_l, slider_h = only(slider)
                meet_l, meet_h = meet_l | low | slider_l, meet_h | high | slider_h
            elif shields == 1:
                pinned_l, pinned_h = pinned_l | (shield_l & own_l), pinned_h | (shield_h & own_h)
        return pinned_l, pinned_h, meet_l, meet_h, checks

    return Attacks(shift, _attacked(shift), pins_and_checks)
