"""A chess program of XBoard's protocol; the first argument says how it behaves, the second its log.

good, plain (without features), cheat, resign, draw, refuse, hang, slow-start.
"""

import sys
import time
from pathlib import Path

import chess

HOW, LOG = sys.argv[1], Path(sys.argv[2])


def say(line: str) -> None:
    print(line, flush=True)


def introduce() -> None:
    if HOW == "plain":
        say("Error (unknown command): protover")
        return
    if HOW == "slow-start":
        say("feature done=0")
    say('feature myname="Fake 1.0" ping=1 setboard=1 usermove=1 option="Style -string x" done=1')


def think(board: chess.Board) -> None:
    if HOW == "hang":
        time.sleep(60)
    if HOW == "resign":
        say("resign")
    elif HOW == "draw":
        say("1/2-1/2 {I say so}")
    else:
        word = "a1a8" if HOW == "cheat" else min(map(str, board.legal_moves))
        say(f"1. ... {word}" if HOW == "plain" else f"move {word}")


def main() -> None:
    board = chess.Board()
    for line in sys.stdin:
        with LOG.open("a") as log:
            log.write(line)
        word, _, rest = line.strip().partition(" ")
        if word == "protover":
            introduce()
        elif word == "new":
            board = chess.Board()
        elif word == "setboard":
            board = chess.Board(rest)
        elif word == "ping":
            say(f"pong {rest}")
        elif word == "go":
            think(board)
        elif word == "usermove" or (len(word) == 4 and word[1].isdigit()):
            if HOW == "refuse":
                say(f"Illegal move: {rest or word}")
            else:
                board.push_uci(rest or word)


main()
