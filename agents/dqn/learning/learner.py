"""The learner of DQN: samples a frame ring, and trains a network on the objective."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.device.graphs import CudaRecorder, GraphedCall, recorder_of
from agents.device.optimiser import load_optimiser, set_rate
from agents.dqn.config import DQNConfig
from agents.dqn.device.replay import make_replay
from agents.dqn.learning.objective import Objective, Rollout, Transitions
from agents.dqn.learning.optimisers import build_optimiser
from agents.dqn.learning.rollouts import Rollouts
from agents.dqn.network.q_network import TargetNetwork, build_network
from agents.dqn.schedules import beta_at, epsilon_at, learning_rate_at
from agents.random_state import rng_state, set_rng_state
from agents.torch_device import choose_device
from agents.torch_state import dump_state, set_generator_state
from envs.vector import EnvironmentSpec
from store.memory.frame_ring import FrameRing
from store.memory.frames import GOES_ON, TERMINATED, frames_schema
from store.memory.priorities import Priorities
from store.replay.episodes import EpisodeBatch, EpisodeSchema
from store.replay.window import ReplayWindow

BLOCKS_AT_ONCE = 8  # whose targets a processor computes together: about 256 rows, for its caches


def schema_of(spec: EnvironmentSpec, *, errors: bool = False) -> EpisodeSchema:
    """Return the schema of pieces of episodes, with actors' TD errors or without."""
    return frames_schema(spec.observation_shape, spec.observation_dtype, errors=errors)


