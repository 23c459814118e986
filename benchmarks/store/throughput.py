"""Measure the replay store: writing, reading, sampling, and a poll with many writers.

Everything runs on one thread. The measurements take turns, so that other work on the machine slows
them alike. Files are written to a temporary folder, and each commit is synced to disk. The data
come from `benchmarks.store.data`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from agents.alphazero.config import AlphaZeroConfig, LearnerConfig
from agents.alphazero.episodes import POLICY_ENTRIES, SCHEMA, outcome_shares, ring_fields, to_rows
from benchmarks.machine import RESULTS, machine_facts, write_result
from benchmarks.store.data import (
    FRAMES,
    MOVES,
    PIECE_FRAMES,
    STREAMS,
    frame_pieces,
    game_episodes,
    made_frames,
)
from configs.loader import load_config_of
from envs.batch import encode_many, no_past, play_random, scratch_for
from envs.game import Game
from envs.registry import find_game
from store.files.commit import commit_new
from store.memory.frame_ring import FrameRing
from store.memory.priorities import Priorities, PrioritizedSampler
from store.memory.ragged import RaggedEntries
from store.memory.ring import Ring
from store.memory.trajectories import TrajectoryRing, trajectory_schema
from store.replay.episodes import Episode, EpisodeBatch
from store.replay.log import ReplayLog
from store.replay.segments import SegmentName, SegmentWriter, encode_segment
from store.run import Run, create_run

ROUNDS = 7
SEGMENT_EPISODES = 1000
BATCH = 1024
POSITIONS = 500_000  # in RAM
FRAMES_IN_RAM = 50_000
WRITERS = 1000
SEGMENTS_A_WRITER = (1, 10, 100)

Work = Callable[[], int]
"""Does some work once and returns the number of items."""


# -- writing and reading ---------------------------------------------------------------------


def new_run(folder: Path, name: str) -> Run:
    """Create an empty run."""
    return create_run(folder, name, game="connect_four", config={}, seed=0, versions={})


def writing_games(folder: Path, episodes: list[Episode]) -> dict[str, Work]:
    """Commit a segment of games, added one by one, as an actor does, or as a batch."""
    batch = EpisodeBatch.of(SCHEMA, episodes)
    one, whole = (SegmentWriter(new_run(folder, name), SCHEMA) for name in ("one", "whole"))

    def append() -> int:
        for episode in episodes:
            one.append(episode)
        one.commit()
        return len(episodes)

    def extend() -> int:
        whole.extend(batch)
        whole.commit()
        return len(batch)

    return {"episodes_written": append, "episodes_written_as_batch": extend}


def writing_frames(folder: Path, batches: list[EpisodeBatch]) -> dict[str, Work]:
    """Commit a segment of frames, compressed or not; for comparison, a synced npz file."""
    writers = {
        "frames_written_zstd": SegmentWriter(new_run(folder, "zstd"), FRAMES, "zstd"),
        "frames_written_raw": SegmentWriter(new_run(folder, "raw"), FRAMES),
    }

    def segment(writer: SegmentWriter) -> int:
        batch = batches[writer.next_seq % len(batches)]
        writer.extend(batch)
        writer.commit()
        return batch.rows("frame")

    def npz(save: Callable[..., None]) -> int:
        sink = io.BytesIO()
        save(sink, **batches[0].values)
        commit_new(folder / f"{uuid.uuid4().hex}.npz", sink.getbuffer())
        return batches[0].rows("frame")

    return {
        **{name: partial(segment, writer) for name, writer in writers.items()},
        "frames_written_npz": lambda: npz(np.savez),
        "frames_written_npz_compressed": lambda: npz(np.savez_compressed),
    }


def reading(
    folder: Path, game: Game, episodes: list[Episode], frames: list[EpisodeBatch]
) -> dict[str, Work]:
    """Read whole logs with a new reader, from the page cache."""
    games_run, frames_run = new_run(folder, "games"), new_run(folder, "frames")
    writer = SegmentWriter(games_run, SCHEMA)
    for _ in range(10):
        writer.extend(_renamed(EpisodeBatch.of(SCHEMA, episodes)))
        writer.commit()
    frame_writer = SegmentWriter(frames_run, FRAMES, "zstd")
    for batch in frames:
        frame_writer.extend(batch)
        frame_writer.commit()

    def games() -> int:
        return sum(map(len, ReplayLog(games_run, SCHEMA).poll()))

    def games_to_rows() -> int:
        batches = ReplayLog(games_run, SCHEMA).poll()
        to_rows(game, batches, LearnerConfig())
        return sum(map(len, batches))

    def frames_back() -> int:
        return sum(batch.rows("frame") for batch in ReplayLog(frames_run, FRAMES).poll())

    return {
        "episodes_read": games,
        "episodes_read_and_replayed": games_to_rows,
        "frames_read_zstd": frames_back,
    }


def _renamed(batch: EpisodeBatch) -> EpisodeBatch:
    """Return the same episodes under new UUIDs, so that they are not duplicates."""
    uuids = np.frombuffer(os.urandom(batch.uuids.size), np.uint8).reshape(batch.uuids.shape)
    return EpisodeBatch(batch.schema, uuids, batch.offsets, batch.values)


# -- sampling --------------------------------------------------------------------------------


def sampling_positions(game: Game) -> dict[str, Work]:
    """Sample rows as AlphaZero's learner does; for comparison, planes loaded from an npz."""
    rng = np.random.default_rng(0)
    states = game.new_states(POSITIONS)
    wanted = rng.integers(0, 30, POSITIONS)
    moves = np.zeros((POSITIONS, 30), np.uint16)
    play_random(scratch_for(game), states, wanted, rng.random((POSITIONS, 30)), moves)
    count, actions = np.full(POSITIONS, game.num_actions, np.uint16), np.arange(game.num_actions)
    policies, dense = (
        RaggedEntries(POLICY_ENTRIES),
        rng.random((POSITIONS, len(actions)), np.float32),
    )
    policies.extend(
        action=np.tile(actions, POSITIONS).astype(np.uint16), weight=dense.ravel().copy()
    )
    outcome = outcome_shares(rng.random(POSITIONS, np.float32))
    ring = Ring(POSITIONS, ring_fields(game))
    past = no_past(game, POSITIONS)
    starts = np.arange(POSITIONS) * game.num_actions
    ring.extend(state=states, past=past, outcome=outcome, policy_start=starts, policy_count=count)
    planes = np.empty((POSITIONS, *game.planes_shape), np.float32)
    encode_many(states, past, planes)
    images = np.stack([game.symmetries.action_image(s) for s in range(len(game.symmetries))])

    def sample(symmetric: bool) -> int:
        rows = ring.sample(rng, BATCH)
        encoded = np.empty((BATCH, *game.planes_shape), np.float32)
        encode_many(rows["state"], rows["past"], encoded)
        entries = policies.gather(rows["policy_start"], rows["policy_count"])
        if symmetric:
            chosen = rng.integers(len(game.symmetries), size=BATCH)
            game.symmetries.transform(encoded, chosen)
            images[np.repeat(chosen, rows["policy_count"]), entries["action"]].astype(np.int64)
        return BATCH

    def loaded() -> int:  # as np.load gives them, already encoded: 14 times the memory
        rows = rng.integers(POSITIONS, size=BATCH)
        for array in (planes, dense, outcome):
            array[rows]
        return BATCH

    return {
        "positions_sampled": lambda: sample(False),
        "positions_sampled_symmetric": lambda: sample(True),
        "positions_sampled_npz": loaded,
    }


