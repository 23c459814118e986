"""Walk a match of Lanes forward and back: one that is played, or a replay.

Going back simulates the match again, from the nearest copy that was kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from arena.play.lanes.replay import Replay, record_match
from envs.lanes.one_match import LanesMatch, Snapshot

KEPT_EVERY = 25  # decisions between two copies of the state, 10 KB each

Ask = Callable[[LanesMatch], NDArray[np.int8]]
"""Returns the actions int8 [players, 3] of the next decision of a match that is played."""


class Timeline:
    """A match and the actions that are known of it.

    Args:
        match: at its beginning.
        actions: int8 [players, 3] each, known from a replay.
        ask: for actions beyond the known ones, each decision once; None where there are no more.

    Attributes:
        match: at the place where the timeline is.
    """

    def __init__(
        self, match: LanesMatch, actions: Sequence[NDArray[np.int8]] = (), ask: Ask | None = None
    ) -> None:
        self.match = match
        self._ask = ask
        self._actions = list(actions)
        self._kept: dict[int, Snapshot] = {0: match.snapshot()}

    @property
    def at(self) -> int:
        """Return the decisions that are over."""
        return self.match.decisions

    @property
    def known(self) -> int:
        """Return the decisions that are known."""
        return len(self._actions)

    @property
    def is_at_end(self) -> bool:
        """Return whether nothing follows: the match is over, or a replay ends here."""
        if not self.match.waits:
            return False
        return self.match.is_over or (self.at == self.known and self._ask is None)

    def tick(self) -> bool:
        """Advance by a tick, and begin a decision where one is due; False at the end."""
        if self.is_at_end:
            return False
        if self.match.waits:
            self._begin()
        self.match.tick()
        return True

    def _begin(self) -> None:
        at = self.at
        if at == self.known:
            assert self._ask is not None  # or this is the end
            self._actions.append(self._ask(self.match).copy())
        if at % KEPT_EVERY == 0 and at not in self._kept:
            self._kept[at] = self.match.snapshot()
        self.match.order(self._actions[at])

    def advance(self) -> bool:
        """Finish the running decision, or make one more; False at the end."""
        if not self.tick():
            return False
        while not self.match.waits:
            self.match.tick()
        return True

    def seek(self, decision: int) -> None:
        """Go to where `decision` decisions are over: the nearest one that is known."""
        decision = max(0, min(decision, self.known))
        if decision < self.at or not self.match.waits:
            self.match.restore(self._kept[max(at for at in self._kept if at <= decision)])
        while self.at < decision and not self.is_at_end:
            self.advance()

    def end_here(self) -> None:
        """Forget what is known beyond this place."""
        del self._actions[self.at :]

    def replay(self, names: tuple[str, str]) -> Replay:
        """Return what was played so far, with the names of both teams."""
        return record_match(self.match.game, self.match.seed, names, self._actions)


def timeline_of(replay: Replay) -> tuple[Timeline, bool]:
    """Return a replay's timeline at its beginning, and whether today's rules reach its end.

    Under other rules a match may end early; the actions after its end are left out.
    """
    timeline = Timeline(LanesMatch(replay.game, replay.seed), list(replay.actions))
    timeline.seek(timeline.known)
    is_same = timeline.at == timeline.known and timeline.match.digest() == replay.digest
    timeline.end_here()
    timeline.seek(0)
    return timeline, is_same
