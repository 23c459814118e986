"""Clicks on pieces, and the cells of games that say what stands on them."""

import pytest
from rich.cells import cell_len

from arena.play.screen.board import CellMarks, draw, fit, hand_cell, read_grid
from arena.play.screen.picking import Picker, move_ends
from envs.registry import find_game

CHESS, SHOGI = find_game("chess"), find_game("shogi")
PROMOTING = "r3k2r/1P6/8/8/8/8/6q1/R3K2R w KQkq - 0 1"
DROPPING = "4k4/9/9/9/9/9/9/9/4K4 b R2Pb 1"


def squares(*names):
    return [(8 - int(name[1]), ord(name[0]) - ord("a")) for name in names]


def clicked(game, position, *cells):
    state, picker = game.parse_position(position), Picker(game)
    found = [picker.click(state, cell) for cell in cells]
    words = [None if action is None else game.written(state, action) for action in found]
    return state, picker, words


def test_two_clicks_are_a_move() -> None:
    _, picker, words = clicked(CHESS, PROMOTING, *squares("e1", "c1"))
    assert words == [None, "e1c1"]
    assert picker.chosen is None


def test_a_piece_shows_where_it_may_go() -> None:
    state, picker, _ = clicked(CHESS, PROMOTING, *squares("b7"))
    assert sorted(picker.targets(state)) == sorted(squares("a8", "b8"))
    grid = read_grid(CHESS, state)
    assert grid is not None
    marks = CellMarks(legal=picker.targets(state), chosen=picker.chosen)
    text = draw(CHESS, fit(grid, 40, 12, True), marks, True).plain
    assert "8 {r} · " in text  # to take, to go to
    assert "(P)" in text


def test_a_click_elsewhere_lets_go_or_chooses_another() -> None:
    _, picker, words = clicked(CHESS, PROMOTING, *squares("e1", "a5"))
    assert (words, picker.chosen) == ([None, None], None)
    _, picker, words = clicked(CHESS, PROMOTING, *squares("e1", "a1"))
    assert [picker.chosen] == squares("a1")
    _, picker, _ = clicked(CHESS, PROMOTING, *squares("e1", "e1"))
    assert picker.chosen is None
    _, picker, _ = clicked(CHESS, PROMOTING, *squares("g2"))  # not the side to move
    assert picker.chosen is None


def test_a_promotion_is_chosen_by_its_number() -> None:
    state, picker, words = clicked(CHESS, PROMOTING, *squares("b7", "a8"))
    assert words == [None, None]
    asked = picker.question(state).removeprefix("which? ").split()
    assert asked[0::2] == ["1", "2", "3", "4"]
    assert sorted(asked[1::2]) == ["b7a8b", "b7a8n", "b7a8q", "b7a8r"]
    assert picker.choose(5) is None
    number = asked.index("b7a8n") // 2 + 1
    action = picker.choose(number)
    assert action is not None
    assert CHESS.written(state, action) == "b7a8n"
    assert (picker.choices, picker.chosen) == ([], None)


def test_a_piece_in_hand_is_dropped() -> None:
    pawn, rook = hand_cell(0, 0), hand_cell(0, 6)
    state, picker, words = clicked(SHOGI, DROPPING, rook, (4, 4))
    assert words == [None, "R*5e"]
    state, picker, _ = clicked(SHOGI, DROPPING, pawn)
    assert (0, 0) not in picker.targets(state)  # a pawn could not move on from there
    assert (1, 0) in picker.targets(state)
    _, picker, _ = clicked(SHOGI, DROPPING, hand_cell(1, 5))  # the other player's bishop
    assert picker.chosen is None


def test_another_position_lets_go_of_the_piece() -> None:
    _, picker, _ = clicked(CHESS, PROMOTING, *squares("e1"))
    assert picker.targets(CHESS.new_state()) == []
    assert picker.chosen is None


@pytest.mark.parametrize("name", ["chess", "chess5", "shogi", "minishogi"])
def test_the_ends_of_moves_are_those_of_their_words(name: str) -> None:
    """Both sides' moves, by the names of columns and rows."""
    game = find_game(name)
    moves: list[int] = []
    for _ in range(2):
        state = game.position(moves)
        grid = read_grid(game, state)
        assert grid is not None
        for action in map(int, game.legal_actions(state)):
            leave, arrive = move_ends(game, state, action)
            assert leave is not None
            assert arrive is not None
            words = [grid.columns[column] + grid.rows[row] for row, column in (leave, arrive)]
            assert "".join(words) == game.written(state, action)[:4]
            piece = grid.cells[leave[0]][leave[1]]
            assert piece.isupper() == (len(moves) == 0)
        moves.append(int(game.legal_actions(state)[0]))


@pytest.mark.parametrize(
    ("name", "position"),
    [("chess", PROMOTING), ("shogi", DROPPING), ("go9", "9/9/2X6/9/9/9/9/9/9 w"), ("hex7", "")],
)
@pytest.mark.parametrize(("width", "height"), [(36, 16), (60, 26), (100, 40)])
@pytest.mark.parametrize("plain", [True, False])
def test_every_cell_and_hand_is_under_its_own_point(name, position, width, height, plain) -> None:
    game = find_game(name)
    state = game.parse_position(position) if position else game.new_state()
    grid = read_grid(game, state)
    assert grid is not None
    layout = fit(grid, width, height, plain)
    lines = draw(game, layout, CellMarks(), plain).plain.split("\n")
    assert len(lines) <= height
    for row in range(grid.height):
        for column in range(grid.width):
            x = layout.left + column * layout.cell_width + row * layout.shift
            y = layout.top + row * layout.cell_height
            assert layout.cell_at(x, y) == (row, column)
    for side in range(len(grid.hands)):
        for kind, text in layout.hand(side):
            (y,) = [y for y, line in enumerate(lines) if text in line and "hand" in line]
            x = cell_len(lines[y][: lines[y].index(text)])
            assert layout.cell_at(x, y) == layout.cell_at(x + cell_len(text) - 1, y)
            assert layout.cell_at(x, y) == hand_cell(side, kind)


def test_pieces_have_unicode_and_letters_and_a_king_in_check_is_marked() -> None:
    state = CHESS.parse_position("4k3/8/8/8/8/8/4q3/4K3 w - - 0 1")
    grid = read_grid(CHESS, state)
    assert grid is not None
    assert grid.checked == squares("e1")[0]
    marks = CellMarks(check=grid.checked)
    assert "!K!" in draw(CHESS, fit(grid, 40, 12, True), marks, True).plain
    shown = draw(CHESS, fit(grid, 40, 12), marks).plain
    assert "!♔!" in shown
    assert "♚" in shown
    grid = read_grid(SHOGI, SHOGI.parse_position("4k4/9/9/9/4+r4/9/9/9/4K4 b - 1"))
    assert grid is not None
    assert grid.checked == (8, 4)
    assert "龍" in draw(SHOGI, fit(grid, 60, 16), CellMarks()).plain
    assert "+r" in draw(SHOGI, fit(grid, 60, 16, True), CellMarks(), True).plain
