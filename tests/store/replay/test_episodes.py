"""Episodes as columns, and segments of them: what goes in comes out, whatever its shape."""

import json
import zlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from store.errors import ForeignSegmentError, SchemaError, SegmentError
from store.replay.episodes import Episode, EpisodeBatch, EpisodeSchema
from store.replay.segments import SegmentName, decode_segment, encode_segment

RECORD = np.dtype([("board", "<u8", (2,)), ("inner", [("x", "u1"), ("y", "<f4")])])
DTYPES = [np.dtype(d) for d in ("u1", "<u2", "<i8", "<f2", "<f4", "<f8", "?", "<c8", "S3")]
SCHEMA = EpisodeSchema(
    "test/1", {"moves": ("<u2", ()), "planes": ("?", (2, 3)), "state": (RECORD, (1,))}
)


def random_episode(rng, schema=SCHEMA, lengths=None):
    arrays = {}
    for name, (dtype, shape) in schema.fields.items():
        n = int(rng.integers(0, 6)) if lengths is None else lengths[name]
        raw = rng.integers(0, 2, size=n * int(np.prod(shape, dtype=int)) * dtype.itemsize)
        arrays[name] = raw.astype(np.uint8).view(dtype).reshape(n, *shape)
    return Episode(rng.bytes(16), arrays)


def assert_equal_episodes(batch, episodes):
    assert len(batch) == len(episodes)
    for n, expected in enumerate(episodes):
        found = batch.episode(n)
        assert found.uuid == expected.uuid
        assert list(found.arrays) == list(batch.schema.fields)
        for name, array in expected.arrays.items():
            assert found.arrays[name].dtype == array.dtype
            assert found.arrays[name].shape == array.shape
            assert found.arrays[name].tobytes() == array.tobytes()


def round_trip(batch, compression=None):
    data = encode_segment(batch, compression)
    return decode_segment(SegmentName(0, len(batch), zlib.crc32(data)), data)


@st.composite
def schemas_and_episodes(draw):
    shapes = hnp.array_shapes(min_dims=0, max_dims=3, max_side=3)
    names = draw(st.lists(st.text("abcé ", min_size=1), min_size=1, max_size=4, unique=True))
    dtypes = st.sampled_from([*DTYPES, RECORD])
    schema = EpisodeSchema("any/1", {n: (draw(dtypes), draw(shapes)) for n in names})
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return schema, [random_episode(rng, schema) for _ in range(draw(st.integers(0, 5)))]


@given(case=schemas_and_episodes(), compression=st.sampled_from([None, "zstd"]))
def test_any_episodes_survive_a_segment(case, compression):
    schema, episodes = case
    batch = EpisodeBatch.of(schema, episodes)
    assert_equal_episodes(batch, episodes)
    read = round_trip(batch, compression)
    assert read.schema == schema
    assert_equal_episodes(read, episodes)
    assert encode_segment(batch, compression) == encode_segment(read, compression)


@given(case=schemas_and_episodes(), data=st.data())
def test_take_and_concatenate_are_indexing_and_joining(case, data):
    schema, episodes = case
    batch = EpisodeBatch.of(schema, episodes)
    places = st.integers(0, max(len(episodes) - 1, 0))
    chosen = data.draw(st.lists(places, max_size=6 if episodes else 0))
    taken = batch.take(np.array(chosen, np.int64))
    assert_equal_episodes(taken, [episodes[n] for n in chosen])
    joined = EpisodeBatch.concatenate(schema, [batch, taken, batch])
    assert_equal_episodes(joined, [*episodes, *(episodes[n] for n in chosen), *episodes])


def test_columns_are_flat_values_and_offsets():
    schema = EpisodeSchema("test/1", {"moves": ("<u2", ()), "outcome": ("i1", ())})
    episodes = [
        Episode(bytes([n] * 16), {"moves": np.arange(n, dtype="<u2"), "outcome": np.ones(1, "i1")})
        for n in (2, 0, 3)
    ]
    batch = round_trip(EpisodeBatch.of(schema, episodes))
    assert batch.values["moves"].tolist() == [0, 1, 0, 1, 2]
    assert batch.offsets["moves"].tolist() == [0, 2, 2, 5]
    assert batch.lengths("moves").tolist() == [2, 0, 3]
    assert (batch.rows(), batch.rows("moves"), batch.rows("outcome")) == (3, 5, 3)
    assert batch.uuids[:, 0].tolist() == [2, 0, 3]
    assert batch.episode(-1).uuid == bytes([3] * 16)
    with pytest.raises(IndexError, match="episode 3 of a batch of 3"):
        batch.episode(3)


