"""The AlphaZero learner: samples rows from RAM, trains, and publishes averaged weights."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from agents.alphazero.config import LearnerConfig, NetworkConfig
from agents.alphazero.episodes import POLICY_ENTRIES, TrainingRows, ring_fields, to_rows
from agents.alphazero.network import build_network
from agents.device.graphs import GraphedCall, recorder_of
from agents.device.optimiser import load_optimiser, set_rate
from agents.random_state import rng_state, set_rng_state
from agents.torch_device import choose_device, choose_precision
from agents.torch_state import dump_state
from envs.batch import encode_many
from envs.game import Game
from store.memory.ragged import RaggedEntries
from store.memory.ring import Ring
from store.replay.episodes import EpisodeBatch


class SparsePolicy(NamedTuple):
    """The policies of some rows, as E entries: the actions that have weight."""

    row: Tensor  # int64 [E]
    action: Tensor  # int64 [E]
    weight: Tensor  # float32 [E], sums to 1 in a row that has a policy


def alphazero_loss(
    policy_logits: Tensor, outcome_logits: Tensor, policy: SparsePolicy, outcome: Tensor
) -> tuple[Tensor, Tensor]:
    """Return cross-entropies of policy [N, A] and win/draw/loss [N, 3] with the targets, in nats.

    AlphaZero's loss (2018, equation 1) with the squared error replaced by win/draw/loss
    cross-entropy; weight decay is the optimiser's. A row without entries has no policy target: the
    policy loss is the mean over the other rows, 0 if there are none.
    """
    with_policy = policy.weight.sum().clamp(min=1.0)  # a policy sums to 1
    entries = policy.row * policy_logits.shape[1] + policy.action
    likely = functional.log_softmax(policy_logits, 1).flatten().gather(0, entries)
    policy_loss = -(policy.weight * likely).sum() / with_policy
    value_loss = -(outcome * functional.log_softmax(outcome_logits, 1)).sum(1).mean()
    return policy_loss, value_loss


class AlphaZeroLearner:
    """Trains a network on the rows of a window; independent of who plays.

    `progress` in [0, 1] is the used share of the budget, and sets the learning rate.
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
        self.is_on_card = self.device.type == "cuda"
        self.precision = choose_precision(network.precision, self.device)
        self.network = build_network(game, network, seed).to(self.device)
        self.averaged = copy.deepcopy(self.network)
        self.optimizer = self._make_optimizer()
        self._on_rows = GraphedCall(
            self._update, self.device, recorder_of(self.device, asked=self.is_on_card)
        )
        self.ring = Ring(
            config.window_rows,
            ring_fields(game),
            window=min(config.window_start_rows, config.window_rows),
        )
        self.policies = RaggedEntries(POLICY_ENTRIES)
        symmetries = range(len(game.symmetries))
        self._action_images = np.stack([game.symmetries.action_image(s) for s in symmetries])
        self.rng = np.random.default_rng([seed, 1])
        self.steps = 0
        self._rows_before = 0  # the ring's first row

    @property
    def batch_size(self) -> int:
        """Return the training rows of a step."""
        return self.config.batch_size

    @property
    def rows_added(self) -> int:
        """Return the training rows added since the run began."""
        return self._rows_before + self.ring.total_added

    @property
    def window_rows(self) -> int:
        """Return the training rows in the window."""
        return self.ring.sampled_rows

    def _make_optimizer(self) -> torch.optim.AdamW:
        groups, rate = self._parameter_groups(), self.config.learning_rate
        if not self.is_on_card:
            return torch.optim.AdamW(groups, lr=rate)
        on_card = torch.tensor(rate, device=self.device)  # where the graph of a step reads it
        return torch.optim.AdamW(groups, lr=on_card, fused=True, capturable=True)

    def _parameter_groups(self) -> list[dict[str, Any]]:
        weights = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]
        return [
            {"params": weights, "weight_decay": self.config.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]

    def add(self, batches: Sequence[EpisodeBatch]) -> int:
        """Add stored games to the window; return their rows."""
        if not batches:
            return 0
        rows = to_rows(self.game, list(batches), self.config)
        self.add_rows(rows)
        self._grow_window()
        return len(rows.states)

    def add_rows(self, rows: TrainingRows) -> None:
        """Add rows to the ring, and their policies to the entries."""
        first = self.policies.extend(action=rows.policy_action, weight=rows.policy_weight)
        counts = rows.policy_count.astype(np.int64)
        self.ring.extend(
            state=rows.states,
            past=rows.past,
            outcome=rows.outcome,
            policy_start=first + np.cumsum(counts) - counts,
            policy_count=rows.policy_count,
        )
        if len(self.ring):
            oldest = self.ring.gather(np.array([self.ring.oldest]), ["policy_start"])
            self.policies.forget(int(oldest["policy_start"][0]))

    def _grow_window(self) -> None:
        grown = max(self.config.window_start_rows, self.rows_added // 2)
        self.ring.window = min(grown, self.config.window_rows)

    def train(self, steps: int, progress: float) -> dict[str, float]:
        """Train `steps` steps; return mean losses in nats. The window must not be empty."""
        rate = self.config.learning_rate_at(progress)
        set_rate(self.optimizer, rate)
        self.network.train()
        policy_sum = torch.zeros((), device=self.device)
        value_sum = torch.zeros((), device=self.device)
        for _ in range(steps):
            policy_loss, value_loss = self._step()
            policy_sum += policy_loss
            value_sum += value_loss
        return {
            "policy_loss": policy_sum.item() / max(steps, 1),
            "value_loss": value_sum.item() / max(steps, 1),
            "learning_rate": rate,
        }

    def _step(self) -> tuple[Tensor, Tensor]:
        planes, policy, outcome = self.sample(self.config.batch_size)
        policy_loss, value_loss = self._on_rows(planes, *policy, outcome)
        self.steps += 1
        self._average()
        return policy_loss, value_loss

    def _update(
        self, planes: Tensor, row: Tensor, action: Tensor, weight: Tensor, outcome: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Make a step of the optimiser on a batch; return the losses. On a card it is one graph."""
        with torch.autocast(self.device.type, self.precision, enabled=self.is_on_card):
            policy_logits, outcome_logits = self.network(planes)
        policy = SparsePolicy(row, action, weight)
        policy_loss, value_loss = alphazero_loss(
            policy_logits.float(), outcome_logits.float(), policy, outcome
        )
        self.optimizer.zero_grad(set_to_none=True)
        total: Tensor = policy_loss + self.config.value_weight * value_loss
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.gradient_clip)
        self.optimizer.step()
        return policy_loss.detach(), value_loss.detach()

    def sample(self, count: int) -> tuple[Tensor, SparsePolicy, Tensor]:
        """Sample rows under random symmetries: planes [n, C, H, W], policies, outcomes [n, 3]."""
        rows = self.ring.sample(self.rng, count)
        planes = np.empty((count, *self.game.planes_shape), np.float32)
        encode_many(rows["state"], rows["past"], planes)
        policies = self.policies.gather(rows["policy_start"], rows["policy_count"])
        symmetries = self.game.symmetries
        chosen = self.rng.integers(len(symmetries), size=count)
        planes = augment(planes, symmetries.cells, chosen)
        row = np.repeat(np.arange(count), rows["policy_count"])
        action = self._action_images[chosen[row], policies["action"]].astype(np.int64)
        entries = [row, action, policies["weight"]]
        if self.is_on_card:  # the graph of a step takes batches of one shape
            most = count * min(self.game.max_legal, 2 * self.game.typical_legal)
            entries = [np.pad(each, (0, max(0, most - len(each)))) for each in entries]
        on_device = [self._sent(array) for array in (planes, *entries, rows["outcome"])]
        return (
            on_device[0].contiguous(memory_format=torch.channels_last),
            SparsePolicy(*on_device[1:4]),
            on_device[4],
        )

    def _sent(self, array: NDArray[Any]) -> Tensor:
        """Return an array as a tensor on the device, which need not wait for a card."""
        tensor = torch.from_numpy(array)
        return tensor.pin_memory().to(self.device, non_blocking=True) if self.is_on_card else tensor

    @torch.no_grad()
    def _average(self) -> None:
        """Move the averaged weights towards the trained ones; young averages move faster."""
        decay = min(self.config.averaging, self.steps / (self.steps + 9.0))
        averaged, trained, counts, trained_counts = self._averaging
        torch._foreach_lerp_(averaged, trained, 1.0 - decay)
        torch._foreach_copy_(counts, trained_counts)

    @cached_property
    def _averaging(self) -> tuple[list[Tensor], ...]:
        """Tensors that are averaged, those that are trained, and the counts of norms likewise.

        Loading weights leaves them in their places.
        """
        states = self.averaged.state_dict(), self.network.state_dict()
        floating = [[t for t in s.values() if t.is_floating_point()] for s in states]
        counts = [[t for t in s.values() if not t.is_floating_point()] for s in states]
        return *floating, *counts

    def weights(self) -> bytes:
        """Return the averaged weights, which play, as safetensors bytes."""
        return dump_state(self.averaged.state_dict())

    def state(self) -> dict[str, Any]:
        """Return all state but the window: weights, optimiser, counters and random state."""
        return {
            "config": asdict(self.config),
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "steps": self.steps,
            "rows_added": self.rows_added,
            "rng": rng_state(self.rng),
        }

    def load_state(self, state: Mapping[str, Any], window: Iterable[EpisodeBatch]) -> None:
        """Continue from `state`, with the games of its window."""
        self.ring.total_added = 0  # what is sampled depends on the rows' order alone
        self.policies = RaggedEntries(POLICY_ENTRIES)
        for batch in window:
            self.add([batch])
        self._rows_before = state["rows_added"] - self.ring.total_added
        self._grow_window()
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        load_optimiser(self.optimizer, state["optimizer"])
        self._on_rows.forget()
        self.steps = state["steps"]
        set_rng_state(self.rng, state["rng"])


def augment(
    planes: NDArray[np.float32], cells: NDArray[np.int32], chosen: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Permute planes [n, C, H, W] by the chosen symmetries [n] of `cells` int32 [S, H*W]."""
    flat = planes.reshape(*planes.shape[:2], -1)
    turned = np.take_along_axis(flat, cells[chosen][:, None, :].astype(np.int64), 2)
    return turned.reshape(planes.shape)
