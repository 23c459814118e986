"""Hold episodes as named arrays, and batches of them as columns.

One shape of data for board games, frame streams and multi-agent trajectories: an episode is a
16-byte UUID and, for each name of its schema, an array of any number of items of a fixed dtype and
shape. Lengths may differ from name to name; a fact about a whole episode is an array of one item.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from store.errors import SchemaError
from store.replay.dtypes import checked_shape, dtype_from_text, dtype_to_text, is_storable

UUID_BYTES = 16
MOST_SCHEMA_BYTES = 2**16  # of a schema's text
_NO_LENGTHS = np.empty(0, np.int64)


@dataclass(frozen=True)
class EpisodeSchema:
    """The arrays of an episode.

    Attributes:
        kind: what the arrays mean and in which version, e.g. "alphazero/1".
        fields: for each name (dtype, shape of one item), in the order of the columns. The dtype
            may be structured (packed, no padding) but not hold Python objects.

    Raises:
        SchemaError: a name, dtype or shape is not allowed.
    """

    kind: str
    fields: Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]]

    def __post_init__(self) -> None:
        if not self.kind or not self.fields:
            raise SchemaError(f"a schema needs a kind and fields; got {self!r}")
        fields = {
            name: (checked := _checked_dtype(name, dtype), checked_shape(name, shape, checked))
            for name, (dtype, shape) in self.fields.items()
        }
        if "uuid" in fields or "" in fields:
            raise SchemaError(f"field names must be non-empty and not 'uuid'; got {list(fields)}")
        object.__setattr__(self, "fields", fields)

    def to_json(self) -> str:
        """Encode the schema as text; equal schemas of the same field order give equal text."""
        fields = [
            [name, dtype_to_text(dtype), list(shape)]
            for name, (dtype, shape) in self.fields.items()
        ]
        return json.dumps({"kind": self.kind, "fields": fields})

    @classmethod
    def from_json(cls, text: str | bytes) -> "EpisodeSchema":
        """Decode a schema that `to_json` wrote; raises SchemaError for other text.

        Nothing of the text is evaluated, and no size in it is believed: see `store.replay.dtypes`.
        """
        if len(text) > MOST_SCHEMA_BYTES:
            raise SchemaError(
                f"not an episode schema: {len(text):,} bytes, expected {MOST_SCHEMA_BYTES:,}"
            )
        try:
            document = json.loads(text)
            kind, listed = document["kind"], document["fields"]
            fields = {str(name): (dtype_from_text(d), tuple(shape)) for name, d, shape in listed}
            if not isinstance(kind, str) or len(fields) != len(listed):
                raise SchemaError("its kind is no text, or a field is there twice")
            return cls(kind, fields)
        except (SchemaError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            raise SchemaError(f"not an episode schema: {text[:200]!r} ({error})") from error


@dataclass(frozen=True)
class Episode:
    """One episode: `uuid` (16 bytes, its identity) and `arrays` {name: [n_name, *item shape]}."""

    uuid: bytes
    arrays: Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class EpisodeBatch:
    """Episodes as columns; the items of episode i are `values[name][offsets[i]:offsets[i + 1]]`.

    Attributes:
        schema: what the columns are.
        uuids: uint8 [episodes, 16].
        offsets: for each name int64 [episodes + 1], from 0 to len(values[name]).
        values: for each name [items, *item shape]; read-only when it came from a segment.
    """

    schema: EpisodeSchema
    uuids: npt.NDArray[np.uint8]
    offsets: Mapping[str, npt.NDArray[np.int64]]
    values: Mapping[str, npt.NDArray[Any]]

    def __len__(self) -> int:
        return len(self.uuids)

    def lengths(self, name: str) -> npt.NDArray[np.int64]:
        """Count the items of each episode, int64 [episodes]."""
        return np.diff(self.offsets[name])

    def rows(self, name: str | None = None) -> int:
        """Count the items under a name in all episodes; episodes if no name is given."""
        return len(self) if name is None else len(self.values[name])

    def episode(self, index: int) -> Episode:
        """Return one episode, as views."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"episode {index} of a batch of {len(self)}")
        index %= len(self)
        arrays = {
            name: self.values[name][offsets[index] : offsets[index + 1]]
            for name, offsets in self.offsets.items()
        }
        return Episode(self.uuids[index].tobytes(), arrays)

    def take(self, indices: npt.NDArray[np.int64]) -> "EpisodeBatch":
        """Copy the chosen episodes in the chosen order."""
        offsets: dict[str, npt.NDArray[np.int64]] = {}
        values: dict[str, npt.NDArray[Any]] = {}
        for name, old in self.offsets.items():
            lengths = np.diff(old)[indices]
            offsets[name] = _offsets_of(lengths)
            # item j of chosen episode k lies at old[k] + (j - new[k])
            shift = np.repeat(old[:-1][indices] - offsets[name][:-1], lengths)
            values[name] = self.values[name][np.arange(len(shift)) + shift]
        return EpisodeBatch(self.schema, self.uuids[indices], offsets, values)

    @classmethod
    def of(cls, schema: EpisodeSchema, episodes: Sequence[Episode]) -> "EpisodeBatch":
        """Make a batch of checked and copied episodes; raises SchemaError."""
        for episode in episodes:
            check_episode(schema, episode)
        uuids = np.frombuffer(b"".join(e.uuid for e in episodes), np.uint8)
        columns = {name: [e.arrays[name] for e in episodes] for name in schema.fields}
        return cls(
            schema,
            uuids.reshape(-1, UUID_BYTES),
            {name: _offsets_of([len(a) for a in arrays]) for name, arrays in columns.items()},
            {name: _joined(schema, name, arrays) for name, arrays in columns.items()},
        )

    @classmethod
    def concatenate(
        cls, schema: EpisodeSchema, batches: Iterable["EpisodeBatch"]
    ) -> "EpisodeBatch":
        """Concatenate batches of one schema in order; raises SchemaError."""
        parts = list(batches)
        if len(parts) == 1 and parts[0].schema == schema:
            return parts[0]
        for part in parts:
            if part.schema != schema:
                raise SchemaError(f"cannot join a batch of {part.schema} to one of {schema}")
        return cls(
            schema,
            np.concatenate([np.empty((0, UUID_BYTES), np.uint8), *(p.uuids for p in parts)]),
            {
                n: _offsets_of(np.concatenate([_NO_LENGTHS, *(p.lengths(n) for p in parts)]))
                for n in schema.fields
            },
            {n: _joined(schema, n, [p.values[n] for p in parts]) for n in schema.fields},
        )


