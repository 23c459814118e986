"""The AlphaZero learner: samples rows from RAM, trains, and publishes averaged weights."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from agents.alphazero.config import LearnerConfig, NetworkConfig
from agents.alphazero.episodes import POLICY_ENTRIES, TrainingRows, ring_fields, to_rows
from agents.alphazero.network import AuxiliaryHeads, board_of, build_heads, build_network
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


class Batch(NamedTuple):
    """Sampled rows, [n]; None of a target that the settings do not ask for."""

    planes: Tensor  # [n, C, H, W]
    policy: SparsePolicy
    outcome: Tensor  # [n, 3]
    weight: Tensor | None = None  # [n] of a row in all losses
    reply: SparsePolicy | None = None  # the policies of the next ply
    ownership: Tensor | None = None  # [n, H*W] of the finished board: 1 the mover's, -1 the other's
    lead: Tensor | None = None  # [n] of the mover in points at the end, NaN if unknown


def tensors_of(batch: Batch) -> list[Tensor]:
    """Return a batch's tensors in their order, those of policies among them."""
    parts = ([part] if isinstance(part, Tensor) else part or () for part in batch)
    return [tensor for part in parts for tensor in part]


def with_tensors(batch: Batch, tensors: Sequence[Tensor]) -> Batch:
    """Return a batch like this one, of other tensors in the order of `tensors_of`."""
    left = iter(tensors)
    parts: list[Any] = []
    for part in batch:
        if isinstance(part, SparsePolicy):
            parts.append(SparsePolicy(next(left), next(left), next(left)))
        else:
            parts.append(None if part is None else next(left))
    return Batch(*parts)


