from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from arena.match.distinct_openings import distinct_openings
from arena.match.openings import (
    Opening,
    balanced_openings,
    book_openings,
    position_opening,
    random_openings,
)
from arena.solvers.connect_four.test_set import load_test_sets
from arena.solvers.players import SolverPlayer
from envs.game import NotationError
from envs.registry import find_game

TIC_TAC_TOE, CONNECT_FOUR = find_game("tic_tac_toe"), find_game("connect_four")


def take(stream, count: int) -> list[Opening]:
    return list(islice(stream, count))


def keys(openings: list[Opening]) -> list[bytes]:
    return [o.state.tobytes() for o in openings]


def test_random_openings_differ_and_are_not_over() -> None:
    found = take(random_openings(CONNECT_FOUR, 9).stream(0), 50)
    assert len(set(keys(found))) == 50
    assert {int(o.state["ply"][0]) for o in found} == {9} == {o.plies for o in found}
    assert not any(CONNECT_FOUR.rules.is_terminal(o.state[0]) for o in found)


@pytest.mark.parametrize("make", [random_openings, balanced_openings])
def test_the_seed_decides_and_a_longer_stream_begins_like_a_shorter(make) -> None:
    openings = make(CONNECT_FOUR)
    assert keys(take(openings.stream(3), 40))[:10] == keys(take(openings.stream(3), 10))
    assert keys(take(openings.stream(3), 10)) != keys(take(openings.stream(4), 10))


@pytest.mark.parametrize(("plies", "count"), [(0, 1), (1, 9), (2, 72), (4, 756)])
def test_a_stream_has_every_opening_once_and_ends(plies: int, count: int) -> None:
    """Tic-tac-toe's positions are known: with k stones, 9! / (a! b! (9 - k)!) of them."""
    for seed in range(3):
        found = keys(take(random_openings(TIC_TAC_TOE, plies).stream(seed), 9999))
        assert len(found) == len(set(found)) == count


def test_even_openings_end_too() -> None:
    """A quarter of the 72 positions after two plies."""
    found = keys(take(balanced_openings(TIC_TAC_TOE, 2).stream(0), 9999))
    assert len(found) == len(set(found)) == 18


@pytest.mark.parametrize(
    ("game", "label", "count"),
    [("tic_tac_toe", "random:3", 252), ("connect_four", "random:6", 16_422)]
    + [("othello", "random:7", 42_614), ("othello6", "random:7", 36_294)],
)
def test_by_default_there_are_openings_enough(game: str, label: str, count: int) -> None:
    """For 10,000 pairs, but in tic-tac-toe; Connect Four's positions a ply are published."""
    found = find_game(game)
    assert random_openings(found).label == label
    assert balanced_openings(found).label in (label.replace("random", "balanced"), "balanced")
    states = distinct_openings(found, int(label.partition(":")[2]))
    assert states is not None
    assert len(states) == len({state.tobytes() for state in states}) == count
    assert not any(found.rules.is_terminal(state) for state in states[:200])


def test_too_many_openings_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arena.match.distinct_openings.MOST_POSITIONS", 1000)
    assert distinct_openings(CONNECT_FOUR, 4) is None


def test_an_opening_is_named_by_its_position() -> None:
    first, second, third = take(random_openings(TIC_TAC_TOE, 2).stream(0), 3)
    again = take(random_openings(TIC_TAC_TOE, 2).stream(0), 1)[0]
    assert first.id == again.id
    assert len({first.id, second.id, third.id}) == 3
    assert len(first.id) == 16


def test_openings_longer_than_the_game_are_refused() -> None:
    with pytest.raises(ValueError, match="openings of 9 plies"):
        next(random_openings(TIC_TAC_TOE, 9).stream(0))
    with pytest.raises(ValueError, match="openings of -1 plies"):
        random_openings(TIC_TAC_TOE, -1)


def test_balanced_connect_four_begins_from_solved_draws() -> None:
    openings = balanced_openings(CONNECT_FOUR)
    found = take(openings.stream(0), 1000)
    assert len(found) == openings.count == len(set(keys(found))) > 80
    best = {
        CONNECT_FOUR.position(moves).tobytes(): scores.max()
        for scored in load_test_sets().values()
        for moves, scores in zip(scored.moves, scored.scores)
    }
    assert all(best[o.state[0].tobytes()] == 0 for o in found)
    assert max(o.plies for o in found) <= 28
    with pytest.raises(ValueError, match="not of 4 plies"):
        balanced_openings(CONNECT_FOUR, 4)


def test_a_solver_judges_where_there_is_one() -> None:
    """Half of tic-tac-toe after 3 plies is lost for somebody; what is played is not."""
    solver = SolverPlayer(TIC_TAC_TOE)

    def drawn_share(openings: list[Opening]) -> float:
        states = np.concatenate([o.state for o in openings])
        return float((solver.analyze(states).value_to_play == 0).mean())

    assert drawn_share(take(random_openings(TIC_TAC_TOE, 3).stream(0), 64)) < 0.8
    assert drawn_share(take(balanced_openings(TIC_TAC_TOE, 3).stream(0), 32)) == 1.0


