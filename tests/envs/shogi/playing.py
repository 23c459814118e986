"""Random games and random positions, for comparisons with other programs."""

import numpy as np

from envs.batch import legal_actions_many, play_random, scratch_for
from envs.game import NotationError
from envs.positions import played
from envs.shogi.board import GOLD, KING, KNIGHT, LANCE, PAWN, PROMOTED
from envs.shogi.sfen import piece_text

HAND_ORDER = "RBGSNLP"


def random_games(game, count, seed, longest=512):
    """Yield (moves, records [plies + 1]) of random games of at most `longest` plies."""
    rng = np.random.default_rng(seed)
    scratch = scratch_for(game)
    for _ in range(count):
        states = game.new_states(1)
        moves = np.zeros((1, longest), np.uint16)
        draws = rng.random((1, longest))
        total = play_random(scratch, states, np.array([longest]), draws, moves)
        yield moves[0, :total].tolist(), played(game, moves[0, :total])


def legal_sets(game, states):
    """The legal actions of each record, as sets; empty where the game is over."""
    actions = np.zeros((len(states), game.max_legal), np.int32)
    counts = np.zeros(len(states), np.int64)
    legal_actions_many(states, actions, counts)
    return [row[:n].tolist() for row, n in zip(actions, counts)]


def sfen_of(pieces, hands, side, board):
    """SFEN of pieces {cell: (code, second)} and hands [2] of {letter: count}."""
    rows = []
    for row in range(board.size):
        text, gap = "", 0
        for column in range(board.size):
            piece = pieces.get(row * board.size + column)
            if piece is None:
                gap += 1
                continue
            text, gap = text + (str(gap) if gap else "") + piece_text(*piece), 0
        rows.append(text + (str(gap) if gap else ""))
    held = ""
    for player, hand in enumerate(hands):
        for letter in HAND_ORDER:
            count = hand.get(letter, 0)
            if count:
                name = letter.lower() if player else letter
                held += (str(count) if count > 1 else "") + name
    return f"{'/'.join(rows)} {'bw'[side]} {held or '-'} 1"


def random_sfen(board, rng, entered=False):
    """SFEN of pieces at random places; `entered` puts the king and many pieces in the camp.

    It may be a position that cannot be, such as with the wrong side in check.
    """
    side = int(rng.integers(2))
    pieces, hands, used = {}, [{}, {}], set()
    camp = board.zone * board.size

    def free(second, code, own):
        lowest = {PAWN: 1, LANCE: 1, KNIGHT: 2}.get(code, 0) * board.size
        highest = camp if entered and own and rng.random() < 0.8 else board.cells
        cell = int(rng.integers(min(lowest, highest - 1), highest))
        cell = max(cell, lowest)
        cell = board.cells - 1 - cell if second else cell
        file = (cell % board.size, second)
        if cell in pieces or (code == PAWN and file in used):
            return None
        if code == PAWN:
            used.add(file)
        return cell

    for second in (False, True):
        while True:
            cell = free(second, KING, second == bool(side))
            if cell is not None:
                pieces[cell] = (KING, second)
                break
    on_board = rng.uniform(0.4, 0.9) if entered else rng.random()
    letters = dict(
        zip(board.kinds, ("P", "L", "N", "S", "G", "B", "R") if board.size == 9 else "PSGBR")
    )
    for kind, copies in zip(board.kinds, board.copies):
        for _ in range(copies):
            second = (
                bool(rng.random() < 0.75) == bool(side) if entered else bool(rng.random() < 0.5)
            )
            code = kind + PROMOTED * int(kind != GOLD and rng.random() < 0.3)
            cell = free(second, code, second == bool(side)) if rng.random() < on_board else None
            if cell is None:
                hands[second][letters[kind]] = hands[second].get(letters[kind], 0) + 1
            else:
                pieces[cell] = (code, second)
    return sfen_of(pieces, hands, side, board)


def random_positions(game, board, count, seed, entered=False):
    """`count` records of random positions that can be, each with its SFEN."""
    rng = np.random.default_rng(seed)
    found = []
    while len(found) < count:
        text = random_sfen(board, rng, entered)
        try:
            found.append((game.parse_position(text), text))
        except NotationError:
            continue
    return found
