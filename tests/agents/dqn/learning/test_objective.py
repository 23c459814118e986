"""Targets of scripted episodes against plain recursion, and heads that must find exact values.

Two states lie in a ring: action 1 goes on to the other one and is rewarded by 1, action 0 stays for
nothing. So the best values are 1 / (1 - gamma) and gamma / (1 - gamma).
"""

import math

import numpy as np
import pytest
import torch

from agents.dqn.config import (
    DQNConfig,
    HeadConfig,
    LearnerConfig,
    NetworkConfig,
    ReplayConfig,
    TargetConfig,
)
from agents.dqn.learning.objective import Objective, Rollout, Transitions
from agents.dqn.network.q_network import TargetNetwork, build_network

CPU = torch.device("cpu")
GAMMA = 0.75
SIZES = {"atoms": 41, "quantiles": 5, "taus": 8, "target_taus": 8, "acting_taus": 8, "cosines": 16}
HEADS = {
    "plain": HeadConfig(),
    "dueling": HeadConfig(dueling=True),
    "c51": HeadConfig("c51", **SIZES),
    "quantile": HeadConfig("quantile", **SIZES),
    "iqn": HeadConfig("iqn", **SIZES),
    "noisy": HeadConfig(noisy=True),
    "dueling noisy c51": HeadConfig("c51", dueling=True, noisy=True, **SIZES),
}


def _config(head=None, layer_norm=False, **target):
    return DQNConfig(
        network=NetworkConfig("mlp", hidden=32, layer_norm=layer_norm, precision="float32"),
        head=head or HeadConfig(),
        target=TargetConfig(gamma=GAMMA, **target),
        learner=LearnerConfig(optimiser="adam", learning_rate=1e-2, epsilon=1e-8),
        replay=ReplayConfig(),
    )


def _objective(config, inputs, actions=2, seeds=(0, 1)):
    """An objective whose two networks differ, so that it matters which one is asked."""
    online, target = (
        build_network((1, inputs), np.float32, actions, config, seed=seed, device=CPU)
        for seed in seeds
    )
    return Objective(online, target, config, torch.Generator().manual_seed(0))


# -- against plain recursion ---------------------------------------------------------------------


class Script:
    """Rows of one stream as lists: the observation, the action or None, the reward, the ending.

    After each ended episode stands its last observation, in which nothing was done.
    """

    def __init__(self, seed, rows, inputs=3, actions=4):
        rng = np.random.default_rng(seed)
        self.observations, self.actions, self.rewards, self.endings = [], [], [], []
        while len(self.observations) < rows:
            length = int(rng.integers(1, 6))
            ending = ["terminated", "truncated"][int(rng.integers(2))]
            for step in range(length + 1):
                self.observations.append(rng.normal(size=(1, inputs)).astype(np.float32))
                last = step == length
                self.actions.append(None if last else int(rng.integers(actions)))
                self.rewards.append(0.0 if last else float(rng.normal()))
                self.endings.append(ending if step == length - 1 else "")

    def columns(self, steps):
        """Observations [T + 1], actions, rewards, discounts and whether it goes on, each [T]."""
        done = [action is not None for action in self.actions]
        discounts = [GAMMA * (d and e != "terminated") for d, e in zip(done, self.endings)]
        goes_on = [done[t] and done[t + 1] and not self.endings[t] for t in range(steps)]
        return (
            np.array(self.observations[: steps + 1]),
            np.array([action or 0 for action in self.actions[:steps]]),
            np.array(self.rewards[:steps], np.float32),
            np.array(discounts[:steps], np.float32),
            np.array(goes_on),
        )


