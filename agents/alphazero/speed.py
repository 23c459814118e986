"""The training speed of a preset on this machine, its bottleneck, and faster settings.

The search without a network, the network without a search, the learner and the two of self-play
together are each measured briefly, several times, and the best counts: other work can only slow a
measurement down. A fresh network replaces a trained one, which proves more and plays longer games:
the prediction is right in its order of magnitude only.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from agents.alphazero.bench import BATCHES, play_speed, raw_speed
from agents.alphazero.config import AlphaZeroConfig
from agents.alphazero.episodes import TrainingRows, extra_fields, outcome_shares
from agents.alphazero.game import game_of
from agents.alphazero.inference import NetworkEvaluator
from agents.alphazero.learner import AlphaZeroLearner
from agents.alphazero.network import build_network
from agents.alphazero.shard import Shard
from agents.findings import Finding, usable_cores
from envs.batch import play_random, scratch_for
from envs.game import Game
from mcts.search import evaluate_uniformly

TURNS = 2  # at everything, after a first one that warms up
NEAR = 0.9  # of the best speed is as good
SIZES = (0.25, 0.5, 1.0, 2.0)  # of the preset's games at once
LEARNER_SIZES = (0.5, 1.0, 2.0)  # of the preset's batch
LEARNER_ROWS = 4096  # in the window that is sampled from
SAMPLE_GAMES = 16  # random games whose length is taken
# Shares of the seconds.
SEARCH, INFERENCE, PLAY, LEARNER = 0.1, 0.2, 0.5, 0.2


@dataclass
class Speeds:
    """Measured speeds, per second and over all threads.

    Attributes:
        search: simulations without a network.
        inference: the network's evaluations by batch.
        play: the search's counters in self-play by games at once.
        learner: training rows by batch.
        game_plies: moves searched of a game, estimated.
    """

    search: float = 0.0
    inference: dict[int, float] = field(default_factory=dict)
    play: dict[int, dict[str, float]] = field(default_factory=dict)
    learner: dict[int, float] = field(default_factory=dict)
    game_plies: float = 0.0


def measure_speeds(config: AlphaZeroConfig, seconds: float) -> Speeds:
    """Measure for about `seconds`, plus about as long to compile and to load.

    Raises what the game, the device or Ray raise.
    """
    game = game_of(config)
    state = build_network(game, config.network, config.seed).state_dict()
    evaluator = NetworkEvaluator(game, config.network, state, device=config.device)
    count = config.selfplay.shards
    evaluators = [evaluator, *(evaluator.replica() for _ in range(count - 1))]
    found = Speeds(game_plies=_searched_plies(game, config))
    with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        threads = _Threads(pool, game, config)
        found.search = threads.play(
            [evaluate_uniformly] * count, config.selfplay.games, SEARCH * seconds
        )["simulations"]
        for batch in BATCHES:
            part = INFERENCE * seconds / len(BATCHES)
            found.inference[batch] = threads.evaluate(evaluators, batch, part)
        for games in play_sizes(config):
            part = PLAY * seconds / len(play_sizes(config))
            found.play[games] = threads.play(evaluators, games, part)
    found.learner = learner_speeds(game, config, LEARNER * seconds)
    return found


def play_sizes(config: AlphaZeroConfig) -> list[int]:
    """Games at once to try: parts and multiples of the preset's, that the shards divide."""
    shards = config.selfplay.shards
    return sorted({max(1, round(s * config.selfplay.games / shards)) * shards for s in SIZES})


