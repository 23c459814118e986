"""Random games move by move against the package `chess`."""

import io

import chess
import chess.pgn
import pytest

from envs.chess.board import STANDARD
from envs.chess.notation import chess_move, format_san, format_uci, parse_move
from envs.chess.pgn import format_pgn
from envs.chess.rules import CHECKMATE, INSUFFICIENT, THREEFOLD
from envs.game import NotationError
from envs.registry import find_game
from tests.envs.chess.playing import compare_games

GAME = find_game("chess")
SEEN = (CHECKMATE, INSUFFICIENT, THREEFOLD)  # a few games reach these


def test_random_games():
    done, outcomes = compare_games(3000, seed=2)
    assert done >= 3000
    assert sum(outcomes.values()) > 5


@pytest.mark.slow
def test_many_random_games():
    _, outcomes = compare_games(5000, seed=5, compiled=True)
    assert min(outcomes[reason] for reason in SEEN) > 0, outcomes


def test_moves_are_written_and_read_as_chess_does():
    for position in (
        "r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq - 0 1",
        "r3k2r/Pppp1ppp/1b3nbN/nPP5/BB2P3/q4N2/Pp1P2PP/R2Q1RK1 b kq - 0 1",
        "rnbqkbnr/ppp1p1pp/8/3pPp2/8/8/PPPP1PPP/RNBQKBNR w KQkq f6 0 3",
    ):
        state, board = GAME.parse_position(position), chess.Board(position)
        legal = GAME.legal_actions(state)
        assert {GAME.format_move(state, int(a)) for a in legal} == {
            board.uci(move) for move in board.legal_moves
        }
        for action in (int(a) for a in legal):
            move = chess_move(state, action)
            san = chess.Board(position, chess960=True).san(move)
            assert format_san(state, action) == san
            words = (
                san,
                format_uci(state, action, STANDARD),
                format_uci(state, action, STANDARD, True),
            )
            assert {parse_move(state, word, STANDARD) for word in words} == {action}


@pytest.mark.parametrize("word", ["e2e5", "Ke4", "", "e7e8q", "0000", "?!"])
def test_illegal_moves_are_refused(word):
    with pytest.raises(NotationError, match="the legal moves are"):
        GAME.parse_move(GAME.new_state(), word)


def actions_of(words, state):
    actions = []
    for word in words.split():
        actions.append(GAME.parse_move(GAME.line(actions, state)[-1], word))
    return actions


def test_pgn():
    words = "e4 e5 Nf3 Nc6 Bc4 Nd4 O-O Qg5 Nxe5 Qxg2+"
    start = GAME.new_state()
    text = format_pgn(start, actions_of(words, start), {"White": "a", "Black": "b"})
    game = chess.pgn.read_game(io.StringIO(text))
    assert (game.errors, game.headers["White"], game.headers["Result"]) == ([], "a", "*")
    board = game.board()
    assert [board.san_and_push(move) for move in game.mainline_moves()] == words.split()


@pytest.mark.parametrize(
    ("position", "words", "result"),
    [
        ("bqrnkrnb/pppppppp/8/8/8/8/PPPPPPPP/BQRNKRNB w KQkq - 0 1", "g4 g5 Nf3 Nf6 O-O", "*"),
        ("6k1/5ppp/8/8/8/8/8/R3K3 w Q - 0 1", "Ra8#", "1-0"),
        ("7k/8/6K1/8/8/8/5Q2/8 w - - 0 1", "Qf7", "1/2-1/2"),
        ("r5k1/8/8/8/8/8/5PPP/6K1 b - - 0 1", "Ra1#", "0-1"),
    ],
)
def test_pgn_from_positions(position, words, result):
    start = GAME.parse_position(position)
    text = format_pgn(start, actions_of(words, start))
    game = chess.pgn.read_game(io.StringIO(text))
    assert (game.errors, game.headers["Result"]) == ([], result)
    assert game.board().fen() == position
    board = game.board()
    assert [board.san_and_push(move) for move in game.mainline_moves()] == words.split()
