"""Metrics of an AlphaZero run."""

from __future__ import annotations

from agents.metrics import MetricSpec

LEAVES = ("evaluations", "cache_hits", "proven_leaves")  # what becomes of a leaf
LOSSES = "losses"
SPEED = "simulations a second"

METRICS = (
    MetricSpec(
        "simulations_per_s",
        "simulations/s",
        "Simulations of all searches a second",
        source="rate",
        counter="simulations",
        look="count",
        side="acting",
        in_line=True,
        chart=SPEED,
    ),
    MetricSpec(
        "evaluations_per_s",
        "evaluations/s",
        "Network evaluations a second",
        source="rate",
        counter="evaluations",
        look="count",
        side="acting",
        in_line=True,
        chart=SPEED,
    ),
    MetricSpec(
        "cache_hit_share",
        "cache hits",
        "Share of the leaves that the evaluation cache answered",
        source="total",
        counter="cache_hits",
        over=LEAVES,
        look="percent",
        side="acting",
    ),
    MetricSpec(
        "proven_leaf_share",
        "proven leaves",
        "Share of the leaves whose result was proven",
        source="total",
        counter="proven_leaves",
        over=LEAVES,
        look="percent",
        side="acting",
    ),
    MetricSpec(
        "learning_rate",
        "learning rate",
        "Learning rate of the last training step",
        look="exponent",
        chart="learning rate",
    ),
    MetricSpec(
        "policy_loss",
        "policy loss",
        "Policy loss in nats",
        look="loss",
        in_line=True,
        chart=LOSSES,
    ),
    MetricSpec(
        "value_loss",
        "value loss",
        "Value loss in nats",
        look="loss",
        in_line=True,
        chart=LOSSES,
    ),
    MetricSpec(
        "reply_loss",
        "reply loss",
        "Loss of predicting the next ply's policy in nats",
        look="loss",
        chart=LOSSES,
    ),
    MetricSpec(
        "ownership_loss",
        "ownership loss",
        "Loss of predicting who owns a point of the finished board in nats",
        look="loss",
        chart=LOSSES,
    ),
    MetricSpec(
        "score_loss",
        "score loss",
        "Loss of predicting the lead in points at the end",
        look="loss",
        chart=LOSSES,
    ),
    MetricSpec(
        "mean_plies",
        "plies a game",
        "Plies of a game, the mean over the run",
        source="total",
        counter="plies",
        over=("games",),
    ),
    MetricSpec(
        "resign_false_positive",
        "wrong resignations",
        "Share of the games played on after a resignation that were not lost",
        source="total",
        counter="false_positives",
        over=("played_on",),
        look="percent",
    ),
    MetricSpec(
        "simulations",
        "simulations",
        "Simulations since the run began",
        source="total",
        look="count",
        side="none",
    ),
)
