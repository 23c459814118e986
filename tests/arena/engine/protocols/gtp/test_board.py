"""The board of GTP: either side plays in any order, also after the end of a game."""

import pytest

from arena.engine.protocols.gtp.board import GtpBoard
from arena.engine.protocols.gtp.grammar import GtpError
from envs.go.sgf import format_sgf
from envs.registry import find_game

GAME = find_game("go9")
PASS = 81


def after(*moves: tuple[int, str]) -> GtpBoard:
    board = GtpBoard(GAME)
    for colour, word in moves:
        board.play(colour, GAME.parse_action(word))
    return board


def test_a_side_out_of_turn_moves_and_its_move_is_taken_back_alone() -> None:
    board = after((0, "D4"), (0, "E4"), (1, "F4"), (1, "C4"))
    assert (board.cells() == 1).sum() == (board.cells() == 2).sum() == 2
    board.undo()
    assert board.to_play == 0
    assert (board.cells() == 2).sum() == 1


def test_a_game_goes_on_after_two_passes() -> None:
    board = after((0, "D4"), (1, "pass"), (0, "pass"), (1, "E5"))
    assert board.cells().sum() == 3
    assert after((0, "pass"), (0, "pass"), (0, "A1")).cells().sum() == 1


def test_superko_knows_the_boards_before_a_pass_out_of_turn() -> None:
    ko = [(0, "B1"), (1, "C1"), (0, "A2"), (1, "D2"), (0, "B3"), (1, "C3"), (0, "C2"), (1, "B2")]
    board = after(*ko)  # White takes C2
    assert board.cells()[GAME.parse_action("C2")] == 0
    with pytest.raises(GtpError, match="illegal move"):
        board.play(0, GAME.parse_action("C2"))
    board.play(1, GAME.parse_action("J9"))  # after a pass of Black
    board.play(0, GAME.parse_action("C2"))


def test_a_game_goes_on_beyond_its_longest_and_superko_with_it() -> None:
    board = GtpBoard(GAME)
    for ply in range(GAME.max_plies + 5):
        board.play(ply % 2, PASS)
    board.play(board.to_play, 0)
    assert board.cells().sum() in (1, 2)


def test_nothing_to_take_back() -> None:
    with pytest.raises(GtpError, match="cannot undo"):
        GtpBoard(GAME).undo()


@pytest.mark.slow
def test_a_smaller_board_of_a_game_of_several_sizes() -> None:
    game = find_game("go9_from7")
    board, alone = GtpBoard(game, size=7), GtpBoard(find_game("go7"))
    for point in (0, 6, 24, 48, 49):
        assert board.from_game(board.to_game(point)) == point
        for each in (board, alone):
            each.play(each.to_play, point)
    assert board.cells().tolist() == alone.cells().tolist()
    assert board.owners().tolist() == alone.owners().tolist()
    assert (board.chains(), board.draw()) == (alone.chains(), alone.draw())
    assert format_sgf(board.record(9.0)) == format_sgf(alone.record(9.0))
    with pytest.raises(GtpError, match="illegal move"):
        board.play(0, 24)
    board.undo()
    assert board.to_play == 0


@pytest.mark.slow
def test_a_game_on_a_smaller_board_goes_on_beyond_its_longest() -> None:
    board = GtpBoard(find_game("go9_from7"), size=7)
    for ply in range(2 * 49 + 5):
        board.play(ply % 2, 49)
    board.play(board.to_play, 0)
    assert board.cells().sum() in (1, 2)
