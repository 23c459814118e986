"""A second algorithm: tabular Q-learning (Watkins 1989) on any small Gymnasium environment.

Importing it registers it. It shows what an algorithm needs; docs/new-algorithm.md walks through it.
"""

import hashlib
from dataclasses import dataclass
from typing import ClassVar

import gymnasium
import numpy as np

from agents.algorithm import Algorithm
from agents.metrics import MetricSpec
from agents.random_state import rng_state, set_rng_state
from agents.registry import ALGORITHMS, Entry
from agents.training import TrainConfig
from store import checkpoints
from store.memory.ring import Ring
from store.replay.episodes import Episode, EpisodeSchema

FIELDS = {"state": "u2", "action": "u1", "reward": "f4", "next_state": "u2", "is_last": "?"}
SCHEMA = EpisodeSchema("q_learning/1", {name: (np.dtype(d), ()) for name, d in FIELDS.items()})
METRICS = (
    MetricSpec("mean_return", "return a game", "Mean return over the run", "total", "wins",
               over=("games",), look="percent", side="acting", in_line=True, chart="return"),
    MetricSpec("td_error", "TD error", "Mean absolute TD error", look="loss", chart="TD error"),
)  # fmt: skip


@dataclass(frozen=True)
class QConfig(TrainConfig):
    algorithm: ClassVar[str] = "q_learning"
    game: str = "FrozenLake-v1"
    publish_rows: int = 200
    epsilon: float = 0.5
    """Share of random actions."""
    discount: float = 0.95
    """Discount a step."""
    learning_rate: float = 0.5
    """Step of the table towards its target."""
    window_rows: int = 5000
    """Newest steps to sample from."""
    passes: float = 4.0
    """Steps to learn from a new step."""


class Lake:
    """The environment by its Gymnasium id, without slipping, and the size of its table."""

    def __init__(self, name):
        self.name = name
        self.made = gymnasium.make(name, is_slippery=False)
        self.shape = int(self.made.observation_space.n), int(self.made.action_space.n)


class QPolicy:
    def __init__(self, shape, step=0):
        self.table, self.step = np.zeros(shape), step

    def load_weights(self, data, step):
        self.table, self.step = checkpoints.tensors_from_bytes(data)["q"], step

    def __call__(self, states):
        return self.table[states], self.table[states].max(axis=1)


class QActor:
    def __init__(self, config, number):
        self.config, self.number, self.lake = config, number, Lake(config.game)
        self.policy = QPolicy(self.lake.shape)
        self.games = self.rows = self.wins = self.games_before = self.goal = 0
        self.finished = []
        self.begin_game()

    def begin_game(self):
        """Every game has a seed of its own, so one begun again is played again."""
        number = self.games_before + self.games
        self.rng = np.random.default_rng([self.config.seed, self.number, number])
        self.at, _ = self.lake.made.reset(seed=int(self.rng.integers(1 << 31)))
        self.steps = {name: [] for name in FIELDS}

    def load_weights(self, data, step):
        self.policy.load_weights(data, step)

    def begin_round(self, rows, elapsed):
        self.goal = self.rows + rows

    def play(self, pause):
        while self.rows < self.goal and not pause():
            q = self.policy.table[self.at]
            best = self.rng.choice(np.flatnonzero(q == q.max()))
            explores = self.rng.random() < self.config.epsilon
            action = int(self.rng.integers(len(q)) if explores else best)
            after, reward, ended, cut, _ = self.lake.made.step(action)
            for name, value in zip(FIELDS, (self.at, action, reward, after, ended), strict=True):
                self.steps[name].append(value)
            self.at = after
            if ended or cut:
                self.finish_game(reward)
        return self.rows >= self.goal

    def finish_game(self, reward):
        name = f"{self.config.seed}/{self.number}/{self.games_before + self.games}"
        arrays = {f: np.array(values, FIELDS[f]) for f, values in self.steps.items()}
        self.finished.append(Episode(hashlib.md5(name.encode()).digest(), arrays))
        self.games += 1
        self.rows += len(arrays["state"])
        self.wins += int(reward)
        self.begin_game()

    def take_episodes(self):
        taken, self.finished = self.finished, []
        return taken

    def counters(self):
        return {"games": self.games, "rows": self.rows, "wins": self.wins}

    def on_checkpoint(self):
        self.begin_game()

    def state(self):
        return checkpoints.tensors_to_bytes({}), {"games": self.games_before + self.games}

    def load_state(self, data, rest):
        self.games_before = rest["games"]
        self.begin_game()

    def close(self):
        self.lake.made.close()


