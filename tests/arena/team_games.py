"""A small game of teams, its scripted players, and an algorithm whose checkpoints play it.

Each of the four players names a number from 0 to 9 for a few steps, and the team with the larger
sum wins. A match takes 1 to 7 steps, by its seed.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agents.registry import ALGORITHMS, Entry
from arena.match.openings import Opening
from arena.match.pool import PlannedBatch
from arena.match.records import MatchKey
from arena.teams.playing import SEEDS
from envs.registry import TEAM_GAMES
from envs.teams import ActionHead, TeamGame, TeamSpec, TeamSteps
from store import checkpoints
from store.errors import CheckpointError
from store.run import Run, create_run

MOST_STEPS = 7
AGENTS = 2
DAMAGED_STEP = 13
SPEC = TeamSpec(
    name="toy",
    kind="lanes",
    teams=2,
    agents=AGENTS,
    observation_shape=(3,),
    observation_dtype=np.dtype(np.float32),
    heads=(ActionHead("number", 10),),
    seconds=30.0,
)
SCRIPTS = {"low": (0, 3), "middle": (2, 6), "high": (4, 9)}


def steps_of(seed: int) -> int:
    return 1 + seed % MOST_STEPS


class ToyVector:
    """Observations are (team, step, seed modulo 251) of each player."""

    def __init__(self, count: int) -> None:
        self.spec, self.count = SPEC, count
        self.begun = np.zeros(count, np.int64)

    def reset(self, seed: int | None = None) -> TeamSteps:
        return self.start(np.arange(self.count).astype(np.uint64) + np.uint64(seed or 0))

    def start(self, seeds: NDArray[np.uint64]) -> TeamSteps:
        self.seeds = seeds.copy()
        self.played = np.zeros(self.count, np.int64)
        self.sums = np.zeros((self.count, 2), np.int64)
        self.begun += 1
        return self._steps(np.zeros(self.count, np.bool_))

    def step(self, actions: NDArray[Any]) -> TeamSteps:
        assert actions.shape == (self.count, 2 * AGENTS, 1)
        self.sums += actions.reshape(self.count, 2, AGENTS).sum(axis=2)
        self.played += 1
        lengths = np.array([steps_of(int(seed)) for seed in self.seeds])
        ended = self.played == lengths
        steps = self._steps(ended)
        self.seeds[ended] += np.uint64(1)
        self.played[ended], self.sums[ended] = 0, 0
        self.begun[ended] += 1
        return steps._replace(observations=self._observations())

    def _observations(self) -> NDArray[np.float32]:
        seen = np.zeros((self.count, 2 * AGENTS, 3), np.float32)
        seen[..., 0] = np.repeat([0, 1], AGENTS)
        seen[..., 1] = self.played[:, None]
        seen[..., 2] = (self.seeds % np.uint64(251))[:, None]
        return seen

    def _steps(self, ended: NDArray[np.bool_]) -> TeamSteps:
        scores = np.zeros((self.count, 2), np.float32)
        left, right = self.sums.T
        scores[:, 0] = np.where(ended, (1.0 + np.sign(left - right)) / 2, 0)
        scores[:, 1] = np.where(ended, 1 - scores[:, 0], 0)
        none = np.zeros((0, 2 * AGENTS, 3), np.float32)
        return TeamSteps(
            observations=self._observations(),
            masks=np.ones((self.count, 2 * AGENTS, 10), np.uint8),
            states=none[..., :0],
            rewards=np.zeros((self.count, 2 * AGENTS), np.float32),
            terminated=ended,
            truncated=np.zeros_like(ended),
            last_observations=none,
            last_states=none[..., :0],
            scores=scores,
            lengths=np.where(ended, self.played, 0),
        )

    def close(self) -> None:
        pass


class Chooser:
    """Names numbers from `low` to `high` at random, and keeps what it saw."""

    def __init__(self, name: str, low: int, high: int) -> None:
        self.name, self.low, self.high = name, low, high
        self.seen: list[tuple[NDArray[Any], NDArray[np.bool_]]] = []

    def act(
        self,
        observations: NDArray[Any],
        masks: NDArray[np.uint8],
        begins: NDArray[np.bool_],
        rng: np.random.Generator,
    ) -> NDArray[Any]:
        assert masks.shape == (*observations.shape[:2], 10)
        self.seen.append((observations.copy(), begins.copy()))
        return rng.integers(self.low, self.high + 1, size=(*observations.shape[:2], 1))


class ToyGame(TeamGame):
    def __init__(self, name: str) -> None:
        self.name, self.title, self.spec = name, "Toy", SPEC
        self.scripts, self.relatives = tuple(SCRIPTS), ("toy", "toy_too")

    def make_vector(self, count: int, threads: int = 1) -> ToyVector:
        return ToyVector(count)

    def make_script(self, name: str) -> Chooser:
        return Chooser(name, *SCRIPTS[name])


TOY, TOY_TOO = ToyGame("toy"), ToyGame("toy_too")


class FakeAlgorithm:
    """Its checkpoint of step s names numbers about s."""

    name = "fake_team"

    def acts_in(self, game: str) -> bool:
        return False

    def team_agent(
        self,
        run: Run,
        step: int | None,
        options: dict[str, str],
        *,
        spec: TeamSpec,
        name: str,
        device: str,
    ) -> Chooser:
        if options:
            raise ValueError("it takes no options")
        if step == DAMAGED_STEP:
            raise CheckpointError(f"checkpoint {step} is damaged")
        step = checkpoints.steps(run)[-1] if step is None else step
        checkpoints.load(run, step, names=[checkpoints.MODEL_FILE])
        return Chooser(name, max(0, step - 2), min(9, step + 2))


FAKE = FakeAlgorithm()
METRICS = ()


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> ToyGame:
    """The game and the algorithm are registered."""
    for name, game in (("toy", "TOY"), ("toy_too", "TOY_TOO")):
        monkeypatch.setitem(TEAM_GAMES, name, (__name__, game))
    fake = Entry(f"{__name__}:FAKE", "agents.training:TrainConfig", f"{__name__}:METRICS")
    monkeypatch.setitem(ALGORITHMS, "fake_team", fake)
    return TOY


def make_run(store: Path, name: str, *steps: int, game: str = "toy") -> Run:
    run = create_run(
        store, name, game=game, algorithm="fake_team", config={"game": game}, seed=0, versions={}
    )
    for step in steps:
        save(run, step)
    return run


def save(run: Run, step: int) -> None:
    course = {"elapsed_s": 60.0 * step, "counters": {"games": 10 * step}}
    checkpoints.save(run, step, {checkpoints.MODEL_FILE: b"x"}, course)


def planned(seeds: list[int], first_pair: int = 0) -> PlannedBatch:
    openings = tuple(Opening(np.array([seed], np.uint64), 0) for seed in seeds)
    return PlannedBatch(MatchKey("toy", ("a", "b"), 5, SEEDS), first_pair, openings)
