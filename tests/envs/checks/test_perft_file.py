import pytest

from envs.checks.perft_file import PerftTask, read_tasks
from envs.game import GameError, NotationError
from envs.registry import find_game

START = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1"
CHESS = find_game("chess")


def tasks(line, depth=None, game=CHESS):
    return [(t.position, t.depth, t.expected) for t in read_tasks(game, [line], "file", depth)]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (f"{START} ;D1 20 ;D3 8902", [(START, 1, 20), (START, 3, 8902)]),
        (f"{START}; 4", [(START, 4, None)]),
        (f"{START};D4: 197,281  # a comment", [(START, 4, 197281)]),
        (f"{START}\tdepth 2", [(START, 2, None)]),
        (f"{START} 3", [(START, 3, None)]),
        ("e2e4 e5 2", [("e2e4 e5", 2, None)]),
        (f'{{"position": "{START}", "depth": 2, "nodes": 400}}', [(START, 2, 400)]),
        ("# nothing but words", []),
    ],
)
def test_a_line_names_its_depths(line, found):
    lines = [line, f"{START};0"]
    read = read_tasks(CHESS, lines, "file")
    assert [(t.position, t.depth, t.expected) for t in read] == [*found, (START, 0, None)]


def test_the_callers_depth_is_for_lines_without_one_and_the_most_of_the_others():
    assert tasks(START, 3) == [(START, 3, None)]
    assert tasks(f"{START} ;D1 20 ;D2 400 ;D5 4865609", 2) == [(START, 1, 20), (START, 2, 400)]


def test_moves_without_a_separator_may_be_followed_by_a_depth():
    assert tasks("4435 3", game=find_game("connect_four")) == [("4435", 3, None)]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (START, "no depth"),
        (f"{START}; D", "'D' is no depth"),
        (f"{START}; 4 many", "'4 many' is no depth"),
        ("8/8/8 w - - 0 1; 3", "8/8/8"),
        ("e2e5; 3", "e2e5"),
        ('{"position": 3}', "its position is 3"),
        ('{"position": "", "depth": -1}', "its depth is -1"),
        ('{"position": "", "depth": 1, "nodes": "all"}', "its nodes are 'all'"),
        ("{" * 9, "no JSON"),
    ],
)
def test_what_cannot_be_read_is_quoted_with_its_line(line, told):
    with pytest.raises(NotationError) as caught:
        read_tasks(CHESS, ["", f"{START};1", line], "some.epd")
    assert str(caught.value).startswith("some.epd, line 3: ")
    assert told in str(caught.value)
    assert line.partition(";")[0] in str(caught.value)


def test_a_file_needs_positions_and_a_depth_of_plies():
    with pytest.raises(NotationError, match=r"some\.epd: no positions"):
        read_tasks(CHESS, ["# nothing", ""], "some.epd", 3)
    with pytest.raises(GameError, match="depth -2 is negative"):
        read_tasks(CHESS, [START], "some.epd", -2)


def test_draws_do_not_end_a_line_of_chess():
    """The king takes the rook: kings alone are a draw, whose moves perft counts (EPD suite)."""
    position = "8/8/8/8/8/8/6k1/4K2R w K - 0 1"
    for depth, nodes in enumerate((12, 38, 564, 2219), start=1):
        assert PerftTask(position, depth).count(CHESS).nodes == nodes
