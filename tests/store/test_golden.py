"""Files of every version that was ever written, read for ever; today's writers make the newest.

Here are the layouts of the store's own; the other formats are in `test_golden_formats`.

A layout that changes needs a new version: a step in `store.upgrades` (for a kind of episode beside
its schema), and a new golden file. `PYTHONPATH=. python tests/store/test_golden.py` writes the
missing ones; a file that is there is never written again.
"""

import hashlib
import shutil
import tempfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents.alphazero.episodes import SCHEMA, GameRecord, Policies, to_episode
from store import checkpoints, run, upgrades
from store.files.local import LocalFiles
from store.replay.episodes import Episode, EpisodeBatch, EpisodeSchema
from store.replay.segments import SegmentName, decode_segment, encode_segment
from store.run import Run, RunInfo

DATA = Path(__file__).parent / "data"
INFO = RunInfo(
    "tic_tac_toe",
    {"search": {"simulations": 32}, "widths": [1, 2]},
    7,
    {"numpy": "2"},
    algorithm="alphazero",
)
FIRST_WITH_ALGORITHM = "run-4"
STEP = 12
FILES = {"model.safetensors": checkpoints.tensors_to_bytes({"w": np.arange(6, dtype="<f4")})}
METADATA = {"cursor": {"a" * 32: 3}, "elapsed_s": 1.5}
RECORD = np.dtype([("board", "<u2", (2,)), ("to_move", "u1")])
LAYOUT = EpisodeSchema(
    "golden/1", {"flag": ("?", ()), "frame": ("u1", (2,)), "state": (RECORD, ())}
)


def run_json():
    return {"run.json": run._encode_info(INFO)}


def checkpoint():
    with tempfile.TemporaryDirectory() as folder:
        checkpoints.save(Run("golden", LocalFiles(Path(folder)), INFO), STEP, FILES, METADATA)
        made = sorted(Path(folder, "checkpoints", f"{STEP:09d}").iterdir())
        return {path.name: path.read_bytes() for path in made}


def layout_episodes():
    return [
        Episode(
            bytes([n]) * 16,
            {
                "flag": np.array([True, False][:n], "?"),
                "frame": np.arange(2 * n, dtype="u1").reshape(n, 2),
                "state": np.array([((n, 2), 1)] * n, RECORD),
            },
        )
        for n in (1, 2)
    ]


def games():
    """Two games of tic-tac-toe: one without rows, one with a proven and a searched row."""
    policy = np.zeros((2, 9), np.float32)
    policy[0, [4, 8]], policy[1, 2] = [0.75, 0.25], 1.0
    every = np.tile(np.arange(9, dtype=np.uint16), (2, 1))
    none, policies = Policies.of(every[:0], policy[:0]), Policies.of(every, policy)
    nothing, moves = np.zeros(0, np.float32), np.array([4, 0, 8, 2, 6, 1], np.uint16)
    exact = np.array([np.nan, -1.0], np.float32)
    values = np.array([0.5, -1.0], np.float32)
    plies = np.array([1, 3], np.uint16)
    return [
        to_episode(GameRecord(moves[:5], 2, 0.0, 0, plies[:0], none, nothing, nothing), b"0" * 16),
        to_episode(GameRecord(moves, 0, -1.0, 99, plies, policies, values, exact), b"1" * 16),
    ]


def newest_games():
    """Those of version 1, and one from a position, with a row of known surprise."""
    row = Policies.of(np.array([[2, 5]], np.uint16), np.array([[0.25, 0.75]], np.float32))
    value, surprise = np.array([0.125], np.float32), np.array([0.5], np.float32)
    moves, ply = np.array([2, 5, 7], np.uint16), np.array([1], np.uint16)
    record = GameRecord(
        moves, 1, 1.0, 7, ply, row, value, np.full(1, np.nan, np.float32), surprise, "X.O/.X./O.."
    )
    return [*games(), to_episode(record, b"2" * 16)]


def segment(schema, episodes):
    data = encode_segment(EpisodeBatch.of(schema, episodes))
    return {str(SegmentName(0, len(episodes), zlib.crc32(data))): data}


GOLDEN = {
    "run": (upgrades.RUN.current, run_json),
    "checkpoint": (upgrades.MANIFEST.current, checkpoint),
    "segment": (upgrades.SEGMENT.current, lambda: segment(LAYOUT, layout_episodes())),
    "alphazero": (int(SCHEMA.kind.rpartition("/")[2]), lambda: segment(SCHEMA, newest_games())),
}
LAYOUTS = ("run", "checkpoint", "segment")  # an episode's kind is in a segment of some layout


