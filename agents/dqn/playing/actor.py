"""The actor of DQN: plays a vector of environments, epsilon-greedily, with its newest weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.dqn.config import DQNConfig
from agents.dqn.playing.acting import FrameStacks, Recorder, Returns
from agents.dqn.playing.policy import QPolicy
from agents.dqn.schedules import epsilon_at, epsilons
from agents.progress import Elapsed
from agents.random_state import rng_state, set_rng_state
from agents.torch_state import load_state, set_generator_state
from envs.vector import Steps, make_vector, typed_environment
from store.checkpoints import tensors_to_bytes
from store.replay.episodes import Episode

NOISE = "noise"  # of noisy layers, the state of its generator in a checkpoint
GREEDIEST = 0.25  # of the environments of all actors, by least epsilon: the greedy score's


class DQNActor:
    """Acts in a vector of environments; independent of the store and of Ray.

    An emulator's state cannot be saved: an actor that goes on from a saved state begins new games,
    in streams of its own (`number` has to be a new one), and continues everything else.
    """

    def __init__(self, config: DQNConfig, number: int) -> None:
        self.config = config
        self.number = number
        settings = config.environment
        self.environments = make_vector(
            typed_environment(config.game),
            settings.environments,
            seed=_seed(config.seed, number),
            protocol=settings.protocol,
            training=True,
            threads=settings.threads,
        )
        self.policy = QPolicy(config, self.environments.spec, explores=True, number=number)
        self.rng = np.random.default_rng([config.seed, 2, number])
        self._begin_games(self.environments.reset())
        self._epsilons = np.ones(settings.environments)
        self._is_greediest = np.ones(settings.environments, np.bool_)
        self._first_action = _first_action(config, self.environments.spec.action_names)
        self._goal = 0
        self._made = 0  # rows of this round
        self._counters: dict[str, float] = {
            **dict.fromkeys(("games", "rows", "lengths", "greedy_games"), 0),
            **dict.fromkeys(("score", "greedy_score"), 0.0),
        }

    def _begin_games(self, frames: NDArray[Any]) -> None:
        """Begin with the first frames of new games, [k, *frame shape]."""
        config, target = self.config, self.config.target
        self.stacks = FrameStacks(frames, config.environment.stack)
        self.recorder = Recorder(
            frames,
            number=self.number,
            reward_clip=config.replay.reward_clip,
            errors=Returns(target.n_steps, target.gamma) if config.replay.by_actors else None,
        )
        # where this life begins, or this game where lives are not looked at
        self._begins = np.ones(len(frames), np.bool_)

    def load_weights(self, data: bytes, step: int) -> None:
        """Act by these weights, of the learner's step, from now on."""
        self.policy.load_weights(data, step)

    def begin_round(self, rows: int, elapsed: Elapsed) -> None:
        """Set the goal to `rows` more rows, and the shares of random actions by what elapsed.

        The ladder of shares is that of all actors' environments. Their rungs go to the actors in
        turns, so that a slow or a dead one takes some of each kind from the replay.
        """
        self._goal, self._made = rows, 0
        epsilon = epsilon_at(self.config, elapsed.rows, elapsed.share)
        count = len(self._epsilons) * elapsed.actors
        every = epsilons(epsilon, self.config.exploration.ladder, count)
        self._epsilons = every[elapsed.actor :: elapsed.actors]
        self._is_greediest = self._epsilons <= np.quantile(every, GREEDIEST)

    def play(self, pause: Callable[[], bool]) -> bool:
        """Act until the goal is reached or `pause` returns True; return whether it is reached."""
        while self._made < self._goal:
            if pause():
                return False
            values, _ = self.policy(self.stacks.stacks)
            actions = self._choose(values)
            self.environments.send(actions)
            self._take(actions, self.environments.receive(), values)
        return True

    def _choose(self, values: NDArray[np.float32]) -> NDArray[np.int64]:
        """Choose an action by values [k, A]: the best one, or any with each one's epsilon."""
        actions = values.argmax(axis=1)
        if self._first_action is not None:
            actions[self._begins] = self._first_action
        at_random = self.rng.random(len(actions)) < self._epsilons
        random = self.rng.integers(self.environments.num_actions, size=len(actions))
        return np.where(at_random, random, actions)

    def _take(self, actions: NDArray[np.int64], steps: Steps, values: NDArray[np.float32]) -> None:
        kept = None if self.recorder.errors is None else values
        self._begins = self.recorder.record(actions, steps, kept)
        self.stacks.push(steps.observations, self._begins)
        self._made += len(actions)
        self._counters["rows"] += len(actions)
        ended = np.flatnonzero(steps.terminated | steps.truncated)
        for i, score, length in zip(ended, steps.scores, steps.lengths, strict=True):
            self._counters["games"] += 1
            self._counters["score"] += float(score)
            self._counters["lengths"] += int(length)
            if self._is_greediest[i]:
                self._counters["greedy_games"] += 1
                self._counters["greedy_score"] += float(score)

    def take_episodes(self) -> list[Episode]:
        """Return what was recorded since the last call as pieces of episodes."""
        if self.recorder.errors is None or not self.recorder.has_steps:
            return self.recorder.take()
        newest, _ = self.policy(self.stacks.stacks)
        return self.recorder.take(newest)

    def counters(self) -> Mapping[str, float]:
        """Return totals since creation; scores are true returns of finished games."""
        return dict(self._counters)

    def on_checkpoint(self) -> None:
        """Do nothing: games go on."""

    def state(self) -> tuple[bytes, dict[str, Any]]:
        """Return what a resumed actor continues: its random generators."""
        noise = self.policy.generator.get_state().numpy()
        return tensors_to_bytes({NOISE: noise}), {"rng": rng_state(self.rng)}

    def load_state(self, data: bytes, rest: Mapping[str, Any]) -> None:
        """Continue from `state` with games and in streams that no actor before had.

        `rest["next_seq"]` differs from that of each earlier start (`selfplay.writing_through`).
        """
        start = int(rest["next_seq"])
        self._begin_games(self.environments.reset(_seed(self.config.seed, self.number, start)))
        self.recorder.restart(self.number, start)
        set_rng_state(self.rng, dict(rest["rng"]))
        if (noise := load_state(data).get(NOISE)) is not None:  # checkpoints of before lack it
            set_generator_state(self.policy.generator, noise)

    def close(self) -> None:
        """Stop the environments."""
        self.environments.close()


def _first_action(config: DQNConfig, names: Sequence[str]) -> int | None:
    """Return the action that is done first in each life; None if that is for the policy to say."""
    return names.index("FIRE") if config.exploration.fire and "FIRE" in names else None


def _seed(seed: int, number: int, start: int = 0) -> int:
    """Return the environments' seed, different for each actor and each of its starts."""
    return int(np.random.SeedSequence([seed, 3, number, start]).generate_state(1)[0] >> 1)