def test_elsewhere_a_search_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_solver(game: object) -> None:
        raise ValueError("no solver")

    by_solver = keys(take(balanced_openings(TIC_TAC_TOE, 3).stream(0), 8))
    monkeypatch.setattr("arena.match.openings.SolverPlayer", no_solver)
    openings = balanced_openings(TIC_TAC_TOE, 3)
    assert (openings.label, openings.count) == ("balanced:3", None)
    found = take(openings.stream(0), 8)
    assert {o.plies for o in found} == {3}
    assert keys(found) == keys(take(openings.stream(0), 8)) != by_solver
    states = np.concatenate([o.state for o in found])
    monkeypatch.undo()
    values = SolverPlayer(TIC_TAC_TOE).analyze(states).value_to_play
    assert (values == 0).mean() > 0.7  # random ones: half


def test_a_book_is_played_in_the_order_of_the_seed(tmp_path: Path) -> None:
    book = tmp_path / "even.txt"
    book.write_text("# even ones\n44\n\n4435  # with a comment\n1212\n2121\n", encoding="utf-8")
    openings = book_openings(CONNECT_FOUR, book)
    assert openings.count == 4
    orders = [keys(list(openings.stream(seed))) for seed in range(8)]
    assert orders[0] == keys(list(openings.stream(0)))
    assert len({tuple(order) for order in orders}) > 1
    assert all(sorted(order) == sorted(orders[0]) for order in orders)
    assert sorted(o.plies for o in openings.stream(0)) == [2, 4, 4, 4]


def test_openings_that_lead_to_the_same_position_count_once(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text("142\n241\n", encoding="utf-8")
    assert book_openings(CONNECT_FOUR, book).count == 1


def test_the_label_of_a_book_is_of_what_it_holds(tmp_path: Path) -> None:
    labels = set()
    for text in ("44\n55", "44\n55\n# more\n", "44\n56"):
        book = tmp_path / "book.txt"
        book.write_text(text, encoding="utf-8")
        labels.add(book_openings(CONNECT_FOUR, book).label)
    assert len(labels) == 2
    assert all(label.startswith("book:book.txt:") for label in labels)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("44\n48\n", "book.txt:2: "),
        ("1212121\n", "book.txt:1: after 1212121 the game is over"),
        ("# nothing\n\n", "book.txt: no games; expected the moves of one in each line"),
    ],
)
def test_what_is_no_book_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    book = tmp_path / "book.txt"
    book.write_text(text, encoding="utf-8")
    with pytest.raises(NotationError) as raised:
        book_openings(CONNECT_FOUR, book)
    assert told in str(raised.value)


CHESS = find_game("chess")
ENDGAME = "6k1/5ppp/8/8/8/8/8/R3K3 w Q - 0 1"


def test_a_position_is_one_opening_that_comes_once_a_stream() -> None:
    openings = position_opening(CHESS, f"{ENDGAME} moves Kd2")
    (one,) = openings.stream(0)
    (again,) = openings.stream(7)
    assert one.id == again.id
    assert (one.plies, one.moves, openings.count) == (1, None, None)
    assert CHESS.format_position(one.state[0]) == "6k1/5ppp/8/8/8/8/3K4/R7 b - - 1 1"
    assert position_opening(CHESS, "e4 e5").label != openings.label


@pytest.mark.parametrize("text", ["6k1/8 w - -", "e4 Ke3", f"{ENDGAME} moves Ra8"])
def test_a_position_that_is_none_or_over_is_no_opening(text: str) -> None:
    with pytest.raises(NotationError, match=r"6k1/8|Ke3|the game is over there"):
        position_opening(CHESS, text)


def test_a_book_has_positions_moves_and_games(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text(f"{ENDGAME}\ne4 e5 # moves\n{ENDGAME} moves Kd2\n")
    lines = book_openings(CHESS, tmp_path / "book.txt")
    assert sorted(o.plies for o in lines.stream(0)) == [0, 1, 2]
    (tmp_path / "book.pgn").write_text("1. e4 e5 2. Nf3 *\n\n1. d4 d5 *\n\n1. e4 e5 2. Nc3 *\n")
    games = book_openings(CHESS, tmp_path / "book.pgn")
    assert sorted(o.plies for o in games.stream(0)) == [2, 3, 3]
    cut = book_openings(CHESS, tmp_path / "book.pgn", plies=2)
    assert cut.count == 2
    with pytest.raises(ValueError, match="have their own length"):
        book_openings(CHESS, tmp_path / "book.txt", plies=2)
    (tmp_path / "book.pgn").write_text("1. f3 e5 2. g4 Qh4# 0-1\n")
    with pytest.raises(NotationError, match=r"book\.pgn, game 1: after 4 moves the game is over"):
        book_openings(CHESS, tmp_path / "book.pgn")
