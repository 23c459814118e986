"""Agent steps a second of a run while it learns, against Stable-Baselines3's DQN.

    ludens bench learning dqn_nature [--seconds 60] [--peer-python PATH] [--json]
    python -m benchmarks learning [--seconds 60] [--peer-python PATH]

The run is the loop of `ludens train` with the preset's settings, past its start: its replay holds
FILLED rows and random actions are as rare as at the end. Both sides take turns, so that changes of
the machine's speed affect both alike. The peer has the settings of `dqn_nature`, with which alone
it is compared, and a buffer of as many rows; it is measured with one thread of torch and with one a
core, and the better figure counts.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from agents.cores import allowed_cores
from agents.dqn.config import DQNConfig
from agents.progress import Progress
from benchmarks.answering import Answering, has_package
from benchmarks.machine import machine_facts, write_result
from benchmarks.turns import Rate, medians, take_turns
from configs.loader import load_config_of
from envs.atari.games import find_atari
from envs.atari.protocol import find_protocol
from selfplay.loop import train

PRESETS = ("dqn_nature", "breakout")
PEER_PRESET = "dqn_nature"  # whose settings the peer can have
COMPARED = ("network", "head", "target", "learner", "replay", "environment")
PEER_PACKAGE = "stable_baselines3"
FILLED = 5_000  # rows that are there before anything is measured
MOST_ROWS = 100_000  # of the ring: the peer needs 28 KB for each
ROUNDS = 7
NEVER = 1e9  # minutes

RATIO_DIVIDES = (
    "agent steps of this program by those of the peer with its better number of threads, medians"
)


def past_its_start(config: DQNConfig, filled: int) -> DQNConfig:
    """Return the settings of a run that learns after `filled` rows as it would late in its course.

    It has no end and saves no checkpoint, which the peer does not do either.
    """
    last = config.exploration.final_epsilon
    return replace(
        config,
        minutes=0.0,
        games=0,
        rows=0,
        workers=0,
        checkpoint_minutes=NEVER,
        checkpoint_rows=0,
        learner=replace(config.learner, start_rows=filled),
        exploration=replace(config.exploration, epsilon=last),
        replay=replace(config.replay, rows=min(config.replay.rows, MOST_ROWS)),
    )


class Running:
    """A run that goes on while it is measured, and stands still in between.

    Attributes:
        done: agent steps and updates while it was measured.
    """

    def __init__(self, stages: Iterator[Progress]) -> None:
        self._stages = stages
        self.done: Counter[str] = Counter()
        self._round_until(lambda at: at.learner_steps > 0)

    def _round_until(self, enough: Callable[[Progress], bool]) -> Progress:
        """Go on until a round ends after which it is `enough`."""
        for at in self._stages:
            if at.event == "published" and enough(at):
                return at
        raise RuntimeError("the run ended while it was measured")

    def rate(self, seconds: float) -> tuple[float, float]:
        """Measure agent steps a second, and a core second, over whole rounds.

        The first round is not counted: parts of it can have been done before.
        """
        first = self._round_until(lambda _: True)
        begun, used = time.perf_counter(), time.process_time()
        last = self._round_until(lambda _: time.perf_counter() - begun >= seconds)
        elapsed, used = time.perf_counter() - begun, time.process_time() - used
        steps = last.positions - first.positions
        self.done["agent_steps"] += steps
        self.done["updates"] += last.learner_steps - first.learner_steps
        return steps / elapsed, steps / used


@contextmanager
def running(config: DQNConfig) -> Iterator[Running]:
    """Yield a run of these settings that learns, in a store that is deleted afterwards."""
    with TemporaryDirectory() as store:
        stages = train(config, store_url=store, run_name="bench")
        with closing(stages):  # type: ignore[type-var]
            yield Running(stages)


class Peer:
    """Stable-Baselines3's DQN in a process of its own; see `sb3_peer`.

    Attributes:
        facts: its packages, and the bytes of a transition.
        done: agent steps and updates while it was measured.
    """

    def __init__(self, python: str, settings: Mapping[str, Any]) -> None:
        self._process = Answering(python, Path(__file__).with_name("sb3_peer.py"))
        self.facts = self._process.ask(dict(settings))
        self.done: Counter[str] = Counter()

    def rate(self, threads: int) -> Rate:
        """Return what measures its learning with this many threads of torch."""

        def rate(seconds: float) -> tuple[float, float]:
            answer = self._process.ask({"threads": threads, "seconds": seconds})
            self.done.update({name: answer[name] for name in ("agent_steps", "updates")})
            return answer["agent_steps_per_second"], answer["agent_steps_per_core_second"]

        return rate

    def close(self) -> None:
        """End the process."""
        self._process.close()


def peer_settings(config: DQNConfig) -> dict[str, Any]:
    """Return the peer's settings, as JSON values, to learn as `config` does."""
    protocol = find_protocol(config.environment.protocol)
    learner = config.learner
    return {
        "game": find_atari(config.game),
        "max_frames": protocol.max_frames,
        "noop_max": protocol.noop_max,
        "stack": config.environment.stack,
        "hidden": config.network.hidden,
        "rows": config.replay.rows,
        "filled": learner.start_rows,
        "batch_size": learner.batch_size,
        "steps_per_update": round(learner.batch_size / learner.passes),
        "learning_rate": learner.learning_rate,
        "gamma": config.target.gamma,
        "target_period": config.target.period,
        "epsilon": config.exploration.final_epsilon,
        "seed": config.seed,
        "device": config.device,
    }


