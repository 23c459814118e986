"""Compute the decoded size of an Arrow IPC file from its metadata, before decoding.

A compressed buffer begins with its decoded length, which Arrow allocates unchecked: a file of
6 KB can ask for gigabytes. So the lengths are added up first. What is read for that: the footer's
block of the one record batch, that batch's list of buffers, and the first 8 bytes of each.
(Arrow columnar format 1.5, "IPC file format" and "Compression"; FlatBuffers internals, "Tables".)
"""

import struct
from collections.abc import Iterator

MAGIC = b"ARROW1"
_CONTINUATION = 0xFFFFFFFF
_UNCOMPRESSED = -1  # in place of a decoded length

# Which slot of a table a field is in, by the format's Schema.fbs, Message.fbs and File.fbs.
_FOOTER_DICTIONARIES, _FOOTER_BATCHES = 2, 3
_MESSAGE_KIND, _MESSAGE_HEADER = 1, 2
_BATCH_BUFFERS, _BATCH_COMPRESSION = 2, 3
_COMPRESSION_CODEC, _COMPRESSION_METHOD = 0, 1
_RECORD_BATCH, _ZSTD, _WHOLE_BUFFERS = 3, 1, 0


class ArrowSizeError(ValueError):
    """The file is no Arrow IPC file of one record batch, or has an unknown compression."""


def decoded_size(data: bytes) -> int:
    """Sum the decoded bytes of all buffers of an Arrow IPC file of one record batch.

    A file without compression can come to no more than its own size. Raises ArrowSizeError.
    """
    try:
        return sum(_decoded_lengths(data))
    except struct.error as error:
        raise ArrowSizeError(f"a length in it leads out of it ({error})") from error


def _decoded_lengths(data: bytes) -> Iterator[int]:
    position, metadata_length, body_length = _only_block(data)
    body = position + metadata_length
    if body + body_length > len(data):
        raise ArrowSizeError("its record batch leads out of it")
    if _unpack(data, "I", position) != _CONTINUATION:
        raise ArrowSizeError("its record batch has no header")
    message = _Table.root(data, position + 8)
    if message.number(_MESSAGE_KIND, "B", 0) != _RECORD_BATCH:
        raise ArrowSizeError("its block is no record batch")
    batch = message.table(_MESSAGE_HEADER)
    if batch is None:
        raise ArrowSizeError("its record batch is empty")
    compression = batch.table(_BATCH_COMPRESSION)
    if compression is not None and (
        compression.number(_COMPRESSION_CODEC, "b", 0) != _ZSTD
        or compression.number(_COMPRESSION_METHOD, "b", 0) != _WHOLE_BUFFERS
    ):
        raise ArrowSizeError("it is compressed otherwise than by zstd")
    for offset, length in batch.structs(_BATCH_BUFFERS, "qq"):
        if offset < 0 or length < 0 or offset + length > len(data) - body:
            raise ArrowSizeError("a buffer leads out of it")
        decoded = length
        if compression is not None and length:
            decoded = _unpack(data, "q", body + offset)
            decoded = length if decoded == _UNCOMPRESSED else decoded
        if decoded < 0:
            raise ArrowSizeError(f"a buffer of {decoded} bytes")
        yield decoded


def _only_block(data: bytes) -> tuple[int, int, int]:
    """Return the only record batch's offset, and the lengths of its metadata and body."""
    end = len(data) - len(MAGIC) - 4
    if end < 0 or data[: len(MAGIC)] != MAGIC or data[-len(MAGIC) :] != MAGIC:
        raise ArrowSizeError("it does not begin and end as an Arrow file")
    footer = _Table.root(data, end - _unpack(data, "I", end))
    if any(footer.structs(_FOOTER_DICTIONARIES, "qixxxxq")):
        raise ArrowSizeError("it has dictionaries")
    blocks = list(footer.structs(_FOOTER_BATCHES, "qixxxxq"))
    if len(blocks) != 1 or min(blocks[0]) < 0:
        raise ArrowSizeError(f"{len(blocks)} record batches, expected 1")
    ((position, metadata_length, body_length),) = blocks
    return position, metadata_length, body_length


class _Table:
    """A FlatBuffers table, with every access checked against the bytes."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._position = position
        vtable = position - _unpack(data, "i", position)
        slots = (_unpack(data, "H", vtable) - 4) // 2
        self._slots = [_unpack(data, "H", vtable + 4 + 2 * slot) for slot in range(slots)]

    @classmethod
    def root(cls, data: bytes, position: int) -> "_Table":
        """Return the root table of a FlatBuffer at this position."""
        return cls(data, position + _unpack(data, "I", position))

    def _place(self, slot: int) -> int | None:
        offset = self._slots[slot] if slot < len(self._slots) else 0
        return self._position + offset if offset else None

    def number(self, slot: int, kind: str, default: int) -> int:
        """Read a number by its `struct` letter."""
        place = self._place(slot)
        return default if place is None else _unpack(self._data, kind, place)

    def table(self, slot: int) -> "_Table | None":
        """Read a nested table."""
        place = self._place(slot)
        return None if place is None else _Table.root(self._data, place)

    def structs(self, slot: int, kind: str) -> Iterator[tuple[int, ...]]:
        """Read the structs of a vector, each as its numbers."""
        place = self._place(slot)
        if place is None:
            return
        vector = place + _unpack(self._data, "I", place)
        count = _unpack(self._data, "I", vector)
        size = struct.calcsize(f"<{kind}")
        if vector + 4 + count * size > len(self._data):
            raise ArrowSizeError("a list leads out of it")
        yield from struct.iter_unpack(
            f"<{kind}", memoryview(self._data)[vector + 4 : vector + 4 + count * size]
        )


def _unpack(data: bytes, kind: str, position: int) -> int:
    if position < 0:
        raise ArrowSizeError("an offset leads out of it")
    number: int = struct.unpack_from(f"<{kind}", data, position)[0]
    return number
