"""Two hundred games that python-chess plays with `ludens engine`, in every mode of its limits."""

import random
import sys
from pathlib import Path

import chess
import chess.engine
import pytest
from chess.engine import Limit, SimpleEngine

import ludens

GAMES_A_MODE = 40
PLIES = 20  # after which a game is resigned
SCRIPT = str(Path(ludens.__file__).resolve())
MODES = {
    "nodes": Limit(nodes=8),
    "depth": Limit(depth=2),
    "time": Limit(time=0.06),
    "clock": Limit(white_clock=3.0, black_clock=3.0, white_inc=0.05, black_inc=0.05),
    "mate": Limit(mate=2, nodes=12),
}
MATE_IN_ONE = "6k1/5ppp/8/8/8/8/8/R3K3 w Q - 0 1"


def play_a_game(engine: SimpleEngine, limit: Limit, number: int) -> int:
    """Play the engine against chance, and return the plies; its moves have to be legal.

    Some games are Chess960, and some begin in the middle.
    """
    chance = random.Random(number)
    board = chess.Board() if number % 4 else chess.Board.from_chess960_pos(chance.randrange(960))
    for _ in range(chance.randrange(0, 40, 8)):
        if moves := [*board.legal_moves]:
            board.push(chance.choice(moves))
    start = board.ply()
    while not board.is_game_over() and board.ply() - start < PLIES:
        move: chess.Move | None = chance.choice([*board.legal_moves])
        if board.turn == (chess.WHITE if number % 2 else chess.BLACK):
            found = engine.play(board, limit, game=number, ponder=number % 3 == 0)
            move = found.move
            assert move in board.legal_moves
        assert move is not None
        board.push(move)
    return board.ply() - start


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["random", "mcts:20,solve=true,lookahead=1"])
def test_every_mode_of_limits_plays_whole_games(agent: str) -> None:
    command = [sys.executable, SCRIPT, "engine", "--agent", agent, "--seed", "1"]
    engine = SimpleEngine.popen_uci(command, timeout=600)
    try:
        for mode, limit in MODES.items():
            games = GAMES_A_MODE if agent != "random" else 4
            plies = [play_a_game(engine, limit, number) for number in range(games)]
            assert sum(plies) > games * PLIES / 4, mode
            engine.ping()
        if agent != "random":
            info = engine.analyse(chess.Board(MATE_IN_ONE), Limit(mate=1, nodes=2000))
            assert info["score"].white() == chess.engine.Mate(1)
    finally:
        engine.quit()
