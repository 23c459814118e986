"""RLlib's learner with the losses of PPO over sequences of several heads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch
from torch import Tensor

from agents.ppo.config import PPOConfig
from agents.ppo.learning import sequences
from agents.ppo.learning.losses import action_terms, ppo_losses
from agents.ppo.learning.value_norm import TargetMoments, rescale_values
from agents.ppo.network.rl_module import LOG_SPREAD, TeamModule

LEARNING_RATE = "learning_rate"
ENTROPY = "entropy_weight"
MOMENTS = "moments"  # `TargetMoments`, or None to leave values in their units
SETTINGS = "ppo"  # the `PPOConfig` in RLlib's `env_config`
GRADIENT_NORM = "gradient_norm"


class TeamLearner(TorchLearner):
    """Trains a `TeamModule` on sequences.

    `update` takes in `timesteps` what an iteration is trained with: LEARNING_RATE, ENTROPY and
    MOMENTS, so that all learners have the same. Metrics are means over the minibatches.

    Minibatches are made here: RLlib's iterator fills the last one of an epoch with the first rows
    again, and copies the whole batch to shuffle it.
    """

    def build(self) -> None:
        """Create the module and the optimiser."""
        self._ppo: PPOConfig = self.config.env_config[SETTINGS]
        self._sums: dict[str, Tensor] = {}
        self._minibatches = 0
        self._parts = 1
        self._stopped = False
        self._entropy = self._ppo.learner.entropy
        super().build()
        self._generator = torch.Generator().manual_seed(self._ppo.seed + self._learner_index)

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """Create Adam, whose steps are one kernel."""
        params = self.get_parameters(self._module[module_id])
        learner = self._ppo.learner
        optimiser = torch.optim.Adam(
            params, learner.learning_rate, eps=learner.adam_epsilon, fused=True
        )
        self.register_optimizer(module_id=module_id, optimizer=optimiser, params=params)

    def before_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:
        """Take what this iteration is trained with."""
        super().before_gradient_based_update(timesteps=timesteps)
        self._sums, self._minibatches, self._stopped = {}, 0, False
        self._entropy = timesteps[ENTROPY]
        self._set_optimizer_lr(self.get_optimizer(), timesteps[LEARNING_RATE])
        moments: TargetMoments | None = timesteps[MOMENTS]
        if moments is not None:
            rescale_values(self._team_module().network, moments)

    def after_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:
        """Report the means over the minibatches."""
        super().after_gradient_based_update(timesteps=timesteps)
        means = {name: total / self._minibatches for name, total in self._sums.items()}
        means["minibatches"] = torch.tensor(float(self._minibatches))
        means["epochs"] = torch.tensor(self._minibatches / self._parts)
        self.metrics.log_dict(means, key=DEFAULT_MODULE_ID, window=1)

    def _create_iterator_if_necessary(
        self,
        *,
        training_data: Any,
        num_epochs: int = 1,
        **kwargs: Any,
    ) -> Iterator[MultiAgentBatch]:
        """Yield the minibatches of each epoch in a new order, until the divergence stops them.

        They are as many as the settings say, or one a sequence where there are fewer.
        """
        batch = self._make_batch_if_necessary(training_data=training_data)
        columns = batch.policy_batches[DEFAULT_MODULE_ID]
        count = len(columns[sequences.ADVANTAGES])
        self._parts = min(self._ppo.learner.minibatches, count)
        for _ in range(num_epochs):
            order = torch.randperm(count, generator=self._generator).to(self._device)
            for rows in order.tensor_split(self._parts):
                if self._stopped:
                    return
                chosen = {name: column[rows] for name, column in columns.items()}
                yield MultiAgentBatch({DEFAULT_MODULE_ID: SampleBatch(chosen)}, len(rows))

    def compute_loss_for_module(
        self, *, module_id: str, config: Any, batch: dict[str, Tensor], fwd_out: dict[str, Tensor]
    ) -> Tensor:
        """Return the loss of a minibatch."""
        learner = self._ppo.learner
        network = self._team_module().network
        flat = {
            name: batch[name].flatten(0, 1)
            for name in (sequences.MASKS, sequences.ACTIONS, sequences.LOG_PROBABILITIES)
            + (sequences.ADVANTAGES, sequences.TARGETS, sequences.LEARNS)
        }
        terms = action_terms(
            fwd_out[Columns.ACTION_DIST_INPUTS],
            flat[sequences.MASKS],
            flat[sequences.ACTIONS],
            network.spec.heads,
            fwd_out[LOG_SPREAD],
        )
        losses = ppo_losses(
            terms,
            flat[sequences.LOG_PROBABILITIES],
            flat[sequences.ADVANTAGES],
            fwd_out[Columns.VF_PREDS],
            (flat[sequences.TARGETS] - network.value_mean) / network.value_std,
            flat[sequences.LEARNS],
            learner.clip,
        )
        total = losses.policy + learner.value_weight * losses.value - self._entropy * losses.entropy
        self._note({f"{name}_loss": getattr(losses, name).detach() for name in ("policy", "value")})
        self._note({name: getattr(losses, name).detach() for name in ("entropy", "kl", "clipped")})
        self._minibatches += 1
        if learner.kl_stop and losses.kl.item() > learner.kl_stop:
            self._stopped = True  # after this step
        return total

    def postprocess_gradients(self, gradients_dict: dict[Any, Tensor]) -> dict[Any, Tensor]:
        """Bound the norm of the gradient."""
        limit = self._ppo.learner.gradient_clip or float("inf")
        norm = torch.nn.utils.clip_grad_norm_(self._params.values(), limit)
        self._note({GRADIENT_NORM: norm.detach()})
        return gradients_dict

    def _team_module(self) -> TeamModule:
        module: TeamModule = self.module[DEFAULT_MODULE_ID].unwrapped()
        return module

    def _note(self, found: dict[str, Tensor]) -> None:
        for name, value in found.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
