"""What an Arrow file decodes to is known before anything of it is decoded."""

import contextlib
import struct
import tracemalloc
import zlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.errors import SchemaError, SegmentError
from store.replay import segments
from store.replay.arrow_sizes import ArrowSizeError, decoded_size
from store.replay.episodes import Episode, EpisodeBatch, EpisodeSchema
from store.replay.segments import SegmentName, decode_segment, encode_segment, most_decoded

SCHEMA = EpisodeSchema("test/1", {"frame": ("u1", (84, 84)), "action": ("<i8", ())})


def batch_of(frames, count=1, blank=True):
    rng = np.random.default_rng(0)
    shape = (frames, 84, 84)
    seen = np.zeros(shape, np.uint8) if blank else rng.integers(0, 256, shape, np.uint8)
    arrays = {"frame": seen, "action": np.zeros(frames, np.int64)}
    return EpisodeBatch.of(SCHEMA, [Episode(bytes([n]) * 16, arrays) for n in range(count)])


def decode(data, episodes=1):
    return decode_segment(SegmentName(0, episodes, zlib.crc32(data)), data)


def arrow_file(batches=1, compression="zstd", dictionary=False, rows=1000):
    column = pa.array(["a"] * rows)
    column = column.dictionary_encode() if dictionary else column
    record = pa.record_batch({"x": column})
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_file(sink, record.schema, options=options) as writer:
        for _ in range(batches):
            writer.write_batch(record)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("compression", [None, "zstd"])
@pytest.mark.parametrize("blank", [True, False])
def test_it_is_what_the_buffers_take(compression, blank):
    batch = batch_of(3, 2, blank)
    size = decoded_size(encode_segment(batch, compression))
    values = sum(array.nbytes for array in batch.values.values()) + batch.uuids.nbytes
    offsets = sum(array.nbytes for array in batch.offsets.values())
    assert 0 <= size - values - offsets < 100


def test_a_small_file_that_would_fill_the_memory_is_refused_undecoded():
    """Six kilobytes of 22,000 blank frames: 155 MB, which Arrow would allocate."""
    bomb = segments._encode(batch_of(22_000), "zstd")
    assert len(bomb) < 10_000
    tracemalloc.start()
    before = pa.total_allocated_bytes()
    with pytest.raises(SegmentError, match=r"bytes would decode to 155,\d+,\d+, expected 33,554,4"):
        decode(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert pa.total_allocated_bytes() == before
    assert peak < 10**6


def test_a_length_that_lies_is_refused_undecoded():
    data = bytearray(encode_segment(batch_of(4), "zstd"))
    honest = struct.pack("<q", 4 * 84 * 84)
    place = data.rindex(honest)  # that of the compressed buffer, after those of the metadata
    for claimed in (2**40, 2**62, -2):
        data[place : place + 8] = struct.pack("<q", claimed)
        with pytest.raises(SegmentError, match=r"would decode to|a buffer of -2 bytes"):
            decode(bytes(data))


def test_what_compresses_too_well_is_written_so_that_it_can_be_read(monkeypatch):
    monkeypatch.setattr(segments, "FREE_DECODED_BYTES", 2**16)
    batch = batch_of(200)
    data = encode_segment(batch, "zstd")
    assert len(data) > 200 * 84 * 84  # not compressed at all
    assert decode(data).values["frame"].shape == (200, 84, 84)
    few = encode_segment(batch_of(5), "zstd")
    assert len(few) < 5 * 84 * 84 // 10
    assert len(decode(few)) == 1


def test_a_segment_larger_than_any_is_not_written(monkeypatch):
    monkeypatch.setattr(segments, "MOST_DECODED_BYTES", 2**16)
    with pytest.raises(SchemaError, match=r"1 episodes of .* commit more often"):
        encode_segment(batch_of(20))


def test_the_bound_rises_with_what_is_stored_up_to_an_end():
    assert most_decoded(0) == most_decoded(6_000) == segments.FREE_DECODED_BYTES
    assert most_decoded(2**20) == segments.MOST_COMPRESSION * 2**20
    assert most_decoded(2**40) == segments.MOST_DECODED_BYTES


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "does not begin and end"),
        (b"ARROW1\0\0" + b"ARROW1", "leads out of it"),
        (arrow_file(batches=2), "2 record batches"),
        (arrow_file(batches=0), "0 record batches"),
        (arrow_file(dictionary=True), "has dictionaries"),
        (arrow_file(compression="lz4"), "otherwise than by zstd"),
    ],
    ids=["empty", "short", "two", "none", "dictionary", "lz4"],
)
def test_other_files_are_refused(data, why):
    with pytest.raises(ArrowSizeError, match=why):
        decoded_size(data)


@given(place=st.integers(0, 10**6), patch=st.binary(min_size=1, max_size=12))
def test_no_damage_leads_out_of_the_file(place, patch):
    data = bytearray(FILE)
    place %= len(data)
    data[place : place + len(patch)] = patch
    with contextlib.suppress(ArrowSizeError):
        assert decoded_size(bytes(data)) >= 0


FILE = arrow_file()