def check_episode(schema: EpisodeSchema, episode: Episode) -> None:
    """Raise SchemaError unless the episode has exactly the schema's names, dtypes and shapes."""
    if len(episode.uuid) != UUID_BYTES:
        raise SchemaError(f"an episode's uuid has 16 bytes; got {len(episode.uuid)}")
    if episode.arrays.keys() != schema.fields.keys():
        raise SchemaError(
            f"an episode of {schema.kind!r} has the arrays {sorted(schema.fields)}; "
            f"got {sorted(episode.arrays)}"
        )
    for name, (dtype, shape) in schema.fields.items():
        array = episode.arrays[name]
        if array.dtype != dtype or array.ndim == 0 or array.shape[1:] != shape:
            raise SchemaError(
                f"array {name!r} of an episode of {schema.kind!r}: expected {dtype} "
                f"[n, {', '.join(map(str, shape))}], got {array.dtype} {list(array.shape)}"
            )


def _offsets_of(lengths: Sequence[int] | npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:], dtype=np.int64)
    return offsets


def _joined(
    schema: EpisodeSchema, name: str, arrays: Sequence[npt.NDArray[Any]]
) -> npt.NDArray[Any]:
    dtype, shape = schema.fields[name]
    if not arrays:
        return np.empty((0, *shape), dtype)
    return np.concatenate(arrays)


def _checked_dtype(name: str, dtype: npt.DTypeLike) -> np.dtype[Any]:
    checked = np.dtype(dtype).newbyteorder("<")
    if checked.subdtype or _is_padded(checked) or not is_storable(checked):
        raise SchemaError(
            f"field {name!r}: dtype {checked} cannot be stored; expected numbers, booleans or a "
            "packed record of them (align=False)"
        )
    return checked


def _is_padded(dtype: np.dtype[Any]) -> bool:
    if dtype.subdtype is not None:
        return _is_padded(dtype.base)
    if dtype.fields is None:
        return False
    parts = [part[0] for part in dtype.fields.values()]
    # padding holds arbitrary bytes, and equal episodes must make equal files
    return sum(p.itemsize for p in parts) != dtype.itemsize or any(map(_is_padded, parts))
