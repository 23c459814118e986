"""Playing and learning of PPO beside RLlib's stock path, and RLlib's share of our iteration.

    python -m benchmarks rllib [--seconds 120]

Both sides have the same game, network and settings, one process and one thread, and take turns.
Ours plays without past opponents, which the peer does not have either.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from ray.rllib.env.multi_agent_env_runner import MultiAgentEnvRunner

from agents.cores import use_threads
from agents.ppo.config import PPOConfig
from agents.ppo.rllib_algorithm import TeamPPO, rllib_config
from agents.ppo.training import make_matches
from benchmarks.machine import machine_facts, write_result
from benchmarks.teams.shares import RLLIB, clocked, profiled_share
from benchmarks.teams.stock import agent_steps, stock_config
from benchmarks.turns import Rate, medians, take_turns
from configs.loader import load_config_of
from envs.teams import TeamSpec, find_team
from selfplay.cluster.ray_session import connected

PRESETS = ("lanes_5v5", "lanes_1v1")
ENVIRONMENTS = (16, 64, 256)  # of the peer's runner, besides 1, which is RLlib's default
ROUNDS = 5
PACKAGES = ("gymnasium", "numba", "numpy", "ray", "torch")

RATIOS_DIVIDE = {
    "sampling_ratio": (
        "agent steps a second of our runner's sample(), values and advantages included, by those "
        "of MultiAgentEnvRunner.sample() with its best number of environments, medians"
    ),
    "iteration_ratio": (
        "agent steps a second of our algorithm's train() by those of RLlib's PPO with its better "
        "number of environments, medians"
    ),
    "sampling_ratio_to_default": "the same by those with 1 environment, RLlib's default",
    "iteration_ratio_to_default": "the same by those with 1 environment, RLlib's default",
    "rllib_share": (
        "seconds of our algorithm's train() outside sampling, batching, network, loss, gradient, "
        "optimiser and the loading of weights, by all its seconds"
    ),
}


def compared(config: PPOConfig, matches: int | None = None) -> PPOConfig:
    """Return the settings under which both sides are measured: one process, thread and network."""
    environment = replace(config.environment, threads=1)
    if matches is not None:
        environment = replace(environment, matches=matches)
    pool = replace(config.pool, latest=1.0)
    return replace(config, workers=0, learners=0, device="cpu", environment=environment, pool=pool)


def measure(
    preset: str,
    seconds: float = 120.0,
    *,
    matches: int | None = None,
    environments: tuple[int, ...] = ENVIRONMENTS,
    rounds: int = ROUNDS,
) -> dict[str, Any]:
    """Measure medians of agent steps a second, their ratios, and RLlib's share of our iteration.

    It takes about `seconds`, or as long as `rounds` of each side and setting take.

    Args:
        preset: of PPO in a mode of Lanes.
        seconds: of measuring, shared by both sides.
        matches: at once, on our side and in the peer's iteration; None is the preset's number.
        environments: numbers of environments that the peer's runner is measured with, besides 1.
        rounds: turns of each.

    Raises ConfigError for an unknown preset, or one of another algorithm.
    """
    facts = machine_facts(PACKAGES)
    config = compared(load_config_of(PPOConfig, preset), matches)
    with ExitStack() as opened:
        opened.enter_context(connected(1))
        opened.enter_context(_one_thread())
        spec = find_team(config.game)
        ours = _opened(opened, TeamPPO(config=rllib_config(config, spec, make_matches)))
        rates = _rates(opened, config, spec, ours, sorted({1, *environments}))
        take_turns(rates, 0.0, 1)  # compiles, and fills what later calls continue
        each = seconds / (rounds * len(rates) + 1)
        wall, core = medians(take_turns(rates, each, rounds))
        shares = _shares(ours, each)
    return {
        "preset": preset,
        "matches": config.environment.matches,
        "agents": spec.players,
        "rollout": config.learner.rollout,
        "epochs": config.learner.epochs,
        "minibatches": config.learner.minibatches,
        "threads": 1,
        "rounds": rounds,
        **_ratios(wall),
        **{f"{name}_of_core_seconds": ratio for name, ratio in _ratios(core).items()},
        **shares,
        "agent_steps_per_second": {name: round(rate) for name, rate in wall.items()},
        "agent_steps_per_core_second": {name: round(rate) for name, rate in core.items()},
        "ratios_divide": RATIOS_DIVIDE,
        "machine": facts,
    }


def _rates(
    held: ExitStack, config: PPOConfig, spec: TeamSpec, ours: TeamPPO, environments: Sequence[int]
) -> dict[str, Rate]:
    """Return what is measured, by name; the peers are stopped at the end.

    An iteration of the peer is that of as many environments as we have matches, and that of one,
    which plays as many steps alone.
    """
    matches, steps = config.environment.matches, config.learner.rollout
    rates = {"sampling ours": _rate(lambda: _sampled_by_ours(ours))}
    for number in environments:
        rates[f"sampling rllib_{number}"] = _rate(_sampling_of_peer(held, config, spec, number))
    rates["iteration ours"] = _rate(lambda: _trained(ours, config, spec, steps))
    for number in (1, matches):
        settings = stock_config(config, spec, number, matches // number)
        peer = _opened(held, settings.build_algo())
        rates[f"iteration rllib_{number}"] = _rate(partial(_trained, peer, config, spec, steps - 1))
    return rates


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute with one thread, and let RLlib give no advice on how to use it."""
    threads, logger = torch.get_num_threads(), logging.getLogger("ray.rllib")
    level = logger.level
    use_threads(1)
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        use_threads(threads)
        logger.setLevel(level)


