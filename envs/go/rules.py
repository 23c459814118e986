"""The rules of Go for one board size: area scoring, positional superko, two passes end the game.

The rules of Tromp and Taylor (tromp.github.io/go.html), with suicide as a switch (forbidden: the
rules of the Computer Go Server). A pass is never forbidden by superko, a move that would make an
earlier board again is. Only a move onto a point that was emptied before can do so (unless suicide
is allowed), so only these are tested; that is exact. `remember` writes the forbidden points into
the record; straight after `step` there are none.

The record has the stones of both sides, the points emptied so far, the points that superko forbids
to the side to move, and a Zobrist key of the board: 208 bytes for 19x19.

A game may have several sizes, for one network that learns them all (`GoRules.smallest`): each is
played in the lower left corner of the largest, where points have the names that they have on a
board of that size. Its record also has the size, and the points outside.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.boards.bits import lowest_bit
from envs.boards.words import LOW_SIX, ONE, SIX, WORD_BITS, ZERO, has_point, set_point, to_words
from envs.compiled.jitable import jitable
from envs.go.board import Board, make_board
from envs.go.scoring import make_scoring

BLACK, WHITE = 0, 1
BY_PASSES, SETTLED, BY_CAP = 1, 2, 3  # why a game is over; 0 while it is not
EMPTY_KEY = np.uint64(0x9E3779B97F4A7C15)
SIZE_KEY = np.uint64(0xD6E8FEB86659FD93)
REST_KEY, TWO, EIGHT = np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(2), np.uint64(8)


class GoRules(NamedTuple):
    """What a variant of Go is made of; the defaults are those of the Computer Go Server."""

    rows: int
    columns: int
    komi: float  # added to White's area
    suicide: bool = False  # whether a move may take its own chain, if of two stones or more
    end_settled: bool = False  # whether the game ends once every point is pass-alive (Benson)
    max_plies: int = 0  # the game is scored as it stands then; 0 means twice the number of points
    smallest: int = 0  # of several square sizes up to `rows`; 0: all games are on one board
    smaller_komi: tuple[float, ...] = ()  # for each size below `rows`, the smallest first

    @property
    def cap(self) -> int:
        """Return the number of plies after which a game is over, on the largest board."""
        return self.cap_on(self.rows)

    @property
    def sizes(self) -> range:
        """Return the sizes of a game that has several, ascending; else none."""
        return range(self.smallest, self.rows + 1) if self.smallest else range(0)

    def cap_on(self, size: int) -> int:
        """Return the number of plies after which a game on a board of `size` rows is over."""
        return self.max_plies or 2 * size * (size if self.smallest else self.columns)

    def komi_on(self, size: int) -> float:
        """Return the komi on a board of `size` rows."""
        return self.komi if size == self.rows else self.smaller_komi[size - self.smallest]


def zobrist_keys(bits: int) -> NDArray[np.uint64]:
    """Return a random key for each side and bit, uint64 [2, bits]."""
    return np.random.default_rng(20160127).integers(0, 2**64, (2, bits), np.uint64)


def inside(rules: GoRules, size: int) -> list[int]:
    """Return the cells of the largest board that are part of a smaller one, row by row."""
    first = rules.rows - size
    return [row * rules.columns + c for row in range(first, rules.rows) for c in range(size)]


def outside_words(rules: GoRules, size: int) -> NDArray[np.uint64]:
    """Return the points of the largest board outside a smaller one, uint64 [words]."""
    rest = set(range(rules.rows * rules.columns)) - set(inside(rules, size))
    return to_words(sorted(rest), rules.rows, rules.columns)


def size_key(rules: GoRules, size: int) -> int:
    """Return the Zobrist key, uint64 as an int, of an empty board of `size` rows."""
    return int(EMPTY_KEY) ^ (rules.rows - size) * int(SIZE_KEY) % 2**64


def record_fields(rows: int, columns: int, several_sizes: bool = False) -> list[tuple[Any, ...]]:
    """Return the fields of a record for boards of one size, or of several."""
    words = make_board(rows, columns).words
    size = [("size", "u1")] if several_sizes else []
    return [
        ("stones", "u8", (3 if several_sizes else 2, words)),  # Black's, White's; outside
        ("vacated", "u8", (words,)),  # points from which a stone was ever taken
        ("forbidden", "u8", (words,)),  # superko forbids these to the side to move
        ("key", "u8"),  # of the stones alone
        ("ply", "i2"),
        ("side", "u1"),
        ("passes", "u1"),  # in a row, just now
        ("over", "u1"),
        *size,
    ]


class Moves(NamedTuple):
    """The compilable functions that place stones and tell where they may be placed."""

    place: Any  # place(state, point): put a stone of the side to move, and take what it captures
    legal_points: Any
    has_way: Any  # whether a point without empty neighbours may be played
    key_after: Any  # key_after(state, point) -> uint64: the board's key after a legal move


def _make_place(board: Board, suicide: bool, zobrist: Any) -> Any:
    words, near, find_empty = board.words, board.near, board.find_empty
    new_points, new_padded = board.new_points, board.new_padded
    find_chain, spread = board.find_chain, board.spread

    @jitable
    def take(state: Any, side: int, chain: Any) -> None:
        """Take a chain (padded) from the board."""
        key, stones, vacated = state["key"], state["stones"][side], state["vacated"]
        for w in range(words):
            taken = chain[w + 1]
            stones[w] ^= taken
            vacated[w] |= taken
            while taken != ZERO:
                key ^= zobrist[side, w * WORD_BITS + lowest_bit(taken)]
                taken &= taken - ONE
        state["key"] = key

    @jitable
    def place(state: Any, point: int) -> None:
        side = int(state["side"])
        own, other = state["stones"][side], state["stones"][1 - side]
        empty, chain, captured = new_points(), new_padded(), False
        beside_empty = new_points()
        set_point(own, point)
        state["key"] ^= zobrist[side, point]
        find_empty(state["stones"], empty)
        for w in range(words):
            chain[w + 1] = empty[w]
        spread(chain, beside_empty)
        for w in range(words):
            threatened = near[point, w] & other[w] & ~beside_empty[w]
            while threatened != ZERO:
                stone = w * WORD_BITS + lowest_bit(threatened)
                if find_chain(other, empty, stone, 1, chain) == 0:
                    take(state, 1 - side, chain)
                    captured = True
                threatened &= (threatened - ONE) & other[w]
        if suicide and not captured and find_chain(own, empty, point, 1, chain) == 0:
            take(state, side, chain)

    return place


def _make_has_way(board: Board, suicide: bool) -> Any:
    words, near, new_padded, find_chain = (
        board.words,
        board.near,
        board.new_padded,
        board.find_chain,
    )

    @jitable
    def has_way(point: int, own: Any, other: Any, empty: Any, good: Any, bad: Any) -> bool:
        """Return whether a move captures, or joins a chain that has another liberty.

        `good` and `bad` collect stones whose chain is known to make a move beside it legal or not.
        """
        chain = new_padded()
        for w in range(words):
            if near[point, w] & good[w] != ZERO:
                return True
        for w in range(words):
            unknown = near[point, w] & (own[w] | other[w]) & ~bad[w]
            while unknown != ZERO:
                stone = w * WORD_BITS + lowest_bit(unknown)
                mine = has_point(own, stone)
                if suicide and mine:
                    return True
                liberties = find_chain(own if mine else other, empty, stone, 2, chain)
                helps = (liberties >= 2) == mine
                known = good if helps else bad
                for i in range(words):
                    known[i] |= chain[i + 1]
                if helps:
                    return True
                unknown &= ~bad[w]
        return False

    return has_way


def _make_legal_points(board: Board, has_way: Any) -> Any:
    words, find_empty, spread = board.words, board.find_empty, board.spread
    new_points, new_padded = board.new_points, board.new_padded

    @jitable
    def legal_points(state: Any, wanted: Any, legal: Any) -> None:
        """Write to `legal` the empty points of `wanted` that the side to move may play.

        Superko aside, but for the suicide of a single stone, which leaves the board as it is.
        """
        side = int(state["side"])
        own, other = state["stones"][side], state["stones"][1 - side]
        empty, padded, ring = new_points(), new_padded(), new_points()
        good, bad = new_points(), new_points()
        find_empty(state["stones"], empty)
        for w in range(words):
            padded[w + 1] = empty[w]
        spread(padded, ring)
        for w in range(words):
            legal[w] = wanted[w] & empty[w] & ring[w]
            rest = wanted[w] & empty[w] & ~ring[w]
            while rest != ZERO:
                bit = lowest_bit(rest)
                if has_way(w * WORD_BITS + bit, own, other, empty, good, bad):
                    legal[w] |= ONE << np.uint64(bit)
                rest &= rest - ONE

    return legal_points


def _make_key_after(board: Board, suicide: bool, zobrist: Any) -> Any:
    words, near, find_empty = board.words, board.near, board.find_empty
    new_points, new_padded, find_chain = board.new_points, board.new_padded, board.find_chain

    @jitable
    def chain_key(side: int, chain: Any) -> Any:
        key = ZERO
        for w in range(words):
            stones = chain[w + 1]
            while stones != ZERO:
                key ^= zobrist[side, w * WORD_BITS + lowest_bit(stones)]
                stones &= stones - ONE
        return key

    @jitable
    def suicide_key(own: Any, empty: Any, side: int, point: int) -> Any:
        """Return the key of the chain that a move without captures takes from its own side."""
        stones, left, chain = new_points(), new_points(), new_padded()
        for w in range(words):
            stones[w], left[w] = own[w], empty[w]
        set_point(stones, point)
        bit = np.uint64(point)
        left[bit >> SIX] &= ~(ONE << (bit & LOW_SIX))
        return chain_key(side, chain) if find_chain(stones, left, point, 1, chain) == 0 else ZERO

    @jitable
    def key_after(state: Any, point: int) -> Any:
        side = int(state["side"])
        own, other = state["stones"][side], state["stones"][1 - side]
        empty, taken, chain, captured = new_points(), new_points(), new_padded(), False
        find_empty(state["stones"], empty)
        key = state["key"] ^ zobrist[side, point]
        for w in range(words):
            beside = near[point, w] & other[w] & ~taken[w]
            while beside != ZERO:
                stone = w * WORD_BITS + lowest_bit(beside)
                if find_chain(other, empty, stone, 2, chain) == 1:
                    captured = True
                    key ^= chain_key(1 - side, chain)
                    for i in range(words):
                        taken[i] |= chain[i + 1]
                beside &= (beside - ONE) & ~taken[w]
        if suicide and not captured:
            key ^= suicide_key(own, empty, side, point)
        return key

    return key_after


def make_moves(board: Board, suicide: bool) -> Moves:
    """Return the functions that place stones on a board."""
    zobrist = zobrist_keys(board.rows * board.stride)
    has_way = _make_has_way(board, suicide)
    legal_points, place = _make_legal_points(board, has_way), _make_place(board, suicide, zobrist)
    return Moves(place, legal_points, has_way, _make_key_after(board, suicide, zobrist))


def make_step_rules(rules: GoRules) -> tuple[Any, ...]:
    """Return the rules of a variant that need its board.

    They are reset, legal_actions, step, remember, value_to_play and final_ownership.
    """
    board = board_of(rules)
    moves, scoring = make_moves(board, rules.suicide), make_scoring(board, rules.suicide)
    komi_of, cap_of = _make_by_size(rules)
    return (
        _make_reset(rules, board),
        _make_legal_actions(board, moves),
        _make_step(rules, board, moves, scoring.settled, cap_of),
        _make_remember(board, moves, rules.suicide),
        _make_value(komi_of, scoring.area, scoring.settled_area),
        _make_final_ownership(komi_of, scoring.write_area),
    )


def board_of(rules: GoRules) -> Board:
    """Return the board that a variant is played on."""
    return make_board(rules.rows, rules.columns, rules.smallest > 0)


def _make_by_size(rules: GoRules) -> tuple[Any, Any]:
    """Return the compilable functions that tell a record's komi and its most plies."""
    komi, cap = rules.komi, rules.cap

    @jitable
    def komi_of(state: Any) -> float:
        return komi

    @jitable
    def cap_of(state: Any) -> int:
        return cap

    if not rules.smallest:
        return komi_of, cap_of
    komis, caps = np.zeros(rules.rows + 1), np.zeros(rules.rows + 1, np.int64)
    for size in rules.sizes:
        komis[size], caps[size] = rules.komi_on(size), rules.cap_on(size)

    @jitable
    def komi_by_size(state: Any) -> float:
        return komis[state["size"]]

    @jitable
    def cap_by_size(state: Any) -> int:
        return caps[state["size"]]

    return komi_by_size, cap_by_size


