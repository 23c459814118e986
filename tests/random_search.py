"""A third algorithm, with a loop of its own: random search in the weights of a linear policy.

One step is one perturbed policy (Mania et al. 2018, "Simple random search", without its averaging),
which replaces the best one if it does better. Importing this registers it; docs/new-algorithm.md
walks through it.
"""

import hashlib
import time
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agents.metrics import MetricSpec
from agents.registry import ALGORITHMS, Entry
from agents.running.compiling import one_at_a_time
from agents.running.session import Session
from agents.self_driven import SelfDriven
from agents.training import TrainConfig
from envs.settings import PositiveFloat, PositiveInt
from envs.teams import find_team, make_team_vector
from envs.vector import typed_environment
from store import checkpoints
from store.replay.episodes import Episode, EpisodeSchema
from store.replay.window import Window

SCHEMA = EpisodeSchema("random_search/1", {"action": (np.dtype("u1"), ())})
METRICS = (
    MetricSpec("mean_return", "return a game", "Mean return of recent games", "recent", "returns",
               over=("games",), side="acting", in_line=True, chart="return"),
    MetricSpec("best_return", "best return", "Mean return of the best policy", chart="return"),
)  # fmt: skip


@dataclass(frozen=True)
class SearchConfig(TrainConfig):
    algorithm: ClassVar[str] = "random_search"
    game: str = "CartPole-v1"
    publish_rows: int = 100
    matches: PositiveInt = 4
    """Games that a policy plays, side by side."""
    learning_rate: PositiveFloat = 1.0
    """Deviation of the perturbations."""
    kept_rows: PositiveInt = 10_000
    """Newest steps whose games stay in the store."""


class Search:
    """The best weights so far; each step has random numbers of its own, from its number."""

    def __init__(self, config):
        self.config = config
        self.named = typed_environment(config.game)
        spec = find_team(self.named)
        self.best, self.best_return = np.zeros((*spec.observation_shape, spec.heads[0].size)), -1.0

    def load(self, checkpoint):
        tensors = checkpoints.tensors_from_bytes(checkpoint.files[checkpoints.MODEL_FILE])
        self.best, self.best_return = tensors["weights"], checkpoint.metadata["rest"]["best"]

    def files(self):
        return {checkpoints.MODEL_FILE: checkpoints.tensors_to_bytes({"weights": self.best})}

    def rest(self):
        return {"best": self.best_return}

    def step(self, number):
        """Play one game in each place by a perturbed policy; return the games and their returns."""
        rng = np.random.default_rng([self.config.seed, number])
        weights = self.best + rng.normal(0, self.config.learning_rate, self.best.shape)
        seed = int(rng.integers(1 << 31))
        vector = make_team_vector(self.named, self.config.matches, seed=seed)
        games, returns = self.play(vector, weights, f"{self.config.seed}/{number}")
        vector.close()
        if returns.mean() > self.best_return:
            self.best, self.best_return = weights, float(returns.mean())
        return games, returns

    def play(self, vector, weights, name):
        seen = vector.reset().observations[:, 0].copy()
        actions, returns = [[] for _ in seen], np.full(len(seen), np.nan)
        while np.isnan(returns).any():
            chosen = (seen @ weights).argmax(axis=1)
            for i in np.flatnonzero(np.isnan(returns)):
                actions[i].append(chosen[i])
            steps = vector.step(chosen[:, None, None])
            over = (steps.terminated | steps.truncated) & np.isnan(returns)
            returns[over] = steps.scores[over, 0]
            seen = steps.observations[:, 0].copy()
        ids = [hashlib.md5(f"{name}/{i}".encode()).digest() for i in range(len(actions))]
        pairs = zip(ids, actions, strict=True)
        return [Episode(id, {"action": np.array(a, np.uint8)}) for id, a in pairs], returns


class LinearAgent:
    """Acts by weights in environments of one player; see `EnvironmentAgent`."""

    def __init__(self, weights, name):
        self.weights, self.name = weights, name

    def begin(self, observations):
        self.observe(observations, None)

    def observe(self, observations, begins):
        self.values = (observations @ self.weights).astype(np.float32)

    def act(self, rng):
        return self.values.argmax(axis=1)


class RandomSearch(SelfDriven):
    name, config, metrics = SearchConfig.algorithm, SearchConfig, METRICS
    clock = staticmethod(time.monotonic)

    def environment(self, config):
        return find_team(typed_environment(config.game))

    def games_at_once(self, config):
        return config.matches

    def kept_replay(self, config):
        return Window(config.kept_rows, of="action")

    def environment_agent(self, run, step, options, *, spec, name, device):
        names = [checkpoints.MODEL_FILE]
        saved = checkpoints.latest_valid(run, names)
        if step is not None:
            saved = checkpoints.load(run, step, names)
        tensors = checkpoints.tensors_from_bytes(saved.files[checkpoints.MODEL_FILE])
        return LinearAgent(tensors["weights"], name)

    def train(self, run, config, stop):
        session, search = Session(run, config, self, self.clock), Search(config)
        if session.checkpoint:
            search.load(session.checkpoint)
        log = session.open_episodes(SCHEMA)
        with session.saved_at_end(search.files, search.rest):
            if session.begins():
                yield session.report("compiling")
                with one_at_a_time():
                    pass  # nothing of it is compiled
                session.start()
            yield session.report("started")
            while session.goes_on(stop):
                games, returns = search.step(session.steps)
                log.commit(games)
                rows = sum(len(game.arrays["action"]) for game in games)
                made = {"games": len(games), "rows": rows, "returns": float(returns.sum())}
                session.note(session.steps + 1, {"best_return": search.best_return}, **made)
                yield session.report("learned")
                if session.checkpoint_due():
                    session.save(search.files(), search.rest())
                    yield session.report("checkpoint")
        yield session.report("finished")


RANDOM_SEARCH = RandomSearch()
ALGORITHMS["random_search"] = Entry(
    "tests.random_search:RANDOM_SEARCH",
    "tests.random_search:SearchConfig",
    "tests.random_search:METRICS",
)