@pytest.mark.parametrize("name", LAYOUTS)
def test_todays_writer_makes_the_newest_golden_files_byte_for_byte(name):
    version, make = GOLDEN[name]
    folder = DATA / f"{name}-{version}"
    assert folder.is_dir(), f"{name} has version {version} now: see the top of this file"
    golden = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert make() == golden, f"the writer of {name} has changed: raise the version"


def test_todays_games_are_the_newest_golden_kind():
    folder = DATA / SCHEMA.kind.replace("/", "-")
    assert folder.is_dir(), f"{SCHEMA.kind} is new: see the top of this file"
    assert_equal_batches(decode_only(folder), EpisodeBatch.of(SCHEMA, newest_games()))


def test_golden_files_are_what_they_were():
    """A new folder comes with its line."""
    assert {folder.name: digest_of(folder) for folder in DATA.iterdir()} == DIGESTS


def digest_of(folder):
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


DIGESTS = {
    "actor-1": "b98cd92d6bf27dfc",
    "actor-2": "11869c4b47f0cab3",
    "actor-3": "424ec7408b0747da",
    "actor-4": "81dfcab36e2c1962",
    "alphazero-1": "3071eb545dfd2374",
    "alphazero-2": "41eb76a495ee3092",
    "archive-1": "2b6e62977d227ea0",
    "checkpoint-1": "ec88e1dbbc0b8a1b",
    "evaluation-1": "5538c2708b5ba00e",
    "evaluation-2": "d645f5b95de603f8",
    "frames-1": "3e5581a8c51151ae",
    "hold-1": "cd2d9d24f5b92cfc",
    "hold-2": "d9a9946f1b5a7293",
    "kept-1": "e0cf218e51ec9139",
    "lanes-1": "ca2c97d46695b018",
    "match-1": "73a32064901d1fb2",
    "match-2": "457826e38fe95ecb",
    "match-3": "2f5dd518d52f1428",
    "progress-1": "fa8d042623a50cd5",
    "run-1": "1243ba16d90d61f1",
    "run-2": "aff5991c856918c8",
    "run-3": "64122b6ea101f30c",
    "run-4": "cae7f0025cd9e67a",
    "segment-1": "30d4ca3f2a9d7d92",
    "team-1": "f26c0101fbde33bb",
    "trainer-1": "2b03e2a244060cc0",
    "trainer-2": "735a10e209c1f708",
    "trajectory-1": "bc8ba478947168bc",
    "window-1": "baba862f1e42f1c5",
}


@pytest.mark.parametrize("folder", sorted(DATA.glob("run-*")), ids=lambda path: path.name)
def test_every_run_file_is_read(folder):
    known = INFO if folder.name >= FIRST_WITH_ALGORITHM else replace(INFO, algorithm="")
    assert run.read_info(LocalFiles(folder), "golden") == known


@pytest.mark.parametrize("folder", sorted(DATA.glob("checkpoint-*")), ids=lambda path: path.name)
def test_every_checkpoint_is_read(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "checkpoints" / f"{STEP:09d}")
    loaded = checkpoints.load(Run("golden", LocalFiles(tmp_path), INFO), STEP)
    assert (loaded.files, loaded.metadata) == (FILES, METADATA)


def decode_only(folder):
    (path,) = folder.iterdir()
    return decode_segment(SegmentName.parse(path.name), path.read_bytes())


def assert_equal_batches(found, expected):
    assert found.schema == expected.schema
    np.testing.assert_array_equal(found.uuids, expected.uuids)
    for name in expected.schema.fields:
        np.testing.assert_array_equal(found.offsets[name], expected.offsets[name])
        assert found.values[name].tobytes() == expected.values[name].tobytes()


@pytest.mark.parametrize("folder", sorted(DATA.glob("segment-*")), ids=lambda path: path.name)
def test_every_layout_of_segments_is_read(folder):
    assert_equal_batches(decode_only(folder), EpisodeBatch.of(LAYOUT, layout_episodes()))


@pytest.mark.parametrize("folder", sorted(DATA.glob("alphazero-*")), ids=lambda path: path.name)
def test_every_kind_of_alphazero_episodes_is_read(folder):
    batch = upgrades.upgrade_episodes(decode_only(folder), SCHEMA.kind)
    known = games() if folder.name == "alphazero-1" else newest_games()
    assert_equal_batches(batch, EpisodeBatch.of(SCHEMA, known))


def write_missing():
    for name, (version, make) in GOLDEN.items():
        folder = DATA / f"{name}-{version}"
        if not folder.exists():
            folder.mkdir(parents=True)
            for file, data in make().items():
                (folder / file).write_bytes(data)
            print(f"wrote {folder}")


if __name__ == "__main__":
    write_missing()
