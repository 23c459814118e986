"""Environments whose scores are known beforehand, and runs that act in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete

import tests.tabular  # noqa: F401  (registers its algorithm)
from arena.evaluation.evaluator import Evaluator
from arena.evaluation.records import Evaluation, EvaluationKey
from arena.evaluation.settings import EvaluationSettings
from envs.vector import Steps
from store import checkpoints
from store.run import Run, create_run

CORRIDOR, LENGTH, ACTIONS = "Corridor-v0", 3, 4


class Corridor(gymnasium.Env[Any, Any]):
    """LENGTH steps, each worth the number of its action: an action played throughout is known."""

    def __init__(self) -> None:
        self.observation_space, self.action_space = Discrete(LENGTH), Discrete(ACTIONS)
        self.at = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.at = 0
        return self.at, {}

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.at += 1
        return self.at % LENGTH, float(action), self.at == LENGTH, False, {}


if CORRIDOR not in gymnasium.registry:
    gymnasium.register(CORRIDOR, Corridor)


class ScriptedVector:
    """Environments whose games are listed: the (length, score) of each one's games, in order.

    An observation is (the environment's game, its step). After the listed games come games of one
    step and score NOT_COUNTED. A game of length n is cut by a limit where `truncated`; a life is
    lost at each step but the last.
    """

    NOT_COUNTED = 1e6
    num_actions, name, observation_shape = 2, "scripted", (2,)

    def __init__(self, games: Sequence[Sequence[tuple[int, float]]], *, truncated: bool = False):
        self.games = [list(of_one) for of_one in games]
        self.count = len(games)
        self.truncated = truncated
        self.at = np.zeros((self.count, 2), np.int64)
        self.sent: list[Any] = []
        self.received = 0
        self.closed = False

    def reset(self) -> Any:
        self.at[:] = 0
        return self.at.copy()

    def send(self, actions: Any) -> None:
        assert len(self.sent) == self.received
        assert actions.shape == (self.count,)
        self.sent.append(actions)

    def receive(self) -> Steps:
        self.received += 1
        self.at[:, 1] += 1
        ended = np.zeros(self.count, np.bool_)
        scores, lengths = [], []
        for i, (game, step) in enumerate(self.at.tolist()):
            listed = self.games[i]
            length, score = listed[game] if game < len(listed) else (1, self.NOT_COUNTED)
            if step == length:
                ended[i] = True
                scores.append(score)
                lengths.append(length)
        last = self.at[ended].astype(np.float32)
        self.at[ended, 0] += 1
        self.at[ended, 1] = 0
        never = np.zeros(self.count, np.bool_)
        return Steps(
            self.at.copy(),
            np.zeros(self.count, np.float32),
            never if self.truncated else ended,
            ended if self.truncated else never,
            last,
            ~ended,
            np.array(scores, np.float64),
            np.array(lengths, np.int64),
        )

    def close(self) -> None:
        self.closed = True


def make_run(
    store: Path,
    name: str,
    actions: Mapping[int, int],
    *,
    game: str = CORRIDOR,
    protocol: str | None = None,
) -> Run:
    """Create a run with a checkpoint {step: action} that plays this action throughout."""
    config: dict[str, Any] = {"game": game}
    if protocol:
        config["environment"] = {"protocol": protocol}
    run = create_run(
        store, name, game=game, algorithm="q_learning", config=config, seed=0, versions={}
    )
    for step, action in actions.items():
        save(run, step, action)
    return run


def save(run: Run, step: int, action: int) -> None:
    """Save a checkpoint that plays this action; trained for `step` seconds and 10 rows a step."""
    table = np.zeros((LENGTH, ACTIONS))
    table[:, action] = 1.0
    files = {checkpoints.MODEL_FILE: checkpoints.tensors_to_bytes({"q": table})}
    metadata = {"elapsed_s": float(step), "counters": {"games": step, "rows": 10 * step}}
    checkpoints.save(run, step, files, metadata)


def evaluator(run: Run, **settings: Any) -> Evaluator:
    """An evaluator of few games."""
    return Evaluator(run, EvaluationSettings(**{"games": 4, "environments": 2, **settings}))


def evaluation(
    scores: Sequence[float],
    *,
    environment: str = "breakout",
    step: int | None = 7,
    protocol: str = "nature",
    epsilon: float = 0.05,
    seed: int = 0,
    minutes: float | None = None,
) -> Evaluation:
    """An evaluation with these scores, made by nobody."""
    key = EvaluationKey(environment, step, protocol, epsilon, seed)
    lengths = np.arange(1, len(scores) + 1)
    return Evaluation(key, np.array(scores, np.float64), lengths, 4 * int(lengths.sum()), minutes)
