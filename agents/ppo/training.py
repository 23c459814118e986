"""A run's PPO in this process: its iterations, its counters, and the files of a checkpoint."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from agents.ppo.checkpoint_files import POOL_FILE, TRAINER_FILE, past_opponents, pool_tensors
from agents.ppo.config import PPOConfig
from agents.ppo.learning.sequences import Sample
from agents.ppo.rllib_algorithm import RESTART_SECONDS, TeamPPO, rllib_config
from agents.ppo.schedules import gamma_at, team_spirit_at
from agents.running.trajectories import Arrays
from agents.torch_state import dump_trainer, load_trainer
from envs.teams import TeamSpec, TeamVector, make_team_vector
from envs.vector import typed_environment
from store.checkpoints import MODEL_FILE, Checkpoint, tensors_from_bytes, tensors_to_bytes
from store.errors import CheckpointError

UNANSWERED_S = 600.0  # a cluster may need minutes to replace its nodes


class NoRunnerError(RuntimeError):
    """No runner has answered for long, though Ray starts them again."""


class Done(NamedTuple):
    """What an iteration did.

    Attributes:
        metrics: results of the learner.
        made: counters to add.
        notices: for people.
        trajectories: of recorded matches.
    """

    metrics: dict[str, float]
    made: dict[str, float]
    notices: tuple[str, ...] = ()
    trajectories: tuple[Arrays, ...] = ()


class Training:
    """PPO on RLlib, with the pool of past opponents; the caller has started Ray.

    Args:
        config: of the run.
        spec: of its environment.
    """

    def __init__(self, config: PPOConfig, spec: TeamSpec) -> None:
        self._config, self._spec = config, spec
        logging.getLogger("ray.rllib").setLevel(logging.ERROR)  # advice on how to use it
        self._algorithm = TeamPPO(config=rllib_config(config, spec, make_matches))
        self._answered = time.monotonic()

    @property
    def updates(self) -> int:
        """Iterations since the run began."""
        return self._algorithm.updates

    def load(self, checkpoint: Checkpoint) -> None:
        """Continue from a checkpoint; matches begin again.

        Raises CheckpointError for one that lacks what resuming needs.
        """
        try:
            state = load_trainer(checkpoint.files[TRAINER_FILE])
            weights = tensors_from_bytes(checkpoint.files[MODEL_FILE])
            past = past_opponents(tensors_from_bytes(checkpoint.files[POOL_FILE]))
            self._algorithm.load_state(state, weights, past)
        except KeyError as error:
            raise CheckpointError(
                f"checkpoint {checkpoint.step} lacks {error}, which resuming needs"
            ) from error

    def iterate(self, share: float) -> Done:
        """Play, learn and pass on the weights once, at a used share of the budget.

        An iteration in which no runner answered does nothing, and says so. Raises NoRunnerError
        when none has for UNANSWERED_S.
        """
        algorithm, config = self._algorithm, self._config
        began = time.perf_counter()
        algorithm.progress = share
        algorithm.restored = 0  # before `train`, which restores runners before its first step
        algorithm.train()
        notices, last = _notices(algorithm), algorithm.last
        if last is None:
            self._wait_for_runners()
            return Done({}, {"games": 0, "rows": 0}, (*notices, "no runner answered"))
        self._answered = time.monotonic()
        seconds = time.perf_counter() - began
        gamma = gamma_at(config, self._spec.seconds, share)
        metrics = {
            **last.metrics,
            "pool": float(len(algorithm.pool)),
            "sample_staleness": last.staleness,
            "reuse": last.reuse,
            "horizon": 1.0 / max(1.0 - gamma, 1e-9),
            "team_spirit": team_spirit_at(config.shaping, share),
            "sampling_share": float(np.mean([s.seconds for s in last.samples])) / seconds,
        }
        recorded = tuple(one for sample in last.samples for one in sample.trajectories)
        return Done(metrics, _counted(last.samples, self._spec), notices, recorded)

    def _wait_for_runners(self) -> None:
        """Give runners time to start; raise NoRunnerError after UNANSWERED_S."""
        silent = time.monotonic() - self._answered
        if silent > UNANSWERED_S:
            raise NoRunnerError(
                f"no runner has answered for {silent / 60:.0f} minutes: Ray starts them again, and "
                "they end before they have played a rollout. Its logs (`ray logs`) say why; often "
                f"memory is short: expected it to hold {self._config.workers} runners of "
                f"--environment.matches {self._config.environment.matches}"
            )
        time.sleep(RESTART_SECONDS)

    def files(self) -> Mapping[str, bytes]:
        """Return the files of a checkpoint of now."""
        weights = {name: np.asarray(found) for name, found in self._algorithm.weights().items()}
        return {
            MODEL_FILE: tensors_to_bytes(weights),
            TRAINER_FILE: dump_trainer(self._algorithm.state()),
            POOL_FILE: tensors_to_bytes(pool_tensors(self._algorithm.past)),
        }

    def close(self) -> None:
        """Stop runners and learners."""
        self._algorithm.stop()


def make_matches(config: PPOConfig) -> TeamVector:
    """Make the matches of a runner."""
    settings = config.environment
    return make_team_vector(
        typed_environment(config.game),
        settings.matches,
        seed=config.seed,  # a runner resets them by a seed of its own
        threads=settings.threads,
        rewards=config.rewards,
    )


def _notices(algorithm: TeamPPO) -> tuple[str, ...]:
    told = [f"runner {number} does not answer; started again" for number in algorithm.silent]
    if algorithm.restored:
        told.append(f"{algorithm.restored} of the runners play again")
    return tuple(told)


def _counted(samples: list[Sample], spec: TeamSpec) -> dict[str, float]:
    """Return what an iteration adds to the counters of its run."""
    made = dict.fromkeys(("games", "rows", "lengths", "solo_games", "past_games"), 0.0)
    made |= {"score": 0.0, "past_score": 0.0}
    for sample in samples:
        ended = sample.ended
        results = ended.results()
        made["games"] += len(ended.lengths)
        made["rows"] += sample.agent_steps
        made["lengths"] += float(ended.lengths.sum())
        made["past_games"] += len(results)
        made["past_score"] += sum(result.score for result in results)
        if spec.teams == 1:
            made["solo_games"] += len(ended.lengths)
            made["score"] += float(ended.scores.sum())
    return made
