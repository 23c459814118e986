"""Tensors and a trainer's state as bytes, read back without executing anything stored."""

from __future__ import annotations

import hashlib
import io
import pickle
import struct
import sys
import threading
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from store import checkpoints
from store.errors import CheckpointError
from store.upgrades import TRAINER

TRAINER_FILE = "trainer.pt"
"""The file of a checkpoint that has what `dump_trainer` makes."""

UNREADABLE = (  # what reading a trainer's state raises for bytes that are none
    *(pickle.UnpicklingError, zipfile.BadZipFile, struct.error, EOFError, MemoryError),
    *(RuntimeError, ValueError, TypeError, LookupError, AttributeError, NotImplementedError),
    *(OverflowError, AssertionError, ImportError),
)


_PLAIN = (Tensor, str, bytes, bool, int, float, type(None))
_scalars_lock = threading.Lock()  # PyTorch keeps what it may read for the whole process


def load_state(data: bytes) -> dict[str, Tensor]:
    """Return the network's tensors from a checkpoint's safetensors bytes."""
    return {
        name: torch.from_numpy(np.array(array))
        for name, array in checkpoints.tensors_from_bytes(data).items()
    }


def dump_state(state: dict[str, Tensor]) -> bytes:
    """Return the network's tensors as safetensors bytes."""
    return checkpoints.tensors_to_bytes({k: v.detach().cpu().numpy() for k, v in state.items()})


def set_generator_state(generator: torch.Generator, state: Tensor) -> None:
    """Continue from a generator's state; one of another kind of device seeds this one.

    A run may go on on another device, and the states of a processor and of a card do not fit.
    """
    if len(state) == len(generator.get_state()):
        generator.set_state(state)
        return
    digest = hashlib.blake2b(state.numpy().tobytes(), digest_size=8).digest()
    generator.manual_seed(int.from_bytes(digest) >> 1)


def dump_trainer(state: dict[str, Any]) -> bytes:
    """Return optimiser and schedule state as `torch.save` bytes; equal states make equal bytes.

    NumPy's numbers become Python's. Raises TypeError for what `load_trainer` would not read.
    """
    buffer = io.BytesIO()
    torch.save(_canonical({**state, "format": TRAINER.name}), buffer)
    return buffer.getvalue()


def _canonical(state: Any) -> Any:
    """Copy the values so that equal strings are one object and no container is shared.

    Pickle refers back to an object that it meets again. A new learner shares some strings and
    tuples that a resumed one holds twice, and equal states would make different bytes.
    """
    if isinstance(state, dict):
        return {_canonical(key): _canonical(value) for key, value in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(map(_canonical, state))
    if isinstance(state, np.generic):
        state = state.item()
    if type(state) not in _PLAIN:
        raise TypeError(
            f"a trainer's state holds {state!r:.80} of {type(state)}: expected tensors, numbers, "
            "strings and containers of them, as nothing else is read back"
        )
    return sys.intern(state) if isinstance(state, str) else state


def load_trainer(data: bytes) -> dict[str, Any]:
    """Read `dump_trainer`'s bytes without unpickling anything but tensors and plain values.

    They are a pickle in a ZIP file, read with `weights_only`: it builds tensors and containers, and
    calls nothing else but `_number`. No tensor may be larger than the file, compressed or repeated
    by a stride.

    Raises CheckpointError for all else, VersionError for the state of a newer version.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            if sum(part.file_size for part in parts.infolist()) > len(data):
                raise ValueError("its parts are larger than itself")
        with _scalars_lock, torch.serialization.safe_globals(_NUMPY_NUMBERS):
            state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        if not isinstance(state, dict) or any(t.nbytes > len(data) for t in _tensors_in(state)):
            raise ValueError("it holds no dict, or a tensor that is larger than itself")
    except UNREADABLE as error:
        what = str(error).strip().partition("\n")[0] or "nothing is known of why"
        raise CheckpointError(
            f"not a trainer's state, of {len(data):,} bytes ({type(error).__name__}: {what})"
        ) from error
    return TRAINER.read(state)


class _NumberType:
    """What is read as the dtype of one of NumPy's numbers: its name, as "f8"."""

    def __init__(self, name: str, align: bool, copy: bool) -> None:
        self.name = name

    def __setstate__(self, state: object) -> None:
        """Take no notice of the order of bytes and the like."""


def _number(dtype: _NumberType, data: bytes) -> float | int:
    """Return one of NumPy's numbers, which older programs kept in states, as Python's."""
    if type(dtype) is not _NumberType or dtype.name not in ("f4", "f8", "i4", "i8"):
        raise ValueError("it holds a number of NumPy's that is not float or int")
    found: float | int = np.frombuffer(data, "<" + dtype.name, 1)[0].item()
    return found


_NUMPY_NUMBERS: list[Any] = [
    (_NumberType, "numpy.dtype"),
    (_number, "numpy._core.multiarray.scalar"),
]


def _tensors_in(state: Any) -> Iterator[Tensor]:
    """Yield the tensors in nested containers, visiting each container once."""
    pending, seen = [state], set[int]()
    while pending:
        found = pending.pop()
        if isinstance(found, Tensor):
            yield found
        elif isinstance(found, (dict, list, tuple, set)) and id(found) not in seen:
            seen.add(id(found))
            pending.extend(found.values() if isinstance(found, dict) else found)
