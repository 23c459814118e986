from pathlib import Path

import pytest

from arena.play.screen.move_history import (
    MOST_BYTES,
    GameFileError,
    MoveHistory,
    read_game,
    write_game,
)
from envs.registry import find_game

CONNECT_FOUR, OTHELLO = find_game("connect_four"), find_game("othello")


def test_positions_are_those_that_the_moves_lead_to() -> None:
    moves = OTHELLO.parse_moves("d3 c5 e6 f5")
    history = MoveHistory(OTHELLO, moves)
    assert history.undo()
    assert history.undo()
    assert history.redo()
    for ply in range(4):
        assert history.states[ply] == OTHELLO.position(moves[:ply])
    assert history.state == OTHELLO.position(moves[:3])


def test_another_move_forgets_what_was_taken_back() -> None:
    history = MoveHistory(CONNECT_FOUR, [3, 3, 2])
    history.undo()
    history.undo()
    history.play(3)
    assert history.undone == [2]  # the same move again
    history.play(6)
    assert history.undone == []
    assert not history.redo()
    assert history.moves == [3, 3, 6]


def test_there_is_an_end_to_taking_back() -> None:
    history = MoveHistory(CONNECT_FOUR, [3])
    assert [history.undo(), history.undo()] == [True, False]


@pytest.mark.parametrize(("game", "text"), [(CONNECT_FOUR, "4435"), (OTHELLO, "d3 c5 e6")])
def test_a_saved_game_is_read_back(game: object, text: str, tmp_path: Path) -> None:
    history = MoveHistory(game, game.parse_moves(text))
    write_game(tmp_path / "game.txt", history, "X: you; O: mcts:1000")
    assert (tmp_path / "game.txt").read_text().splitlines()[-1] == text
    assert [*read_game(tmp_path / "game.txt", game).moves] == history.moves


def test_a_file_may_have_comments_and_many_lines(tmp_path: Path) -> None:
    (tmp_path / "game.txt").write_text("# mine\n44 \n\n3 # a comment\n5\n")
    assert [*read_game(tmp_path / "game.txt", CONNECT_FOUR).moves] == [3, 3, 2, 4]


def test_a_file_is_replaced_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "game.txt"
    write_game(path, MoveHistory(CONNECT_FOUR, [3]), "")
    with pytest.raises(GameFileError, match=r"there already; save as game.txt! replaces"):
        write_game(path, MoveHistory(CONNECT_FOUR, [2]), "")
    assert [*read_game(path, CONNECT_FOUR).moves] == [3]
    write_game(path, MoveHistory(CONNECT_FOUR, [2]), "", replace=True)
    assert [*read_game(path, CONNECT_FOUR).moves] == [2]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"4484", r"move 3, '8', is not legal in connect_four: the legal moves are 1 2 3"),
        (b"\xff\xfe\x00", "is no text file"),
        (b"4" * (MOST_BYTES + 1), "too long for one game"),
    ],
)
def test_a_bad_file_is_explained(data: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "game.txt").write_bytes(data)
    with pytest.raises(GameFileError, match=told):
        read_game(tmp_path / "game.txt", CONNECT_FOUR)


def test_a_file_that_is_not_there_or_a_folder_is_explained(tmp_path: Path) -> None:
    with pytest.raises(GameFileError, match="No such file"):
        read_game(tmp_path / "none.txt", CONNECT_FOUR)
    with pytest.raises(GameFileError, match="Is a directory"):
        read_game(tmp_path, CONNECT_FOUR)
    with pytest.raises(GameFileError, match="No such file"):
        write_game(tmp_path / "no" / "game.txt", MoveHistory(CONNECT_FOUR), "")
    with pytest.raises(GameFileError, match="null"):
        read_game(Path("game\0.txt"), CONNECT_FOUR)


FEN = "6k1/5ppp/8/8/8/8/8/R3K3 w Q - 0 1"


def test_a_game_from_a_position_is_saved_and_read_as_text_and_as_pgn(tmp_path: Path) -> None:
    game = find_game("chess")
    start = game.parse_position(FEN)
    history = MoveHistory(game, game.parse_moves("e1c1 h6 Rd8", start), start)
    assert history.undo()
    assert len(history.states) == len(history.moves) + 1 == 3
    for name in ("game.txt", "game.pgn"):
        write_game(tmp_path / name, history, "x", names=("a", "b"))
        read = read_game(tmp_path / name, game)
        assert game.format_position(read.start) == FEN
        assert [*read.moves] == history.moves
    assert '[White "a"]' in (tmp_path / "game.pgn").read_text()
    assert f"{FEN} moves e1c1 h7h6" in (tmp_path / "game.txt").read_text()
