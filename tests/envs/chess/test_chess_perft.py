"""Published perft counts (chessprogramming.org, "Perft Results"), by two ways of counting."""

import json
from pathlib import Path

import pytest

from envs.chess.board import STANDARD
from envs.chess.perft import count_lines
from envs.registry import find_game

GOLDEN = json.loads((Path(__file__).parent / "data" / "perft.json").read_text())
CASES = [(g["position"], d, n) for g in GOLDEN for d, n in enumerate(g["nodes"], start=1)]
FAST = 200_000  # nodes


def count(position, depth):
    game = find_game("chess")
    return count_lines(game.parse_position(position), depth, STANDARD, game.max_legal)


@pytest.mark.parametrize(("position", "depth", "nodes"), [c for c in CASES if c[2] <= FAST])
def test_published_counts(position, depth, nodes):
    assert count(position, depth) == nodes


@pytest.mark.slow
@pytest.mark.parametrize(("position", "depth", "nodes"), [c for c in CASES if c[2] > FAST])
def test_published_counts_deep(position, depth, nodes):
    assert count(position, depth) == nodes
