"""A chess program of a few lines, whose first argument says how it behaves.

good, crash-once FILE, crash, hang, cheat, resign, flood (of standard error), chatter (endless
output), long-line, wont-start.
"""

import sys
import time
from pathlib import Path

import chess

HOW = sys.argv[1]


def say(line: str) -> None:
    print(line, flush=True)


def move(board: chess.Board) -> None:
    if HOW == "crash" or (HOW == "crash-once" and not Path(sys.argv[2]).exists()):
        if HOW == "crash-once":
            Path(sys.argv[2]).touch()
        sys.exit("out of luck")
    if HOW == "hang":
        time.sleep(60)
    if HOW == "flood":
        for _ in range(200):
            sys.stderr.write("x" * 100_000)
        sys.stderr.flush()
    while HOW == "chatter":
        say("info string still here")
    if HOW == "long-line":
        say("y" * 200_000)
    if HOW == "resign":
        say("bestmove resign")
        return
    say(f"info depth 1 score cp 90 string {board.fen()} {len(board.move_stack)}")
    say("bestmove " + ("a1a8" if HOW == "cheat" else min(map(str, board.legal_moves))))


def main() -> None:
    if HOW == "wont-start":
        sys.exit("no licence found")
    board = chess.Board()
    for line in sys.stdin:
        words = line.split()
        if Path(sys.argv[-1]).suffix == ".log":
            with Path(sys.argv[-1]).open("a") as log:
                log.write(line)
        if words[0] == "uci":
            say("option name Threads type spin default 4 min 1 max 64")
            say("option name Skill Level type spin default 20 min 0 max 20")
            say("option name UCI_Elo type spin default 1320 min 1320 max 3190")
            say("option name UCI_LimitStrength type check default false")
            say("uciok")
        elif words[0] == "isready":
            say("readyok")
        elif words[0] == "position":
            board = chess.Board(" ".join(words[2:8]))
            for word in words[9:]:
                board.push_uci(word)
        elif words[0] == "go":
            move(board)


main()
