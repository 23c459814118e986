"""RLlib's module around the network: what its learners train."""

from __future__ import annotations

from typing import Any

import torch
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis import ValueFunctionAPI
from ray.rllib.core.rl_module.torch import TorchRLModule
from torch import Tensor

from agents.ppo.learning import sequences
from agents.ppo.network.memory import Memory
from agents.ppo.network.team_network import TeamNetwork, build_network

LOG_SPREAD = "log_spread"  # of real numbers, in the outputs
PREFIX = "network."  # of the network's weights in the module's state


class TeamModule(TorchRLModule, ValueFunctionAPI):
    """A `TeamNetwork` for RLlib.

    `model_config` has "spec", "network" (a `NetworkConfig`), "seed" and "device" (where learners
    run, which decides the precision).

    To RLlib it has no state, as a row of its batches is a whole sequence and brings its memory.
    """

    network: TeamNetwork

    def setup(self) -> None:
        """Create the network, the same in each learner."""
        made: dict[str, Any] = self.model_config
        self.network = build_network(
            made["spec"], made["network"], seed=made["seed"], device=torch.device(made["device"])
        )

    def get_initial_state(self) -> dict[str, Any]:
        """Return nothing: see the class."""
        return {}

    def _forward(self, batch: dict[str, Tensor], **kwargs: Any) -> dict[str, Tensor]:
        """Go through the sequences of a batch; the outputs have a row a step."""
        outputs = self.network(
            batch[sequences.OBSERVATIONS],
            batch[sequences.STATES],
            Memory(batch[sequences.MEMORY_OUTPUT], batch[sequences.MEMORY_CELL]),
            batch[sequences.BEGINS],
        )
        return {
            Columns.ACTION_DIST_INPUTS: outputs.logits,
            Columns.VF_PREDS: outputs.values,
            LOG_SPREAD: self.network.log_spread * 1.0,  # all that learns is in the outputs, for DDP
        }

    def compute_values(self, batch: dict[str, Tensor], embeddings: Any = None) -> Tensor:
        """Return the values of a batch's steps, in units of rewards."""
        values: Tensor = self._forward(batch)[Columns.VF_PREDS]
        return self.network.returns(values)


def network_weights(state: dict[str, Any]) -> dict[str, Any]:
    """Return the network's weights from the module's state."""
    return {name.removeprefix(PREFIX): weights for name, weights in state.items()}
