"""The network's input: a decoder recovers positions from it, and one position as readable text.

After an intended change `PYTHONPATH=. python tests/envs/shogi/test_planes.py` writes it again.
"""

from pathlib import Path

import numpy as np
import pytest

from envs.batch import encode_many
from envs.registry import find_game
from envs.shogi.board import GOLD, KING, MINISHOGI, PROMOTED, SHOGI
from envs.shogi.drawing import cells
from envs.shogi.sfen import hand_of, piece_text
from tests.envs.shogi.playing import random_games

DATA = Path(__file__).parent / "data"
BOARDS = {"shogi": SHOGI, "minishogi": MINISHOGI}
RECORDS = {
    "shogi": "7g7f 3c3d 8h2b+ 3a2b B*5e B*4d 5e4d 4c4d B*7g 2b3c 7g4d",
    "minishogi": "2e3d 4a3b 3d4c 3b4c 3e4d 4c5d 4e5d",
}


def boards_before(states, ply):
    return np.array([states[max(ply - 1 - back, 0)] for back in range(7)], states.dtype)


def decode(planes, board):
    """Return (side, ply, boards): each board its cells as `cells` gives them, repeats and hands."""
    kinds, held = len(board.codes), len(board.kinds)
    depth = 2 * kinds + 3 + 2 * held
    side, ply = int(planes[-2, 0, 0]), planes[-1, 0, 0] * 512
    boards = []
    for first in range(0, 8 * depth, depth):
        seen = np.zeros((board.size, board.size), np.uint8)
        for player in range(2):
            for kind in range(kinds):
                plane = planes[first + player * kinds + kind]
                assert set(np.unique(plane)) <= {0.0, 1.0}
                assert not (seen[plane == 1]).any()
                seen[plane == 1] = 2 * kind + 1 + (player ^ side)
        seen = seen[::-1, ::-1] if side else seen
        times = planes[first + 2 * kinds : first + 2 * kinds + 3, 0, 0]
        hands = planes[first + 2 * kinds + 3 : first + depth, 0, 0].reshape(2, held)
        counts = np.rint(hands * np.array(board.copies)).astype(int).tolist()
        boards.append((seen.ravel(), times.tolist(), counts[::-1] if side else counts))
    return side, ply, boards


@pytest.mark.parametrize("name", ["shogi", "minishogi"])
def test_the_planes_tell_the_last_eight_positions(name):
    game, board = find_game(name), BOARDS[name]
    for _, states in random_games(game, 2, seed=11, longest=150):
        chosen = [0, 1, 2, *range(5, len(states), 13)]
        pasts = np.array([boards_before(states, ply) for ply in chosen], states.dtype)
        planes = np.zeros((len(chosen), *game.planes_shape), np.float32)
        encode_many(states[chosen], pasts, planes)
        for ply, past, found in zip(chosen, pasts, planes):
            side, decoded_ply, boards = decode(found, board)
            assert side == states[ply]["side"]
            assert decoded_ply == states[ply]["ply"]
            for record, (seen, times, hands) in zip([states[ply], *past], boards):
                assert np.array_equal(seen, cells(record, board))
                assert times == [float(record["repeats"] == k) for k in range(3)]
                for player in range(2):
                    counts = hand_of(record, player)
                    assert hands[player] == [counts[kind - 1] for kind in board.kinds]


def test_repetitions_are_shown_for_each_board():
    game = find_game("shogi")
    moves = []
    for word in ("2h3h 8b7b 3h2h 7b8b " * 2).split():
        moves.append(game.parse_move(game.position(moves), word))
    states = game.line(moves)
    state, past = states[-1], boards_before(states, len(moves))
    planes = game.encode(state, past)
    times = [times for _, times, _ in decode(planes, SHOGI)[2]]
    assert times[0] == [0.0, 0.0, 1.0]
    assert times[1:5] == [[0.0, 1.0, 0.0]] * 4
    assert times[5:] == [[1.0, 0.0, 0.0]] * 3


def as_text(name):
    """The planes of one position that are not empty, with their names."""
    game, board = find_game(name), BOARDS[name]
    state, moves = game.new_state(), []
    for word in RECORDS[name].split():
        moves.append(game.parse_move(state, word))
        assert moves[-1] in game.legal_actions(state), word
        game.rules.step(state, moves[-1])
    states = game.line(moves)
    planes = game.encode(states[-1], boards_before(states, len(moves)))
    names = []
    pieces = [piece_text(code, second=False) for code in board.codes]
    held = [piece_text(kind, second=False) for kind in board.kinds]
    for back in range(8):
        when = f"{back} back" if back else "now"
        names += [f"{when}: own {piece}" for piece in pieces]
        names += [f"{when}: opponent's {piece}" for piece in pieces]
        names += [f"{when}: occurrence {k}" for k in (1, 2, 3)]
        names += [f"{when}: {piece} in own hand" for piece in held]
        names += [f"{when}: {piece} in the opponent's hand" for piece in held]
    names += ["second player", "ply / 512"]
    lines = [f"{RECORDS[name]}", game.format_position(states[-1]), f"{planes.shape}"]
    for number, (label, plane) in enumerate(zip(names, planes, strict=True)):
        if np.all(plane == plane[0, 0]):
            if plane[0, 0]:
                lines.append(f"{number} {label}: all {plane[0, 0]:.6g}")
            continue
        lines.append(f"{number} {label}")
        lines += ["".join(".1"[int(value)] for value in row) for row in plane]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", ["shogi", "minishogi"])
def test_planes_are_those_stored(name):
    assert as_text(name) == (DATA / f"planes_{name}.txt").read_text()


def test_every_kind_has_its_plane():
    assert len(SHOGI.codes) == 14
    assert len(MINISHOGI.codes) == 10
    assert KING in SHOGI.codes
    assert GOLD + PROMOTED not in SHOGI.codes


if __name__ == "__main__":
    for game_name in RECORDS:
        (DATA / f"planes_{game_name}.txt").write_text(as_text(game_name))
