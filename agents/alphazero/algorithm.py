"""AlphaZero's interface to the loop: its config, its metrics, and its factories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from agents.algorithm import Algorithm
from agents.alphazero.actor import AlphaZeroActor
from agents.alphazero.config import AlphaZeroConfig
from agents.alphazero.episodes import SCHEMA
from agents.alphazero.game import game_of
from agents.alphazero.inference import NetworkEvaluator
from agents.alphazero.learner import AlphaZeroLearner
from agents.alphazero.metrics import METRICS
from agents.alphazero.network import build_network
from agents.alphazero.warm_up import warm_up_learning, warm_up_playing
from agents.findings import Finding
from agents.players import Player, Probe
from envs.game import Game
from store.replay.episodes import EpisodeSchema
from store.run import Run


class AlphaZero(Algorithm[AlphaZeroConfig]):
    """See `agents.algorithm.Algorithm`."""

    name = AlphaZeroConfig.algorithm
    config = AlphaZeroConfig
    metrics = METRICS
    threads_setting = "selfplay.shards"
    memory_settings = "--learner.window-rows, --selfplay.games or --search.cache-size"

    def schema(self, config: AlphaZeroConfig) -> EpisodeSchema:
        """Return the schema of a game: its moves, and the rows to learn from."""
        return SCHEMA

    def row_field(self, config: AlphaZeroConfig) -> str:
        """Return the field of plies, one a row."""
        return "row_ply"

    def window_rows(self, config: AlphaZeroConfig) -> int:
        """See `LearnerConfig.window_rows`."""
        return config.learner.window_rows

    def passes(self, config: AlphaZeroConfig) -> float:
        """See `LearnerConfig.passes`."""
        return config.learner.passes

    def environment(self, config: AlphaZeroConfig) -> Game:
        """Return the game; raises GameError."""
        return game_of(config)

    def worker_config(self, config: AlphaZeroConfig) -> AlphaZeroConfig:
        """Return settings with as many threads as cores and as many games a thread as before.

        With a card, its own or an inference actor's, a core has two threads, so that one half of
        its games searches while the other half is evaluated.
        """
        play, cluster = config.selfplay, config.cluster
        waits = cluster.inference_actors > 0 or cluster.worker_gpus > 0
        threads = cluster.worker_cpus * (2 if waits else 1)
        shaped = replace(play, shards=threads, games=threads * (play.games // play.shards))
        return replace(config, selfplay=shaped)

    def acting_threads(self, config: AlphaZeroConfig) -> int:
        """Return one a shard."""
        return config.selfplay.shards

    def games_at_once(self, config: AlphaZeroConfig) -> int:
        """See `SelfPlayConfig.games`."""
        return config.selfplay.games

    def learning_rate(self, config: AlphaZeroConfig, progress: float) -> float:
        """See `LearnerConfig.learning_rate_at`."""
        return config.learner.learning_rate_at(progress)

    def make_actor(self, config: AlphaZeroConfig, number: int) -> AlphaZeroActor:
        """Create shards of self-play games."""
        return AlphaZeroActor(self.environment(config), config, number)

    def make_learner(self, config: AlphaZeroConfig) -> AlphaZeroLearner:
        """Create a fresh network and an empty window."""
        return AlphaZeroLearner(
            self.environment(config),
            config.network,
            config.learner,
            seed=config.seed,
            device=config.device,
        )

    def make_policy(self, config: AlphaZeroConfig) -> NetworkEvaluator:
        """Create the network that a learner begins with, ready to evaluate."""
        game = self.environment(config)
        fresh = build_network(game, config.network, config.seed).state_dict()
        return NetworkEvaluator(game, config.network, fresh, device=config.device)

    def observation_shape(self, config: AlphaZeroConfig) -> tuple[int, ...]:
        """Return the shape of one shard's planes, [n, C, H, W]."""
        games = config.selfplay.games // config.selfplay.shards
        return games, *self.environment(config).planes_shape

    def measure_speed(self, config: AlphaZeroConfig, seconds: float) -> Iterator[Finding]:
        """Measure search, network, self-play and learner."""
        from agents.alphazero.speed import interpret, measure_speeds

        return interpret(config, measure_speeds(config, seconds))

    def bench(self, config: AlphaZeroConfig, seconds: float) -> dict[str, Any]:
        """Measure self-play against the raw speed of its network."""
        from agents.alphazero.bench import measure

        return measure(config, seconds)

    def player(
        self,
        game: Game,
        run: Run,
        step: int | None,
        options: Mapping[str, str],
        *,
        name: str,
        device: str,
    ) -> Player:
        """Return its search with these options; 0 simulations play by the network alone."""
        from agents.alphazero.player import network_player, playing_config
        from mcts.config import apply_options

        rest = {key: word for key, word in options.items() if key != "simulations"}
        raw = options.get("simulations") == "0"
        config = apply_options(playing_config(run), rest if raw else options)
        if raw and rest:
            raise ValueError(f"{', '.join(rest)}: expected no such option beside sims=0, no search")
        return network_player(game, run, step, None if raw else config, name=name, device=device)

    def warm_up(self, config: AlphaZeroConfig, *, acting: bool, learning: bool) -> None:
        """Compile the kernels of self-play, and those that make batches of games."""
        game = self.environment(config)
        if acting:
            warm_up_playing(game, config.search)
        if learning:
            warm_up_learning(game)

    def probes(self, config: AlphaZeroConfig, policy: NetworkEvaluator) -> Iterable[Probe]:
        """Return its network without and with a small search, to measure against a solver."""
        from agents.alphazero.player import probes

        return probes(self.environment(config), config.search, policy)


ALPHAZERO = AlphaZero()
