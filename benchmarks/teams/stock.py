"""RLlib's stock path through the same game with the same network: the peer of `rllib`.

Its `MultiAgentEnvRunner`, connectors and `PPOTorchLearner` are as they come; what is here is what a
user of RLlib writes: a module around the network, and settings.

Shapes: B agents, S sequences of T steps, L logits of all heads one after another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from ray.rllib.algorithms.ppo import PPOConfig as RLlibConfig
from ray.rllib.core.columns import Columns
from ray.rllib.core.distribution.torch.torch_distribution import TorchMultiCategorical
from ray.rllib.core.rl_module.apis import ValueFunctionAPI
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.core.rl_module.torch import TorchRLModule
from torch import Tensor

from agents.ppo.config import PPOConfig
from agents.ppo.learning.losses import FORBIDDEN
from agents.ppo.multi_agent_env import LanesMultiAgentEnv
from agents.ppo.network.memory import Memory
from agents.ppo.network.team_network import TeamNetwork, build_network
from envs.teams import ActionHead, TeamSpec

MODULE = "team"  # one network plays all agents


class StockModule(TorchRLModule, ValueFunctionAPI):
    """A `TeamNetwork` with memory, as RLlib's runner and learner want it.

    `model_config` has "spec", "network" (a `NetworkConfig`), "seed" and "max_seq_len". An
    observation is packed: the agent's own, its masks, and the true state. The critic is computed in
    training only, and once: its values travel as RLlib's embeddings.
    """

    network: TeamNetwork

    def setup(self) -> None:
        """Create the network."""
        made: dict[str, Any] = self.model_config
        spec: TeamSpec = made["spec"]
        self.spec = spec
        self.widths = [spec.observation_shape[0], spec.mask_size, spec.state_size]
        self.mask_sizes = [head.mask_size for head in spec.heads]
        device = torch.device("cpu")
        self.network = build_network(spec, made["network"], seed=made["seed"], device=device)
        sizes = [head.size for head in spec.heads]
        self.action_dist_cls = TorchMultiCategorical.get_partial_dist_cls(input_lens=sizes)

    def get_initial_state(self) -> dict[str, Any]:
        """Return the memory of an agent whose match begins, by part, float32 [H]."""
        return {
            name: part[0].numpy() for name, part in self.network.empty_memory(1)._asdict().items()
        }

    def _forward(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Act once: observations [B, 1, ...] and memories [B, H] -> logits [B, 1, L]."""
        observations, masks, states = batch[Columns.OBS][:, 0].split(self.widths, 1)
        memory = Memory(**batch[Columns.STATE_IN])
        outputs = self.network.step(observations, states, memory, values=False)
        return {
            Columns.ACTION_DIST_INPUTS: self._masked(outputs.logits, masks).unsqueeze(1),
            Columns.STATE_OUT: {n: part.float() for n, part in outputs.memory._asdict().items()},
        }

    def _forward_train(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Tensor]:
        """Go through sequences [S, T, ...] -> logits [S, T, L] and values [S, T]."""
        observations, masks, states = batch[Columns.OBS].split(self.widths, 2)
        shape = observations.shape[:2]
        memory = Memory(**batch[Columns.STATE_IN])
        begins = torch.zeros(shape, dtype=torch.uint8)  # RLlib cuts sequences where matches end
        outputs = self.network(observations, states, memory, begins)
        logits = self._masked(outputs.logits, masks.flatten(0, 1))
        values = self.network.returns(outputs.values)
        return {
            Columns.ACTION_DIST_INPUTS: logits.view(*shape, -1),
            Columns.EMBEDDINGS: values.view(shape),
        }

    def compute_values(self, batch: dict[str, Any], embeddings: Tensor | None = None) -> Tensor:
        """Return values [S, T]: those of the pass before, or by one of its own for advantages."""
        if embeddings is not None:
            return embeddings
        with torch.no_grad():
            return self._forward_train(batch)[Columns.EMBEDDINGS]

    def _masked(self, logits: Tensor, masks: Tensor) -> Tensor:
        """Forbid the choices [n, L] that no action may have."""
        parts = zip(self.spec.heads, torch.split(masks, self.mask_sizes, 1))
        allowed = torch.cat([_allowed(head, mask) for head, mask in parts], 1)
        return torch.where(allowed, logits, FORBIDDEN)


def _allowed(head: ActionHead, mask: Tensor) -> Tensor:
    """[n, mask_size] -> bool [n, size]: what is allowed with any choice of the first head."""
    return (mask != 0).reshape(len(mask), -1, head.size).any(1)


def stock_config(
    config: PPOConfig, spec: TeamSpec, environments: int, rollouts: int = 1
) -> RLlibConfig:
    """Return RLlib's settings to learn as `config` does.

    A rollout is a step shorter than ours: RLlib adds one to each piece of an episode for its value,
    with which the pieces fill whole sequences, and none is padded.

    Args:
        config: ours.
        spec: of the environment.
        environments: of a runner.
        rollouts: that each of them plays in an iteration, one after another.
    """
    learner = config.learner
    agents, steps = environments * rollouts * spec.players, learner.rollout - 1
    made = RLlibConfig().framework("torch")
    made.environment(
        LanesMultiAgentEnv,
        env_config={"game": config.game, "packed": True},
        disable_env_checking=True,
    )
    made.env_runners(
        num_env_runners=0,
        num_envs_per_env_runner=environments,
        rollout_fragment_length=rollouts * spec.players * steps,
    )
    made.learners(num_learners=0, num_gpus_per_learner=0)
    made.multi_agent(
        policies={MODULE},
        policy_mapping_fn=lambda agent, episode, **kwargs: MODULE,
        count_steps_by="agent_steps",  # as minibatches do in any case
    )
    made.rl_module(rl_module_spec=_module_spec(config, spec))
    made.training(
        train_batch_size_per_learner=agents * steps,
        num_epochs=learner.epochs,
        minibatch_size=agents * learner.rollout // learner.minibatches,
        **_losses(config),
    )
    made.debugging(seed=config.seed, log_level="ERROR")
    return made


def _module_spec(config: PPOConfig, spec: TeamSpec) -> RLModuleSpec:
    model = {"spec": spec, "network": config.network, "seed": config.seed}
    model["max_seq_len"] = config.learner.sequence
    return RLModuleSpec(module_class=StockModule, model_config=model)


def _losses(config: PPOConfig) -> dict[str, Any]:
    """Return RLlib's names of the settings of losses and gradients."""
    learner = config.learner
    return {
        "lr": learner.learning_rate,
        "gamma": learner.gamma,
        "lambda_": learner.gae_lambda,
        "clip_param": learner.clip,
        "vf_loss_coeff": learner.value_weight,
        "vf_clip_param": float("inf"),
        "entropy_coeff": learner.entropy,
        "grad_clip": learner.gradient_clip,
        "use_kl_loss": False,
    }


def agent_steps(episodes: Sequence[Any]) -> int:
    """Count the steps of all agents in RLlib's episodes."""
    return sum(len(one) for episode in episodes for one in episode.agent_episodes.values())
