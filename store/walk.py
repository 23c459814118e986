"""Every file of a run, and the segments among them, as they are listed at this moment."""

from collections.abc import Iterator

from store.files import Files
from store.segments import REPLAY_FOLDER, SegmentName, is_writer_name


def walk(files: Files, folder: str = "") -> Iterator[str]:
    """Keys of the committed files in a folder and in the folders under it, in a fixed order."""
    prefix = f"{folder}/" if folder else ""
    for name in files.names(folder):
        yield prefix + name
    for name in files.folders(folder):
        yield from walk(files, prefix + name)


def size_of(files: Files, key: str) -> int:
    """A file's size in bytes; 0 when it is gone since it was listed."""
    try:
        return files.size(key)
    except FileNotFoundError:
        return 0


def list_segments(files: Files) -> list[tuple[str, SegmentName]]:
    """(writer, name) of every segment, by writer and then as each writer committed."""
    return [
        (writer, name)
        for writer in files.folders(REPLAY_FOLDER)
        if is_writer_name(writer)
        for name in sorted(filter(None, map(SegmentName.parse, _replay_names(files, writer))))
    ]


def _replay_names(files: Files, writer: str) -> list[str]:
    return files.names(f"{REPLAY_FOLDER}/{writer}")
