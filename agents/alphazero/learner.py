"""The AlphaZero learner: samples rows from RAM, trains, and publishes averaged weights."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from agents.alphazero.episodes import ring_fields, to_rows
from agents.config import LearnerConfig, NetworkConfig
from agents.inference import choose_device
from agents.network import build_network
from envs.batch import encode_many
from envs.game import Game
from store.memory.ring import Ring
from store.replay.episodes import EpisodeBatch


@dataclass(frozen=True)
class Losses:
    """Mean losses over some training steps, in nats."""

    policy: float
    value: float


def alphazero_loss(
    policy_logits: Tensor, outcome_logits: Tensor, policy: Tensor, outcome: Tensor
) -> tuple[Tensor, Tensor]:
    """Cross-entropies of policy [N, A] and of win/draw/loss [N, 3] against the targets, in nats.

    AlphaZero's loss (2018, equation 1) with the squared error replaced by win/draw/loss
    cross-entropy; weight decay is the optimiser's. A row whose policy is zeros has none to learn:
    the policy loss is the mean over the other rows, 0 where there are none.
    """
    with_policy = policy.sum().clamp(min=1.0)  # a policy sums to 1
    policy_loss = -(policy * functional.log_softmax(policy_logits, 1)).sum() / with_policy
    value_loss = -(outcome * functional.log_softmax(outcome_logits, 1)).sum(1).mean()
    return policy_loss, value_loss


class Learner:
    """Trains a network on the rows of a window; knows nothing of who plays.

    `progress` in [0, 1] is how much of the training is over, and sets the learning rate.
    """

    def __init__(
        self,
        game: Game,
        network: NetworkConfig,
        config: LearnerConfig,
        *,
        seed: int,
        device: str = "auto",
    ) -> None:
        self.game = game
        self.config = config
        self.device = choose_device(device)
        self.network = build_network(game, network, seed).to(self.device)
        self.averaged = copy.deepcopy(self.network)
        self.optimizer = torch.optim.AdamW(self._parameter_groups(), lr=config.learning_rate)
        self.ring = Ring(
            config.window_rows,
            ring_fields(game),
            window=min(config.window_start_rows, config.window_rows),
        )
        self.rng = np.random.default_rng([seed, 1])
        self.steps = 0
        self.rows_credit = 0.0  # training rows allowed by the rate limit and not used yet

    def _parameter_groups(self) -> list[dict[str, Any]]:
        weights = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]
        return [
            {"params": weights, "weight_decay": self.config.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]

    def add(self, batches: list[EpisodeBatch], *, earn: bool = True) -> int:
        """Take stored games into the window; how many rows. They earn training unless told not."""
        if not batches:
            return 0
        rows = to_rows(self.game, batches, self.config)
        self.ring.extend(**rows)
        count = len(rows["state"])
        if earn:
            self.rows_credit += count * self.config.passes
        grown = max(self.config.window_start_rows, self.ring.total_added // 2)
        self.ring.window = min(grown, self.config.window_rows)
        return count

    def load_window(self, batches: list[EpisodeBatch], rows_added: int) -> None:
        """Refill the window of a resumed learner, which had added `rows_added` rows in all."""
        self.ring.total_added = rows_added - sum(batch.rows("row_ply") for batch in batches)
        self.add(batches, earn=False)

    def learning_rate(self, progress: float) -> float:
        """See `LearnerConfig.learning_rate_at`."""
        return self.config.learning_rate_at(progress)

    def steps_allowed(self) -> int:
        """Training steps that the rate limit admits now."""
        return max(0, int(self.rows_credit // self.config.batch_size))

    def train(self, steps: int, progress: float) -> Losses:
        """Make that many steps; their mean losses. The window must not be empty."""
        rate = self.learning_rate(progress)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.network.train()
        policy_sum = torch.zeros((), device=self.device)
        value_sum = torch.zeros((), device=self.device)
        for _ in range(steps):
            policy_loss, value_loss = self._step()
            policy_sum += policy_loss
            value_sum += value_loss
        self.rows_credit -= steps * self.config.batch_size
        return Losses(policy_sum.item() / max(steps, 1), value_sum.item() / max(steps, 1))

    def _step(self) -> tuple[Tensor, Tensor]:
        planes, policy, outcome = self.sample(self.config.batch_size)
        policy_logits, outcome_logits = self.network(planes)
        policy_loss, value_loss = alphazero_loss(policy_logits, outcome_logits, policy, outcome)
        self.optimizer.zero_grad(set_to_none=True)
        total: Tensor = policy_loss + self.config.value_weight * value_loss
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.gradient_clip)
        self.optimizer.step()
        self.steps += 1
        self._average()
        return policy_loss.detach(), value_loss.detach()

    def sample(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Rows of the window under random symmetries: planes [n, C, H, W], policy, outcome."""
        rows = self.ring.sample(self.rng, count)
        planes = np.empty((count, *self.game.planes_shape), np.float32)
        encode_many(rows["state"], planes)
        policy = rows["policy"]
        symmetries = self.game.symmetries
        chosen = self.rng.integers(len(symmetries), size=count)
        planes = augment(planes, symmetries.cells, chosen)
        policy = np.take_along_axis(policy, symmetries.actions[chosen], 1)
        as_device = (torch.from_numpy(array).to(self.device) for array in (planes, policy))
        planes_tensor, policy_tensor = as_device
        return (
            planes_tensor.contiguous(memory_format=torch.channels_last),
            policy_tensor,
            torch.from_numpy(rows["outcome"]).to(self.device),
        )

    @torch.no_grad()
    def _average(self) -> None:
        """Move the averaged weights towards the trained ones; young averages move faster."""
        decay = min(self.config.averaging, self.steps / (self.steps + 9.0))
        trained, averaged = self.network.state_dict(), self.averaged.state_dict()
        for name, tensor in averaged.items():
            if tensor.is_floating_point():
                tensor.lerp_(trained[name], 1.0 - decay)
            else:
                tensor.copy_(trained[name])

    def published(self) -> dict[str, Tensor]:
        """The weights to play with."""
        return self.averaged.state_dict()

    def state_dict(self) -> dict[str, Any]:
        """Everything but the window: weights, optimiser, counters and random state."""
        return {
            "config": asdict(self.config),
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "steps": self.steps,
            "rows_credit": self.rows_credit,
            "rows_added": self.ring.total_added,
            "rng": rng_state(self.rng),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`; the window is refilled from the store by the caller."""
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.steps = state["steps"]
        self.rows_credit = state["rows_credit"]
        set_rng_state(self.rng, state["rng"])


def augment(
    planes: NDArray[np.float32], cells: NDArray[np.int32], chosen: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Planes [n, C, H, W] under the chosen symmetries [n] of `cells` int32 [S, H*W]."""
    flat = planes.reshape(*planes.shape[:2], -1)
    turned = np.take_along_axis(flat, cells[chosen][:, None, :].astype(np.int64), 2)
    return turned.reshape(planes.shape)


def rng_state(rng: np.random.Generator) -> dict[str, Any]:
    """A generator's state in plain values; its 128-bit integers as strings, for any format."""
    state: Any = rng.bit_generator.state
    return {
        "state": str(state["state"]["state"]),
        "inc": str(state["state"]["inc"]),
        "has_uint32": state["has_uint32"],
        "uinteger": state["uinteger"],
    }


def set_rng_state(rng: np.random.Generator, saved: dict[str, Any]) -> None:
    """Restore `rng_state`."""
    rng.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": int(saved["state"]), "inc": int(saved["inc"])},
        "has_uint32": saved["has_uint32"],
        "uinteger": saved["uinteger"],
    }
