"""Read the entries of an uncompressed tar of plain files, checking sizes against the file.

It does not use `tarfile`, which follows extended headers: those of PAX may set an
entry's size to anything and ask for memory before any check. A run's archive has none of
them. GNU's long names alone are read, which a long host in a log's name needs.
"""

import os
import tarfile
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

BLOCK = tarfile.BLOCKSIZE
_MOST_NAME = 1000  # bytes of a long name


class TarError(ValueError):
    """The tar is cut, or its headers are not those of plain files; `entry` names the bad one."""

    def __init__(self, why: str, entry: str | None = None) -> None:
        super().__init__(why)
        self.entry = entry


class Entry(NamedTuple):
    """A plain file in a tar."""

    name: str
    offset: int  # of its bytes in the tar
    size: int


def entries(file: BinaryIO) -> Iterator[Entry]:
    """Yield the files of a tar up to its end mark, which must exist. Raises TarError."""
    end = file.seek(0, os.SEEK_END)
    position, long_name = 0, None
    while True:
        header = _header(file, position)
        if header is None:
            return
        name = header.name if long_name is None else long_name
        position += BLOCK
        if header.type == tarfile.GNUTYPE_LONGNAME and long_name is None:
            long_name = _long_name(file, position, header)
        elif header.type != tarfile.REGTYPE:
            raise TarError("not a plain file", name)
        else:
            if not 0 <= header.size <= end - position:
                raise TarError(
                    f"entry {name!r} is of {header.size:,} bytes, with {end - position:,} left"
                )
            yield Entry(name, position, header.size)
            long_name = None
        position += -(-header.size // BLOCK) * BLOCK


def _header(file: BinaryIO, position: int) -> tarfile.TarInfo | None:
    """Read the header; None for the end mark."""
    file.seek(position)
    block = file.read(BLOCK)
    if block == bytes(BLOCK):
        return None
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError) as error:
        raise TarError(str(error)) from error


def _long_name(file: BinaryIO, position: int, header: tarfile.TarInfo) -> str:
    if not 0 < header.size <= _MOST_NAME:
        raise TarError(f"a name of {header.size:,} bytes", header.name)
    file.seek(position)
    return file.read(header.size).rstrip(b"\0").decode("utf-8", "surrogateescape")