def alphazero_loss(
    policy_logits: Tensor,
    outcome_logits: Tensor,
    policy: SparsePolicy,
    outcome: Tensor,
    weight: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return cross-entropies of policy [N, A] and win/draw/loss [N, 3] with the targets, in nats.

    AlphaZero's loss (2018, equation 1) with the squared error replaced by win/draw/loss
    cross-entropy; weight decay is the optimiser's. A row without entries has no policy target: the
    policy loss is the mean over the other rows, 0 if there are none. Means are by `weight` [N].
    """
    policy_loss = policy_cross_entropy(policy_logits, policy, weight)
    by_row = -(outcome * functional.log_softmax(outcome_logits, 1)).sum(1)
    return policy_loss, _mean(by_row, weight)


def policy_cross_entropy(
    logits: Tensor, policy: SparsePolicy, weight: Tensor | None = None
) -> Tensor:
    """Return the mean cross-entropy of logits [N, A] with the rows that have a policy, in nats."""
    share = policy.weight if weight is None else policy.weight * weight[policy.row]
    total = share.sum()  # a policy sums to 1
    total = total.clamp(min=1.0) if weight is None else total.clamp(min=1e-6)
    entries = policy.row * logits.shape[1] + policy.action
    likely = functional.log_softmax(logits, 1).flatten().gather(0, entries)
    return -(share * likely).sum() / total


def _mean(by_row: Tensor, weight: Tensor | None) -> Tensor:
    if weight is None:
        return by_row.mean()
    return (by_row * weight).sum() / weight.sum().clamp(min=1e-6)


def ownership_loss(
    logits: Tensor, ownership: Tensor, weight: Tensor, board: Tensor | None = None
) -> Tensor:
    """Return the mean cross-entropy over points [N, P] in nats (KataGo 2019, 4.1).

    A point that neither owns is half the mover's. The mean is over the points of the `board` [N, P]
    of zeros and ones (None: all), and over rows by `weight` [N].
    """
    mine = (ownership + 1.0) / 2.0
    by_point = functional.binary_cross_entropy_with_logits(logits, mine, reduction="none")
    if board is None:
        return _mean(by_point.mean(1), weight)
    return _mean((by_point * board).sum(1) / board.sum(1).clamp(min=1.0), weight)


def lead_loss(logits: Tensor, bins: Tensor, weight: Tensor) -> Tensor:
    """Return the loss of a distribution over leads [N, S], whose right bins are int64 [N].

    The cross-entropy in nats, plus the squared errors of the cumulative sums, by which a guess
    nearby is better than one far away (KataGo 2019, 4.1). The mean is over rows by `weight` [N].
    """
    chance = functional.log_softmax(logits, 1)
    by_bin = -chance.gather(1, bins[:, None])[:, 0]
    places = torch.arange(logits.shape[1], device=logits.device)
    reached = (places[None] >= bins[:, None]).to(chance.dtype)
    by_sum = (chance.exp().cumsum(1) - reached).square().sum(1)
    return _mean(by_bin + by_sum, weight)


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
        heads = build_heads(game, network, config, seed)
        self.heads = None if heads is None else heads.to(self.device)
        self.optimizer = self._make_optimizer()
        self._layout: Batch | None = None  # of the batches of `_on_rows`
        self._on_rows = GraphedCall(
            self._update, self.device, recorder_of(self.device, asked=self.is_on_card)
        )
        self.ring = Ring(
            config.window_rows,
            ring_fields(game, config),
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

    def _trained(self) -> list[torch.nn.Parameter]:
        """Return the parameters of the network and of the auxiliary heads."""
        heads = () if self.heads is None else self.heads.parameters()
        return [*self.network.parameters(), *heads]

    def _make_optimizer(self) -> torch.optim.AdamW:
        groups, rate = self._parameter_groups(), self.config.learning_rate
        if not self.is_on_card:
            return torch.optim.AdamW(groups, lr=rate)
        on_card = torch.tensor(rate, device=self.device)  # where the graph of a step reads it
        return torch.optim.AdamW(groups, lr=on_card, fused=True, capturable=True)

    def _parameter_groups(self) -> list[dict[str, Any]]:
        weights = [p for p in self._trained() if p.ndim > 1]
        others = [p for p in self._trained() if p.ndim <= 1]
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
            **rows.extras,
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
        sums: dict[str, Tensor] = {}
        for _ in range(steps):
            for name, loss in self._step().items():
                sums[name] = sums[name] + loss if name in sums else loss
        means = {name: total.item() / steps for name, total in sums.items()}
        return {"policy_loss": 0.0, "value_loss": 0.0, **means, "learning_rate": rate}

    def _step(self) -> dict[str, Tensor]:
        batch = self._layout = self.sample(self.config.batch_size)
        losses = self._on_rows(*tensors_of(batch))
        self.steps += 1
        self._average()
        return dict(zip(self._losses, losses, strict=True))

    def _update(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Make a step of the optimiser on a batch; return the losses. On a card it is one graph."""
        assert self._layout is not None
        batch = with_tensors(self._layout, tensors)
        with torch.autocast(self.device.type, self.precision, enabled=self.is_on_card):
            trunk = self.network.trunk(batch.planes)
            policy_logits, outcome_logits = self.network.answer(trunk)
        policy_loss, value_loss = alphazero_loss(
            policy_logits.float(), outcome_logits.float(), batch.policy, batch.outcome, batch.weight
        )
        losses = {"policy_loss": policy_loss, "value_loss": value_loss}
        total: Tensor = policy_loss + self.config.value_weight * value_loss
        if self.heads is not None:
            for name, (share, loss) in self._auxiliary_losses(
                self.heads, trunk.float(), batch
            ).items():
                total = total + share * loss
                losses[name] = loss
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._trained(), self.config.gradient_clip)
        self.optimizer.step()
        self._losses = tuple(losses)
        return tuple(loss.detach() for loss in losses.values())

    def _auxiliary_losses(
        self, heads: AuxiliaryHeads, trunk: Tensor, batch: Batch
    ) -> dict[str, tuple[float, Tensor]]:
        """Return the weight and the loss of each auxiliary head."""
        config, guesses = self.config, heads(trunk, batch.planes)
        losses: dict[str, tuple[float, Tensor]] = {}
        if guesses.reply is not None and batch.reply is not None:
            loss = policy_cross_entropy(guesses.reply, batch.reply, batch.weight)
            losses["reply_loss"] = config.reply_weight, loss
        if batch.lead is None:
            return losses
        known = ~batch.lead.isnan()
        weight = known.float() if batch.weight is None else batch.weight * known
        if guesses.ownership is not None and batch.ownership is not None:
            board = board_of(batch.planes, self.game.board_plane)
            points = None if board is None else board.flatten(1)
            loss = ownership_loss(guesses.ownership, batch.ownership, weight, points)
            losses["ownership_loss"] = config.ownership_weight, loss
        if guesses.lead is not None:
            bins = heads.lead_bins(batch.lead.nan_to_num())
            losses["score_loss"] = config.score_weight, lead_loss(guesses.lead, bins, weight)
        return losses

    def sample(self, count: int) -> Batch:
        """Sample rows under random symmetries."""
        rows = self.ring.sample(self.rng, count)
        planes = np.empty((count, *self.game.planes_shape), np.float32)
        encode_many(rows["state"], rows["past"], planes)
        symmetries = self.game.symmetries
        chosen = self.rng.integers(len(symmetries), size=count)
        planes = symmetries.transform(planes, chosen)
        policy = self._policies(rows["policy_start"], rows["policy_count"], chosen)
        reply = ownership = None
        if "reply_count" in rows:
            follows = rows["policy_start"] + rows["policy_count"]
            reply = self._policies(follows, rows["reply_count"], chosen)
        if "ownership" in rows:
            shape = count, 1, *self.game.planes_shape[1:]
            owners = rows["ownership"].astype(np.float32).reshape(shape)
            turned = replace(symmetries, channels=None).transform(owners, chosen)
            ownership = self._on_device(turned.reshape(count, -1))
        return Batch(
            self._on_device(planes).contiguous(memory_format=torch.channels_last),
            policy,
            self._on_device(rows["outcome"]),
            self._on_device(rows["weight"]) if "weight" in rows else None,
            reply,
            ownership,
            self._on_device(rows["lead"]) if "lead" in rows else None,
        )

    def _policies(
        self, starts: NDArray[np.int64], counts: NDArray[Any], chosen: NDArray[np.int64]
    ) -> SparsePolicy:
        """Return the policies of rows [n] under the chosen symmetries [n]."""
        policies = self.policies.gather(starts, counts)
        row = np.repeat(np.arange(len(counts)), counts)
        action = self._action_images[chosen[row], policies["action"]].astype(np.int64)
        entries = [row, action, policies["weight"]]
        if self.is_on_card:  # the graph of a step takes batches of one shape
            most = len(counts) * min(self.game.max_legal, 2 * self.game.typical_legal)
            entries = [np.pad(each, (0, max(0, most - len(each)))) for each in entries]
        return SparsePolicy(*(self._on_device(each) for each in entries))

    def _on_device(self, array: NDArray[Any]) -> Tensor:
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
        heads = {} if self.heads is None else {"heads": self.heads.state_dict()}
        return heads | {
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
        if self.heads is not None:
            self.heads.load_state_dict(state["heads"])
        load_optimiser(self.optimizer, state["optimizer"])
        self._on_rows.forget()
        self.steps = state["steps"]
        set_rng_state(self.rng, state["rng"])
