"""Settings that every algorithm has; nothing heavy is imported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from envs.settings import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, Settings


@dataclass(frozen=True)
class ClusterConfig(Settings):
    """Placement of a run under Ray; ignored with `workers = 0`."""

    table: ClassVar[str] = "cluster"

    worker_cpus: PositiveInt = 1
    """Cores of a worker, each with a thread that acts."""
    worker_gpus: NonNegativeFloat = 0.0
    """Share of a graphics card of each worker, whose network computes there (0.05: twenty workers
    on one); 0 runs it on the worker's cores."""
    learner_cpus: PositiveInt = 1
    """Threads of the learner, and cores set aside for it where Ray was running before."""
    learner_gpus: NonNegativeFloat = 0.0
    """Graphics cards of the learner (0.5: half of one)."""
    inference_actors: NonNegativeInt = 0
    """Actors that evaluate positions for all workers; 0: each worker has a network of its own."""
    inference_gpus: NonNegativeFloat = 1.0
    """Graphics cards of each inference actor; 0 runs them on a processor."""
    segment_rows: PositiveInt = 1024
    """Training rows that a worker makes between two commits; it takes new weights at each."""
    inference_timeout_s: PositiveFloat = 300.0
    """Time after which a worker whose inference actor has not answered fails and is replaced; a run
    ends when an inference actor is not placed within this time and no node could take it.
    """
    backlog_rows: PositiveInt = 65536
    """Workers wait while more rows than this, and a segment of each worker, are committed and not
    trained on yet."""
    worker_timeout_s: PositiveFloat = 600.0
    """Time after which a worker that has not answered is replaced."""


@dataclass(frozen=True)
class TrainConfig(Settings):
    """Settings of a run. A preset is a TOML file of these fields; any can be overridden.

    An algorithm's own settings are a subclass that sets `algorithm` to the name it is registered
    under (`agents.registry`).
    """

    algorithm: ClassVar[str] = ""

    game: str = ""
    """What is learned: the name of a game or an environment, or the path of a file."""
    minutes: NonNegativeFloat = 10.0
    """Wall-clock budget of the run over all of its sessions; 0 is no limit."""
    games: NonNegativeInt = 0
    """Stop after this many games; 0 is no limit. With minutes = 0 training is deterministic."""
    rows: NonNegativeInt = 0
    """Stop after this many training rows, the agent's steps; 0 is no limit. With minutes = 0
    training is deterministic."""
    seed: NonNegativeInt = 0
    """Seed of everything."""
    workers: NonNegativeInt = 0
    """Ray workers; 0 runs everything in one process, without Ray (PPO's RLlib needs one of this
    machine in any case)."""
    device: str = "auto"
    """Where networks run: cpu, cuda, or auto (cuda where there is one)."""
    publish_rows: PositiveInt = 4096
    """New training rows between two versions of the network that plays."""
    overlap: bool = False
    """In one process, play in a thread beside the training on the rounds before, where the two
    would take turns; so a row is trained on a round later. Their networks compute with half as many
    threads each; those of environments and searches are as set. For a graphics card, or where
    playing leaves cores idle. Ray's processes overlap without it. PPO takes turns in any
    case."""
    checkpoint_minutes: NonNegativeFloat = 1.0
    """Wall-clock minutes between checkpoints."""
    checkpoint_rows: NonNegativeInt = 0
    """New training rows between checkpoints. 0 is by the clock or, where games or rows alone limit
    a run in one process, every eight networks and never less than a stored segment of an algorithm
    that writes through: such a run is deterministic."""
    keep_all: bool = False
    """Keep every checkpoint and all replay; else each checkpoint drops what is not needed."""
    cluster: ClusterConfig = field(default_factory=ClusterConfig)

    @property
    def is_limited(self) -> bool:
        """Whether the run ends by itself."""
        return bool(self.minutes or self.games or self.rows)
