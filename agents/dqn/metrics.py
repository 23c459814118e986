"""Metrics of a DQN run."""

from __future__ import annotations

from agents.metrics import MetricSpec

SCORE = "score of a game"
LOSS = "loss"

METRICS = (
    MetricSpec(
        "score",
        "score",
        "True score of a game, the mean of the last 100 training games",
        source="recent",
        over=("games",),
        side="acting",
        in_line=True,
        chart=SCORE,
    ),
    MetricSpec(
        "greedy_score",
        "score, least epsilon",
        "The same, of the quarter of the environments that explore least",
        source="recent",
        over=("greedy_games",),
        side="acting",
        chart=SCORE,
    ),
    MetricSpec(
        "mean_length",
        "steps a game",
        "Agent steps of a game, the mean of the last 100 training games",
        source="recent",
        counter="lengths",
        over=("games",),
        side="acting",
    ),
    MetricSpec(
        "steps_per_s",
        "agent steps/s",
        "Agent steps of all environments a second",
        source="rate",
        counter="rows",
        look="count",
        side="acting",
        in_line=True,
        chart="agent steps a second",
    ),
    MetricSpec(
        "loss", "loss", "Loss of a sampled row, the mean", look="loss", in_line=True, chart=LOSS
    ),
    MetricSpec(
        "mean_value",
        "mean value",
        "Value that a sampled action is moved towards, the mean",
        chart="value of an action",
    ),
    MetricSpec("learning_rate", "learning rate", "Learning rate", look="exponent"),
    MetricSpec("epsilon", "epsilon", "Share of random actions", look="percent", chart="epsilon"),
)
