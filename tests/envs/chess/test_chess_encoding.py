"""The planes of chess: decoded to the position they show, and as text."""

import random
import re
from pathlib import Path

import chess
import numpy as np

from envs.chess.encoding import PAST_BOARDS
from envs.registry import find_game
from tests.envs.chess.decoding import decode
from tests.envs.chess.playing import Side, choose

GAME = find_game("chess")
GOLDEN = Path(__file__).parent / "data" / "planes.txt"
EN_PASSANT_AND_CASTLING = "e4 Nc6 Nf3 Nb8 Bc4 h6 O-O h5 e5 d5"


def past_of(states):
    """The boards before the last record, newest first; the oldest one is repeated."""
    last = len(states) - 1
    return np.stack([states[max(0, last - 1 - back)] for back in range(PAST_BOARDS)])


def test_positions_are_recovered_from_their_planes():
    rng = random.Random(5)
    for _ in range(6):
        board, states = chess.Board(), []
        side = Side(board, compiled=False)
        while True:
            states.append(side.state.copy())
            planes = GAME.encode(side.state, past_of(states))
            decoded, repetitions, earlier = decode(planes)
            assert decoded.fen() == board.fen()
            assert repetitions == side.state["repetitions"]
            replayed = board.copy()
            for placement in earlier:
                if replayed.move_stack:
                    replayed.pop()
                assert placement == replayed.piece_map()
            legal = side.legal()
            if not legal or len(states) > 120:
                break
            move = choose(board, rng)
            side.play(legal[chess.Board(board.fen(), chess960=True).uci(move)])
            board.push(move)


def test_repetitions_show_in_the_planes_of_their_board():
    state = GAME.new_state()
    side = Side(chess.Board(), compiled=False)
    states = [state.copy()]
    for word in ["g1f3", "g8f6", "f3g1", "f6g8", "g1f3"]:
        side.play(GAME.parse_move(side.state, word))
        states.append(side.state.copy())
    planes = GAME.encode(states[-1], past_of(states))
    seen = [int(planes[14 * age + 12].all()) for age in range(8)]
    assert seen == [1, 1, 0, 0, 0, 0, 0, 0]  # after g1f3 and after f6g8, the second time
    assert not any(planes[14 * age + 13].any() for age in range(8))


def planes_as_text(planes):
    """Planes that are not empty by their numbers: a constant, or the rows, the far rank above."""
    lines = []
    for number, plane in enumerate(planes):
        if (plane == plane[0, 0]).all():
            if plane[0, 0]:
                lines.append(f"plane {number}: all {plane[0, 0]:.4f}")
        else:
            lines.append(f"plane {number}:")
            lines += ["  " + " ".join(".1"[int(x)] for x in row) for row in plane[::-1]]
    return "\n".join(lines) + "\n"


def golden_text():
    states = [GAME.new_state()]
    for word in EN_PASSANT_AND_CASTLING.split():
        state = states[-1].copy()
        GAME.rules.step(state, GAME.parse_move(state, word))
        states.append(state)
    drawing = re.sub(r"\x1b\[[0-9;]*m", "", GAME.render(states[-1]))
    planes = GAME.encode(states[-1], past_of(states))
    return f"{EN_PASSANT_AND_CASTLING}\n{drawing}\n{planes_as_text(planes)}"


def test_golden_planes():
    assert golden_text() == GOLDEN.read_text()
