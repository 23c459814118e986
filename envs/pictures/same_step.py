"""The two halves of a step that ends a game: the last moment now, the first of the next later."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from envs.pictures.pictured import Measure, Seen
from envs.vector import EnvironmentSpec


class SameStepScreen(ABC):
    """A pictured environment over a vector of one, which begins the next game at once.

    Its next game waits until `reset` asks for it. See `envs.pictures.pictured`.
    """

    def __init__(
        self,
        spec: EnvironmentSpec,
        *,
        steps_per_second: float,
        widest_pixel: float,
        measures: Sequence[Measure] = (),
    ) -> None:
        self.name = spec.name
        self.protocol = spec.protocol
        self.action_names: Sequence[str] = spec.action_names
        self.steps_per_second = steps_per_second
        self.widest_pixel = widest_pixel
        self.measures = measures
        self._next: Seen | None = None
        self._has_ended = True

    @abstractmethod
    def _begin(self) -> Seen:
        """Begin a game in the vector."""

    @abstractmethod
    def _step(self, action: int) -> tuple[Seen, Seen | None]:
        """Do an action; return what it showed, and the next game's first moment if it has begun."""

    def reset(self) -> Seen:
        """Begin a game; one that has not ended is given up."""
        first, self._next = self._next or self._begin(), None
        self._has_ended = False
        return first

    def step(self, action: int) -> Seen:
        """Do one action. Raises RuntimeError after the end of a game, before `reset`."""
        if self._has_ended:
            raise RuntimeError("step() without a running game: expected reset() before")
        seen, self._next = self._step(action)
        self._has_ended = seen.ended
        return seen