def _make_reset(rules: GoRules, board: Board) -> Any:
    words, rows = board.words, rules.rows

    @jitable
    def reset(state: Any) -> None:
        for w in range(words):
            state["stones"][0, w] = ZERO
            state["stones"][1, w] = ZERO
            state["vacated"][w] = ZERO
            state["forbidden"][w] = ZERO
        state["key"] = EMPTY_KEY
        state["ply"] = 0
        state["side"] = 0
        state["passes"] = 0
        state["over"] = 0

    def reset_to_largest(state: Any) -> None:
        reset(state)
        for w in range(words):
            state["stones"][2, w] = ZERO
        state["size"] = rows

    return reset_to_largest if rules.smallest else reset


def _make_legal_actions(board: Board, moves: Moves) -> Any:
    words, full, stride = board.words, board.full, board.stride
    cells = board.rows * board.columns
    new_points, legal_points = board.new_points, moves.legal_points

    def legal_actions(state: Any, actions: Any) -> int:
        """Write the points row by row from the top, then the pass."""
        legal, forbidden, count = new_points(), state["forbidden"], 0
        legal_points(state, full, legal)
        for w in range(words):
            left = legal[w] & ~forbidden[w]
            while left != ZERO:
                point = w * WORD_BITS + lowest_bit(left)
                actions[count] = point - point // stride
                count += 1
                left &= left - ONE
        actions[count] = cells
        return count + 1

    return legal_actions


