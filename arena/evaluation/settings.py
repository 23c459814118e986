"""Settings of evaluations."""

from __future__ import annotations

from dataclasses import dataclass

from arena.evaluation.records import MOST_GAMES

DEFAULT_PROTOCOL = "nature"


def no_report(finished: int, games: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class EvaluationSettings:
    """How agents are evaluated.

    Attributes:
        games: of each agent.
        protocol: of Atari games; "" is the run's own.
        epsilon: share of random actions; None is the protocol's, and 0 in other environments.
        seed: of environments and chances; it repeats the games of as many `environments`.
        environments: in which games are played at once, at most.
        threads: that advance Atari games.
        device: where networks run.
    """

    games: int = 30
    protocol: str = ""
    epsilon: float | None = None
    seed: int = 0
    environments: int = 10
    threads: int = 1
    device: str = "auto"

    def __post_init__(self) -> None:
        for name, least in (("games", 1), ("seed", 0), ("environments", 1), ("threads", 1)):
            if (number := getattr(self, name)) < least:
                raise ValueError(f"{name} = {number}: expected {least} or more")
        if self.games > MOST_GAMES:
            raise ValueError(f"games = {self.games}: expected {MOST_GAMES} at most")
        if self.epsilon is not None and not 0.0 <= self.epsilon <= 1.0:
            raise ValueError(f"epsilon = {self.epsilon:g}: expected a share, 0 to 1")
