"""Which positions the solver's book is made of."""

from arena.solvers.connect_four.book import distinct, position_key, repertoire, write_book
from arena.solvers.connect_four.solver import BOOK_PATH, read_book


def test_a_mirrored_position_is_the_same():
    assert position_key((0, 1, 1)) == position_key((6, 5, 5))
    assert position_key((0, 1, 1)) != position_key((0, 1, 2))
    assert distinct([(0,), (1,), (6,)]) == [(0,), (1,)]


def test_the_repertoire_follows_best_moves_against_every_reply():
    """Where an edge is always best, the player whose move is looked at has only played there."""
    scores, wanted = {}, []
    for moves in repertoire(scores):
        scores[position_key(moves)] = -1 if moves and moves[-1] in (0, 6) else 0
        wanted.append(moves)
    assert [len(moves) for moves in wanted] == sorted(len(moves) for moves in wanted)
    for moves in wanted:
        assert set(moves[(len(moves) - 1) % 2 : -1 : 2]) <= {0, 6}
    assert {moves[0] for moves in wanted if len(moves) == 2} == {0, 1, 2, 3}  # up to mirroring
    assert {moves[1] for moves in wanted if len(moves) == 3} == set(range(7))


def test_what_the_book_holds_is_not_solved_again(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text(BOOK_PATH.read_text())
    write_book(0.0, path)
    assert dict(read_book(path)) == dict(read_book(BOOK_PATH))
