from pathlib import Path

import pytest

from arena.names import AgentNameError
from arena.rating.anchors import parse_anchors, split_rating
from envs.registry import find_game
from tests.arena.ladders import make_run

TIC_TAC_TOE, CHESS = find_game("tic_tac_toe"), find_game("chess")


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Run `first` with checkpoints 3 and 7."""
    make_run(tmp_path, "first", 3, 7)
    return str(tmp_path)


def test_anchors_may_be_fixed_and_have_options(store: str) -> None:
    text = "random, mcts:100=0, mcts:sims=50,c_init=2, first@3:sims=64=-12.5"
    assert parse_anchors(text, TIC_TAC_TOE, store) == {
        "random": None,
        "mcts:100": 0.0,
        "mcts:c_init=2,sims=50": None,
        "first@3:sims=64": -12.5,
    }
    assert parse_anchors("", TIC_TAC_TOE, store) == {}


def test_programs_are_anchors_beside_others() -> None:
    text = "uci:stockfish?nodes=9&elo=1320=1320,uci:stockfish?elo=1600=1600,random=0,uci:lc0,mcts:9"
    assert parse_anchors(text, CHESS, "nowhere") == {
        "uci:stockfish?elo=1320&nodes=9": 1320.0,
        "uci:stockfish?elo=1600": 1600.0,
        "random": 0.0,
        "uci:lc0": None,
        "mcts:9": None,
    }


@pytest.mark.parametrize(
    ("text", "agent", "elo"),
    [
        ("random=0", "random", 0.0),
        ("mcts:100", "mcts:100", None),
        ("mcts:sims=100", "mcts:sims=100", None),
        ("mcts:sims=100=1e3", "mcts:sims=100", 1000.0),
        ("first@3=12", "first@3", 12.0),
        ("uci:stockfish", "uci:stockfish", None),
        ("uci:stockfish=3000", "uci:stockfish", 3000.0),
        ("uci:stockfish?elo=1500", "uci:stockfish?elo=1500", None),
        ("uci:stockfish?elo=1500=1500", "uci:stockfish?elo=1500", 1500.0),
        ("uci:x?elo=1500&nodes=5", "uci:x?elo=1500&nodes=5", None),
        ("uci:x?elo=1500&nodes=5=-7.5", "uci:x?elo=1500&nodes=5", -7.5),
        ("gtp:prog --size=9?", "gtp:prog --size=9?", None),
        ("gtp:prog --size=9?=1500", "gtp:prog --size=9?", 1500.0),
        ("uci:'/my engine'=1500", "uci:'/my engine'", 1500.0),
    ],
)
def test_a_rating_follows_the_last_sign_after_a_whole_name(
    text: str, agent: str, elo: float | None
) -> None:
    assert split_rating(text) == (agent, elo)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("mcts:100=strong", "expected a rating in Elo after =, got 'strong'"),
        ("random=inf", "got 'inf'"),
        ("random=", "got ''"),
        ("mcts,mcts:1000", "'mcts:1000' is named twice"),
        ("radnom", "did you mean 'random'"),
    ],
)
def test_anchors_that_make_no_sense_are_told(store: str, text: str, told: str) -> None:
    with pytest.raises(AgentNameError, match=told):
        parse_anchors(text, TIC_TAC_TOE, store)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("uci:stockfish?elo=1500=strong", "expected a rating in Elo after =, got 'strong'"),
        ("uci:stockfish?elo=1500=", "expected a rating in Elo after =, got ''"),
        ("uci:stockfish?elo", "expected OPTION=VALUE, got 'elo'"),
        ("gtp:prog --size=9", "'gtp:prog --size=9.' has none, 'gtp:prog --size=9.=1500' has one"),
        ("uci:a?elo=1&b=2,uci:a?b=2&elo=1=5", "'uci:a.b=2&elo=1' is named twice"),
    ],
)
def test_programs_that_make_no_sense_are_told(text: str, told: str) -> None:
    with pytest.raises(AgentNameError, match=told):
        parse_anchors(text, CHESS, "nowhere")
