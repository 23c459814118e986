"""A store with checkpoints that play tic-tac-toe as well as their step says, without networks."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agents.players import RandomPlayer
from arena.match.openings import Openings, random_openings
from arena.match.pool import MatchPool
from arena.names import parse_agent_name
from arena.rating.ladder import Ladder, LadderSettings
from arena.solvers.players import SolverPlayer
from envs.game import Game
from envs.registry import find_game
from store import checkpoints
from store.errors import CheckpointError
from store.run import Run, create_run, open_run

TIC_TAC_TOE = find_game("tic_tac_toe")
DAMAGED_STEP = 13


class SkilledPlayer(RandomPlayer):
    """Plays perfectly in this share of its moves, by chance in the others."""

    def __init__(self, name: str, skill: float) -> None:
        super().__init__(TIC_TAC_TOE)
        self.name = name
        self.skill = skill
        self.solver = SolverPlayer(TIC_TAC_TOE)

    def choose(self, states: NDArray[Any], rng: np.random.Generator) -> NDArray[np.int64]:
        knows = rng.random(len(states)) < self.skill
        return np.where(knows, self.solver.choose(states, rng), super().choose(states, rng))


def skilled(text: str, game: Game, store_url: str, *, programs: bool = False) -> SkilledPlayer:
    """Stands for `find_agent`: step 60 plays 60% of its moves perfectly."""
    _, step, _ = parse_agent_name(text)
    if step == DAMAGED_STEP:
        raise CheckpointError(f"checkpoint {step} is damaged")
    return SkilledPlayer(text, (step or 0) / 100)


def make_run(store: Path | str, name: str, *steps: int, game: str = "tic_tac_toe") -> Run:
    run = create_run(store, name, game=game, config={"game": game}, seed=0, versions={})
    for step in steps:
        save(run, step)
    return run


def save(run: Run, step: int) -> None:
    course = {"elapsed_s": 60.0 * step, "counters": {"games": 10 * step, "simulations": 99 * step}}
    checkpoints.save(run, step, {checkpoints.MODEL_FILE: b"x"}, course)


def make_ladder(
    store: Path,
    *names: str,
    anchors: Mapping[str, float | None] | None = None,
    openings: Openings | None = None,
    pool: MatchPool | None = None,
    **settings: Any,
) -> Ladder:
    runs = [open_run(store, name) for name in names or ("r",)]
    chosen = LadderSettings(**{"width": 60.0, "games": 3000, **settings})
    begin = openings or random_openings(TIC_TAC_TOE)
    return Ladder(TIC_TAC_TOE, str(store), runs, anchors or {}, begin, chosen, pool)


def use_skilled_players(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chance decides their games, though they have the names of checkpoints."""
    take_as_repeating(monkeypatch, False)
    for module in ("rating.ladder", "match.workers"):
        monkeypatch.setattr(f"arena.{module}.find_agent", skilled)


def take_as_repeating(monkeypatch: pytest.MonkeyPatch, repeats: bool) -> None:
    """Have all agents counted as if they played the same game again, or never."""
    for module in ("match.evidence", "match.match", "rating.ladder"):
        monkeypatch.setattr(f"arena.{module}.repeat_themselves", lambda agents: repeats)


def few_openings(count: int) -> Openings:
    """So many of three plies."""
    many = random_openings(TIC_TAC_TOE, 3)
    return Openings(f"few:{count}", lambda seed: islice(many.stream(seed), count), count)
