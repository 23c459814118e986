"""An algorithm that writes through: two streams of numbered frames, a ring, and nothing learned.

Importing it registers it. It has what an algorithm of frames needs: pieces, a ring with priorities
that is filled again, streams that are new at each start, and counters of pieces.
"""

import hashlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from agents.algorithm import Algorithm
from agents.random_state import rng_state, set_rng_state
from agents.registry import ALGORITHMS, Entry
from agents.training import TrainConfig
from store import checkpoints
from store.memory.frame_ring import FrameRing
from store.memory.frames import GOES_ON, TERMINATED, frames_schema, piece_uuid, stream_number
from store.memory.priorities import Priorities
from store.replay.episodes import Episode

SCHEMA = frames_schema((2,), np.uint32, errors=True)
GAME_STEPS = 37
METRICS = ()


@dataclass(frozen=True)
class CountingConfig(TrainConfig):
    algorithm: ClassVar[str] = "counting_frames"
    game: str = "counting"
    publish_rows: int = 60
    window_rows: int = 500
    passes: float = 2.0
    learning_rate: float = 0.1


class Counting:
    name = "counting"


class CountingActor:
    policy = None

    def __init__(self, config, number):
        self.number, self.games, self.rows, self.pieces = number, 0, 0, []
        self.start(0)

    def start(self, start):
        self.streams = [stream_number(self.number, start, i) for i in range(2)]
        self.at = [(0, 0), (0, 0)]

    def load_weights(self, data, step):
        pass

    def begin_round(self, rows, elapsed):
        self.goal = self.rows + rows

    def play(self, pause):
        while self.rows < self.goal and not pause():
            self.pieces.append(self.piece(self.rows // 30 % 2))
        return self.rows >= self.goal

    def piece(self, i):
        episode, first = self.at[i]
        steps = min(11, GAME_STEPS - first)
        ended = first + steps == GAME_STEPS
        self.at[i] = (episode + 1, 0) if ended else (episode, first + steps)
        self.games += ended
        self.rows += steps + ended
        numbers = np.arange(first, first + steps + ended)
        arrays = {
            "frame": np.stack([numbers, numbers + episode], axis=1).astype(np.uint32),
            "action": np.full(steps, i, np.int32),
            "reward": np.ones(steps, np.float32),
            "stream": np.array([self.streams[i]]),
            "episode": np.array([episode]),
            "first_step": np.array([first]),
            "ending": np.array([TERMINATED if ended else GOES_ON], np.uint8),
            "error": numbers[:steps].astype(np.float32),
        }
        return Episode(piece_uuid(self.streams[i], episode, first), arrays)

    def take_episodes(self):
        taken, self.pieces = self.pieces, []
        return taken

    def counters(self):
        return {"games": self.games, "rows": self.rows}

    def on_checkpoint(self):
        pass

    def state(self):
        return checkpoints.tensors_to_bytes({}), {}

    def load_state(self, data, rest):
        self.start(rest["next_seq"])

    def close(self):
        pass


class CountingLearner:
    batch_size = 16

    def __init__(self, config):
        rows = config.window_rows
        self.ring = FrameRing(rows, SCHEMA, stack=2, steps=2, priorities=Priorities(rows))
        self.steps = 0
        self.rng = np.random.default_rng(config.seed)

    @property
    def rows_added(self):
        return self.ring.ring.total_added

    @property
    def window_rows(self):
        return self.ring.ring.sampled_rows

    def add(self, batches):
        return sum(map(self.ring.extend, batches))

    def train(self, steps, progress):
        for _ in range(steps):
            drawn = self.ring.sample(self.rng, self.batch_size, 0.5)
            self.ring.update(drawn.rows, self.rng.normal(size=self.batch_size))
            self.steps += 1
        return {"learning_rate": 0.1}

    def weights(self):
        return checkpoints.tensors_to_bytes({"steps": np.array([self.steps])})

    def state(self):
        ring = {name: torch.from_numpy(array) for name, array in self.ring.state().items()}
        return {"ring": ring, "steps": self.steps, "rng": rng_state(self.rng)}

    def load_state(self, state, window):
        self.ring.fill(window, {name: tensor.numpy() for name, tensor in state["ring"].items()})
        self.steps = state["steps"]
        set_rng_state(self.rng, state["rng"])

    def digest(self):
        """What a resumed learner has in common with the one that was lost."""
        rows = np.arange(self.ring.ring.oldest, self.rows_added)
        parts = [*self.ring.state().values(), self.ring.ring.gather(rows)["frame"]]
        digest = hashlib.sha256(str(rng_state(self.rng)).encode())
        for array in parts:
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


class CountingFrames(Algorithm):
    name, config, metrics = CountingConfig.algorithm, CountingConfig, METRICS

    def environment(self, config):
        return Counting()

    def schema(self, config):
        return SCHEMA

    def row_field(self, config):
        return "frame"

    def make_actor(self, config, number):
        return CountingActor(config, number)

    def make_learner(self, config):
        return CountingLearner(config)

    def make_policy(self, config):
        return None

    def writes_through(self, config):
        return True

    def segment_rows(self, config):
        return 200

    def compression(self, config):
        return "zstd"

    def counted(self, config, batch):
        games = int((batch.values["ending"] != GOES_ON).sum())
        return {"games": games, "rows": batch.rows("frame")}


COUNTING_FRAMES = CountingFrames()
ALGORITHMS["counting_frames"] = Entry(
    "tests.counting_frames:COUNTING_FRAMES",
    "tests.counting_frames:CountingConfig",
    "tests.counting_frames:METRICS",
)
