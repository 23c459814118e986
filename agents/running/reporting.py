"""Report a run in one process as `Progress`: its counters, its clock, and its metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from agents.learning_method import LearningMethod
from agents.metrics import RecentCounters, metrics_of
from agents.progress import Event, Progress
from agents.running.budget import Budget
from agents.training import TrainConfig


class Reports:
    """Makes the reports of one session of a run.

    Args:
        method: has the metrics and the learning rate.
        config: of the run.
        budget: of the run; its clock is that of the reports.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        method: LearningMethod[Any],
        config: TrainConfig,
        budget: Budget,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._method, self._config, self._budget, self._clock = method, config, budget, clock
        self._begun = clock()
        self._recent = RecentCounters()
        self._first_game_s: float | None = None

    def note(self, made: Mapping[str, float]) -> None:
        """Note the counters of this session, so that the time of its first game is known."""
        if self._first_game_s is None and made.get("games", 0) > 0:
            self._first_game_s = self._clock() - self._begun

    def report(
        self,
        event: Event,
        *,
        policy: Any,
        totals: Mapping[str, float],
        made: Mapping[str, float],
        learned: Mapping[str, float],
        steps: int,
        version: int,
        notices: tuple[str, ...] = (),
    ) -> Progress:
        """Return the state of the run.

        Args:
            event: what has just happened.
            policy: what acts now.
            totals: counters over all sessions, at least "games" and "rows".
            made: the counters of this session.
            learned: results of the last training.
            steps: the learner's, since the run began.
            version: learner steps of the weights that act.
            notices: what a person should know.
        """
        method, config, budget = self._method, self._config, self._budget
        # By the clock, learning included: where both take turns, the rate of playing alone would
        # promise more rows an hour than there will be.
        seconds = budget.session()
        rates = {name: count / seconds for name, count in made.items()} if seconds else {}
        rate = method.learning_rate(config, budget.share(totals))
        known = {"learning_rate": rate, **learned}
        return Progress(
            event=event,
            policy=policy,
            elapsed_s=budget.elapsed(),
            budget_s=budget.seconds,
            games=int(totals["games"]),
            games_goal=config.games,
            positions=int(totals["rows"]),
            learner_steps=steps,
            network_version=version,
            games_in_flight=method.games_at_once(config),
            first_game_s=self._first_game_s,
            metrics=metrics_of(method.metrics, totals, rates, known, self._recent.add(totals)),
            notices=notices,
            rows_goal=config.rows,
        )