class Recursion:
    """The target of a row, one after the other, in plain Python."""

    def __init__(self, objective, script, steps):
        self.online, self.target = objective.online, objective.target
        self.settings = objective.config.target
        self.script, self.steps = script, steps

    def means(self, network, row):
        observation = torch.from_numpy(self.script.observations[row])[None]
        return network(observation).means()[0].detach().double().numpy()

    def scaled_log_policy(self, row):
        tau, means = self.settings.munchausen_tau, self.means(self.target, row)
        total = sum(math.exp((q - max(means)) / tau) for q in means)
        return [q - max(means) - tau * math.log(total) for q in means]

    def value(self, row):
        means = self.means(self.target, row)
        if self.settings.munchausen:
            log_policy = self.scaled_log_policy(row)
            chances = [math.exp(scaled / self.settings.munchausen_tau) for scaled in log_policy]
            return sum(p * (q - log) for p, q, log in zip(chances, means, log_policy))
        return means[self.best(row)]

    def best(self, row):
        chooser = self.online if self.settings.double else self.target
        return int(np.argmax(self.means(chooser, row)))

    def reward(self, row):
        reward = self.script.rewards[row]
        if self.settings.munchausen:
            scaled = self.scaled_log_policy(row)[self.script.actions[row]]
            clipped = min(max(scaled, self.settings.munchausen_clip), 0.0)
            reward += self.settings.munchausen_alpha * clipped
        return reward

    def __call__(self, row):
        ending, after = self.script.endings[row], self.script.actions[row + 1]
        if ending == "terminated":
            return self.reward(row)
        value, trace = self.value(row + 1), self.settings.q_lambda
        if ending or row + 1 == self.steps:
            return self.reward(row) + GAMMA * value
        if self.settings.trace == "watkins" and after != self.best(row + 1):
            trace = 0.0
        further = self(row + 1)
        if self.settings.munchausen:
            further -= self.scaled_log_policy(row + 1)[after]
        return self.reward(row) + GAMMA * ((1 - trace) * value + trace * further)


TARGETS = [
    {"q_lambda": 0.65},
    {"q_lambda": 1.0},
    {"q_lambda": 0.65, "double": True},
    {"q_lambda": 0.9, "trace": "watkins"},
    {"q_lambda": 0.9, "trace": "watkins", "double": True},
    {"q_lambda": 0.65, "munchausen": True, "munchausen_tau": 0.2, "munchausen_clip": -0.3},
]


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_rollout_targets_are_those_of_plain_recursion(target):
    steps = 20
    objective = _objective(_config(**target), 3, 4)
    scripts = [Script(seed, steps + 1) for seed in range(3)]
    columns = zip(*(script.columns(steps) for script in scripts))
    rollout = Rollout(*(torch.from_numpy(np.stack(column, 1)) for column in columns))
    got = objective.rollout_targets(rollout)
    assert got.shape == (steps, 3, 1)
    for stream, script in enumerate(scripts):
        recursion = Recursion(objective, script, steps)
        for row in range(steps):
            if script.actions[row] is not None:
                expected = recursion(row)
                assert got[row, stream, 0].item() == pytest.approx(expected, abs=1e-5), row


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("target", [{}, {"double": True}, {"munchausen": True}], ids=str)
def test_transition_targets_are_those_of_plain_loops(target, steps):
    objective = _objective(_config(n_steps=steps, **target), 3, 4)
    script = Script(5, 40)
    recursion = Recursion(objective, script, 40)
    begins, returns, discounts, ends, expected = [], [], [], [], []
    for row in range(30):
        if script.actions[row] is None:
            continue
        total, discount, at = 0.0, 1.0, row
        for _ in range(steps):
            total += discount * script.rewards[at]
            discount *= GAMMA * (script.endings[at] != "terminated")
            at += 1
            if script.endings[at - 1]:
                break
        bonus = recursion.reward(row) - script.rewards[row]  # of the first step alone
        begins.append(row)
        ends.append(at)
        returns.append(total)
        discounts.append(discount)
        expected.append(total + bonus + discount * recursion.value(at))
    observations = np.array(script.observations)
    batch = Transitions(
        torch.from_numpy(observations[begins]),
        torch.tensor([script.actions[row] for row in begins]),
        torch.tensor(returns, dtype=torch.float32),
        torch.tensor(discounts, dtype=torch.float32),
        torch.from_numpy(observations[ends]),
    )
    got = objective.transition_targets(batch)
    np.testing.assert_allclose(got[:, 0], expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["c51", "quantile", "iqn"])
