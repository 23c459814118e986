from dataclasses import replace

import pytest

from arena.play.screen.board import (
    SIZES,
    CellMarks,
    actions_by_cell,
    changed_cells,
    digit_actions,
    draw,
    fit,
    hues,
    read_grid,
    winning_cells,
)
from envs.registry import find_game

GAMES = ("connect_four", "othello", "othello6", "tic_tac_toe")


def grid_after(name: str, text: str) -> object:
    game = find_game(name)
    grid = read_grid(game, game.position(game.parse_moves(text)))
    assert grid is not None
    return grid


@pytest.mark.parametrize("name", GAMES)
def test_every_legal_move_has_a_cell_that_means_it(name: str) -> None:
    game = find_game(name)
    cells = actions_by_cell(game, grid_after(name, ""))
    legal = set(game.legal_mask(game.new_state()).nonzero()[0].tolist())
    assert legal <= set(cells.values())
    assert len(cells) == game.planes_shape[1] * game.planes_shape[2]


def test_the_grid_agrees_with_the_planes_of_the_network() -> None:
    for name, text in (("connect_four", "44352"), ("othello", "d3 c5 e6 f5 c6")):
        game, grid = find_game(name), grid_after(name, text)
        planes = game.encode(game.position(game.parse_moves(text)))  # the second player's turn
        kinds = {"O": planes[0], "X": planes[1]}
        for kind, plane in kinds.items():
            found = [[float(cell == kind) for cell in row] for row in grid.cells]
            assert plane.tolist() == found


@pytest.mark.parametrize("missing", ["cells", "board"])
def test_a_game_that_does_not_tell_its_cells_has_no_grid(missing: str) -> None:
    game = find_game("tic_tac_toe")
    other = object.__new__(type(game))
    other.__dict__.update({**game.__dict__, missing: None})
    assert read_grid(other, game.new_state()) is None


def test_what_a_game_notes_stands_below_its_board() -> None:
    grid = grid_after("othello", "d3")
    assert grid.notes == ("X 4  O 1",)
    lines = draw(find_game("othello"), fit(grid, 60, 25), CellMarks()).plain.splitlines()
    assert lines[-1].strip() == "X 4  O 1"


def test_what_a_move_filled() -> None:
    before, after = grid_after("connect_four", "44"), grid_after("connect_four", "443")
    assert changed_cells(before, after) == [(5, 2)]
    before, after = grid_after("othello", ""), grid_after("othello", "d3")
    assert changed_cells(before, after) == [(2, 3)]  # and not the disc that was turned


@pytest.mark.parametrize(
    ("name", "text", "won"),
    [
        ("connect_four", "1122334", {(5, c) for c in range(4)}),
        ("connect_four", "1212121", {(r, 0) for r in range(2, 6)}),
        ("connect_four", "12233434544", {(5, 0), (4, 1), (3, 2), (2, 3)}),
        ("tic_tac_toe", "a1 b1 b2 c1 c3", {(0, 0), (1, 1), (2, 2)}),
        ("tic_tac_toe", "a1 b1 b2 c1", set()),
        ("othello", "d3 c5", set()),
    ],
)
def test_the_winning_line(name: str, text: str, won: set[tuple[int, int]]) -> None:
    assert winning_cells(find_game(name), grid_after(name, text)) == won


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize(("width", "height"), [(20, 5), (36, 16), (60, 20), (90, 34)])
def test_a_point_of_a_cell_leads_back_to_it(name: str, width: int, height: int) -> None:
    layout = fit(grid_after(name, ""), width, height)
    assert (layout.cell_width, layout.cell_height) in SIZES
    for row in range(layout.grid.height):
        for column in range(layout.grid.width):
            x = layout.left + column * layout.cell_width
            y = layout.top + row * layout.cell_height
            last = (x + layout.cell_width - 1, y + layout.cell_height - 1)
            assert layout.cell_at(x, y) == layout.cell_at(*last) == (row, column)
    assert layout.cell_at(layout.left - 1, layout.top) is None
    assert layout.cell_at(layout.left, layout.top + 40) is None


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize(("width", "height"), [(36, 16), (48, 20), (72, 36)])
def test_the_drawing_stays_within_its_room(name: str, width: int, height: int) -> None:
    game, grid = find_game(name), grid_after(name, "")
    lines = draw(game, fit(grid, width, height), CellMarks()).plain.split("\n")
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_larger_rooms_have_larger_cells() -> None:
    grid = grid_after("othello", "")
    assert [fit(grid, w, h).cell_height for w, h in ((36, 16), (60, 25), (72, 36))] == [1, 2, 3]


def test_the_labels_of_columns_belong_to_them() -> None:
    layout = fit(grid_after("connect_four", ""), 36, 16)
    below = layout.top + layout.grid.height
    assert layout.cell_at(layout.left + 4, below) == (5, 1)


def test_marks_are_seen_without_colours() -> None:
    game, grid = find_game("connect_four"), grid_after("connect_four", "1122334")
    won = tuple(winning_cells(game, grid))
    text = draw(game, fit(grid, 36, 16), CellMarks(last=((5, 3),), won=won), plain=True).plain
    assert "*●**●**●**●*" in text
    shown = draw(
        game, fit(grid, 36, 16), CellMarks(last=((4, 0),), cursor=(0, 6)), plain=True
    ).plain
    assert "[○]" in shown
    assert shown.splitlines()[fit(grid, 36, 16).top - 1].strip() == "▼"


@pytest.mark.parametrize(("width", "height"), [(36, 16), (60, 25), (72, 36)])
def test_the_players_differ_without_colours(width: int, height: int) -> None:
    game = find_game("othello")
    layout = fit(grid_after("othello", ""), width, height)
    text = draw(game, layout, CellMarks(), plain=True)
    lines = text.plain.split("\n")

    def inside(row: int, column: int) -> list[str]:
        x, y = layout.left + column * layout.cell_width, layout.top + row * layout.cell_height
        return [line[x : x + layout.cell_width] for line in lines[y : y + layout.cell_height]]

    assert inside(3, 3) == inside(4, 4) != inside(3, 4) == inside(4, 3)


def test_colours_are_those_of_the_players_names() -> None:
    game = find_game("othello")
    assert hues(game) == ("black", "white")
    assert hues(find_game("connect_four")) == ("red", "yellow")
    named = replace(find_game("tic_tac_toe"), player_names=("north", "south (mauve)"))
    assert hues(named) == ("red", "yellow")


def test_digits_are_columns_or_the_cells_of_a_small_board() -> None:
    found = {}
    for name in GAMES:
        game, grid = find_game(name), grid_after(name, "")
        found[name] = digit_actions(game, grid, actions_by_cell(game, grid))
    assert found["connect_four"] == {str(i + 1): i for i in range(7)}
    assert found["tic_tac_toe"] == {str(i + 1): i for i in range(9)}
    assert found["othello"] == found["othello6"] == {}
