"""RLlib's runner around the sampler: in this process, or an actor of Ray."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import gymnasium as gym
from ray.rllib.core import COMPONENT_RL_MODULE, DEFAULT_MODULE_ID
from ray.rllib.env import INPUT_ENV_SPACES
from ray.rllib.env.env_runner import EnvRunner
from ray.rllib.utils.metrics import WEIGHTS_SEQ_NO

from agents.cores import use_threads
from agents.ppo.config import PPOConfig
from agents.ppo.learning.sequences import Sample
from agents.ppo.network.rl_module import PREFIX, network_weights
from agents.ppo.playing.sampler import Returns, Sampler
from agents.ppo.playing.warm_up import warm_up
from agents.running.compiling import one_at_a_time
from agents.torch_device import choose_device
from envs.teams import TeamVector

SETTINGS = "ppo"  # the `PPOConfig` in RLlib's `env_config`
MAKER = "make_vector"  # there: a function of a `PPOConfig` that makes a vector

VectorMaker = Callable[[PPOConfig], TeamVector]


class Answer(NamedTuple):
    """What a runner answers: its number, and its sample or why there is none."""

    number: int
    sample: Sample | None
    error: str = ""


class TeamRunner(EnvRunner):
    """Samples rollouts of m matches for RLlib's PPO.

    It is no `MultiAgentEnvRunner`, which steps an environment at a time and makes episodes of
    Python objects, to be taken apart again by connectors. RLlib asks a runner for what is here.
    """

    def __init__(self, *, config: Any, **kwargs: Any) -> None:
        super().__init__(config=config, **kwargs)
        settings: PPOConfig = self.config.env_config[SETTINGS]
        make_vector: VectorMaker = self.config.env_config[MAKER]
        if self.worker_index:  # an actor, whose threads are its own, and whose node may be another
            use_threads(settings.environment.threads)
            with one_at_a_time():
                warm_up(replace(settings, device="cpu"), make_vector)
        self.vector = make_vector(settings)
        device = choose_device("cpu" if self.worker_index else settings.device)
        self.sampler = Sampler(self.vector, settings, number=self.worker_index or 0, device=device)

    def assert_healthy(self) -> None:
        """Raise AssertionError for a runner that could not be made."""
        assert self.sampler.players > 0

    def sample(self, returns: Returns | None = None, **kwargs: Any) -> Sample:
        """Play a rollout; without `returns` with the settings' discount."""
        learner = self.config.env_config[SETTINGS].learner
        return self.sampler.sample(returns or Returns(learner.gamma, learner.gae_lambda))

    def answer(self, returns: Returns) -> Answer:
        """Play a rollout; an error is an answer too.

        RLlib ends the process of a runner that raises, without telling the error, and starts it
        again: an environment that always fails would so be tried a thousand times.
        """
        number = self.worker_index or 0
        try:
            return Answer(number, self.sample(returns))
        except Exception as error:
            return Answer(number, None, f"{type(error).__name__}: {error}")

    def get_metrics(self) -> dict[str, Any]:
        """Return nothing: a sample says what is known of it."""
        return {}

    def get_spaces(self) -> dict[str, tuple[gym.Space[Any], gym.Space[Any]]]:
        """Return the spaces by which RLlib knows the environment."""
        spaces = (self.config.observation_space, self.config.action_space)
        return {INPUT_ENV_SPACES: spaces, DEFAULT_MODULE_ID: spaces}

    def get_state(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the weights that act and their version."""
        weights = {
            PREFIX + name: tensor.cpu().numpy()
            for name, tensor in self.sampler.network.state_dict().items()
        }
        return {
            COMPONENT_RL_MODULE: {DEFAULT_MODULE_ID: weights},
            WEIGHTS_SEQ_NO: self.sampler.version,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Switch to other weights; a state without any changes nothing."""
        if COMPONENT_RL_MODULE in state:
            weights = state[COMPONENT_RL_MODULE][DEFAULT_MODULE_ID]
            self.sampler.load(network_weights(weights), int(state.get(WEIGHTS_SEQ_NO, 0)))

    def begin(self, start: int) -> None:
        """Begin new matches; see `Sampler.begin`."""
        self.sampler.begin(start)

    def take_pool(
        self, opponents: Mapping[int, Mapping[str, Any]], qualities: Mapping[int, float]
    ) -> None:
        """Keep the weights of past opponents, and choose by these qualities from now on."""
        for number, weights in opponents.items():
            self.sampler.add_opponent(number, weights)
        self.sampler.set_qualities(qualities)

    def stop(self) -> None:
        """Close the matches."""
        self.vector.close()