def peer_python_for(preset: str, config: DQNConfig, asked: str | None) -> str | None:
    """Return the Python to run the peer in: the one asked for, or this one if it has the peer.

    None if there is none, or where the peer has other settings. Raises ValueError if one was asked
    for all the same.
    """
    like = load_config_of(DQNConfig, PEER_PRESET)
    differ = [name for name in COMPARED if getattr(config, name) != getattr(like, name)]
    if differ or not find_atari(config.game):
        if asked is not None:
            raise ValueError(
                f"--peer-python with preset {preset!r}: Stable-Baselines3's DQN has the settings "
                f"of {PEER_PRESET!r}, and here {', '.join(differ) or 'the game'} differ"
            )
        return None
    if asked is not None and not has_package(asked, PEER_PACKAGE):
        raise ValueError(f"--peer-python {asked!r}: expected a Python that has stable-baselines3")
    if asked is None and importlib.util.find_spec(PEER_PACKAGE):
        return sys.executable
    return asked


def measure(
    preset: str, seconds: float = 60.0, peer_python: str | None = None, *, filled: int = FILLED
) -> dict[str, Any]:
    """Measure medians of agent steps a second while a preset learns, and the ratio to the peer's.

    It takes about `seconds`, filling the replay not included.

    Args:
        preset: as `load_config` takes it, of the DQN family.
        seconds: of measuring, shared by both sides.
        peer_python: a Python that has stable-baselines3; None is this one, if it has it.
        filled: rows in the replay before anything is measured.

    Raises:
        ConfigError: an unknown preset, or one of another algorithm.
        ValueError: the peer cannot be compared or run.
    """
    own = load_config_of(DQNConfig, preset)
    python = peer_python_for(preset, own, peer_python)
    config, facts = past_its_start(own, filled), machine_facts(("ale-py", "numpy", "torch"))
    with ExitStack() as opened:
        ours = opened.enter_context(running(config))
        rates: dict[str, Rate] = {"ours": ours.rate}
        peer = None
        if python is not None:
            peer = opened.enter_context(closing(Peer(python, peer_settings(config))))
            for threads in sorted({1, allowed_cores()}):
                rates[f"peer_threads_{threads}"] = peer.rate(threads)
        taken = take_turns(rates, seconds / (ROUNDS * len(rates)), ROUNDS)
    result = {
        **_settings(preset, config),
        **_figures(medians(taken), "ours"),
        "agent_steps_per_update": _per_update(ours.done),
        "machine": facts,
    }
    return result if peer is None else {**result, **_beside_peer(peer, medians(taken))}


def _settings(preset: str, config: DQNConfig) -> dict[str, Any]:
    return {
        "preset": preset,
        "game": config.game,
        "protocol": config.environment.protocol,
        "environments": config.environment.environments,
        "threads": config.environment.threads,
        "batch_size": config.learner.batch_size,
        "replay_rows": config.replay.rows,
        "filled_rows": config.learner.start_rows,
        "epsilon": config.exploration.final_epsilon,
        "rounds": ROUNDS,
    }


def _figures(found: tuple[dict[str, float], dict[str, float]], name: str) -> dict[str, float]:
    wall, core = found
    return {
        "agent_steps_per_second": round(wall[name], 1),
        "agent_steps_per_core_second": round(core[name], 1),
    }


def _per_update(done: Mapping[str, int]) -> float:
    return round(done["agent_steps"] / max(done["updates"], 1), 2)


def _beside_peer(peer: Peer, found: tuple[dict[str, float], dict[str, float]]) -> dict[str, Any]:
    """Return the peer's figures, and ours over those of its better number of threads."""
    names = [name for name in found[0] if name != "ours"]
    ratios = [rates["ours"] / max(rates[name] for name in names) for rates in found]
    return {
        "peer": {
            **peer.facts,
            "agent_steps_per_update": _per_update(peer.done),
            **{name.removeprefix("peer_"): _figures(found, name) for name in names},
        },
        "ratio": round(ratios[0], 2),
        "ratio_of_core_seconds": round(ratios[1], 2),
        "ratio_divides": RATIO_DIVIDES,
    }


def run(seconds: float, peer_python: str | None) -> None:
    """Measure each preset, print a line and write results/learning_<preset>.json."""
    if peer_python is not None and not has_package(peer_python, PEER_PACKAGE):
        print(f"learning: {peer_python} has no stable-baselines3, so nothing is compared")
        peer_python = None
    for preset in PRESETS:
        result = measure(preset, seconds, peer_python if preset == PEER_PRESET else None)
        path = write_result(f"learning_{preset}", result)
        line = f"learning {preset:14} {result['agent_steps_per_second']:>10,} agent steps/s"
        if "ratio" in result:
            line += (
                f", {result['ratio']} times Stable-Baselines3; "
                f"by core seconds {result['ratio_of_core_seconds']}"
            )
        print(f"{line}\n  -> {path}")
