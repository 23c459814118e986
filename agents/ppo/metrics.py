"""Metrics of a run of PPO."""

from __future__ import annotations

from agents.metrics import MetricSpec

SCORE = "score of a game"
PAST = "won against past opponents"
LOSS = "loss"
UPDATE = "size of an update"
TIME = "share of an iteration's time"

METRICS = (
    MetricSpec(
        "score",
        "score",
        "Return of a game without an opposing team, the mean of the last 100",
        source="recent",
        over=("solo_games",),
        side="acting",
        in_line=True,
        chart=SCORE,
    ),
    MetricSpec(
        "past_score",
        "won against past",
        "Points of the newest network against past opponents a match, a draw being half a point",
        source="recent",
        over=("past_games",),
        look="percent",
        side="acting",
        in_line=True,
        chart=PAST,
    ),
    MetricSpec(
        "mean_length",
        "steps a match",
        "Decisions of a match, the mean of the last 100",
        source="recent",
        counter="lengths",
        over=("games",),
        look="count",
        side="acting",
    ),
    MetricSpec(
        "steps_per_s",
        "agent steps/s",
        "Agent steps learned from a second",
        source="rate",
        counter="rows",
        look="count",
        side="acting",
        in_line=True,
        chart="agent steps a second",
    ),
    MetricSpec("pool", "past opponents", "Past opponents in the pool", look="count"),
    MetricSpec(
        "sample_staleness",
        "staleness",
        "Updates that the learner is ahead of the weights that act",
    ),
    MetricSpec("reuse", "sample reuse", "Times that each step is trained on"),
    MetricSpec("kl", "KL", "Approximate KL divergence of an update", look="loss", chart=UPDATE),
    MetricSpec(
        "clipped", "clipped", "Share of actions beyond the clip", look="percent", chart=UPDATE
    ),
    MetricSpec(
        "entropy", "entropy", "Entropy of an action, in nats", in_line=True, chart="entropy"
    ),
    MetricSpec("policy_loss", "policy loss", "Clipped surrogate loss", look="loss", chart=LOSS),
    MetricSpec("value_loss", "value loss", "Error of values", look="loss", chart=LOSS),
    MetricSpec("gradient_norm", "gradient norm", "Norm of the gradient before its bound"),
    MetricSpec("learning_rate", "learning rate", "Learning rate", look="exponent"),
    MetricSpec("horizon", "horizon", "Steps in which rewards count, 1 / (1 - gamma)"),
    MetricSpec(
        "team_spirit", "team spirit", "Share of the team's mean in a reward", look="percent"
    ),
    MetricSpec(
        "sampling_share",
        "sampling",
        "Share of an iteration in which matches are played",
        look="percent",
        chart=TIME,
    ),
)
