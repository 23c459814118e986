"""Write and read segments: immutable Arrow IPC files of episodes, each by one writer.

The name of the file, `<seq>-<episodes>-<crc>.arrow`, holds its place in the writer's order, the
number of its episodes, and the CRC-32 of its bytes.
"""

import logging
import math
import re
import uuid
import zlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from store.errors import (
    AlreadyStoredError,
    ForeignSegmentError,
    SchemaError,
    SegmentError,
    StoreWriteError,
)
from store.quarantine import quarantine_replaced_file
from store.replay.arrow_sizes import decoded_size
from store.replay.episodes import UUID_BYTES, Episode, EpisodeBatch, EpisodeSchema, check_episode
from store.run import REPLAY_FOLDER, Run
from store.upgrades import SEGMENT, VersionError

SEGMENT_VERSION = SEGMENT.current
MOST_DECODED_BYTES = 2**30  # of one segment
MOST_COMPRESSION = 256  # decoded bytes for each stored one, where there are more than
FREE_DECODED_BYTES = 2**25  # this many: blank frames compress a thousandfold, and are few

Compression = Literal["zstd"] | None

_VERSION_KEY = b"ludens.segment_version"
_SCHEMA_KEY = b"ludens.episode_schema"
_NAME = re.compile(r"(\d{9,18})-(\d+)-([0-9a-f]{8})\.arrow")
_WRITER = re.compile(r"[0-9a-f]{32}")
_logger = logging.getLogger("ludens.store")


@dataclass(frozen=True, order=True, slots=True)
class SegmentName:
    """The parts of a segment's file name; ordered as the writer committed."""

    seq: int
    episodes: int
    crc: int

    def __str__(self) -> str:
        return f"{self.seq:09d}-{self.episodes}-{self.crc:08x}.arrow"

    @classmethod
    def parse(cls, name: str) -> "SegmentName | None":
        """Parse a file name; None when it is not a segment's."""
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        return cls(int(match[1]), int(match[2]), int(match[3], 16))


def is_writer_name(name: str) -> bool:
    """Whether a folder's name is a writer's: 32 hexadecimal digits."""
    return _WRITER.fullmatch(name) is not None


def most_decoded(stored: int) -> int:
    """Return the most bytes that a segment of `stored` bytes may decode to."""
    return min(MOST_DECODED_BYTES, max(FREE_DECODED_BYTES, MOST_COMPRESSION * stored))


def encode_segment(batch: EpisodeBatch, compression: Compression = None) -> bytes:
    """Encode a segment; equal batches give equal bytes on every machine.

    What would compress better than any reader believes is stored without compression. Raises
    SchemaError for more than MOST_DECODED_BYTES.
    """
    encoded = _encode(batch, compression)
    size = decoded_size(encoded)
    if size > MOST_DECODED_BYTES:
        raise SchemaError(
            f"{len(batch)} episodes of {size:,} bytes: a segment holds {MOST_DECODED_BYTES:,} at "
            "most; commit more often"
        )
    return encoded if size <= most_decoded(len(encoded)) else _encode(batch, None)


def _encode(batch: EpisodeBatch, compression: Compression) -> bytes:
    uuids = pa.Array.from_buffers(
        pa.binary(UUID_BYTES), len(batch), [None, _buffer_of(batch.uuids)]
    )
    columns = {"uuid": uuids}
    for name in batch.schema.fields:
        columns[name] = _encode_column(batch, name)
    metadata = {_VERSION_KEY: str(SEGMENT_VERSION), _SCHEMA_KEY: batch.schema.to_json()}
    record = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
    record = record.replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    # one thread: an actor must not take the cores of its neighbours
    options = pa.ipc.IpcWriteOptions(compression=compression, use_threads=False)
    with pa.ipc.new_file(sink, record.schema, options=options) as writer:
        writer.write_batch(record)
    encoded: bytes = sink.getvalue().to_pybytes()
    return encoded


