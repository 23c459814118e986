"""Matches as people read them: a count while they last, a table when they are over."""

from __future__ import annotations

import sys
import time

from arena.match import MatchResult, Tally

UPDATE_INTERVAL_S = 0.2


class MatchProgress:
    """Counts finished games in the last line of a terminal; silent elsewhere."""

    def __init__(self) -> None:
        self._shows = sys.stderr.isatty()
        self._due = 0.0

    def __call__(self, finished: int, games: int) -> None:
        """See `arena.match.Report`."""
        if self._shows and time.monotonic() >= self._due:
            self._due = time.monotonic() + UPDATE_INTERVAL_S
            print(f"\r{finished} of {games} games", end="", file=sys.stderr, flush=True)

    def __enter__(self) -> MatchProgress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shows:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def summary(result: MatchResult) -> str:
    """The result in a few lines."""
    low, high = result.interval
    total = result.total
    lost, half, even, most, won = result.pairs
    return "\n".join(
        [
            f"{result.agents[0]} against {result.agents[1]}, {result.game}, {total.games} games:",
            f"  score          {100 * total.score:5.1f}%  (95%: {100 * low:.1f} to "
            f"{100 * high:.1f})",
            f"  all games      {_tally(total)}",
            f"  as first       {_tally(result.as_first_player)}",
            f"  as second      {_tally(result.as_second_player)}",
            f"  pairs          {lost} of 0 points, {half} of 1/2, {even} of 1, {most} of 3/2, "
            f"{won} of 2",
            f"  openings of {result.opening_plies} random plies, seed {result.seed}; "
            f"{result.mean_plies:.1f} plies a game",
        ]
    )


def _tally(tally: Tally) -> str:
    return f"{tally.wins} won, {tally.draws} drawn, {tally.losses} lost"