@dataclass
class _Threads:
    """A thread for each shard, as an actor has them."""

    pool: ThreadPoolExecutor
    game: Game
    config: AlphaZeroConfig

    def _everywhere(self, work: Callable[[int], Any]) -> list[Any]:
        return list(self.pool.map(work, range(self.config.selfplay.shards)))

    def evaluate(self, evaluators: Sequence[Any], batch: int, seconds: float) -> float:
        """Measure evaluations/s with batches of that size."""
        turn = seconds / TURNS
        return max(
            float(sum(self._everywhere(lambda i: raw_speed(evaluators[i], batch, turn))))
            for _ in range(TURNS)
        )

    def play(self, evaluators: Sequence[Any], games: int, seconds: float) -> dict[str, float]:
        """Measure the search's counters/s, and `plies`, the moves searched."""
        config, count = self.config, self.config.selfplay.shards
        selfplay = replace(config.selfplay, games=games)
        shards = [
            Shard(self.game, config.search, selfplay, games // count, seed=config.seed, number=i)
            for i in range(count)
        ]
        turns = [self._turn(shards, evaluators, seconds / (TURNS + 1)) for _ in range(TURNS + 1)]
        return max(turns[1:], key=lambda totals: totals["simulations"])

    def _turn(
        self, shards: Sequence[Shard], evaluators: Sequence[Any], seconds: float
    ) -> dict[str, float]:
        before, began = sum(shard.plies_played for shard in shards), time.perf_counter()
        rows = self._everywhere(lambda i: play_speed(shards[i], evaluators[i], seconds))
        made = sum(shard.plies_played for shard in shards) - before
        totals = {name: float(sum(row[name] for row in rows)) for name in rows[0]}
        return {**totals, "plies": made / (time.perf_counter() - began)}


def _searched_plies(game: Game, config: AlphaZeroConfig) -> float:
    """Moves of a game after its random opening: of random games, as long as nothing is known."""
    rng = np.random.default_rng(config.seed)
    lengths = []
    for _ in range(SAMPLE_GAMES):
        moves = np.zeros((1, game.max_plies), np.uint16)
        states, wanted = game.new_states(1), np.array([game.max_plies])
        lengths.append(
            play_random(scratch_for(game), states, wanted, rng.random(moves.shape), moves)
        )
    mean_opening = config.selfplay.opening_share * (config.selfplay.opening_plies + 1) / 2
    return max(1.0, statistics.mean(lengths) - mean_opening)


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def learner_speeds(game: Game, config: AlphaZeroConfig, seconds: float) -> dict[int, float]:
    """Measure rows/s by batch size, learning from initial positions and a uniform policy."""
    threads = config.cluster.learner_cpus if config.workers else config.selfplay.shards
    legal = game.legal_actions(game.new_state()).astype(np.uint16)
    rows = TrainingRows(
        game.new_states(LEARNER_ROWS),
        np.repeat(game.new_states(LEARNER_ROWS)[:, None], game.past_boards, 1),
        outcome_shares(np.zeros(LEARNER_ROWS)),
        np.full(LEARNER_ROWS, len(legal), np.uint16),
        np.tile(legal, LEARNER_ROWS),
        np.full(LEARNER_ROWS * len(legal), 1.0 / len(legal), np.float32),
        {
            name: np.zeros((LEARNER_ROWS, *shape), dtype)
            for name, (dtype, shape) in extra_fields(game, config.learner).items()
        },
    )
    speeds = {}
    for batch in sorted({max(1, round(s * config.learner.batch_size)) for s in LEARNER_SIZES}):
        settings = replace(
            config.learner,
            batch_size=batch,
            window_rows=LEARNER_ROWS,
            window_start_rows=LEARNER_ROWS,
        )
        learner = AlphaZeroLearner(
            game, config.network, settings, seed=config.seed, device=config.device
        )
        learner.add_rows(rows)
        with _torch_threads(threads):
            learner.train(2, 0.0)
            turn = seconds / len(LEARNER_SIZES) / TURNS
            speeds[batch] = max(batch * _steps_a_second(learner, turn) for _ in range(TURNS))
    return speeds


def _steps_a_second(learner: AlphaZeroLearner, seconds: float) -> float:
    steps, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < seconds or not steps:
        learner.train(1, 0.0)
        steps += 1
    return steps / took


# --- what it means ------------------------------------------------------------------------------


def smallest_near_best(speeds: dict[int, float]) -> int:
    """Return the smallest size whose speed is close to the best."""
    best = max(speeds.values())
    return min(size for size, speed in speeds.items() if speed >= NEAR * best)


def cost_shares(config: AlphaZeroConfig, speeds: Speeds) -> dict[str, float]:
    """Return the shares of a game's time: the network, the search, the learner, and the rest.

    Without workers the learner shares the processor with self-play; with workers it has its own
    cores and is left out.
    """
    play = speeds.play[config.selfplay.games]
    network = play["evaluations"] / max(speeds.inference.values())
    search = play["simulations"] / speeds.search
    rest = max(0.0, 1.0 - network - search)
    shares = {"the network": network, "the search": search, "waiting and bookkeeping": rest}
    if not config.workers:
        learning = _learning_seconds(config, speeds) * _played_games(speeds, config)
        shares["the learner"] = learning
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()}


