"""The share of the environments' own speed that is left when a network acts in them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from agents.dqn.config import DQNConfig
from agents.dqn.playing.actor import DQNActor
from agents.progress import AT_START
from envs.vector import VectorEnvironment

RATIO_DIVIDES = (
    "steps/s of the actor (environments, stacks, network, recorder) by those of the bare vector of "
    "environments, median of the turns"
)


class Speed(NamedTuple):
    """Environment steps a second, and a second of the process's cores."""

    per_second: float
    per_core_second: float


def random_play(config: DQNConfig) -> DQNConfig:
    """Return the settings of an actor that evaluates its network, and acts at random.

    So it plays the same kind of games as the bare environments: an untrained network that chose
    would stand still for a whole game.
    """
    exploration = replace(config.exploration, epsilon=1.0, final_epsilon=1.0, ladder=0.0)
    return replace(config, exploration=exploration)


def acting_speed(actor: DQNActor, rows: int, seconds: float) -> Speed:
    """Measure whole rounds of `rows` rows, whose episodes are taken as the loop takes them."""

    def play_a_round() -> int:
        actor.begin_round(rows, AT_START)
        before = actor.counters()["rows"]
        actor.play(lambda: False)
        actor.take_episodes()
        return int(actor.counters()["rows"] - before)

    return _speed(play_a_round, seconds)


def environment_speed(
    environments: VectorEnvironment, rng: np.random.Generator, seconds: float
) -> Speed:
    """Measure the bare environments, stepped with random actions."""

    def step() -> int:
        environments.send(rng.integers(environments.num_actions, size=environments.count))
        environments.receive()
        return environments.count

    return _speed(step, seconds)


def _speed(work: Callable[[], int], seconds: float) -> Speed:
    done, begun, used = 0, time.perf_counter(), time.process_time()
    while True:
        done += work()
        if (elapsed := time.perf_counter() - begun) >= seconds:
            return Speed(done / elapsed, done / (time.process_time() - used))


def measure(config: DQNConfig, seconds: float = 20.0, *, repetitions: int = 7) -> dict[str, Any]:
    """Measure agent steps/s of an actor and steps/s of its bare environments, in turns.

    `seconds` is shared by the repetitions; each figure is the median over them.
    """
    config = random_play(config)
    rng = np.random.default_rng(config.seed)
    actor, other = DQNActor(config, 0), DQNActor(config, 1)
    bare = other.environments  # as many as the actor's, with the same settings
    part = seconds / 2 / repetitions
    acted, stepped = [], []
    try:
        acting_speed(actor, config.publish_rows, 0.0)
        environment_speed(bare, rng, 0.0)
        for _ in range(repetitions):
            acted.append(acting_speed(actor, config.publish_rows, part))
            stepped.append(environment_speed(bare, rng, part))
    finally:
        actor.close()
        other.close()
    return _summary(config, acted, stepped)


def _summary(config: DQNConfig, acted: list[Speed], stepped: list[Speed]) -> dict[str, Any]:
    each = [a.per_second / s.per_second for a, s in zip(acted, stepped, strict=True)]
    of_cores = [a.per_core_second / s.per_core_second for a, s in zip(acted, stepped, strict=True)]
    return {
        "game": config.game,
        "protocol": config.environment.protocol,
        "environments": config.environment.environments,
        "threads": config.environment.threads,
        "encoder": config.network.encoder,
        "agent_steps_per_second": statistics.median(s.per_second for s in acted),
        "environment_steps_per_second": statistics.median(s.per_second for s in stepped),
        "agent_steps_per_core_second": statistics.median(s.per_core_second for s in acted),
        "environment_steps_per_core_second": statistics.median(s.per_core_second for s in stepped),
        "ratio": statistics.median(each),
        "ratio_each": each,
        "ratio_of_core_seconds": statistics.median(of_cores),
        "ratio_divides": RATIO_DIVIDES,
    }
