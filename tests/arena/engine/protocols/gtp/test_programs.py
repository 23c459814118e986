"""`ludens engine --game go9` as a process: a game with itself, and one with GNU Go."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.arena.engine.players import untrained_run
from tests.arena.engine.protocols.piped import WAIT_S, command

OURS = command("random", "--game", "go9")
GNUGO_AT = shutil.which("gnugo") or shutil.which("gnugo", path="/usr/games")
GNUGO = (
    "--mode gtp --chinese-rules --capture-all-dead --positional-superko --never-resign --level 1"
    " --boardsize 9"
)


class Program:
    """A process that speaks GTP."""

    def __init__(self, words: list[str]) -> None:
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, line: str) -> str:
        """Return the answer to a command, which has to be accepted."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        lines = [self.process.stdout.readline()]
        while lines[-1].strip():
            lines.append(self.process.stdout.readline())
        answer = "".join(lines).strip()
        assert answer.startswith("="), f"{line!r}: {answer!r}"
        return answer[1:].strip()


@contextmanager
def opened(words: list[str]) -> Iterator[Program]:
    program = Program(words)
    try:
        yield program
        program.ask("quit")
        assert program.process.wait(WAIT_S) == 0
    finally:
        program.process.kill()
        program.process.communicate()


def play(black: Program, white: Program, most: int) -> list[str]:
    """Play until two passes; every move has to be legal for the other program too."""
    moves: list[str] = []
    while len(moves) < most and [move.lower() for move in moves[-2:]] != ["pass", "pass"]:
        side = len(moves) % 2
        mover, other = (white, black) if side else (black, white)
        moves.append(mover.ask(f"genmove {'bw'[side]}"))
        if moves[-1].lower() == "resign":
            break
        if other is not mover:
            other.ask(f"play {'bw'[side]} {moves[-1]}")
    return moves


@pytest.mark.slow  # plays beyond the length at which the agent's game ends
def test_a_game_with_itself_goes_on_as_long_as_it_is_asked_to() -> None:
    with opened(OURS) as ours:
        moves = play(ours, ours, 200)
        assert len(moves) > 20
        ours.ask("undo")
        assert ours.ask("final_score")[0] in "BW0"


@pytest.mark.slow
@pytest.mark.skipif(GNUGO_AT is None, reason="gnugo is not installed")
@pytest.mark.parametrize("ours_is_black", [True, False])
@pytest.mark.parametrize("agent", ["random", "mcts:200", "network:sims=30"])
def test_a_game_with_gnu_go_is_legal_and_has_one_score(
    agent: str, ours_is_black: bool, tmp_path: Path
) -> None:
    untrained_run(tmp_path, "network", "go9")
    words = command(agent, "--game", "go9", "--store", str(tmp_path))
    with opened(words) as ours, opened([str(GNUGO_AT), *GNUGO.split()]) as gnugo:
        for program in (ours, gnugo):
            program.ask("komi 7.5")
        black, white = (ours, gnugo) if ours_is_black else (gnugo, ours)
        moves = play(black, white, 300)
        assert len(moves) > 20
        # all dead stones are captured by then
        assert float(ours.ask("final_score")[2:]) == float(gnugo.ask("final_score")[2:])