def games_an_hour(config: AlphaZeroConfig, speeds: Speeds, cores: float) -> float:
    """Estimate games/h of a run of this preset on this machine; see the module's text."""
    played = _played_games(speeds, config)
    learning = _learning_seconds(config, speeds)
    if not config.workers:
        return 3600.0 / (1.0 / played + learning)
    at_work = min(config.workers, max(1.0, cores / config.cluster.worker_cpus))
    return 3600.0 * min(at_work * played / config.selfplay.shards, 1.0 / learning)


def _played_games(speeds: Speeds, config: AlphaZeroConfig) -> float:
    """Return games/s of self-play alone."""
    return max(speeds.play[config.selfplay.games]["plies"], 1e-9) / speeds.game_plies


def _learning_seconds(config: AlphaZeroConfig, speeds: Speeds) -> float:
    """Return the learner's seconds for a game's rows."""
    rows = config.selfplay.full_share * speeds.game_plies
    return rows * config.learner.passes / speeds.learner[config.learner.batch_size]


def interpret(config: AlphaZeroConfig, speeds: Speeds) -> Iterator[Finding]:
    """Convert the measurements to findings."""
    games, batch = config.selfplay.games, config.learner.batch_size
    simulations = {size: play["simulations"] for size, play in speeds.play.items()}
    yield Finding("search", "ok", f"{speeds.search:,.0f} simulations/s without a network")
    yield Finding("inference", "ok", _by_size(speeds.inference, "evaluations/s", "batch"))
    yield _sized("self-play", "selfplay.games", games, simulations, "simulations/s", "games")
    learner = _sized("learner", "learner.batch_size", batch, speeds.learner, "rows/s", "batch")
    if learner.advice:
        learner = replace(learner, advice=f"{learner.advice}; it learns differently, too")
    yield learner
    shares = cost_shares(config, speeds)
    most = max(shares, key=lambda name: shares[name])
    listed = ", ".join(f"{name} {100 * share:.0f}%" for name, share in shares.items())
    yield Finding("bottleneck", "ok", f"{most} ({listed})", REMEDIES[most])
    predicted = games_an_hour(config, speeds, usable_cores())
    said = f"about {float(f'{predicted:.2g}'):,.0f} games an hour, of {speeds.game_plies:.0f} moves"
    yield Finding("prediction", "ok", said, "a trained network plays longer games and proves more")


REMEDIES = {
    "the network": "a smaller one (--network.filters, --network.blocks), or a graphics card",
    "the search": "more --selfplay.shards where cores are idle, a smaller --search.lookahead",
    "the learner": "fewer --learner.passes, or --workers, which give it cores of its own",
    "waiting and bookkeeping": "more --selfplay.games, so that batches are larger",
}


def _sized(
    name: str, setting: str, present: int, speeds: dict[int, float], unit: str, what: str
) -> Finding:
    """Return speeds by size, and whether a size other than the preset's would be faster."""
    said = _by_size(speeds, unit, what)
    if speeds[present] >= NEAR * max(speeds.values()):
        return Finding(name, "ok", f"{said}; {setting} = {present} is as good as any")
    better = smallest_near_best(speeds)
    gain = speeds[better] / speeds[present]
    option = "--" + setting.replace("_", "-")
    advice = f"{option} {better} is {gain:.2f} times as fast as {present}"
    return Finding(name, "warning", said, advice)


def _by_size(speeds: dict[int, float], unit: str, what: str) -> str:
    listed = ", ".join(f"{speed:,.0f} at {size}" for size, speed in speeds.items())
    return f"{unit} by {what}: {listed}"
