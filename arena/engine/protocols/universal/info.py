"""What an agent thinks of a position, as `info` lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from arena.engine.protocols.universal.dialect import Dialect
from arena.engine.snapshot import Line, Snapshot


def wdl(value_to_play: float) -> tuple[int, int, int]:
    """Return wins, draws and losses of 1000 games that a value in [-1, 1] stands for.

    A value says how much more games are won than lost, and not how many are drawn. Here each game
    is two independent halves, both won with the expected score p = (1 + value) / 2, and drawn where
    they differ: p^2, 2 p (1 - p) and (1 - p)^2.
    """
    score = (1 + max(-1.0, min(1.0, value_to_play))) / 2
    won, lost = round(1000 * score**2), round(1000 * (1 - score) ** 2)
    return won, 1000 - won - lost, lost


def score_words(
    value: float | None, exact: float | None, plies: int, dialect: Dialect, with_wdl: bool
) -> str:
    """Return `score ...` for the side to move, "" for an agent that has no opinion."""
    known = value if exact is None else exact
    if known is None:
        return ""
    if exact is not None and abs(exact) == 1.0:
        score = f" score mate {dialect.mate(exact, plies)}"
    else:
        score = f" score cp {dialect.centipawns(known)}"
    return score + (" wdl {} {} {}".format(*wdl(known)) if with_wdl else "")


def info_lines(
    snapshot: Snapshot,
    words_of: Callable[[Sequence[int]], Sequence[str]],
    dialect: Dialect,
    with_wdl: bool,
) -> list[str]:
    """Return one line for each principal variation; one without for a game that is over."""
    effort = (
        f" nodes {snapshot.nodes} nps {round(snapshot.nodes_per_second)}"
        f" hashfull {round(1000 * snapshot.share_of_memory)} time {round(1000 * snapshot.seconds)}"
    )
    if not snapshot.lines:
        score = score_words(
            snapshot.value_to_play, snapshot.exact, snapshot.plies, dialect, with_wdl
        )
        return [f"info depth 0{score}{effort}"]
    return [
        f"info depth {len(line.moves)} seldepth {max(len(line.moves), snapshot.deepest)}"
        f" multipv {number}{_score_of(line, snapshot, number, dialect, with_wdl)}{effort}"
        f" pv {' '.join(words_of(line.moves))}"
        for number, line in enumerate(snapshot.lines, start=1)
    ]


def _score_of(line: Line, snapshot: Snapshot, number: int, dialect: Dialect, with_wdl: bool) -> str:
    """Return the score of a line; a proof of the position is that of its first line."""
    if number == 1 and snapshot.exact is not None and line.exact is None:
        return score_words(
            snapshot.value_to_play, snapshot.exact, snapshot.plies, dialect, with_wdl
        )
    return score_words(line.value_to_play, line.exact, line.plies, dialect, with_wdl)
