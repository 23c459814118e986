"""Area scoring, and the points that are unconditionally alive (Benson 1976).

D. B. Benson, Life in the game of Go, Information Sciences 10, 1976: a set of chains is alive even
if its owner always passes, if each chain of the set has two vital regions. A region is a connected
set of points without the owner's stones; it counts if all chains around it are in the set, and it
is vital to a chain if each of its empty points is a liberty of that chain.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from envs.boards.bits import lowest_bit, popcount
from envs.boards.words import ONE, WORD_BITS, ZERO, has_point
from envs.compiled.jitable import jitable
from envs.go.board import Board


class Scoring(NamedTuple):
    """The compilable functions of scoring; `stones` as in `Board`."""

    area: Any  # area(stones) -> int: Black's points minus White's, no stone taken for dead
    # write_area(stones, settled, owners) -> int: the area or the settled area, and whose each point
    # is: 1 Black's, -1 White's
    write_area: Any
    pass_alive: Any  # pass_alive(stones, side, out): write the side's pass-alive area to `out`
    settled: Any  # settled(stones) -> bool: every point is in either side's pass-alive area
    settled_area: Any  # settled_area(stones) -> int: Black's pass-alive points minus White's


def make_scoring(board: Board, suicide: bool) -> Scoring:
    """Return the scoring of a board; `suicide` says whether a move may take its own chain."""
    pass_alive = _make_pass_alive(board, suicide)
    area, reach_both = _make_area(board)
    write_area = _make_write_area(board, reach_both, pass_alive)
    words, find_empty, new_points = board.words, board.find_empty, board.new_points
    new_padded, spread = board.new_padded, board.spread

    @jitable
    def every_point_touches_a_stone(stones: Any) -> bool:
        padded, ring, empty, missing = new_padded(), new_points(), new_points(), ZERO
        find_empty(stones, empty)
        for w in range(words):
            padded[w + 1] = stones[0, w] | stones[1, w]
        spread(padded, ring)
        for w in range(words):
            missing |= empty[w] & ~ring[w]
        return missing == ZERO

    @jitable
    def settled(stones: Any) -> bool:
        if not every_point_touches_a_stone(stones):  # then no region around it is vital
            return False
        black, white, points, missing = new_points(), new_points(), new_points(), ZERO
        pass_alive(stones, 0, black)
        pass_alive(stones, 1, white)
        find_empty(stones, points)
        for w in range(words):
            points[w] |= stones[0, w] | stones[1, w]
            missing |= points[w] & ~(black[w] | white[w])
        return missing == ZERO

    @jitable
    def settled_area(stones: Any) -> int:
        black, white, score = new_points(), new_points(), 0
        pass_alive(stones, 0, black)
        pass_alive(stones, 1, white)
        for w in range(words):
            score += popcount(black[w]) - popcount(white[w])
        return score

    return Scoring(area, write_area, pass_alive, settled, settled_area)


def _make_area(board: Board) -> tuple[Any, Any]:
    """Return `area`, and the function that writes the points that each side reaches."""
    words, find_empty, new_points = board.words, board.find_empty, board.new_points
    new_padded, spread = board.new_padded, board.spread

    @jitable
    def reach(stones: Any, empty: Any, padded: Any) -> None:
        """Write to `padded` the stones and the empty points connected to them by empty points."""
        ring, changed = new_points(), ONE
        for w in range(words):
            padded[w + 1] = stones[w]
        while changed != ZERO:
            changed = ZERO
            spread(padded, ring)
            for w in range(words):
                added = ring[w] & empty[w] & ~padded[w + 1]
                padded[w + 1] |= added
                changed |= added

    @jitable
    def reach_both(stones: Any, black: Any, white: Any) -> int:
        """Write what each side reaches (padded); return the points that Black alone does, less."""
        empty, score = new_points(), 0
        find_empty(stones, empty)
        reach(stones[0], empty, black)
        reach(stones[1], empty, white)
        for w in range(1, words + 1):
            score += popcount(black[w] & ~white[w]) - popcount(white[w] & ~black[w])
        return score

    @jitable
    def area(stones: Any) -> int:
        return reach_both(stones, new_padded(), new_padded())

    return area, reach_both


def _make_write_area(board: Board, reach_both: Any, pass_alive: Any) -> Any:
    rows, columns, new_padded = board.rows, board.columns, board.new_padded

    @jitable
    def write_area(stones: Any, settled: bool, owners: Any) -> int:
        black, white, score = new_padded(), new_padded(), 0
        if settled:
            pass_alive(stones, 0, black[1:])
            pass_alive(stones, 1, white[1:])
        else:
            reach_both(stones, black, white)
        for cell in range(rows * columns):
            bit = WORD_BITS + cell + cell // columns  # after the padding
            owner = int(has_point(black, bit)) - int(has_point(white, bit))
            owners[cell] = owner
            score += owner
        return score

    return write_area


def _make_region_test(board: Board, suicide: bool) -> Any:
    words, full, new_points = board.words, board.full, board.new_points
    spread = board.spread

    @jitable
    def is_vital(region: Any, own: Any, other: Any, alive: Any, liberties: Any) -> bool:
        """Return whether a region (padded) counts, and is vital to the chain with `liberties`.

        Where suicide is allowed, the other side may empty its own stones' points, so these must be
        next to the chain too.
        """
        ring, amiss = new_points(), ZERO
        spread(region, ring)
        for w in range(words):
            amiss |= ring[w] & own[w] & ~alive[w]
            inside = region[w + 1] if suicide else region[w + 1] & ~other[w]
            amiss |= inside & full[w] & ~liberties[w]
        return amiss == ZERO

    return is_vital


def _make_vital_count(board: Board, suicide: bool) -> Any:
    words, find_empty, new_points = board.words, board.find_empty, board.new_points
    new_padded, spread, find_chain = board.new_padded, board.spread, board.find_chain
    is_vital = _make_region_test(board, suicide)

    @jitable
    def count_vital(stones: Any, side: int, alive: Any, chain: Any, out: Any) -> int:
        """Count the vital regions of a chain (padded), and add them to the points `out`."""
        own, other = stones[side], stones[1 - side]
        liberties, todo, outside = new_points(), new_points(), new_points()
        region, nothing, count = new_padded(), new_points(), 0
        spread(chain, liberties)
        find_empty(stones, outside)
        for w in range(words):
            outside[w] |= other[w]
            todo[w] = liberties[w] & outside[w]
        for w in range(words):
            while todo[w] != ZERO:
                find_chain(outside, nothing, w * WORD_BITS + lowest_bit(todo[w]), 1, region)
                vital = is_vital(region, own, other, alive, liberties)
                count += vital
                for i in range(words):
                    todo[i] &= ~region[i + 1]
                    if vital:
                        out[i] |= region[i + 1]
        return count

    return count_vital


def _make_pass_alive(board: Board, suicide: bool) -> Any:
    words, new_points, new_padded = board.words, board.new_points, board.new_padded
    find_chain = board.find_chain
    count_vital = _make_vital_count(board, suicide)

    @jitable
    def drop_chains(stones: Any, side: int, alive: Any, out: Any) -> bool:
        """Take from `alive` the chains with fewer than two vital regions; return whether any.

        Adds the vital regions to `out`.
        """
        chain, todo, nothing, changed = new_padded(), new_points(), new_points(), False
        for w in range(words):
            todo[w] = alive[w]
        for w in range(words):
            while todo[w] != ZERO:
                find_chain(stones[side], nothing, w * WORD_BITS + lowest_bit(todo[w]), 1, chain)
                drop = count_vital(stones, side, alive, chain, out) < 2
                for i in range(words):
                    todo[i] &= ~chain[i + 1]
                    if drop:
                        alive[i] &= ~chain[i + 1]
                changed = changed or drop
        return changed

    @jitable
    def pass_alive(stones: Any, side: int, out: Any) -> None:
        alive = new_points()
        for w in range(words):
            alive[w] = stones[side, w]
        changed = True
        while changed:
            for w in range(words):
                out[w] = ZERO
            changed = drop_chains(stones, side, alive, out)
        for w in range(words):
            out[w] |= alive[w]

    return pass_alive