def test_other_arrow_readers_see_plain_columns():
    batch = EpisodeBatch.of(SCHEMA, [random_episode(np.random.default_rng(0))])
    table = pa.ipc.open_file(pa.py_buffer(encode_segment(batch))).read_all()
    assert table.column_names == ["uuid", "moves", "planes", "state"]
    assert table["moves"].to_pylist() == [batch.values["moves"].tolist()]
    assert json.loads(table.schema.metadata[b"ludens.episode_schema"])["kind"] == "test/1"


@pytest.mark.parametrize("dtype", [RECORD, *DTYPES])
def test_schema_survives_text(dtype):
    schema = EpisodeSchema("k/2", {"b": (dtype, (2, 3)), "a": ("u1", ())})
    read = EpisodeSchema.from_json(schema.to_json())
    assert read == schema
    assert list(read.fields) == ["b", "a"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"uuid": ("u1", ())},
        {"": ("u1", ())},
        {"a": (object, ())},
        {"a": ("u1", (0,))},
        {"a": (np.dtype([("x", "u1"), ("y", "<u4")], align=True), ())},
        {"a": (np.dtype(("u1", (3,))), ())},
    ],
)
def test_fields_that_cannot_be_stored_are_refused(fields):
    with pytest.raises(SchemaError):
        EpisodeSchema("k/1", fields)


@pytest.mark.parametrize("text", ["", "{}", '{"kind": "k", "fields": [["a"]]}', "[1]", "null"])
def test_text_that_is_no_schema_is_refused(text):
    with pytest.raises(SchemaError, match="not an episode schema"):
        EpisodeSchema.from_json(text)


def test_episodes_that_do_not_fit_are_refused():
    good = random_episode(np.random.default_rng(0))
    moves = {"moves": np.zeros(3, "<i4")}
    for arrays in ({**good.arrays, **moves}, moves, {**good.arrays, "more": np.zeros(1)}):
        with pytest.raises(SchemaError):
            EpisodeBatch.of(SCHEMA, [Episode(good.uuid, arrays)])
    with pytest.raises(SchemaError, match="got int32 \\[3\\]"):
        EpisodeBatch.of(SCHEMA, [Episode(good.uuid, {**good.arrays, **moves})])
    with pytest.raises(SchemaError, match="got 15"):
        EpisodeBatch.of(SCHEMA, [Episode(good.uuid[1:], good.arrays)])
    other = EpisodeSchema("test/2", SCHEMA.fields)
    with pytest.raises(SchemaError, match="cannot join"):
        EpisodeBatch.concatenate(other, [EpisodeBatch.of(SCHEMA, [good])])


def rewritten(change):
    """A segment with its Arrow table changed, and a name whose checksum fits."""
    batch = EpisodeBatch.of(SCHEMA, [random_episode(np.random.default_rng(0)) for _ in range(2)])
    table = change(pa.ipc.open_file(pa.py_buffer(encode_segment(batch))).read_all())
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    data = sink.getvalue().to_pybytes()
    return SegmentName(0, 2, zlib.crc32(data)), data


def with_metadata(**changes):
    def change(table):
        metadata = dict(table.schema.metadata)
        metadata.update({f"ludens.{k}".encode(): v for k, v in changes.items()})
        return table.replace_schema_metadata(metadata)

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.drop_columns(["moves"]),
        lambda table: table.drop_columns(["uuid"]),
        lambda table: table.slice(1),
        lambda table: pa.concat_tables([table.slice(0, 1), table.slice(1)]),
        lambda table: table.set_column(1, "moves", pa.array([[1], [2]])),
        lambda table: table.set_column(1, "moves", pa.nulls(2, table["moves"].type)),
        lambda table: table.set_column(1, "moves", pa.array([[None], [2]], table["moves"].type)),
        lambda table: table.replace_schema_metadata({}),
        with_metadata(segment_version=b"one"),
        with_metadata(episode_schema=b"{}"),
    ],
)
def test_well_formed_arrow_that_is_no_segment_is_told_apart(change):
    name, data = rewritten(change)
    with pytest.raises(SegmentError):
        decode_segment(name, data)


def test_unchanged_rewriting_is_still_a_segment_and_a_future_one_is_foreign():
    assert len(decode_segment(*rewritten(lambda table: table))) == 2
    with pytest.raises(ForeignSegmentError, match=r"version 99, .* reads \d"):
        decode_segment(*rewritten(with_metadata(segment_version=b"99")))


@given(name=st.builds(SegmentName, *[st.integers(0, 10**12)] * 2, st.integers(0, 2**32 - 1)))
def test_segment_names_parse_back(name):
    assert SegmentName.parse(str(name)) == name


@pytest.mark.parametrize("name", ["x.arrow", "1-2-00000000.arrow", "000000001-2-0000000g.arrow"])
def test_other_names_are_no_segments(name):
    assert SegmentName.parse(name) is None
