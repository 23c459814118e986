"""Many matches at once, acted in by one network and its past opponents; RLlib is no part of it.

Shapes: m matches of a agents, p = m * a players, T steps of a rollout, H units of the memory.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.ppo.config import PPOConfig
from agents.ppo.learning.gae import generalised_advantages
from agents.ppo.learning.sequences import Ended, Sample
from agents.ppo.network.memory import Memory
from agents.ppo.network.team_network import TeamNetwork, build_network
from agents.ppo.playing.drawing import ActionDrawer
from agents.ppo.playing.recorder import Playing, Recorder
from agents.ppo.playing.rollout import Rollout
from agents.ppo.pool import Opponents
from envs.teams import TeamSteps, TeamVector


class Returns(NamedTuple):
    """How rewards become advantages in a rollout.

    Attributes:
        gamma: discount a step.
        gae_lambda: decay of advantages.
        team_spirit: share of the team's mean in an agent's reward.
    """

    gamma: float
    gae_lambda: float
    team_spirit: float = 0.0


class Sampler:
    """Plays m matches and records what the newest network did.

    Args:
        vector: the matches.
        config: network, learner, pool, seed.
        number: of the runner, whose randomness differs from that of others.
        device: where networks run.
    """

    def __init__(
        self, vector: TeamVector, config: PPOConfig, *, number: int, device: torch.device
    ) -> None:
        self.vector = vector
        self.spec = vector.spec
        self.config = config
        self.device = device
        self.version = 0
        self.network = self._new_network()
        self.past: dict[int, TeamNetwork] = {}
        self._number = number
        self.players = vector.count * self.spec.players
        self.rollout = Rollout(self.spec, config, self.players)
        recorded = min(config.trajectories.matches, vector.count)
        self.recorder = Recorder(self.spec, self.rollout.steps, recorded, number)
        self.begin(0)

    def begin(self, start: int) -> None:
        """Begin new matches; `start` seeds them, and whatever else is random.

        A resumed run passes its updates until then, so that it does not repeat its first matches.
        Past opponents play once `set_qualities` names them again.
        """
        seeds = np.random.SeedSequence([self.config.seed, 6, self._number, start]).spawn(3)
        environment_seed = int(seeds[0].generate_state(1)[0] >> 1)
        self.drawer = ActionDrawer(self.spec.heads, np.random.default_rng(seeds[1]))
        rng = np.random.default_rng(seeds[2])
        self.opponents = Opponents(self.config.pool, self.vector.count, rng)
        with torch.inference_mode():
            self.memory = self.network.empty_memory(self.players)
        self.begins = np.ones(self.players, np.uint8)
        self.steps = self.vector.reset(environment_seed)
        self.opponents.begin(range(self.vector.count))
        self._place_players()
        self.recorder.begin(self._playing())

    def load(self, weights: Mapping[str, Any], version: int) -> None:
        """Switch to these weights, in the middle of matches: they are the newest network's."""
        self.network.load_state_dict({name: _tensor(array) for name, array in weights.items()})
        self.version = version

    def add_opponent(self, number: int, weights: Mapping[str, Any]) -> None:
        """Keep the weights of a past opponent; it plays once its quality is known."""
        self.past[number] = self._new_network()
        self.past[number].load_state_dict({k: _tensor(array) for k, array in weights.items()})

    def set_qualities(self, qualities: Mapping[int, float]) -> None:
        """Choose opponents by these qualities from now on; forget those that are not named.

        One that still plays is kept until its matches are over.
        """
        self.opponents.qualities = {n: q for n, q in qualities.items() if n in self.past}
        playing = self.opponents.playing()
        for number in [n for n in self.past if n not in qualities and n not in playing]:
            del self.past[number]

    @torch.inference_mode()
    def sample(self, returns: Returns) -> Sample:
        """Play T steps of each match; the arrays are overwritten by the next rollout."""
        began = time.perf_counter()
        ended: list[Ended] = []
        for step in range(self.rollout.steps):
            self._step(step, returns, ended)
        newest = self._values_of_newest()
        rollout = self.rollout
        generalised_advantages(
            *(rollout.rewards, rollout.values, newest, rollout.ended, rollout.end_values),
            *(returns.gamma, returns.gae_lambda, rollout.advantages),
        )
        columns, agent_steps = rollout.sequences()
        return Sample(
            columns,
            agent_steps,
            rollout.steps * self.vector.count,
            Ended(*(np.concatenate(part) for part in zip(self._no_matches(), *ended))),
            self.version,
            time.perf_counter() - began,
            self.recorder.collect(rollout, self.version),
        )

    def _step(self, step: int, returns: Returns, ended: list[Ended]) -> None:
        """Take one step of each match, and record it."""
        rollout, before = self.rollout, self.steps
        rollout.record_seen(step, before, self.begins, self.learns, self.memory)
        actions = self._act(before, step)
        taken = self.drawer.bounded(actions)
        steps = self.vector.step(taken.reshape(self.vector.count, -1, taken.shape[1]))
        self.steps = steps
        rollout.record_rewards(step, steps, returns.team_spirit)
        self.recorder.note_rewards(step, steps.rewards)
        over = steps.terminated | steps.truncated
        self.begins = np.repeat(over, self.spec.players).astype(np.uint8)
        if not over.any():
            return
        if steps.truncated.any():
            rollout.end_values[:, step] = self._values_of_truncated(steps)
        matches = np.flatnonzero(over)
        against = self.opponents
        ended.append(
            Ended(
                scores=steps.scores[matches],
                lengths=steps.lengths[matches],
                opponents=against.opponents[matches],
                sides=against.sides[matches],
            )
        )
        players = torch.from_numpy(np.flatnonzero(self.begins)).to(self.device)
        for part in self.memory:
            part[players] = 0.0
        self.opponents.begin(matches.tolist())
        self._place_players()
        self.recorder.note_ends(step, steps, self._playing())

    def _act(self, seen: TeamSteps, step: int) -> NDArray[Any]:
        """Choose an action for each player, [p, heads]; record those of the newest network."""
        rollout = self.rollout
        rows = None if self.learns.all() else np.flatnonzero(self.learns)
        drawn, values = self._act_for(self.network, rows, seen, values=True)
        place = slice(None) if rows is None else rows
        rollout.values[place, step] = values
        rollout.log_probabilities[place, step] = drawn.log_probabilities
        if rows is None:
            rollout.actions[:, step] = drawn.actions
            return drawn.actions
        actions = np.zeros((self.players, drawn.actions.shape[1]), drawn.actions.dtype)
        actions[rows] = drawn.actions
        for number, of_past in self._rows_of_past:
            actions[of_past] = self._act_for(self.past[number], of_past, seen, values=False)[0][0]
        rollout.actions[:, step] = actions
        return actions

    def _act_for(
        self, network: TeamNetwork, rows: NDArray[np.int64] | None, seen: TeamSteps, *, values: bool
    ) -> tuple[Any, NDArray[np.float32]]:
        """Choose the actions of some players, all for None; their memories go on."""
        observations, states, masks = self._seen(seen, rows)
        memory = self._memory_of(rows)
        outputs = network.step(observations, states, memory, values=values)
        if self.config.network.lstm:
            for kept, new in zip(self.memory, outputs.memory, strict=True):
                if rows is None:
                    kept.copy_(new)
                else:
                    kept[torch.from_numpy(rows).to(self.device)] = new.to(kept.dtype)
        logits = outputs.logits.cpu().numpy()
        if self.drawer.real:
            drawn = self.drawer.draw_real(logits, network.log_spread.cpu().numpy())
        else:
            drawn = self.drawer.draw(logits, masks)
        return drawn, network.returns(outputs.values).cpu().numpy()

    def _seen(
        self, seen: TeamSteps, rows: NDArray[np.int64] | None
    ) -> tuple[Tensor, Tensor, NDArray[np.uint8]]:
        """Return observations, states and masks of some players, all for None."""
        flat = [array.reshape(self.players, *array.shape[2:]) for array in seen[:1]]
        flat += [array.reshape(self.players, -1) for array in (seen.states, seen.masks)]
        observations, states, masks = flat if rows is None else [array[rows] for array in flat]
        return self._on_device(observations), self._on_device(states), masks

    def _memory_of(self, rows: NDArray[np.int64] | None) -> Memory:
        if rows is None or not self.config.network.lstm:
            return self.memory
        index = torch.from_numpy(rows).to(self.device)
        return Memory(*(part[index] for part in self.memory))

    def _values_of_newest(self) -> NDArray[np.float32]:
        """Return the values of what is acted on next, float32 [p], with which advantages end."""
        observations, states, _ = self._seen(self.steps, None)
        outputs = self.network.step(observations, states, self.memory)
        return self.network.returns(outputs.values).cpu().numpy()

    def _values_of_truncated(self, steps: TeamSteps) -> NDArray[np.float32]:
        """Return float32 [p] the values of the last observations of truncated matches, else 0."""
        players = np.repeat(steps.truncated, self.spec.players)
        last = steps.last_observations
        observations = last.reshape(-1, *last.shape[2:])
        states = steps.last_states.reshape(len(observations), -1)
        memory = self._memory_of(np.flatnonzero(players))
        outputs = self.network.step(self._on_device(observations), self._on_device(states), memory)
        values = np.zeros(self.players, np.float32)
        values[players] = self.network.returns(outputs.values).cpu().numpy()
        values[np.repeat(steps.terminated, self.spec.players)] = 0.0
        return values

    def _place_players(self) -> None:
        """Note which players the newest network plays, and which of them each past opponent."""
        opponents, sides = self.opponents.opponents, self.opponents.sides
        team = np.arange(self.spec.players) // self.spec.agents
        learns = (opponents == Opponents.LATEST)[:, None] | (team == sides[:, None])
        self.learns = learns.ravel()
        of_player = np.repeat(opponents, self.spec.players)
        self._rows_of_past = [
            (number, np.flatnonzero((of_player == number) & ~self.learns))
            for number in self.opponents.playing()
        ]

    def _playing(self) -> Playing:
        return Playing(self.opponents, self.learns, self.vector.seeds)

    def _no_matches(self) -> Ended:
        none = np.zeros(0, np.int64)
        return Ended(np.zeros((0, self.spec.teams), np.float32), none, none, none)

    def _new_network(self) -> TeamNetwork:
        made = build_network(
            self.spec, self.config.network, seed=self.config.seed, device=self.device
        )
        return made.requires_grad_(False).eval()

    def _on_device(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)


def _tensor(array: Any) -> Tensor:
    return array if isinstance(array, Tensor) else torch.from_numpy(np.array(array))
