"""Convert a schema's dtypes to and from text that is matched, never parsed by NumPy.

    |b1 |i1 |u1 <i2 <i4 <i8 <u2 <u4 <u8 <f2 <f4 <f8 <c8 <c16    numbers, little-endian
    |S1 to |S9999                                                strings of that many bytes
    [["board", "<u2", [2, 7]], ["to_move", "|u1"], ...]          records of these, packed

NumPy's own reader of dtypes knows far more (objects, subclasses, expressions that it evaluates),
and a schema may come from an untrusted source.
"""

import math
import re
from typing import Any

import numpy as np

from store.errors import SchemaError

MOST_ITEM_BYTES = 2**26  # of one item of a field: far above any frame, far below any memory

_NUMBERS = {
    text: np.dtype(text)
    for text in (
        *("|b1", "|i1", "|u1"),
        *(f"<{kind}{size}" for kind in "iu" for size in (2, 4, 8)),
        *(f"<f{size}" for size in (2, 4, 8)),
        *("<c8", "<c16"),
    )
}
_BYTES = re.compile(r"\|S([1-9][0-9]{0,3})")
_KNOWN = f"{', '.join(_NUMBERS)}, |S1 to |S9999"
_MOST_NESTED = 4  # records in records
_MOST_FIELDS = 1000  # of a record
_MOST_NAME = 200  # characters


def is_storable(dtype: np.dtype[Any]) -> bool:
    """Whether a dtype survives `dtype_to_text` and `dtype_from_text`."""
    try:
        return dtype_from_text(dtype_to_text(dtype)) == dtype
    except SchemaError:
        return False


def dtype_to_text(dtype: np.dtype[Any]) -> Any:
    """Encode a dtype for JSON: a text, or a list of [name, dtype] or [name, dtype, shape]."""
    return np.lib.format.dtype_to_descr(dtype)


def dtype_from_text(text: Any, depth: int = 0) -> np.dtype[Any]:
    """Decode a dtype written by `dtype_to_text`; raises SchemaError for all else."""
    if isinstance(text, str):
        if found := _BYTES.fullmatch(text):
            return np.dtype((np.bytes_, int(found[1])))
        if text in _NUMBERS:
            return _NUMBERS[text]
    if not isinstance(text, (list, tuple)) or not text or depth >= _MOST_NESTED:
        raise SchemaError(f"dtype {_short(text)}: expected one of {_KNOWN}, or fields")
    parts: dict[str, tuple[str, np.dtype[Any], tuple[int, ...]]] = {}
    for part in text[: _MOST_FIELDS + 1]:
        name, dtype, shape = _field_from_text(part, depth)
        if name in parts or len(parts) == _MOST_FIELDS:
            raise SchemaError(f"field {name!r} of a record is there twice, or one too many")
        parts[name] = (name, dtype, shape)
    if sum(dtype.itemsize * math.prod(shape) for _, dtype, shape in parts.values()) > (
        MOST_ITEM_BYTES
    ):
        raise SchemaError(f"a record of more than {MOST_ITEM_BYTES:,} bytes")
    return np.dtype([*parts.values()])


def _field_from_text(part: Any, depth: int) -> tuple[str, np.dtype[Any], tuple[int, ...]]:
    if not isinstance(part, (list, tuple)) or len(part) not in (2, 3):
        raise SchemaError(f"field {_short(part)} of a record: expected a name, a dtype, a shape")
    name = part[0]
    if not isinstance(name, str) or not 0 < len(name) <= _MOST_NAME:
        raise SchemaError(f"field {_short(name)} of a record: not a name")
    dtype = dtype_from_text(part[1], depth + 1)
    return name, dtype, checked_shape(name, part[2] if part[2:] else (), dtype)


def checked_shape(name: str, shape: Any, dtype: np.dtype[Any]) -> tuple[int, ...]:
    """Check an item's shape, also for its size in bytes; raises SchemaError."""
    if not isinstance(shape, (list, tuple)) or len(shape) > 8:
        raise SchemaError(f"field {name!r}: item shape {_short(shape)} is no list of a few sizes")
    if not all(_is_size(size) for size in shape):
        raise SchemaError(f"field {name!r}: item shape {_short(shape)} must have positive sizes")
    if dtype.itemsize * math.prod(map(int, shape)) > MOST_ITEM_BYTES:
        raise SchemaError(
            f"field {name!r}: an item of shape {_short(shape)} has more than "
            f"{MOST_ITEM_BYTES:,} bytes"
        )
    return tuple(map(int, shape))


def _is_size(size: Any) -> bool:
    return isinstance(size, (int, np.integer)) and not isinstance(size, bool) and int(size) > 0


def _short(text: Any) -> str:
    written = repr(text)
    return written if len(written) <= 100 else f"{written[:100]}..."
