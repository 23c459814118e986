"""The algorithms by name, each imported on first use."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

from agents.metrics import MetricSpec
from agents.training import TrainConfig
from store.errors import RunMismatchError
from store.run import RunInfo

if TYPE_CHECKING:
    from agents.algorithm import Algorithm
    from agents.learning_method import LearningMethod


class Entry(NamedTuple):
    """The parts of an algorithm, each as "module:attribute".

    Attributes:
        algorithm: the `Algorithm` or `SelfDriven`; importing it may import torch.
        config: the class of its settings, for those who read a preset.
        metrics: its `MetricSpec`s, for displays of a run.
        techniques: what an ablation can leave out, {name: {setting: text}}; empty for none.
    """

    algorithm: str
    config: str
    metrics: str
    techniques: str = ""


ALGORITHMS = {
    "alphazero": Entry(
        "agents.alphazero.algorithm:ALPHAZERO",
        "agents.alphazero.config:AlphaZeroConfig",
        "agents.alphazero.metrics:METRICS",
        "agents.alphazero.config:TECHNIQUES",
    ),
    "dqn": Entry(
        "agents.dqn.algorithm:DQN_FAMILY",
        "agents.dqn.config:DQNConfig",
        "agents.dqn.metrics:METRICS",
        "agents.dqn.config:TECHNIQUES",
    ),
    "ppo": Entry(
        "agents.ppo.algorithm:PPO",
        "agents.ppo.config:PPOConfig",
        "agents.ppo.metrics:METRICS",
        "agents.ppo.config:TECHNIQUES",
    ),
}
"""The algorithms by name; a program may add its own."""

BUILT_IN = tuple(ALGORITHMS)
"""The names of those that come with the program."""

FIRST = "alphazero"
"""The algorithm of runs and presets from before there was a choice; they name none."""


def find_method(name: str) -> LearningMethod[Any]:
    """Return the algorithm of that name, of either kind; raises ValueError with the nearest."""
    found: LearningMethod[Any] = _load(_entry(name).algorithm)
    return found


def find_config(name: str) -> type[TrainConfig]:
    """Return the class of an algorithm's settings; raises ValueError for an unknown name."""
    found: type[TrainConfig] = _load(_entry(name).config)
    return found


def find_metrics(name: str) -> Sequence[MetricSpec]:
    """Return an algorithm's metrics; raises ValueError for an unknown name."""
    found: Sequence[MetricSpec] = _load(_entry(name).metrics)
    return found


def find_techniques(name: str) -> Mapping[str, dict[str, str]]:
    """Return the techniques an ablation can leave out; raises ValueError for an unknown name."""
    where = _entry(name).techniques
    found: Mapping[str, dict[str, str]] = _load(where) if where else {}
    return found


def method_of(config: TrainConfig) -> LearningMethod[Any]:
    """Return the algorithm of these settings, of either kind."""
    return find_method(config.algorithm)


def algorithm_of(config: TrainConfig) -> Algorithm[Any]:
    """Return the algorithm of these settings, for the loop of an actor and a learner.

    Raises TypeError for one that drives itself.
    """
    from agents.algorithm import Algorithm

    found = method_of(config)
    if not isinstance(found, Algorithm):
        raise TypeError(f"the algorithm {found.name!r} has a loop of its own: expected an actor")
    return found


def name_of_run(info: RunInfo) -> str:
    """Return the name of the algorithm of a run; raises RunMismatchError for an unknown one.

    A run names its algorithm and never says where code is, so its name counts only if it is
    registered.
    """
    name = info.algorithm or FIRST
    if name not in ALGORITHMS:
        raise RunMismatchError(
            f"a run of the algorithm {name!r}: expected one of {', '.join(ALGORITHMS)}"
        )
    return name


def method_of_run(info: RunInfo) -> LearningMethod[Any]:
    """Return the algorithm of a run, of either kind; raises as `name_of_run`."""
    return find_method(name_of_run(info))


def metrics_of_run(info: RunInfo) -> Sequence[MetricSpec]:
    """Return the metrics of the algorithm of a run; raises as `name_of_run`."""
    return find_metrics(name_of_run(info))


def config_of_run(info: RunInfo) -> type[TrainConfig]:
    """Return the class of a run's settings; raises as `name_of_run`."""
    return find_config(name_of_run(info))


def _entry(name: str) -> Entry:
    if name not in ALGORITHMS:
        near = get_close_matches(name, list(ALGORITHMS), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"algorithm {name!r}: expected one of {', '.join(ALGORITHMS)}{hint}")
    return ALGORITHMS[name]


def _load(where: str) -> Any:
    module, _, attribute = where.partition(":")
    return getattr(importlib.import_module(module), attribute)