def _make_step(rules: GoRules, board: Board, moves: Moves, settled: Any, cap_of: Any) -> Any:
    words, place, columns = board.words, moves.place, board.columns
    cells, end_settled = board.rows * columns, rules.end_settled

    def step(state: Any, action: int) -> None:
        if action == cells:
            state["passes"] += 1
        else:
            state["passes"] = 0
            place(state, int(action) + int(action) // columns)
        for w in range(words):
            state["forbidden"][w] = ZERO
        state["ply"] += 1
        state["side"] ^= 1
        if state["passes"] == 2:
            state["over"] = BY_PASSES
        elif end_settled and action != cells and settled(state["stones"]):
            state["over"] = SETTLED
        elif state["ply"] >= cap_of(state):
            state["over"] = BY_CAP

    return step


def _make_remember(board: Board, moves: Moves, suicide: bool) -> Any:
    words, find_empty, new_points = board.words, board.find_empty, board.new_points
    legal_points, key_after = moves.legal_points, moves.key_after

    @jitable
    def is_among(key: Any, keys: Any, count: int) -> bool:
        found = False
        for i in range(count):  # no early exit: the loop is vectorised
            found |= keys[i] == key
        return found

    def remember(state: Any, keys: Any, count: int) -> None:
        """Write the points where a move would make one of the earlier boards again."""
        candidates, legal, some = new_points(), new_points(), ZERO
        find_empty(state["stones"], candidates)
        for w in range(words):
            state["forbidden"][w] = ZERO
            # A stone that stays can repeat an earlier board only where one stood and was taken;
            # a suicide, anywhere.
            if not suicide:
                candidates[w] &= state["vacated"][w]
            some |= candidates[w]
        if some == ZERO or count == 0:
            return
        legal_points(state, candidates, legal)
        for w in range(words):
            left = legal[w]
            while left != ZERO:
                bit = lowest_bit(left)
                if is_among(key_after(state, w * WORD_BITS + bit), keys, count):
                    state["forbidden"][w] |= ONE << np.uint64(bit)
                left &= left - ONE

    return remember


def _make_value(komi_of: Any, area: Any, settled_area: Any) -> Any:
    def value_to_play(state: Any) -> float:
        if state["over"] == SETTLED:
            lead = settled_area(state["stones"]) - komi_of(state)
        else:
            lead = area(state["stones"]) - komi_of(state)
        if lead == 0.0:
            return 0.0
        return 1.0 if (lead > 0.0) == (state["side"] == 0) else -1.0

    return value_to_play


def _make_final_ownership(komi_of: Any, write_area: Any) -> Any:
    def final_ownership(state: Any, owners: Any) -> float:
        lead = write_area(state["stones"], state["over"] == SETTLED, owners)
        return lead - komi_of(state)

    return final_ownership


def is_terminal(state: Any) -> bool:
    return state["over"] != 0


def to_play(state: Any) -> int:
    return int(state["side"])


def position_key(state: Any) -> Any:
    """Return the key of the stones: what positional superko compares."""
    return state["key"]


def evaluation_key(state: Any) -> Any:
    """Return a key of the stones, the side to move, passes in a row and the end of the game."""
    rest = np.uint64(state["side"]) + np.uint64(state["passes"]) * TWO
    rest += np.uint64(state["over"]) * EIGHT
    return state["key"] ^ (rest * REST_KEY)
