"""One whole game of each, as text that a reviewer can read and diff.

After an intended change `PYTHONPATH=. python tests/envs/test_playthroughs.py` writes them again.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from envs.registry import find_game

DATA = Path(__file__).parent / "data"
PLANES_EVERY = 10  # plies; planes are shown at these, and at the end
RECORDS = {
    "tic_tac_toe": "b2 a1 b1 b3 a2 c2 c3 a3 c1",
    "connect_four": "6122267511345422561143743",
    "othello": (
        "e6 d6 c3 f4 g4 f3 f2 f7 d7 b2 g8 h4 f5 e7 f8 e8 d3 g3 a1 h8 f6 f1 g2 g5 e2 h3 h5 g7 h7 g6 "
        "h2 h6 pass c8 d8 d1 b8 c6 c5 e3 b6 c7 b7 b3 a3 g1 e1 c2 c4 a4 a2 h1 a5 a7 d2 b5 c1 a8 "
        "pass b1 pass b4"
    ),
    "othello6": (
        "d5 e5 c2 b2 e4 c1 b3 b4 a2 f4 d2 d1 e1 c5 e6 b5 e3 f5 a4 b1 a1 f3 b6 a3 f2 a6 f6 a5 d6 c6 "
        "pass e2"
    ),
}


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def plane_rows(planes):
    """All planes side by side, one text line a board row, dots for zeros."""
    _, height, _ = planes.shape
    words = np.where(planes == 0, ".", np.where(planes == 1, "1", "?"))
    return [" | ".join(" ".join(plane[row]) for plane in words) for row in range(height)]


def playthrough(name, record):
    """The text of a game: at every ply the board, who is to move, the legal moves and the key."""
    game = find_game(name)
    moves = game.parse_moves(record)
    lines = [
        f"{game.title}: {game.num_actions} actions, planes {game.planes_shape}, "
        f"at most {game.max_plies} plies and {game.max_legal} legal actions",
        f"record: {game.format_moves(moves)}",
    ]
    for ply in range(len(moves) + 1):
        state = game.position(moves[:ply])
        over = game.rules.is_terminal(state)
        lines += ["", f"ply {ply}, {game.player_names[game.rules.to_play(state)]} to move"]
        lines += plain(game.render(state)).splitlines()
        with np.errstate(over="ignore"):
            lines.append(f"key {int(game.rules.position_key(state)):016x}")
        if ply % PLANES_EVERY == 0 or over:
            lines += ["planes", *plane_rows(game.encode(state))]
        legal = [game.format_action(int(a)) for a in np.flatnonzero(game.legal_mask(state))]
        if over:
            lines.append(f"over, value_to_play {game.rules.value_to_play(state):+.1f}")
        else:
            lines.append(f"legal {' '.join(legal)}")
        if ply < len(moves):
            lines.append(f"plays {game.format_action(moves[ply])}")
    return "\n".join(lines) + "\n"


def file_of(name):
    return DATA / f"playthrough_{name}.txt"


@pytest.mark.parametrize("name", RECORDS)
def test_playthrough(name):
    golden = file_of(name).read_text()
    record = golden.splitlines()[1].removeprefix("record: ")
    assert playthrough(name, record) == golden


@pytest.mark.parametrize("name", RECORDS)
def test_a_playthrough_reaches_the_end(name):
    assert "over, value_to_play" in file_of(name).read_text()


if __name__ == "__main__":
    for game_name, game_record in RECORDS.items():
        file_of(game_name).write_text(playthrough(game_name, game_record))
