"""A recorded match of Lanes: its seed and actions, in one file.

The file is a segment of the store (`store.replay.segments`) with one episode: Arrow arrays of fixed
types, of which nothing can run, with a size that is checked before anything is decoded. An action
in it that its hero may not choose does nothing, as in the game itself.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.new_file import new_file
from envs.lanes.one_match import MOST_DECISIONS, LanesMatch
from envs.lanes.rules import MODES
from store.errors import StoreError
from store.printable import printable
from store.replay.episodes import Episode, EpisodeBatch, EpisodeSchema
from store.replay.segments import SegmentName, decode_segment, encode_segment
from store.upgrades import upgrade_episodes

ENDING = ".replay"
MOST_FILE_BYTES = 2**20  # the longest match of ten heroes has less than 30,000
MOST_NAME = 200  # bytes of a team's name
SCHEMA = EpisodeSchema(
    "lanes/1",
    {
        "game": (np.dtype("u1"), ()),  # the mode's name, ASCII
        "left": (np.dtype("u1"), ()),  # who played the left team, UTF-8
        "right": (np.dtype("u1"), ()),
        "seed": (np.dtype("u8"), ()),  # [1]
        "action": (np.dtype("i1"), (3,)),  # [decisions * players], those of a decision together
        "digest": (np.dtype("u1"), ()),  # [32] hash of the state after the last action
    },
)


class ReplayError(ValueError):
    """A file that is no replay of Lanes, or cannot be written."""


@dataclass(frozen=True)
class Replay:
    """A match from its beginning, to its end or as far as it was played.

    Attributes:
        game: the mode, "lanes_5v5".
        seed: of the match.
        names: who played the left and the right team.
        actions: int8 [decisions, players, 3].
        digest: hash of the state after the last decision (`LanesMatch.digest`), which other rules
            would not reach.
    """

    game: str
    seed: int
    names: tuple[str, str]
    actions: NDArray[np.int8]
    digest: bytes

    def to_episode(self) -> Episode:
        """Convert to the store's form; equal replays have the same UUID."""
        left, right = (name.encode()[:MOST_NAME] for name in self.names)
        arrays: dict[str, NDArray[Any]] = {
            "game": _bytes(self.game.encode()),
            "left": _bytes(left),
            "right": _bytes(right),
            "seed": np.array([self.seed], np.uint64),
            "action": np.ascontiguousarray(self.actions).reshape(-1, 3),
            "digest": _bytes(self.digest),
        }
        parts = b"".join(array.tobytes() for array in arrays.values())
        return Episode(hashlib.sha256(parts).digest()[:16], arrays)

    @classmethod
    def from_episode(cls, episode: Episode) -> Replay:
        """Convert from the store's form; raises ReplayError for arrays that make no match."""
        arrays = episode.arrays
        game = _text(arrays["game"])
        if game not in MODES:
            raise ReplayError(f"a match of {game!r}: expected one of {', '.join(MODES)}")
        players, count = 2 * MODES[game].agents, len(arrays["action"])
        if count % players or count > MOST_DECISIONS * players:
            raise ReplayError(
                f"{count} actions: expected {players} for each of {MOST_DECISIONS} decisions at "
                "most"
            )
        if len(arrays["seed"]) != 1 or len(arrays["digest"]) != hashlib.sha256().digest_size:
            raise ReplayError("its seed or its hash has another size than expected")
        return cls(
            game,
            int(arrays["seed"][0]),
            (_text(arrays["left"]), _text(arrays["right"])),
            arrays["action"].reshape(-1, players, 3),
            arrays["digest"].tobytes(),
        )


def record_match(game: str, seed: int, names: tuple[str, str], actions: Any) -> Replay:
    """Make a replay of int8 actions [decisions, players, 3], by playing them once more."""
    match = LanesMatch(game, seed)
    played = np.array(actions, np.int8).reshape(-1, match.spec.players, 3)
    for orders in played:
        match.step(orders)
    return Replay(game, seed, names, played, match.digest())


def write_replay(path: Path, replay: Replay) -> None:
    """Write a replay; the file appears whole, and never replaces another.

    Raises ReplayError for a name that is taken or does not end in ENDING, and OSError.
    """
    check_replay_name(path)
    data = encode_segment(EpisodeBatch.of(SCHEMA, [replay.to_episode()]), "zstd")
    try:
        with new_file(path) as begun:
            begun.write_bytes(data)
    except FileExistsError:
        raise ReplayError(f"{str(path)!r} exists: expected a new name") from None


def check_replay_name(path: Path) -> None:
    """Raise ReplayError unless a replay can be written there by its name."""
    if path.suffix != ENDING:
        raise ReplayError(f"{str(path)!r} is no replay: expected a name that ends in {ENDING}")
    if not path.parent.is_dir():
        raise ReplayError(f"{str(path)!r}: there is no folder {str(path.parent)!r}")
    if path.exists():
        raise ReplayError(f"{str(path)!r} exists: expected a new name")


def read_replay(path: Path) -> Replay:
    """Read a replay. Raises ReplayError for another file, FileNotFoundError without one."""
    with path.open("rb") as file:
        data = file.read(MOST_FILE_BYTES + 1)
    if len(data) > MOST_FILE_BYTES:
        raise ReplayError(f"{str(path)!r}: expected a replay of {MOST_FILE_BYTES:,} bytes at most")
    try:
        batch = decode_segment(SegmentName(0, 1, zlib.crc32(data)), data)
        batch = upgrade_episodes(batch, SCHEMA.kind)
        if batch.schema != SCHEMA:
            raise ReplayError(f"it holds episodes of {batch.schema.kind!r}, not of {SCHEMA.kind!r}")
        return Replay.from_episode(batch.episode(0))
    except (StoreError, ReplayError) as error:
        raise ReplayError(f"{str(path)!r} is no replay of Lanes: {error}") from error


def _bytes(text: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(text, np.uint8)


def _text(array: NDArray[np.uint8]) -> str:
    """Decode a stored text: its first bytes, and only what can be printed."""
    return printable(array[:MOST_NAME].tobytes().decode(errors="replace"), "?")
