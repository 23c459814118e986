from threading import Lock

import pytest

from agents.players import ROLLOUT_CONFIG, RandomPlayer, rollout_player
from arena.play.screen.review import Review, mark_of
from envs.registry import find_game
from tests.arena.play.screen.players import FailingPlayer, HeldPlayer

GAME = find_game("tic_tac_toe")


def reviewed(text: str, analyst: object | None = None, game: object = GAME) -> Review:
    player = analyst or RandomPlayer(game)
    review = Review(game, game.parse_moves(text), player, Lock())
    review.run()
    assert review.finished.is_set()
    return review


def test_proven_blunders_are_marked_exactly() -> None:
    # b1 is a draw thrown away (a corner is answered in the centre), c3 gives the win back.
    review = reviewed("a1 b1 b2 c3 b3 a3 c1")
    judged = [review.judge(ply) for ply in range(7)]
    assert all(j.exact for j in judged)
    assert [(j.drop, j.mark) for j in judged[:3]] == [(0.0, ""), (1.0, "??"), (0.0, "")]
    assert [review.exact[ply] for ply in (0, 1, 2)] == [0.0, 0.0, 1.0]
    assert review.exact[-1] == float(GAME.rules.value_to_play(review.history.state))


def test_estimates_mark_where_nothing_is_proven() -> None:
    game = find_game("connect_four")
    player = rollout_player(game, ROLLOUT_CONFIG)
    review = reviewed("4141417", player, game)  # X could have won with 4, and now O can with 1
    assert review.exact == [None] * 8
    assert (review.judge(6).mark, review.judge(6).exact) == ("??", False)
    assert review.judge(6).drop > 1.0
    assert review.snapshots[6].candidates[0].action == 3


def test_a_solver_knows_the_late_game() -> None:
    game = find_game("connect_four")
    text = "44444433333355555511"
    review = reviewed(text, None, game)
    known = [ply for ply, exact in enumerate(review.exact) if exact is not None]
    assert known == list(range(16, len(text) + 1))


@pytest.mark.parametrize(
    ("drop", "mark"), [(0.0, ""), (0.24, ""), (0.25, "?!"), (0.5, "?"), (0.8, "??"), (2.0, "??")]
)
def test_thresholds(drop: float, mark: str) -> None:
    assert mark_of(drop) == mark


def test_a_review_can_be_left() -> None:
    held = HeldPlayer(GAME)
    review = Review(GAME, [0, 1], held, Lock())
    review.start()
    assert held.began.wait(60)
    assert review.progress == "0 of 3 positions"
    review.cancel()
    held.free.set()
    assert review.finished.wait(60)
    assert review.snapshots[1:] == [None, None]
    assert review.exact == [None] * 3
    assert review.judge(0) is None


def test_a_failing_analyst_is_told() -> None:
    class Failing(FailingPlayer):
        def analyze(self, states: object) -> object:
            raise ValueError("out of memory")

    review = reviewed("a1", Failing(GAME))
    assert review.progress == "the analysis failed: out of memory"
