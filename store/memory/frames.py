"""Define stored frame streams: each frame once, in episodes or consecutive pieces of them.

A stream is one environment that plays one episode after another; `store.memory.frame_ring` samples
it.
"""

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from store.errors import SchemaError
from store.replay.episodes import EpisodeBatch, EpisodeSchema

FRAMES_KIND = "frames/1"
ERROR = "error"
"""Name of the array of TD errors that actors give, where a schema has it."""

GOES_ON, TERMINATED, TRUNCATED = 0, 1, 2
"""How a step ends: not at all; by the rules, so that nothing follows; by a limit from outside."""


def frames_schema(
    frame_shape: tuple[int, ...],
    frame_dtype: npt.DTypeLike = np.uint8,
    action_dtype: npt.DTypeLike = np.int32,
    *,
    errors: bool = False,
) -> EpisodeSchema:
    """Make the schema of a stream's episodes, whole or in consecutive pieces.

    A piece of T steps that is not its episode's last has T frames; the last has T + 1, since the
    observation after the last step is seen too. Write it with `compression="zstd"`.

    With `errors` each step has the TD error that its actor found, from which a ring makes its first
    priority (Ape-X, Horgan et al. 2018); NaN where the actor found none.
    """
    integer = np.dtype(np.int64)
    given = {ERROR: (np.dtype(np.float32), ())} if errors else {}  # [T]
    return EpisodeSchema(
        FRAMES_KIND,
        {
            "frame": (np.dtype(frame_dtype), frame_shape),  # [T], or [T + 1] in the last piece
            "action": (np.dtype(action_dtype), ()),  # [T] taken at the frame
            "reward": (np.dtype(np.float32), ()),  # [T] that followed
            "stream": (integer, ()),  # [1] which environment, among those of all writers
            "episode": (integer, ()),  # [1] number of the episode in its stream
            "first_step": (integer, ()),  # [1] number of the first frame in its episode
            "ending": (np.dtype(np.uint8), ()),  # [1] of the piece's last step
            **given,
        },
    )


def stream_number(*names: int) -> int:
    """Return the number of a stream that no other has, from numbers that name it.

    An actor that starts again cannot go on with its environments, so it starts new streams: their
    names hold something that differs between two starts, e.g. the number of its next segment.
    """
    text = "/".join(map(str, names)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) >> 1  # an int64


def piece_uuid(stream: int, episode: int, first_step: int) -> bytes:
    """Return the identity of a piece, 16 bytes: the same one made again is known by it."""
    text = f"{stream}/{episode}/{first_step}".encode()
    return hashlib.blake2b(text, digest_size=16).digest()


def check_pieces(batch: EpisodeBatch) -> None:
    """Raise SchemaError unless each episode of a batch is a piece as `frames_schema` says."""
    for name in ("stream", "episode", "first_step", "ending"):
        if (batch.lengths(name) != 1).any():
            raise SchemaError(f"a piece has one {name!r}; got {batch.lengths(name)}")
    check_endings(batch.values["ending"])
    steps = batch.lengths("action")
    expected = {
        "action": np.maximum(steps, 1),
        "reward": steps,
        "frame": steps + (batch.values["ending"] != GOES_ON),
        **({ERROR: steps} if ERROR in batch.schema.fields else {}),
    }
    for name, lengths in expected.items():
        wrong = np.flatnonzero(batch.lengths(name) != lengths)
        if len(wrong):
            i = wrong[0]
            raise SchemaError(
                f"piece {i} of {steps[i]} steps with the ending {batch.values['ending'][i]}: "
                f"expected {lengths[i]} items of {name!r}, got {batch.lengths(name)[i]}"
            )


def check_endings(endings: npt.NDArray[Any]) -> None:
    """Raise SchemaError unless each is GOES_ON, TERMINATED or TRUNCATED."""
    wrong = endings[endings > TRUNCATED]
    if len(wrong):
        raise SchemaError(
            f"ending {wrong[0]}: expected {GOES_ON} (goes on), {TERMINATED} (terminated) or "
            f"{TRUNCATED} (truncated)"
        )
