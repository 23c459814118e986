"""Print analyses as text, or as one JSON object a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable

from arena.play.analysis import BadLine, Verdict
from arena.play.terminal import COLOUR, describe
from envs.game import Game

MOST_MOVES = 12  # shown of one position
BAR_WIDTH = 24


def write_verdict(game: Game, verdict: Verdict, as_json: bool) -> None:
    """Print the analysis of one position: its board, and a line for each good move."""
    if as_json:
        print(json.dumps(verdict.to_json()))
        return
    start, moves = game.read_position(verdict.position)
    drawing = game.render(game.line(moves, start)[-1])
    print(drawing if sys.stdout.isatty() else COLOUR.sub("", drawing))
    print()
    if verdict.move is None:
        print(f"the game is over: {verdict.value:+g} for the side to move")
        return
    print(f"best: {describe(verdict)}")
    print("\n".join([*move_lines(verdict), *line_texts(verdict)]))


def line_texts(verdict: Verdict) -> list[str]:
    """Format what is expected to follow, a line for each of the moves that were asked for."""
    texts = []
    for line in verdict.lines:
        value = "-" if line["value"] is None else f"{line['value']:+.2f}"
        texts.append(f"line {value}  {' '.join(line['moves'])}")
    return texts


def move_lines(verdict: Verdict) -> list[str]:
    """Format the moves in order of their policy: share, visits, value."""
    lines = [f"{'move':6} {'policy':>7} {'visits':>8} {'value':>6}"]
    ranked = sorted(verdict.policy, key=lambda move: -verdict.policy[move])
    for move in ranked[:MOST_MOVES]:
        share, value = verdict.policy[move], verdict.move_values.get(move)
        visits = f"{verdict.visits[move]:,}" if verdict.visits else "-"
        shown = "-" if value is None else f"{value:+.2f}"
        bar = "█" * round(BAR_WIDTH * share)
        lines.append(f"{move:6} {100 * share:6.1f}% {visits:>8} {shown:>6}  {bar}".rstrip())
    if left := len(ranked) - MOST_MOVES:
        lines += [f"and {left} more"] if left > 0 else []
    return lines


def write_table(found: Iterable[Verdict | BadLine], source: str, as_json: bool) -> int:
    """Print a line a position, and say on standard error which lines were none.

    Returns the exit status: 1 if there was a bad line.
    """
    bad = 0
    if not as_json:
        print(f"{'move':6} {'value':>7}  {'proven':6}  position")
    for verdict in found:
        if isinstance(verdict, BadLine):
            bad += 1
            name = "standard input" if source == "-" else source
            print(f"error: {name}, line {verdict.number}: {verdict.problem}", file=sys.stderr)
        elif as_json:
            print(json.dumps(verdict.to_json()))
        else:
            print(_row(verdict))
    return 1 if bad else 0


def _row(verdict: Verdict) -> str:
    value = "-" if verdict.value is None else f"{verdict.value:+.3f}"
    proven = {None: "", 1.0: "win", 0.0: "draw", -1.0: "loss"}.get(verdict.exact, "yes")
    return f"{verdict.move or 'over':6} {value:>7}  {proven:6}  {verdict.position}"