def _opened(held: ExitStack, algorithm: Any) -> Any:
    held.callback(algorithm.stop)
    return algorithm


def _rate(call: Callable[[], int]) -> Rate:
    """Return what measures the steps a second, and a core second, of whole calls."""

    def rate(seconds: float) -> tuple[float, float]:
        begun, used, steps = time.perf_counter(), time.process_time(), 0
        while not steps or time.perf_counter() - begun < seconds:
            steps += call()
        elapsed = time.perf_counter() - begun
        return steps / elapsed, steps / (time.process_time() - used)

    return rate


def _sampled_by_ours(algorithm: TeamPPO) -> int:
    sample = algorithm.env_runner_group.local_env_runner.sample()
    return int(sample.agent_steps)


def _sampling_of_peer(
    held: ExitStack, config: PPOConfig, spec: TeamSpec, environments: int
) -> Callable[[], int]:
    """Return a call of the peer's runner, in which each environment takes a rollout's steps."""
    runner = MultiAgentEnvRunner(config=stock_config(config, spec, environments))
    held.callback(runner.stop)
    return lambda: agent_steps(runner.sample())


def _trained(algorithm: Any, config: PPOConfig, spec: TeamSpec, steps: int) -> int:
    """Run an iteration; return its agent steps."""
    algorithm.train()
    return config.environment.matches * spec.players * steps


def _ratios(rates: dict[str, float]) -> dict[str, float]:
    """Return our rates divided by the peer's best, and by those of its default."""
    found = {}
    for what in ("sampling", "iteration"):
        ours, peer = rates[f"{what} ours"], f"{what} rllib_"
        best = max(rate for name, rate in rates.items() if name.startswith(peer))
        found[f"{what}_ratio"] = round(ours / best, 2)
        found[f"{what}_ratio_to_default"] = round(ours / rates[f"{peer}1"], 2)
    return found


def _shares(algorithm: TeamPPO, seconds: float) -> dict[str, Any]:
    """Return whose the time of our iterations is, by the clock and by the profile."""
    begun = time.perf_counter()
    with clocked(algorithm) as clock:
        while not clock.seconds or time.perf_counter() - begun < seconds:
            algorithm.train()
    return {
        "rllib_share": round(clock.share(RLLIB), 4),
        "rllib_share_profiled": round(profiled_share(algorithm.train), 4),
        "parts": {name: round(clock.share(name), 4) for name in sorted(clock.seconds)},
    }


def run(seconds: float, peer_python: str | None) -> None:
    """Measure each preset, print three lines and write results/rllib_<preset>.json."""
    for preset in PRESETS:
        result = measure(preset, seconds)
        path = write_result(f"rllib_{preset}", result)
        rates = result["agent_steps_per_second"]
        for what in ("sampling", "iteration"):
            ratio, default = result[f"{what}_ratio"], result[f"{what}_ratio_to_default"]
            by_core = result[f"{what}_ratio_of_core_seconds"]
            print(
                f"rllib {preset:10} {what:9} {rates[f'{what} ours']:>9,} agent steps/s, {ratio} "
                f"times RLlib's stock path (by core seconds {by_core}), {default} times its default"
            )
        share, bound = result["rllib_share"], result["rllib_share_profiled"]
        print(f"rllib {preset:10} RLlib's share {share:.1%}, by a profile {bound:.1%}\n  -> {path}")
