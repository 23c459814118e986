"""A session: an environment, an agent and a person who may take over, without a screen.

It advances by a clock that is passed in, so tests and screens use it alike.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from arena.play.pictures.stick import Stick
from envs.pictures.pictured import Measure, PicturedEnvironment, Seen

if TYPE_CHECKING:
    from agents.environment_agents import EnvironmentAgent

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
OVER_S = 2.0  # that the end of an agent's game stays on the screen
LATE_S = 0.5  # a clock that is further behind is reset: the machine cannot keep this speed
REMEMBERED = 400  # steps whose values are kept, for the scale of the bars and the curve


@dataclass(frozen=True)
class FinishedGame:
    """The result of a game: its true score and agent steps, and whether a limit ended it.

    `shares` has the share of steps that each measure counted, by its name.
    """

    score: float
    steps: int
    truncated: bool = False
    shares: dict[str, float] = field(default_factory=dict)


@dataclass
class GameSoFar:
    """The running game.

    Attributes:
        seen: its newest step.
        score: the sum of its rewards.
        steps: agent steps.
        action: the last, or None before the first.
        counts: steps that each measure of the environment counted.
    """

    seen: Seen
    score: float = 0.0
    steps: int = 0
    action: int | None = None
    counts: tuple[int, ...] = ()

    def after(self, action: int, seen: Seen, measures: Sequence[Measure]) -> GameSoFar:
        """Return the game after one more step."""
        before = self.counts or (0,) * len(measures)
        counted = [bool(measure.holds(seen.observation[None])[0]) for measure in measures]
        counts = tuple(count + one for count, one in zip(before, counted, strict=True))
        return GameSoFar(seen, self.score + seen.reward, self.steps + 1, action, counts)

    def shares(self, measures: Sequence[Measure]) -> dict[str, float]:
        """Return the share of the steps that each measure counted; empty before the first."""
        return {m.name: count / self.steps for m, count in zip(measures, self.counts)}


@dataclass
class Values:
    """The action values behind the newest actions.

    Attributes:
        now: of each action, float32 [A], NaN where the agent has none; None before the first.
        best: the largest of each of the last steps.
        lows, highs: the range of each of the last steps.
    """

    now: NDArray[np.float32] | None = None
    best: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    lows: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def take(self, values: NDArray[np.float32]) -> None:
        """Record the values [A] of one step."""
        self.now = values.copy()
        if np.isfinite(values).any():
            self.best.append(float(np.nanmax(values)))
            self.lows.append(float(np.nanmin(values)))

    @property
    def range(self) -> tuple[float, float]:
        """Return the lowest and the highest value of the last steps; (0, 0) without any."""
        return (min(self.lows), max(self.best)) if self.best else (0.0, 0.0)


class PictureSession:
    """Plays games, by an agent or by a person, at a speed that can be changed.

    The agent follows every step, also while a person plays, so its values are always live.

    Args:
        environment: what is played.
        agent: who plays; None for a person alone.
        seed: of the agent's chance.
        by_hand: a person is at the stick first; always so without an agent.
        now: seconds of a monotonic clock.

    Attributes:
        game: the running game, or the one that ended last.
        values: the agent's, of the newest step.
        finished: the results of the games that ended.
        message: for the person.
    """

    def __init__(
        self,
        environment: PicturedEnvironment,
        agent: EnvironmentAgent | None,
        *,
        seed: int = 0,
        by_hand: bool = False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.environment = environment
        self.agent = agent
        self.by_hand = by_hand or agent is None
        self.stick = Stick(environment.action_names)
        self.values = Values()
        self.finished: list[FinishedGame] = []
        self.paused = False
        self.speed = 1.0
        self.message = ""
        self._rng = np.random.default_rng(seed)
        self._now = now
        self._over_at = 0.0
        self.game = GameSoFar(environment.reset())
        if agent is not None:
            agent.begin(self.game.seen.observation[None])
        self._due = now()

    @property
    def is_over(self) -> bool:
        """Return whether the game shown has ended."""
        return self.game.seen.ended

    @property
    def player(self) -> str:
        """Return the name of who is at the stick."""
        return "you" if self.by_hand or self.agent is None else self.agent.name

    def measured(self) -> list[str]:
        """Return a line for each measure of the game shown, once it has counted a step."""
        shares = self.game.shares(self.environment.measures)
        labels = {measure.name: measure.label for measure in self.environment.measures}
        return [f"{labels[name]} {100 * share:.1f}%" for name, share in shares.items() if share]

    def tick(self) -> bool:
        """Make the steps that are due by the clock; return whether anything changed."""
        now = self._now()
        if self.paused:
            self._due = now
            return False
        if now - self._due > LATE_S:
            self._due = now
        changed = False
        while self._due <= now and not self.paused:
            self._due += 1.0 / (self.environment.steps_per_second * self.speed)
            if self.is_over:
                if self.by_hand or now < self._over_at:
                    return changed
                self.new_game()
            else:
                self.advance()
            changed = True
        return changed

    def advance(self) -> None:
        """Make one step of the running game, whatever the clock says."""
        now = self._now()
        chosen = self._ask()
        action = self.stick.action(now) if self.by_hand or chosen is None else chosen
        seen = self.environment.step(action)
        measures = self.environment.measures
        self.game = game = self.game.after(action, seen, measures)
        if seen.ended:
            shares = game.shares(measures)
            self.finished.append(FinishedGame(game.score, game.steps, seen.truncated, shares))
            self._over_at = now + OVER_S / self.speed
        elif self.agent is not None:
            self.agent.observe(seen.observation[None], np.zeros(1, np.bool_))

    def _ask(self) -> int | None:
        """Return the agent's choice, and take its values; None without an agent."""
        if self.agent is None:
            return None
        action = int(self.agent.act(self._rng)[0])
        self.values.take(self.agent.values[0])
        return action

    def new_game(self) -> None:
        """Begin a game; one that has not ended is left unfinished, and not counted."""
        self.game = GameSoFar(self.environment.reset())
        if self.agent is not None:
            self.agent.observe(self.game.seen.observation[None], np.ones(1, np.bool_))

    # --- what a person asks for ---

    def press(self, key: str) -> None:
        """Hold a key of the stick; after the end of a game, FIRE begins the next."""
        if not self.by_hand:
            self.message = "the agent is at the stick; t takes over"
        elif self.is_over:
            self.new_game()
        else:
            self.stick.press(key, self._now())

    def pause(self) -> None:
        """Pause, or go on."""
        self.paused = not self.paused
        self.message = "paused: p goes on, . makes one step" if self.paused else ""

    def step(self) -> None:
        """Make one step and stay paused."""
        self.paused = True
        if self.is_over:
            self.new_game()
        else:
            self.advance()

    def change_speed(self, up: bool) -> None:
        """Play at the next higher or lower speed."""
        place = SPEEDS.index(self.speed) + (1 if up else -1)
        self.speed = SPEEDS[max(0, min(place, len(SPEEDS) - 1))]
        self.message = f"speed {self.speed:g}"

    def take_over(self) -> None:
        """Hand the stick to the person, or back to the agent."""
        if self.agent is None:
            self.message = "no agent is here to hand the stick to"
            return
        self.by_hand = not self.by_hand
        self.message = "you are at the stick" if self.by_hand else f"{self.agent.name} plays"


def play_out(session: PictureSession, games: int) -> Iterator[PictureSession]:
    """Play games without a clock; yields the session after each step and beginning.

    A game's end is one of these moments; the next game begins after it.
    """
    while True:
        yield session
        if session.is_over:
            if len(session.finished) >= games:
                return
            session.new_game()
        else:
            session.advance()