def sampling_by_priority() -> dict[str, Work]:
    """Sample a batch from 2^20 rows of one number each, and update its priorities."""
    rng = np.random.default_rng(0)
    ring = Ring(1 << 20, {"number": (np.int64, ())})
    ring.extend(number=np.arange(ring.capacity))
    sampler = PrioritizedSampler(ring)
    sampler.update(np.arange(ring.capacity), rng.exponential(size=ring.capacity))
    rows, errors = rng.integers(ring.capacity, size=BATCH), rng.exponential(size=BATCH)

    def sample() -> int:
        return len(sampler.sample(rng, BATCH, 0.5).rows)

    def update() -> int:
        sampler.update(rows, errors)
        return BATCH

    return {"rows_sampled_by_priority": sample, "priorities_updated": update}


def sampling_frames(batches: list[EpisodeBatch]) -> dict[str, Work]:
    """Sample transitions of stacks of 4 frames over 3 steps, and add frames to the ring."""
    rng = np.random.default_rng(0)
    rings = {
        "uniform": FrameRing(FRAMES_IN_RAM, FRAMES, steps=3),
        "priority": FrameRing(FRAMES_IN_RAM, FRAMES, steps=3, priorities=Priorities(FRAMES_IN_RAM)),
    }

    def sample(ring: FrameRing, size: int) -> int:
        return len(ring.sample(rng, size).rows)

    works: dict[str, Work] = {}
    for name, ring in rings.items():
        while ring.ring.total_added < ring.ring.capacity:
            ring.extend(batches[ring.ring.total_added // batches[0].rows("frame") % len(batches)])
        for size in (32, 512):
            works[f"transitions_{name}_batch_{size}"] = partial(sample, ring, size)
    numbers = iter(range(10**9))

    def add() -> int:
        batch = batches[next(numbers) % len(batches)]
        rings["uniform"].extend(batch)
        return batch.rows("frame")

    return {**works, "frames_added_to_ring": add}


def sampling_trajectories() -> dict[str, Work]:
    """Sample 64 sequences of 16 steps of 10 agents with 64 numbers; one in eight is too old."""
    agents, steps, count = 10, 160, 400
    schema = trajectory_schema(
        agents, {"observation": (np.float32, (64,))}, {"lstm": (np.float32, (128,))}
    )
    rng = np.random.default_rng(0)
    ring = TrajectoryRing(count * steps // 16, schema, staleness=6)
    for number in range(count):
        columns: dict[str, Any] = {
            "present": rng.random((steps, agents)) < 0.9,
            "policy_version": np.full(steps, number % 8),
            "ending": np.array([1], np.uint8),
            "observation": rng.random((steps, agents, 64), np.float32),
            "state.lstm": rng.random((steps // 16, agents, 128), np.float32),
        }
        ring.extend(EpisodeBatch.of(schema, [Episode(rng.bytes(16), columns)]))
    return {"agent_steps_sampled": lambda: ring.sample(rng, 64, 7).mask.size}


# -- polling ---------------------------------------------------------------------------------


def polling(folder: Path) -> dict[str, Work]:
    """Poll logs of WRITERS writers with different numbers of segments, without new ones."""

    def poll(log: ReplayLog) -> int:
        return 1 + len(log.poll())

    works: dict[str, Work] = {}
    for segments in SEGMENTS_A_WRITER:
        run = new_run(folder, f"poll{segments}")
        cursor = {uuid.UUID(int=n).hex: segments for n in range(WRITERS)}
        for writer in cursor:
            own = folder / run.name / "replay" / writer
            own.mkdir(parents=True)
            for seq in range(segments):  # only the names are read
                (own / str(SegmentName(seq, 1, 0))).touch()
        log = ReplayLog(run, SCHEMA, start=cursor)
        works[f"polls_of_{WRITERS}_writers_x_{segments}"] = partial(poll, log)
    return works


# -- measuring -------------------------------------------------------------------------------


@contextlib.contextmanager
def everything(
    game: Game, episodes: list[Episode], batches: list[EpisodeBatch]
) -> Iterator[dict[str, Work]]:
    """Yield all measurements by name, with their files in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="ludens-store-") as name:
        folder = Path(name)
        yield {
            **writing_games(folder, episodes),
            **writing_frames(folder, batches),
            **reading(folder, game, episodes, batches),
            **sampling_positions(game),
            **sampling_by_priority(),
            **sampling_frames(batches),
            **sampling_trajectories(),
            **polling(folder),
        }


def rate(work: Work, seconds: float) -> tuple[float, float]:
    """Return the rates per second and per core second, over about `seconds`, one call or more."""
    done, used, begun = 0, time.process_time(), time.perf_counter()
    while True:
        done += work()
        elapsed = time.perf_counter() - begun
        if elapsed >= seconds:
            return done / elapsed, done / (time.process_time() - used)


def actors_fed(wall: dict[str, float], core: dict[str, float]) -> dict[str, Any]:
    """Return how many cores of Connect Four self-play the store of one learner keeps up with.

    The simulations per game and per core second are those of a training run. The learner reads the
    games and replays their positions on one core, and samples each row as often as the rate limit
    asks on another; both rates are per core second. A writer waits for its disk, so its rate is per
    second.
    """
    runs = json.loads((RESULTS / "train_connect_four.json").read_text())["runs"]
    trained = next(run for run in runs if "simulations" in run)
    per_core = trained["simulations_per_s_while_playing"] / trained["machine"]["cores"]
    games = per_core * trained["games"] / trained["simulations"]
    passes = load_config_of(AlphaZeroConfig, "connect_four").learner.passes
    trained_rows = trained["training_rows"] / trained["games"] * passes
    return {
        "simulations_per_move": round(trained["simulations"] / trained["moves"], 1),
        "searched_moves_per_game": round(trained["moves"] / trained["games"], 1),
        "simulations_per_core_s": round(per_core),
        "games_per_core_s": round(games, 2),
        "cores_one_reader_keeps_up_with": round(core["episodes_read_and_replayed"] / games),
        "cores_one_writer_keeps_up_with": round(wall["episodes_written"] / games),
        "rows_trained_per_game": round(trained_rows, 1),
        "cores_one_sampler_keeps_up_with": round(
            core["positions_sampled_symmetric"] / (trained_rows * games)
        ),
    }


def measure(seconds: float = 30.0) -> dict[str, Any]:
    """Measure medians over ROUNDS turns, in about `seconds` plus preparation; JSON-ready."""
    facts = machine_facts(("numpy", "numba", "pyarrow"))
    game = find_game("connect_four")
    episodes = game_episodes(game, SEGMENT_EPISODES)
    streams = np.stack([made_frames(4 * PIECE_FRAMES, seed) for seed in range(STREAMS)])
    batches = [frame_pieces(n, part) for n, part in enumerate(np.split(streams, 4, axis=1))]
    games, frames = EpisodeBatch.of(SCHEMA, episodes), batches[-1]
    taken: dict[str, list[tuple[float, float]]] = {}
    with everything(game, episodes, batches) as works:
        for work in works.values():
            work()
        for _ in range(ROUNDS):
            for name, work in works.items():
                taken.setdefault(name, []).append(rate(work, seconds / (ROUNDS * len(works))))
    wall = {name: statistics.median(pair[0] for pair in pairs) for name, pairs in taken.items()}
    core = {name: statistics.median(pair[1] for pair in pairs) for name, pairs in taken.items()}
    return {
        "rounds": ROUNDS,
        "moves_per_episode": MOVES,
        "episodes_per_segment": SEGMENT_EPISODES,
        "frames_per_segment": STREAMS * PIECE_FRAMES,
        "bytes_per_episode": round(len(encode_segment(games)) / len(games)),
        "bytes_per_frame_zstd": round(len(encode_segment(frames, "zstd")) / frames.rows("frame")),
        "per_s": {name: _rounded(number) for name, number in wall.items()},
        "per_core_s": {name: _rounded(number) for name, number in core.items()},
        "actors": actors_fed(wall, core),
        "machine": facts,
    }


def _rounded(number: float) -> float:
    return round(number) if number >= 100 else round(number, 2)


def run(seconds: float, peer_python: str | None) -> None:
    """Measure, print a line per figure and write results/store.json."""
    result = measure(seconds)
    path = write_result("store", result)
    for name, number in result["per_s"].items():
        print(f"store {name:32} {number:>14,}/s {result['per_core_s'][name]:>14,} per core second")
    for name, number in result["actors"].items():
        print(f"store {name:32} {number:>14,}")
    print(f"  -> {path}")
