"""Matches with another program: small batches, and the same games by workers of their own."""

from pathlib import Path

import pytest

from agents.players import RandomPlayer
from arena.match.match import PROGRAM_PAIRS_AT_ONCE, MatchResult, play_match
from arena.match.pool import MatchPool
from arena.match.workers import RayPool
from arena.names import AgentNameError, find_agent
from arena.opponents.process import find_program
from envs.registry import find_game
from selfplay.cluster.ray_session import connected, settling
from tests.arena.pools import ShuffledPool

CHESS, TIC_TAC_TOE = find_game("chess"), find_game("tic_tac_toe")
STOCKFISH = "uci:stockfish?nodes=60"
needs_stockfish = pytest.mark.skipif(
    find_program("stockfish") is None, reason="stockfish is not installed"
)


def test_a_match_with_a_program_is_played_in_small_batches() -> None:
    player = RandomPlayer(TIC_TAC_TOE)
    player.name = "uci:fake"
    pool = ShuffledPool(TIC_TAC_TOE, 1, plays=0)
    with pytest.raises(KeyboardInterrupt):
        play_match(TIC_TAC_TOE, RandomPlayer(TIC_TAC_TOE), player, 100, pool=pool)
    assert [len(batch.openings) for batch in pool.submitted] == [PROGRAM_PAIRS_AT_ONCE]


def match(pool: MatchPool | None = None) -> MatchResult:
    players = [find_agent(name, CHESS, "nowhere", programs=True) for name in ("mcts:8", STOCKFISH)]
    return play_match(CHESS, players[0], players[1], 16, pool=pool)


@pytest.mark.slow
@needs_stockfish
def test_workers_with_programs_of_their_own_play_the_same_games(tmp_path: Path) -> None:
    """Which batch came before, in which process, decides nothing."""
    with connected(cpus=2):
        pool = RayPool(2, CHESS.name, str(tmp_path), settling, frozenset([STOCKFISH]))
        assert match(pool) == match()
        other = RayPool(1, CHESS.name, str(tmp_path), settling)
        with pytest.raises(AgentNameError, match="which this command does not start"):
            match(other)