def decode_segment(name: SegmentName, data: bytes) -> EpisodeBatch:
    """Decode a segment's episodes, as read-only views of `data` when uncompressed.

    Raises:
        SegmentError: the bytes are damaged, not a segment, or would decode to more than
            `most_decoded` bytes, which is found out before anything is decoded.
        ForeignSegmentError: an intact segment of a version that this program cannot read.
    """
    if zlib.crc32(data) != name.crc:
        raise SegmentError(
            f"checksum {zlib.crc32(data):08x} of {len(data)} bytes differs from {name.crc:08x} "
            "in its name"
        )
    try:
        return _decode_arrow(name, data)
    except VersionError as error:
        raise ForeignSegmentError(str(error)) from error
    except (
        *(pa.ArrowException, OSError, SchemaError),
        *(ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError),
    ) as error:
        raise SegmentError(f"not a readable segment ({type(error).__name__}: {error})") from error


def _decode_arrow(name: SegmentName, data: bytes) -> EpisodeBatch:
    options = pa.ipc.IpcReadOptions(use_threads=False)
    reader = pa.ipc.open_file(pa.py_buffer(data), options=options)
    metadata = reader.schema.metadata or {}
    version = int(metadata[_VERSION_KEY])
    if version > SEGMENT.current:  # of which nothing more is known, not even how many batches
        SEGMENT.upgrade(None, version)
    if reader.num_record_batches != 1:
        raise SegmentError(f"{reader.num_record_batches} record batches, expected 1")
    if (size := decoded_size(data)) > most_decoded(len(data)):
        raise SegmentError(
            f"{len(data):,} bytes would decode to {size:,}, expected {most_decoded(len(data)):,} "
            "at most"
        )
    record = reader.get_batch(0)
    record.validate(full=True)
    record = SEGMENT.upgrade(record, version)
    metadata = record.schema.metadata or metadata  # pyarrow drops it in places
    schema = EpisodeSchema.from_json(metadata[_SCHEMA_KEY])
    if record.num_rows != name.episodes:
        raise SegmentError(f"{record.num_rows} episodes, its name says {name.episodes}")
    columns = {
        field: _decode_column(schema, field, record.column(field)) for field in schema.fields
    }
    return EpisodeBatch(
        schema,
        _decode_uuids(record.column("uuid")),
        {field: offsets for field, (offsets, _) in columns.items()},
        {field: values for field, (_, values) in columns.items()},
    )


class SegmentWriter:
    """Gathers episodes and commits them as segments of its own folder of a run.

    Args:
        schema: what every episode must look like.
        compression: "zstd" for frames and other bulky arrays.
        writer: 32 hexadecimal digits, unique to this writer; a fresh one if None. Give the same
            one again to go on with a writer's work after a restart.
        next_seq: where to go on, from a checkpoint: segments made again with the same bytes are
            confirmed, not doubled. After the last one found in the folder if None.
    """

    def __init__(
        self,
        run: Run,
        schema: EpisodeSchema,
        compression: Compression = None,
        *,
        writer: str | None = None,
        next_seq: int | None = None,
    ) -> None:
        self.writer = uuid.uuid4().hex if writer is None else writer
        if not is_writer_name(self.writer):
            raise SchemaError(f"writer {writer!r} must be 32 hexadecimal digits")
        self.schema = schema
        self.compression: Compression = compression
        self.folder = f"{REPLAY_FOLDER}/{self.writer}"
        self._files = run.files
        self._files.remove_leftovers(self.folder)
        self.next_seq = self._seq_after_last() if next_seq is None else next_seq
        self._pending: list[EpisodeBatch] = []
        self._episodes: list[Episode] = []

    @property
    def cursor(self) -> dict[str, int]:
        """Return this writer's place as `ReplayLog` counts it: {writer: next seq}."""
        return {self.writer: self.next_seq}

    @property
    def pending_episodes(self) -> int:
        """Count the episodes appended but not yet committed."""
        return len(self._episodes) + sum(map(len, self._pending))

    def append(self, episode: Episode) -> None:
        """Add a copy of one episode to the next segment; raises SchemaError."""
        check_episode(self.schema, episode)
        copies = {name: array.copy() for name, array in episode.arrays.items()}
        self._episodes.append(Episode(bytes(episode.uuid), copies))

    def extend(self, batch: EpisodeBatch) -> None:
        """Add many episodes at once, not copied; raises SchemaError."""
        if batch.schema != self.schema:
            raise SchemaError(f"this writer takes {self.schema}, got a batch of {batch.schema}")
        self._gather()
        self._pending.append(batch)

    def commit(self) -> str | None:
        """Commit the pending episodes as one segment; return its key in the run, or None.

        Once this returns, the episodes survive a crash of the machine.

        Raises:
            StoreWriteError: nothing was written; the episodes stay pending for another try.
        """
        if not self.pending_episodes:
            return None
        self._gather()
        batch = EpisodeBatch.concatenate(self.schema, self._pending)
        data = encode_segment(batch, self.compression)
        key = f"{self.folder}/{SegmentName(self.next_seq, len(batch), zlib.crc32(data))}"
        try:
            self._create(key, data)
        except StoreWriteError as error:
            self._pending = [batch]
            raise StoreWriteError(
                f"{error} {len(batch)} episodes stay in memory; commit again when it is mended.",
                error.errno,
            ) from error
        self._pending = []
        self.next_seq += 1
        return key

    def _create(self, key: str, data: bytes) -> None:
        """Commit a segment; a damaged earlier copy is moved to quarantine."""
        try:
            self._files.create_same(key, data)
            return
        except AlreadyStoredError as error:
            found = self._files.read(key)
            if zlib.crc32(found) == zlib.crc32(data):
                raise SegmentError(f"{key}: other bytes with the same checksum") from error
        _logger.warning("segment %s is damaged; moved to quarantine and written again", key)
        name = f"{self.writer}-{key.rpartition('/')[2]}"
        quarantine_replaced_file(self._files, key, name, f"segment {key}")
        self._files.create_same(key, data)

    def _gather(self) -> None:
        if self._episodes:
            self._pending.append(EpisodeBatch.of(self.schema, self._episodes))
            self._episodes = []

    def _seq_after_last(self) -> int:
        names = map(SegmentName.parse, self._files.names(self.folder))
        return max((name.seq + 1 for name in names if name), default=0)