class DQNLearner:
    """Trains a network on the rows of a window; independent of who acts.

    With `target.q_lambda` it trains on blocks of consecutive rows, whose lambda-returns are
    computed once and trained on `learner.epochs` times; else on single transitions over n steps.
    """

    def __init__(self, spec: EnvironmentSpec, config: DQNConfig) -> None:
        self.config = config
        self.device = choose_device(config.device)
        self.network = build_network(
            (config.environment.stack, *spec.observation_shape),
            spec.observation_dtype,
            spec.num_actions,
            config,
            seed=config.seed,
            device=self.device,
        )
        self.target = TargetNetwork(self.network, config.target)
        self.generator = torch.Generator(self.device).manual_seed(config.seed)
        recorder = recorder_of(self.device, self.generator, asked=config.learner.cuda_graphs)
        self.optimiser = build_optimiser(
            self.network.parameters(), config.learner, capturable=isinstance(recorder, CudaRecorder)
        )
        self.objective = Objective(self.network, self.target.network, config, self.generator)
        self.on_targets = GraphedCall(self._update, self.device, recorder)
        self.on_transitions = GraphedCall(self._update_on_transitions, self.device, recorder)
        self.rng = np.random.default_rng([config.seed, 1])
        self.ring = _ring(spec, config)
        self.replay = make_replay(self.ring, self.batch_size, self.device, config.replay)
        self.rollouts = Rollouts(config.target.rollout)
        self.steps = 0
        self._rows_added = 0

    @property
    def batch_size(self) -> int:
        """Return the training rows of a step."""
        return self.config.learner.batch_size

    @property
    def rows_added(self) -> int:
        """Return the training rows added since the run began."""
        return self._rows_added

    @property
    def window_rows(self) -> int:
        """Return the rows in the window."""
        return len(self.ring)

    def add(self, batches: Sequence[EpisodeBatch]) -> int:
        """Add pieces of episodes to the window; return their training rows."""
        rows = sum(batch.rows("action") for batch in batches)
        for batch in batches:
            if self.config.target.q_lambda:
                self.rollouts.add(batch, self.ring.ring.total_added)
            self.ring.extend(batch)
        self.replay.follow()
        self.rollouts.forget_before(self.ring.ring.oldest)
        self._rows_added += rows
        return rows

    def train(self, steps: int, progress: float) -> dict[str, float]:
        """Train `steps` steps; return means over them.

        Makes no step, and returns nothing, while no row can be sampled: returns need rows that
        come after a row.
        """
        if not self._can_sample():
            return {}
        rate = learning_rate_at(self.config.learner, progress)
        set_rate(self.optimiser, rate)
        sums = torch.zeros(2, device=self.device)
        lambda_returns = self.config.target.q_lambda > 0.0
        batches = self._rollout_batches(steps) if lambda_returns else self._batches(steps, progress)
        for found in batches:
            sums += torch.stack(found)
        loss, value = (sums / max(steps, 1)).tolist()
        return {
            "loss": loss,
            "mean_value": value,
            "learning_rate": rate,
            "epsilon": epsilon_at(self.config, self._rows_added, progress),
        }

    def _can_sample(self) -> bool:
        if self.config.target.q_lambda:
            return len(self.rollouts) > 0
        return self.ring.has_samples

    def _batches(self, steps: int, progress: float) -> Iterator[tuple[Tensor, Tensor]]:
        """Train on sampled transitions, a batch a step."""
        beta = beta_at(self.config.replay, progress)
        with closing(self.replay.batches(self.rng, steps, beta)) as batches:
            for rows, weights, batch in batches:
                self._draw_noise()
                loss, value, priorities = self.on_transitions(weights, *batch)
                if self.ring.priorities is not None:
                    self.ring.update(rows, priorities.cpu().numpy())
                self._count_step()
                yield loss, value

    def _rollout_batches(self, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Train on the rows of blocks, with the lambda-returns of before the first step."""
        epochs = self.config.learner.epochs
        wanted = -(-steps * self.batch_size // (epochs * self.rollouts.steps))
        blocks = self.rollouts.draw(self.rng, wanted)
        rows, actions, targets = self._lambda_targets(blocks)
        if not len(rows):
            return
        order = self._shuffled(len(rows), steps)
        for chosen in order:
            observations = self.replay.stacks(rows[chosen])
            index = torch.from_numpy(chosen).to(self.device)
            self._draw_noise()
            loss, value, _ = self.on_targets(observations, actions[index], targets[index])
            self._count_step()
            yield loss, value

    def _shuffled(self, rows: int, steps: int) -> Iterator[NDArray[np.int64]]:
        """Yield a batch of places a step: all rows in a new order, again and again."""
        order = np.empty(0, np.int64)
        for _ in range(steps):
            while len(order) < self.batch_size:
                order = np.concatenate([order, self.rng.permutation(rows)])
            yield order[: self.batch_size]
            order = order[self.batch_size :]

    def _lambda_targets(
        self, blocks: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], Tensor, Tensor]:
        """Return the rows [n] of blocks [T + 1, N] to train on, their actions and targets."""
        self._draw_noise()
        rows, actions, targets = [], [], []
        at_once = BLOCKS_AT_ONCE if self.device.type == "cpu" else blocks.shape[1]
        for first in range(0, blocks.shape[1], at_once):
            part = blocks[:, first : first + at_once]
            rollout, acted = self._rollout(part)
            found = self.objective.rollout_targets(rollout)
            trained = acted & self.ring.has_stacks(part[:-1])
            rows.append(part[:-1][trained])
            chosen = torch.from_numpy(trained).to(self.device)
            actions.append(rollout.actions[chosen])
            targets.append(found[chosen])
        return np.concatenate(rows), torch.cat(actions), torch.cat(targets)

    def _rollout(self, blocks: NDArray[np.int64]) -> tuple[Rollout, NDArray[np.bool_]]:
        """Return blocks [T + 1, N] as a rollout, and in which rows something was done [T, N]."""
        stacks = self.replay.stacks(blocks.ravel())
        columns = self.ring.steps_at(blocks)
        acted, follows = columns["acted"][:-1], columns["acted"][1:]
        ending = columns["ending"][:-1]
        discounts = np.where(acted & (ending != TERMINATED), self.config.target.gamma, 0.0)
        rollout = Rollout(
            stacks.view(*blocks.shape, *stacks.shape[1:]),
            self._tensor(columns["action"][:-1].astype(np.int64)),
            self._tensor(np.where(acted, columns["reward"][:-1], 0.0).astype(np.float32)),
            self._tensor(discounts.astype(np.float32)),
            self._tensor(acted & follows & (ending == GOES_ON)),
        )
        return rollout, acted

    def _update_on_transitions(self, weights: Tensor, *batch: Tensor) -> tuple[Tensor, ...]:
        """Move the weights towards the targets of transitions; see `_update`."""
        transitions = Transitions(*batch)
        targets = self.objective.transition_targets(transitions)
        return self._update(transitions.observations, transitions.actions, targets, weights)

    def _update(
        self, observations: Tensor, actions: Tensor, targets: Tensor, weights: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Move the weights towards targets, on the device alone.

        Returns:
            The means of the loss and of the targets' values, and the priorities [n].
        """
        losses = self.objective.losses(observations, actions, targets)
        loss = losses.losses.mean() if weights is None else (weights * losses.losses).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if clip := self.config.learner.gradient_clip:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), clip)
        self.optimiser.step()
        return loss.detach(), self.objective.target_means(targets).mean(), losses.priorities

    def _count_step(self) -> None:
        """Record a step, after which the target network may move."""
        self.steps += 1
        self.target.follow(self.steps)

    def _draw_noise(self) -> None:
        if self.config.head.noisy:
            self.network.draw_noise(None, self.generator)
            if self.target.network is not self.network:
                self.target.network.draw_noise(None, self.generator)

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    def weights(self) -> bytes:
        """Return the weights to act by, as safetensors bytes."""
        return dump_state(self.network.state_dict())

    def state(self) -> dict[str, Any]:
        """Return all state but the window: tensors and plain values."""
        return {
            "network": self.network.state_dict(),
            "target": self.target.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "steps": self.steps,
            "rows_added": self._rows_added,
            "rng": rng_state(self.rng),
            "generator": self.generator.get_state(),
            "new_rollouts": self.rollouts.new,
            "rollout_starts": torch.from_numpy(self.rollouts.starts()),
            "ring": {name: torch.from_numpy(array) for name, array in self.ring.state().items()},
        }

    def load_state(self, state: Mapping[str, Any], window: ReplayWindow) -> None:
        """Continue from `state`, with the pieces of its window."""
        saved = {name: tensor.numpy() for name, tensor in state["ring"].items()}
        if self.config.target.q_lambda:
            window = self._noting_rollouts(window, saved)
            if "rollout_starts" in state:  # not in checkpoints from before there were any
                self.rollouts.known_starts = frozenset(state["rollout_starts"].tolist())
        self.ring.fill(window, saved)
        self.rollouts.known_starts = None
        self.replay.follow()
        self.rollouts.forget_before(self.ring.ring.oldest)
        self.rollouts.new = state["new_rollouts"]
        self.network.load_state_dict(state["network"])
        self.target.network.load_state_dict(state["target"])
        load_optimiser(self.optimiser, state["optimiser"])
        self.on_targets.forget()
        self.on_transitions.forget()
        self.steps = state["steps"]
        self._rows_added = state["rows_added"]
        set_rng_state(self.rng, state["rng"])
        set_generator_state(self.generator, state["generator"])

    def _noting_rollouts(
        self, window: ReplayWindow, saved: Mapping[str, NDArray[Any]]
    ) -> ReplayWindow:
        """Return the window; as it is read, its pieces are cut into blocks."""
        first = int(saved["total_added"][0]) - window.rows

        def parts() -> Iterator[tuple[int, EpisodeBatch | None]]:
            done = 0
            for before, batch in window.placed():
                if before > done:  # of a segment that is gone
                    yield before - done, None
                self.rollouts.add(batch, first + before)
                yield (rows := batch.rows("frame")), batch
                done = before + rows

        return ReplayWindow(parts(), window.rows)


def _ring(spec: EnvironmentSpec, config: DQNConfig) -> FrameRing:
    replay = config.replay
    priorities = None
    if replay.priority_exponent:
        priorities = Priorities(replay.rows, replay.priority_exponent, replay.priority_epsilon)
    return FrameRing(
        replay.rows,
        schema_of(spec, errors=replay.by_actors),
        stack=config.environment.stack,
        steps=config.target.n_steps,
        gamma=config.target.gamma,
        priorities=priorities,
    )
