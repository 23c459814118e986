"""Rate checkpoints: play until the ratings are known, and follow runs in training."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Protocol, TypeVar

from arena.rating.recorded import note_best_checkpoint
from store.errors import StoreError
from store.progress.lock_watch import LockWatch
from store.run import Run
from store.upkeep.holds import Hold

POLL_S = 10.0  # between looks for a new checkpoint

_logger = logging.getLogger("ludens.arena")

State = TypeVar("State")
StateOut = TypeVar("StateOut", covariant=True)


class PlayedLadder(Protocol[StateOut]):
    """Checkpoints that play until their ratings are known, as `arena.rating.ladder.Ladder`."""

    @property
    def runs(self) -> Sequence[Run]:
        """Return the runs whose checkpoints play."""

    @property
    def contenders(self) -> Mapping[str, tuple[str, int]]:
        """Return {agent: (run, step)} of the checkpoints that play."""

    @property
    def has_games_left(self) -> bool:
        """Whether checkpoints to come may play."""

    def state(self) -> StateOut:
        """Return how far it is."""

    def refresh(self) -> bool:
        """List the runs' checkpoints again; True when the contenders changed."""

    def play(self) -> Iterator[StateOut]:
        """Play until nothing is left to play for now, yielding each state."""


def rate(
    ladder: PlayedLadder[State],
    *,
    follow: bool = False,
    progress: Callable[[State], None] = lambda state: None,
    settled: Callable[[State], None],
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Play the ladder, reporting each state; False if it was interrupted (Ctrl-C).

    Checkpoints are held against pruning while they play, and the best of each run is noted, so that
    pruning keeps it.

    Args:
        ladder: what is played.
        follow: let new checkpoints join, and go on until no run is being trained any more.
        progress: called with every state.
        settled: called with the state when nothing is left to play for now, or on Ctrl-C.
        pause: sleeps a number of seconds.
    """
    state = ladder.state()
    watches = [LockWatch(run.files) for run in ladder.runs]
    with _HeldCheckpoints(ladder) as held:
        try:
            while True:
                for state in ladder.play():
                    progress(state)
                    if follow and ladder.refresh():
                        held.renew()
                for run in ladder.runs:
                    note_best_checkpoint(run)
                settled(state)
                if not (follow and _more_comes(ladder, watches, pause)):
                    return True
                held.renew()
        except KeyboardInterrupt:
            for run in ladder.runs:
                note_best_checkpoint(run)
            settled(state)
            return False


def _more_comes(
    ladder: PlayedLadder[object], watches: Sequence[LockWatch], pause: Callable[[float], None]
) -> bool:
    """Wait for a checkpoint; False when no run is in training or the games are used up.

    Each poll makes two requests a run, for its lock and its checkpoints.
    """
    while ladder.has_games_left:
        is_training = _is_training(watches)  # asked first: its last checkpoint may come in between
        if ladder.refresh():
            return True
        if not is_training:
            return False
        pause(POLL_S)
    return False


def _is_training(watches: Sequence[LockWatch]) -> bool:
    looks = [watch.may_be_held() for watch in watches]  # all of them: a lease is watched
    return any(looks)


class _HeldCheckpoints:
    """Holds on the checkpoints that play in a ladder, renewed when others join it."""

    def __init__(self, ladder: PlayedLadder[object]) -> None:
        self._ladder = ladder
        self._holds: dict[str, tuple[list[int], Hold]] = {}

    def renew(self) -> None:
        """Hold the checkpoints that play now, then release the others."""
        for run in self._ladder.runs:
            steps = sorted(s for name, s in self._ladder.contenders.values() if name == run.name)
            before, hold = self._holds.get(run.name, (None, None))
            if steps == before:
                continue
            try:
                self._holds[run.name] = steps, Hold(run, checkpoints=steps)
            except (OSError, StoreError) as error:  # those that are pruned play no more
                _logger.warning("the checkpoints of run %r are not held: %s", run.name, error)
                continue
            if hold is not None:
                hold.release()

    def __enter__(self) -> _HeldCheckpoints:
        self.renew()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for _, hold in self._holds.values():
            hold.release()
