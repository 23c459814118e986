"""`ludens engine --game minishogi` as a process: what it answers to each command."""

import pytest

from tests.arena.engine.protocols.piped import Piped, said_and_imported

HANDSHAKE = r"""
> usi
< id name Ludens .+
< id author the authors of Ludens
< option name Threads type spin default 1 min 1 max \d+
< option name USI_Hash type spin default 1024 min 1 max 65536
< option name MultiPV type spin default 1 min 1 max 256
< option name NetworkDelay type spin default 50 min 0 max 10000
< option name Nodes type spin default 0 min 0 max 1000000000
< option name Temperature type string default 0\.0
< option name ResignValue type spin default 99999 min 0 max 99999
< option name USI_Ponder type check default false
< option name USI_AnalyseMode type check default false
< option name USI_Variant type combo default minishogi var minishogi
< usiok
> setoption name USI_Ponder value true
> setoption name USI_Hash value 64
> isready
< readyok
> usinewgame
"""
MATED = "4k/4G/4R/5/K4 w - 1"
IN_ONE = "4k/p4/4G/5/K4 b G 1"  # the pawn can move, so only checks win

EACH_COMMAND = rf"""
> register later
> setoption name USI_Variant value shogi
< info string USI_Variant = 'shogi': expected minishogi
> setoption name Book value x
< info string there is no option 'Book': expected one of Threads, USI_Hash, .*
> joho debug on
> position startpos
> go nodes 1
< info string ended: answered
< bestmove \S+
> debug off
> position startpos moves 3e3d 3a3b
> go btime 0 wtime 0 byoyomi 1000
< bestmove \S+
> go btime 60000 wtime 60000 binc 1000 winc 1000
< bestmove \S+
> go movetime 10
< bestmove \S+
> go depth 2
< bestmove \S+
> go
< bestmove \S+
> go nonsense 5 searchmoves 5d5c nodes 1
< info string not understood after go: nonsense 5
< bestmove 5d5c
> position startpos moves 1a1b
< info string the position stays as it was: move 1, '1a1b', is not legal in minishogi: .*
> position fen x
< info string the position stays as it was: position 'fen x': expected startpos or sfen, .*
> go infinite
> isready
< readyok
> stop
< bestmove \S+
> stop
> go ponder btime 1000 wtime 1000 byoyomi 1000
> isready
< readyok
> ponderhit
< bestmove \S+
> ponderhit
> go ponder
> isready
< readyok
> gameover win
< bestmove \S+
> gameover draw
> usinewgame
> position sfen {MATED}
> go byoyomi 1000
< info depth 0 score mate - nodes 0 nps 0 hashfull 0 time 0
< bestmove resign
> go mate 1000
< info depth 0 score mate - nodes 0 nps 0 hashfull 0 time 0
< checkmate nomate
> isready
< readyok
"""


def test_each_command_has_its_answer() -> None:
    piped = Piped(game="minishogi")
    piped.follow(HANDSHAKE)
    piped.follow(EACH_COMMAND)
    piped.follow(f"> position sfen {IN_ONE}\n> go mate 1000\n< checkmate notimplemented")
    piped.end("quit")


@pytest.mark.slow
def test_a_win_by_impasse_is_declared_until_the_game_goes_on() -> None:
    piped = Piped(game="shogi")
    piped.follow(
        r"""
        > position sfen 1K1+R1+R3/PPPPPPPP1/9/9/9/9/9/9/4k4 b 2B 1
        > go byoyomi 1000
        < info depth 0 score mate \+ nodes 0 nps 0 hashfull 0 time 0
        < bestmove win
        > position sfen 1K1+R1+R3/PPPPPPPP1/9/9/9/9/9/9/4k4 b 2B 1 moves 8a9a
        > go byoyomi 1000
        < bestmove 5i\w\w
        """
    )
    piped.end("quit")


SEARCHED = rf"""
> setoption name MultiPV value 2
> position startpos moves 3e3d
> go nodes 60
< info depth \d+ seldepth \d+ multipv 1 score cp -?\d+ nodes \d+ nps \d+ hashfull \d+ time \d+ pv .+
< info depth \d+ seldepth \d+ multipv 2 score cp -?\d+ nodes \d+ nps \d+ hashfull \d+ time \d+ pv .+
<* bestmove \S+( ponder \S+)?
> setoption name MultiPV value 1
> go btime 0 wtime 0 byoyomi 300
<* bestmove \S+( ponder \S+)?
> go ponder btime 0 wtime 0 byoyomi 300
< info .*
> isready
<* readyok
> ponderhit
<* bestmove \S+( ponder \S+)?
> position sfen {IN_ONE}
> go mate 60000
<* info depth 1 seldepth \d+ multipv 1 score mate 1 nodes .* pv G\*[12]b
<* checkmate G\*[12]b
> position startpos
> go mate 100
<* checkmate timeout
> go mate infinite
< info .*
> stop
<* checkmate timeout
"""


@pytest.mark.slow  # compiles the search of minishogi
def test_a_search_tells_what_it_thinks_and_finds_mates() -> None:
    piped = Piped(agent="mcts:50", game="minishogi")
    piped.follow(HANDSHAKE)
    piped.follow(SEARCHED)
    piped.end("quit")


def test_the_handshake_comes_before_anything_heavy() -> None:
    words = ["--protocol", "usi"]
    out = said_and_imported(
        words, "usi\nsetoption name USI_Hash value 2\nstop\ngameover lose\nquit\n"
    )
    assert "USI_Variant type combo default shogi var shogi" in out
    assert out.endswith("usiok\n[]\n")
