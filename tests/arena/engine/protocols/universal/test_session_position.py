import chess
import pytest

from arena.engine.position import position_after
from arena.engine.protocols.universal.session_position import SessionPosition
from envs.game import GameError
from envs.registry import find_game

GAME = find_game("chess")
THERE_AND_BACK = ["g1f3", "g8f6", "f3g1", "f6g8"]


def fen_of(told: SessionPosition) -> str:
    assert GAME.format_position is not None
    return GAME.format_position(told.position.state[0])


def test_a_game_is_followed_as_if_it_came_at_once() -> None:
    moves = ["e2e4", "e7e5", "g1f3", "b8c6", "f1b5", "a7a6", "e1g1"]
    told = SessionPosition(GAME)
    for count in range(len(moves) + 1):
        told = told.after("", moves[:count])
        once = position_after(GAME, GAME.parse_moves(" ".join(moves[:count])))
        assert told.position.state.tobytes() == once.state.tobytes()
        assert told.position.moves == once.moves
        assert told.position.start == once.start
        assert told.position.past.counts[0] == count
        assert (told.position.past.keys == once.past.keys).all()


def test_each_position_continues_the_last() -> None:
    first = SessionPosition(GAME).after("", ["e2e4"])
    later = first.after("", ["e2e4", "e7e5", "g1f3"])
    assert later.position.moves_since(first.position) == later.position.moves[1:]
    other = first.after("", ["d2d4"])
    assert other.position.moves_since(first.position) is None
    assert first.moves == ("e2e4",)  # as it was
    assert first.position.past.counts[0] == 1


def test_a_start_of_its_own() -> None:
    fen = "r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 3 9"
    told = SessionPosition(GAME).after(fen, ["e1g1", "e8a8"])  # castling in either notation
    board = chess.Board(fen, chess960=True)
    for move in ("e1h1", "e8a8"):
        board.push_uci(move)
    assert fen_of(told).split()[:4] == board.fen(en_passant="legal").split()[:4]


@pytest.mark.parametrize(
    ("start", "moves"), [("", ["e2e5"]), ("", ["e2e4", "e2e4"]), ("8/8 w - - 0 1", [])]
)
def test_what_is_no_position_is_refused(start: str, moves: list[str]) -> None:
    with pytest.raises(GameError):
        SessionPosition(GAME).after(start, moves)


def test_a_game_goes_on_after_a_draw_that_nobody_claimed() -> None:
    moves = THERE_AND_BACK * 2
    told = SessionPosition(GAME).after("", moves)  # the third time of the start
    assert not GAME.rules.is_terminal(told.position.state[0])
    assert told.position.past.counts[0] == 0
    told = told.after("", [*moves, "e2e4"])
    assert fen_of(told).split()[0] == "rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR"
    late = SessionPosition(GAME).after("4k3/8/8/8/8/8/3R4/4K3 w - - 99 80", ["d2d3", "e8e7"])
    assert not GAME.rules.is_terminal(late.position.state[0])


def test_mate_and_stalemate_end_a_game() -> None:
    mated = SessionPosition(GAME).after("", ["f2f3", "e7e5", "g2g4", "d8h4"])
    assert GAME.rules.is_terminal(mated.position.state[0])
    stale = SessionPosition(GAME).after("7k/5Q2/6K1/8/8/8/8/8 b - - 0 1", [])
    assert GAME.rules.is_terminal(stale.position.state[0])
    with pytest.raises(GameError, match="the game is over there"):
        mated.after("", ["f2f3", "e7e5", "g2g4", "d8h4", "a2a3"])