@pytest.mark.parametrize("target", [{}, {"munchausen": True, "munchausen_tau": 0.2}], ids=str)
def test_a_distributions_target_has_the_mean_of_its_values(kind, target):
    """One row, so that the fractions of an implicit head can be drawn again for the means."""
    config = _config(HEADS[kind], **target)
    objective = _objective(config, 3, 4)
    state = objective.generator.get_state()
    rng = np.random.default_rng(0)
    here, later = (torch.from_numpy(rng.normal(size=(1, 1, 3)).astype(np.float32)) for _ in "ab")
    batch = Transitions(here, torch.tensor([2]), torch.ones(1), torch.tensor([GAMMA]), later)
    got = objective.transition_targets(batch)[0]
    support = torch.linspace(-10, 10, 41)
    mean = (got * support).sum() if kind == "c51" else got.mean()
    objective.generator.set_state(state)

    def means(observation):
        taus = torch.rand(1, 8, generator=objective.generator) if kind == "iqn" else None
        return objective.target(observation, taus).means()[0]

    after = means(later)
    if target:
        tau = 0.2
        bonus = (tau * (means(here) / tau).log_softmax(0))[2].clamp(-1.0, 0.0)
        expected = 1.0 + 0.9 * bonus + GAMMA * tau * torch.logsumexp(after / tau, 0)
    else:
        expected = 1.0 + GAMMA * after.max()
    assert mean.item() == pytest.approx(expected.item(), abs=1e-4)


def test_many_rows_are_evaluated_in_parts_as_at_once():
    objective = _objective(_config(HEADS["c51"], double=True), 3, 4)
    rng = np.random.default_rng(0)
    here, later = (torch.from_numpy(rng.normal(size=(600, 1, 3)).astype(np.float32)) for _ in "ab")
    batch = Transitions(
        here, torch.zeros(600, dtype=torch.long), torch.rand(600), torch.rand(600), later
    )
    together = objective.transition_targets(batch)
    for n in (0, 255, 256, 599):
        alone = objective.transition_targets(Transitions(*(part[n : n + 1] for part in batch)))
        torch.testing.assert_close(together[n], alone[0], atol=1e-5, rtol=1e-4)


# -- the chain -----------------------------------------------------------------------------------

EXACT = np.array([[GAMMA, 1.0], [GAMMA, 1.0]]) / (1 - GAMMA)


def _observations(states):
    return torch.eye(2)[states].unsqueeze(-2)


def _learn(config, steps=300, gamma=GAMMA):
    """Train on all transitions of the chain at once; return the means [2, 2]."""
    online = build_network((1, 2), np.float32, 2, config, seed=0, device=CPU)
    target = TargetNetwork(online, config.target)
    objective = Objective(online, target.network, config, torch.Generator().manual_seed(0))
    optimiser = torch.optim.Adam(online.parameters(), lr=config.learner.learning_rate)
    state, action = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
    after = (state + action) % 2
    batch = Transitions(
        _observations(state), action, action.float(), torch.full((4,), gamma), _observations(after)
    )
    path = torch.stack([state, after, 1 - after, after, 1 - after])  # [T + 1, 4]
    acted = torch.stack([action] + [torch.ones(4, dtype=torch.long)] * 3)
    rollout = Rollout(
        _observations(path),
        acted,
        acted.float(),
        torch.full((4, 4), gamma),
        torch.ones(4, 4, dtype=torch.bool),
    )
    for step in range(1, steps + 1):
        online.draw_noise(generator=objective.generator)
        if target.network is not online:
            target.network.draw_noise(generator=objective.generator)
        if config.target.q_lambda:
            targets = objective.rollout_targets(rollout)[0]
        else:
            targets = objective.transition_targets(batch)
        loss = objective.losses(batch.observations, batch.actions, targets).losses.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        target.follow(step)
    online.remove_noise()
    with torch.no_grad():
        return online(_observations(torch.tensor([0, 1]))).means().numpy()


