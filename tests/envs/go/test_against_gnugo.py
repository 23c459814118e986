"""Random finished games against GNU Go: every legal move on the way, and the final score.

More games by hand: `LUDENS_GO_GAMES=10 pytest tests/envs/go/test_against_gnugo.py` plays ten times
as many. GNU Go estimates which stones are dead unless it must capture them all, so a game
goes on until no side has a move left but into its own eyes.
"""

import os
import shutil
import subprocess

import numpy as np
import pytest

from envs.game import advance
from envs.go.board import make_board
from envs.go.game import GO_9, USUAL_KOMI
from envs.go.scoring import make_scoring
from envs.go.sgf import format_result

GAMES = 20 * int(os.environ.get("LUDENS_GO_GAMES", "1"))
OPTIONS = "--mode gtp --chinese-rules --capture-all-dead --positional-superko --level 1"
PROGRAM = shutil.which("gnugo", path=f"{os.environ.get('PATH', '')}:/usr/games")

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="the program gnugo is not installed")


class GnuGo:
    def __init__(self):
        self.process = subprocess.Popen(
            [PROGRAM, *OPTIONS.split()], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def ask(self, command):
        """The answer to a command of the Go Text Protocol; fails if that is an error."""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        lines = []
        while line := self.process.stdout.readline().rstrip("\n"):
            lines.append(line)
        assert lines, f"{command}: gnugo is gone"
        assert lines[0].startswith("="), f"{command}: {lines}"
        return " ".join(lines)[1:].strip()

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def gnugo():
    program = GnuGo()
    yield program
    program.close()


def neighbours(cell, size):
    row, column = divmod(cell, size)
    places = ((row - 1, column), (row, column - 1), (row, column + 1), (row + 1, column))
    return [r * size + c for r, c in places if 0 <= r < size and 0 <= c < size]


def is_own_eye(board, cell, side, size):
    """Whether all neighbours are own stones, and too few diagonals are the other side's."""
    if any(board[near] != side + 1 for near in neighbours(cell, size)):
        return False
    row, column = divmod(cell, size)
    diagonals = [(row + d, column + e) for d in (-1, 1) for e in (-1, 1)]
    inside = [r * size + c for r, c in diagonals if 0 <= r < size and 0 <= c < size]
    return sum(board[near] == 2 - side for near in inside) < (2 if len(inside) == 4 else 1)


def play_out(game, gnugo, rng):
    """Play a random game with both, comparing the legal moves on the way; its last position."""
    size, state = game.planes_shape[1], game.new_state()
    keys, ply = np.zeros(game.max_plies + 1, np.uint64), 0
    gnugo.ask("clear_board")
    while not game.rules.is_terminal(state):
        side, board, legal = int(state["side"]), game.cells(state), game.legal_actions(state)
        if ply % 3 == 0 or state["forbidden"].any():
            theirs = gnugo.ask(f"all_legal {'bw'[side]}").split()
            ours = [game.format_action(int(a)) for a in legal[:-1]]
            assert sorted(theirs) == sorted(ours), game.render(state)
        sensible = [a for a in legal[:-1] if not is_own_eye(board, a, side, size)]
        action = int(rng.choice(sensible)) if sensible else size * size
        gnugo.ask(f"play {'bw'[side]} {game.format_action(action)}")
        advance(state, keys, ply, action)
        ply += 1
    return state


def test_random_games_are_legal_and_scored_as_by_gnu_go(gnugo):
    rng, scored = np.random.default_rng(20), 0
    area = make_scoring(make_board(9, 9), suicide=False).area
    gnugo.ask("boardsize 9")
    gnugo.ask(f"komi {USUAL_KOMI}")
    for _ in range(GAMES):
        state = play_out(GO_9, gnugo, rng)
        if state["passes"] < 2:
            continue  # too long a game: not finished
        lead = area(state["stones"]) - USUAL_KOMI
        assert gnugo.ask("final_score") == f"{'B' if lead > 0 else 'W'}+{abs(lead):.1f}"
        value = GO_9.rules.value_to_play(state) * (1 - 2 * int(state["side"]))
        assert (value > 0) == format_result(lead).startswith("B")
        scored += 1
    assert scored > GAMES * 0.8
