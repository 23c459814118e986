"""Perft by other packages, for `benchmarks.rules.perft`: `python perft_peers.py chess DEPTH`.

Prints the nodes, the seconds and the processor seconds as JSON. The last ply is counted, not
played, as in ours. Each package is imported only for its own count.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any


def count_chess(depth: int) -> int:
    """Count with the package `chess`, which is Python."""
    import chess

    def count(board: chess.Board, left: int) -> int:
        if left == 1:
            return board.legal_moves.count()
        total = 0
        for move in board.legal_moves:
            board.push(move)
            total += count(board, left - 1)
            board.pop()
        return total

    return count(chess.Board(), depth)


def count_cshogi(depth: int) -> int:
    """Count with cshogi, whose rules are C++ and whose moves are listed and played from Python."""
    import cshogi

    def count(board: Any, left: int) -> int:
        moves = list(board.legal_moves)
        if left == 1:
            return len(moves)
        total = 0
        for move in moves:
            board.push(move)
            total += count(board, left - 1)
            board.pop()
        return total

    return count(cshogi.Board(), depth)


def count_python_shogi(depth: int) -> int:
    """Count with python-shogi, which is Python."""
    import shogi

    def count(board: Any, left: int) -> int:
        if left == 1:
            return sum(1 for _ in board.legal_moves)
        total = 0
        for move in list(board.legal_moves):
            board.push(move)
            total += count(board, left - 1)
            board.pop()
        return total

    return count(shogi.Board(), depth)


PEERS: dict[str, Callable[[int], int]] = {
    "chess": count_chess,
    "cshogi": count_cshogi,
    "python-shogi": count_python_shogi,
}


def main() -> None:
    """Count once and print what it took."""
    peer, depth = PEERS[sys.argv[1]], int(sys.argv[2])
    peer(1)  # imports
    began, used = time.perf_counter(), time.process_time()
    nodes = peer(depth)
    found = {"nodes": nodes, "seconds": time.perf_counter() - began}
    print(json.dumps({**found, "core_seconds": time.process_time() - used}))


if __name__ == "__main__":
    main()