@pytest.mark.parametrize("name", HEADS)
def test_every_head_finds_the_exact_values(name):
    steps, tolerance = (600, 0.15) if HEADS[name].noisy else (300, 0.05)
    got = _learn(_config(HEADS[name], period=15), steps)
    np.testing.assert_allclose(got, EXACT, atol=tolerance)


@pytest.mark.parametrize(
    "target",
    [
        {"network": "soft", "rate": 0.1},
        {"network": "none", "layer_norm": True},  # without it values overshoot (PQN, section 3)
        {"double": True, "period": 15},
        {"q_lambda": 0.65, "network": "none", "layer_norm": True},
        {"q_lambda": 0.65, "trace": "watkins", "period": 15},
    ],
    ids=str,
)
def test_every_target_finds_the_exact_values(target):
    np.testing.assert_allclose(_learn(_config(**target)), EXACT, atol=0.1)


@pytest.mark.parametrize("kind", ["c51", "quantile", "iqn"])
def test_distributions_find_the_exact_values_by_lambda_returns(kind):
    got = _learn(_config(HEADS[kind], q_lambda=0.65, period=15))
    np.testing.assert_allclose(got, EXACT, atol=0.05)


def test_the_chain_can_be_missed():
    for gamma, value in ((0.0, 1.0), (GAMMA**2, 1 / (1 - GAMMA**2))):
        got = _learn(_config(period=15), gamma=gamma)
        np.testing.assert_allclose(got[:, 1], value, atol=0.05)
        assert abs(got - EXACT).min() > 0.5


def test_munchausen_widens_the_gap_between_actions():
    """At temperature 0 to the plain values' over 1 - alpha (Vieillard et al. 2020, theorem 2)."""
    soft = {"munchausen": True, "munchausen_alpha": 0.5, "munchausen_clip": -9.0, "period": 15}
    got = _learn(_config(munchausen_tau=0.03, **soft))
    np.testing.assert_allclose(got[:, 1], EXACT[:, 1], atol=0.1)
    gap = (EXACT[:, 1] - EXACT[:, 0]) / (1 - 0.5)
    np.testing.assert_allclose(got[:, 1] - got[:, 0], gap, atol=0.1)


def test_a_loss_moves_the_online_network_alone():
    config = _config(HEADS["iqn"])
    online = build_network((1, 3), np.float32, 4, config, seed=0, device=CPU)
    target = TargetNetwork(online, config.target)
    objective = Objective(online, target.network, config, torch.Generator())
    targets = torch.rand(5, 8)
    losses = objective.losses(torch.rand(5, 1, 3), torch.zeros(5, dtype=torch.long), targets)
    losses.losses.mean().backward()
    assert all(p.grad is not None for p in online.parameters())
    assert all(not p.requires_grad for p in target.network.parameters())


def test_the_same_generator_gives_the_same_targets_and_losses():
    config = _config(HEADS["iqn"], q_lambda=0.5)
    answers = []
    for _ in range(2):
        objective = _objective(config, 3, 4)
        seen = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 2, 1, 3))).float()
        rollout = Rollout(
            seen,
            torch.zeros(4, 2, dtype=torch.long),
            torch.ones(4, 2),
            torch.full((4, 2), GAMMA),
            torch.ones(4, 2, dtype=torch.bool),
        )
        targets = objective.rollout_targets(rollout)
        actions = rollout.actions.flatten()
        losses = objective.losses(seen[:-1].flatten(0, 1), actions, targets.flatten(0, 1))
        answers.append((targets, losses.losses.detach()))
    assert all(torch.equal(*both) for both in zip(*answers))
