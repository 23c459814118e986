"""Stored dtypes are matched against what a schema can hold; NumPy is never asked what they mean."""

import json

import numpy as np
import pytest

from store.errors import SchemaError
from store.replay.dtypes import dtype_from_text, dtype_to_text, is_storable
from store.replay.episodes import MOST_SCHEMA_BYTES, EpisodeSchema

RECORD = np.dtype([("board", "<u2", (2, 7)), ("in", [("x", "?"), ("y", "<f4")]), ("to_move", "u1")])
STORABLE = ("?", "i1", "u1", "<i2", "<u4", "<i8", "<f2", "<f4", "<f8", "<c8", "<c16", "S3", RECORD)


@pytest.mark.parametrize("dtype", STORABLE, ids=str)
def test_what_can_be_stored_survives_its_text(dtype):
    dtype = np.dtype(dtype)
    assert is_storable(dtype)
    assert dtype_from_text(json.loads(json.dumps(dtype_to_text(dtype)))) == dtype


@pytest.mark.parametrize("dtype", ["O", "<U3", "<M8[s]", "<m8", "V4", ">i4", "<f16", "S0"])
def test_what_cannot_be_stored_is_not_written_either(dtype):
    if np.dtype(dtype).byteorder != ">":  # swapped where it is written
        with pytest.raises(SchemaError, match="cannot be stored"):
            EpisodeSchema("k/1", {"a": (dtype, ())})
    with pytest.raises(SchemaError):
        dtype_from_text(dtype)


NESTED = [["x", "|u1"]]
for _ in range(10):
    NESTED = [["x", NESTED]]

HOSTILE = [
    ",",  # NumPy: SyntaxError out of its own parser
    "f4,f4",
    "(2,)f4",
    "<f4 ",
    "float32",
    "object",
    "|S99999999999",
    "|S0",
    "\uff5cu1",
    "|S\u0663",  # a digit, but not one of ours
    7,
    None,
    True,
    [],
    {},
    [[]],
    [["x"]],
    [["x", "|u1", [1], 2]],
    [[["title", "x"], "|u1"]],
    [["", "|u1"]],
    [["x", "|u1"], ["x", "|u1"]],
    [["x", "|u1", [-1]]],
    [["x", "|u1", ["2"]]],
    [["x", "|u1", [True]]],
    [["x", "|u1", 3]],
    [["x", "<u8", [2**62, 2**62]]],
    [["x", "<u8", [1] * 40]],
    [[str(n), "|u1"] for n in range(1001)],
    NESTED,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text)[:40])
def test_all_else_is_refused(text):
    with pytest.raises(SchemaError):
        dtype_from_text(text)
    with pytest.raises(SchemaError, match="not an episode schema"):
        EpisodeSchema.from_json(json.dumps({"kind": "k/1", "fields": [["a", text, []]]}))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"kind": "k/1", "fields": [["a", "|u1", [2**70]]]}),
        json.dumps({"kind": "k/1", "fields": [["a", "|u1", [2**20, 2**20]]]}),
        json.dumps({"kind": "k/1", "fields": [["a", "|u1", []], ["a", "|u1", []]]}),
        json.dumps({"kind": 1, "fields": [["a", "|u1", []]]}),
        json.dumps({"kind": "k/1", "fields": {"a": 1}}),
        json.dumps({"kind": "k/1", "fields": 3}),
        "[" * 60_000,
        "[" * MOST_SCHEMA_BYTES + "]",
        b"\xff",
    ],
    ids=lambda text: repr(text[:60]),
)
def test_a_schema_of_impossible_sizes_is_refused(text):
    with pytest.raises(SchemaError, match="not an episode schema"):
        EpisodeSchema.from_json(text)