class QLearner:
    batch_size = 32

    def __init__(self, config):
        self.config, self.steps, self.rows_before = config, 0, 0
        self.table = np.zeros(Lake(config.game).shape)
        self.ring = Ring(config.window_rows, {name: (d, ()) for name, d in FIELDS.items()})
        self.rng = np.random.default_rng([config.seed, 1])

    @property
    def rows_added(self):
        return self.rows_before + self.ring.total_added

    @property
    def window_rows(self):
        return self.ring.sampled_rows

    def add(self, batches):
        before = self.ring.total_added
        for batch in batches:
            self.ring.extend(**{name: np.array(batch.values[name]) for name in FIELDS})
        return self.ring.total_added - before

    def train(self, steps, progress):
        errors = []
        for _ in range(steps):
            row = self.ring.sample(self.rng, self.batch_size)
            later = self.config.discount * self.table[row["next_state"]].max(axis=1)
            at = row["state"], row["action"]
            error = row["reward"] + later * ~row["is_last"] - self.table[at]
            self.table[at] += self.config.learning_rate * error
            errors.append(float(np.abs(error).mean()))
            self.steps += 1
        return {"td_error": float(np.mean(errors)), "learning_rate": self.config.learning_rate}

    def weights(self):
        return checkpoints.tensors_to_bytes({"q": self.table})

    def state(self):
        return {"q": self.table.tolist(), "steps": self.steps, "rows_added": self.rows_added,
                "rng": rng_state(self.rng)}  # fmt: skip

    def load_state(self, state, window):
        self.add(window)
        self.rows_before = state["rows_added"] - self.ring.total_added
        self.table, self.steps = np.array(state["q"]), state["steps"]
        set_rng_state(self.rng, state["rng"])


class QAgent:
    """Acts by a table in environments whose observations are one-hot states."""

    def __init__(self, table, epsilon, name):
        self.table, self.epsilon, self.name = table, epsilon, name

    def begin(self, observations):
        self.observe(observations, None)

    def observe(self, observations, begins):
        self.values = self.table[observations.argmax(axis=1)].astype(np.float32)

    def act(self, rng):
        count, actions = self.values.shape
        chance = rng.random(count) < self.epsilon
        return np.where(chance, rng.integers(actions, size=count), self.values.argmax(axis=1))


class QLearning(Algorithm):
    name, config, metrics = QConfig.algorithm, QConfig, METRICS

    def environment(self, config):
        return Lake(config.game)

    def schema(self, config):
        return SCHEMA

    def row_field(self, config):
        return "state"

    def make_actor(self, config, number):
        return QActor(config, number)

    def make_learner(self, config):
        return QLearner(config)

    def make_policy(self, config):
        return QPolicy(Lake(config.game).shape)

    def environment_agent(self, run, step, options, *, name, device):
        names = [checkpoints.MODEL_FILE]
        if step is None:
            step = checkpoints.latest_valid(run, names).step
        saved = checkpoints.load(run, step, names)
        table = checkpoints.tensors_from_bytes(saved.files[checkpoints.MODEL_FILE])["q"]
        return QAgent(table, float(options.get("epsilon", 0.05)), name)


Q_LEARNING = QLearning()
ALGORITHMS["q_learning"] = Entry(
    "tests.tabular:Q_LEARNING", "tests.tabular:QConfig", "tests.tabular:METRICS"
)
