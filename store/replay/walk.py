"""List the files of a run, and the segments among them."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from store.files.protocol import FileEntry, Files
from store.replay.segments import SegmentName, is_writer_name
from store.run import REPLAY_FOLDER


class StoredSegment(NamedTuple):
    """A segment as a listing shows it; `size` in bytes, `committed_ns` by the store's clock."""

    writer: str
    name: SegmentName
    size: int = 0
    committed_ns: int = 0


def walk(files: Files, folder: str = "") -> Iterator[str]:
    """Yield the keys of the committed files in a folder and its subfolders, in fixed order."""
    return (entry.key for entry in files.tree(folder))


def list_segments(files: Files) -> list[tuple[str, SegmentName]]:
    """List (writer, name) of every segment, by writer and then in commit order."""
    return [(segment.writer, segment.name) for segment in stored_segments(files)]


def stored_segments(files: Files) -> list[StoredSegment]:
    """List every segment, by writer and then in commit order; one listing of the replay."""
    return segments_among(files.tree(REPLAY_FOLDER))


def segments_among(entries: Iterable[FileEntry]) -> list[StoredSegment]:
    """Select the segments among a run's files, by writer and then in commit order."""
    return sorted(filter(None, map(_as_segment, entries)))


def _as_segment(entry: FileEntry) -> StoredSegment | None:
    folder, _, rest = entry.key.partition("/")
    writer, _, text = rest.partition("/")
    name = SegmentName.parse(text)
    if folder != REPLAY_FOLDER or name is None or not is_writer_name(writer):
        return None
    return StoredSegment(writer, name, entry.size, entry.modified_ns)


def merged_newest_first(
    segments: Iterable[tuple[str, SegmentName]], committed_ns: Callable[[str, SegmentName], int]
) -> Iterator[tuple[str, SegmentName]]:
    """Merge the writers' segments by commit time, newest first, keeping each writer's order.

    Args:
        segments: (writer, name), each writer's in rising order.
        committed_ns: when a segment was committed; asked as late as possible, once each.
    """
    tails: dict[str, list[SegmentName]] = {}
    for writer, name in segments:
        tails.setdefault(writer, []).append(name)
    heap = [(-committed_ns(writer, names[-1]), writer) for writer, names in tails.items()]
    heapq.heapify(heap)
    while heap:
        _, writer = heapq.heappop(heap)
        yield writer, tails[writer].pop()
        if tails[writer]:
            heapq.heappush(heap, (-committed_ns(writer, tails[writer][-1]), writer))
