"""What self-play and a whole training can be told; neither torch nor numba is imported."""

from __future__ import annotations

from dataclasses import dataclass, field

from agents.config import LearnerConfig, NetworkConfig
from mcts.config import SearchConfig


@dataclass(frozen=True)
class SelfPlayConfig:
    """How games are played against oneself."""

    games: int = 256
    """Games in progress at once, over all shards."""
    shards: int = 2
    """Groups of games, each searched in a thread of its own."""
    full_share: float = 0.25
    """Share of the moves searched in full and learned from (KataGo's playout cap: 0.25)."""
    fast_simulations: int = 32
    """Simulations of the other moves, without the noise that is for learning."""
    fresh_full_searches: bool = False
    """Full searches begin on a fresh tree, so that all of their simulations are new and made under
    noise (KataGo's self-play); fast ones reuse what the last search left. false reuses in both, and
    measured better on Connect Four (docs/benchmarks.md)."""
    proven_row_share: float = 0.0
    """Share of the proven positions of fast searches that are learned from as well. At 0 proven
    positions come at the rate of all others (KataGo 2019, 3.1: full searches alone); 1 takes all,
    some 30% of the rows of Connect Four."""
    temperature: float = 1.0
    """Temperature of a game's first move after its opening."""
    final_temperature: float = 0.2
    """Temperature that it falls towards."""
    temperature_halflife: float = 8.0
    """Plies in which the temperature's excess halves."""
    opening_share: float = 0.5
    """Share of games that begin with random moves."""
    opening_plies: int = 16
    """Most random moves of such an opening; their number is uniform from 1 on."""
    resign_value: float = -1.0
    """Resign below this value on two own moves in a row; -1 never resigns."""
    resign_playout_share: float = 0.1
    """Share of games never resigned, which measure the false positives (AlphaGo Zero: 0.1)."""
    proof_playout_share: float = 0.2
    """Share of games played on after the root is proven; the others end with the proven result."""

    def __post_init__(self) -> None:
        if self.shards < 1 or self.games < self.shards or self.games % self.shards:
            raise ValueError(
                f"selfplay.games = {self.games} in selfplay.shards = {self.shards}: expected a "
                "positive multiple of the shards"
            )
        shares = ("full_share", "opening_share", "proven_row_share", "resign_playout_share")
        for name in (*shares, "proof_playout_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"selfplay.{name} = {getattr(self, name)}: expected 0 to 1")
        if self.full_share == 0:
            raise ValueError("selfplay.full_share = 0: no move would be learned from")


@dataclass(frozen=True)
class ClusterConfig:
    """How a training is spread by Ray; nothing of it counts with `workers = 0`."""

    worker_cpus: int = 1
    """Cores of a worker; each plays `selfplay.games / selfplay.shards` games in a thread."""
    learner_cpus: int = 1
    """Threads of the learner, and cores set aside for it where Ray was running before."""
    learner_gpus: float = 0.0
    """Graphics cards of the learner (0.5: half of one)."""
    inference_actors: int = 0
    """Actors that evaluate positions for all workers; 0: each worker has a network of its own."""
    inference_gpus: float = 1.0
    """Graphics cards of each inference actor; 0 runs them on a processor."""
    segment_rows: int = 1024
    """Training rows that a worker plays for between two commits, in which it takes new weights."""
    inference_timeout_s: float = 300.0
    """A worker gives up an evaluation, and is replaced, when its inference actor has not answered
    for so long; a training ends when one has found no place for so long and no node could take it.
    """
    backlog_rows: int = 65536
    """Workers wait while so many rows, and a segment of each worker, are committed and not trained
    on yet."""
    worker_timeout_s: float = 600.0
    """A worker that has not answered for so long is replaced."""

    def __post_init__(self) -> None:
        for name in ("worker_cpus", "learner_cpus", "segment_rows", "backlog_rows"):
            if getattr(self, name) < 1:
                raise ValueError(f"cluster.{name} = {getattr(self, name)}: expected at least 1")
        for name in ("learner_gpus", "inference_actors", "inference_gpus"):
            if getattr(self, name) < 0:
                raise ValueError(f"cluster.{name} = {getattr(self, name)}: expected 0 or more")
        for name in ("inference_timeout_s", "worker_timeout_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"cluster.{name} = {getattr(self, name)}: expected more than 0")


@dataclass(frozen=True)
class TrainConfig:
    """A whole training. A preset is a TOML file of these fields; any can be overridden."""

    game: str = "connect_four"
    """A game's name, or the path of a file that defines one."""
    minutes: float = 10.0
    """Wall-clock budget of the training over all of its sessions; 0 is no limit."""
    games: int = 0
    """Stop after this many games; 0 is no limit. With minutes = 0 the training is deterministic."""
    seed: int = 0
    """Seed of everything."""
    workers: int = 0
    """Ray workers; 0 runs everything in one process, without Ray."""
    device: str = "auto"
    """Where networks run: cpu, cuda, or auto (cuda where there is one)."""
    publish_rows: int = 4096
    """New training rows between two versions of the network that plays."""
    checkpoint_minutes: float = 1.0
    """Wall-clock minutes between checkpoints."""
    checkpoint_rows: int = 0
    """New training rows between checkpoints. 0 is by the clock or, where games alone end a training
    in one process, every eight networks: such a training is deterministic."""
    keep_all: bool = False
    """Keep every checkpoint and all replay; else what nobody needs goes after each checkpoint."""
    search: SearchConfig = field(default_factory=SearchConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    learner: LearnerConfig = field(default_factory=LearnerConfig)
    selfplay: SelfPlayConfig = field(default_factory=SelfPlayConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise ValueError(f"workers = {self.workers}: expected 0 or more")