def _encode_column(batch: EpisodeBatch, name: str) -> Any:
    dtype, shape = batch.schema.fields[name]
    values = batch.values[name]
    size = math.prod(shape)
    flat = pa.Array.from_buffers(
        _storage_type(dtype), len(values) * size, [None, _buffer_of(values)]
    )
    items = pa.FixedSizeListArray.from_arrays(flat, size) if shape else flat
    offsets = pa.array(batch.offsets[name], pa.int64())
    return pa.LargeListArray.from_arrays(offsets, items)


def _decode_column(
    schema: EpisodeSchema, name: str, column: Any
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    dtype, shape = schema.fields[name]
    storage = _storage_type(dtype)
    expected = pa.large_list(pa.list_(storage, math.prod(shape)) if shape else storage)
    if column.type != expected or column.null_count or column.offset:
        raise SegmentError(f"column {name!r} is {column.type}, expected {expected} without nulls")
    offsets = column.offsets.to_numpy(zero_copy_only=True)
    items = column.values
    if offsets[0] != 0 or offsets[-1] != len(items) or items.null_count:
        raise SegmentError(f"column {name!r} has items outside of its episodes")
    flat = items.values if shape else items
    if flat.null_count or flat.offset:
        raise SegmentError(f"column {name!r} has nulls")
    values = _view_of(flat, np.dtype(np.uint8) if dtype == np.bool_ else dtype)
    if dtype == np.bool_:
        values = values.astype(np.bool_)
    return offsets, values.reshape(len(items), *shape)


def _decode_uuids(column: Any) -> npt.NDArray[np.uint8]:
    if column.type != pa.binary(UUID_BYTES) or column.null_count or column.offset:
        raise SegmentError(f"column 'uuid' is {column.type}, expected 16 bytes without nulls")
    uuids = np.frombuffer(column.buffers()[1] or b"", np.uint8, len(column) * UUID_BYTES)
    return uuids.reshape(-1, UUID_BYTES)


def _view_of(flat: Any, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    if len(flat) == 0:
        return np.empty(0, dtype)
    return np.frombuffer(flat.buffers()[1], dtype, len(flat))


def _buffer_of(values: npt.NDArray[Any]) -> Any:
    if not values.size:
        return pa.py_buffer(b"")
    return pa.py_buffer(np.ascontiguousarray(values).reshape(-1).view(np.uint8))


def _storage_type(dtype: np.dtype[Any]) -> Any:
    """Return the Arrow type of one number; records and what Arrow lacks are plain bytes."""
    if dtype == np.bool_:
        return pa.uint8()  # Arrow's booleans are bits, which NumPy cannot view
    if dtype.kind in "iuf" and dtype.itemsize <= 8:
        return pa.from_numpy_dtype(dtype)
    return pa.binary(dtype.itemsize)
