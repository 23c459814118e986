"""Only plain files of true sizes are read from a tar; nothing it claims is believed before."""

import io
import tarfile
import tracemalloc

import pytest

from store.upkeep.tar_entries import BLOCK, TarError, entries


def tar_of(*files, format=tarfile.GNU_FORMAT):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as tar:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def header(name, kind=tarfile.REGTYPE, size=0):
    entry = tarfile.TarInfo(name)
    entry.type, entry.size = kind, size
    return entry.tobuf(tarfile.GNU_FORMAT)


def pax_file(claimed):
    """A file of 3 bytes whose extended header gives it another size, or makes it sparse."""
    text = "".join(
        f"{len(record) + len(str(len(record))) + 2} {record}\n" for record in claimed
    ).encode()
    block = text + bytes(-len(text) % BLOCK)
    data = b"abc" + bytes(BLOCK - 3)
    return header("pax", tarfile.XHDTYPE, len(text)) + block + header("x", size=3) + data


LONG = "tensorboard/" + "h" * 150


def test_files_are_found_where_they_lie():
    files = [("a", b""), ("b/c", b"x" * 600), (LONG, b"long"), ("d", b"y" * BLOCK)]
    data = tar_of(*files)
    found = [(e.name, data[e.offset : e.offset + e.size]) for e in entries(io.BytesIO(data))]
    assert found == files


def refused(data, why, entry=None):
    tracemalloc.start()
    with pytest.raises(TarError, match=why) as caught:
        list(entries(io.BytesIO(data)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.entry == entry
    assert peak < 10**6


@pytest.mark.parametrize(
    "claimed",
    [
        ["GNU.sparse.size=10000000000000"],
        ["GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.realsize=10000000000000"],
        ["GNU.sparse.map=0,10000000000000"],
        ["size=10000000000000"],
        ["path=../x"],
    ],
)
def test_extended_headers_are_refused_unread(claimed):
    refused(pax_file(claimed) + bytes(2 * BLOCK), "not a plain file", "pax")


def test_headers_of_enormous_sizes_are_refused_unread():
    """`tarfile` asks for all the memory that the size of an extended header names."""
    for kind in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_SPARSE, tarfile.SOLARIS_XHDTYPE):
        refused(header("x", kind, 2**50) + bytes(1024), "not a plain file", "x")
    refused(header("x", tarfile.GNUTYPE_LONGNAME, 2**50) + bytes(1024), "a name of 1,1", "x")
    refused(header("x", size=2**50) + bytes(1024), "entry 'x' is of 1,1.* with 1,024 left")
    refused(header("x", size=1025) + bytes(1024), "entry 'x' is of 1,025 bytes, with 1,024 left")


@pytest.mark.parametrize(
    "kind", [b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"K", b"S", b"V", b"\0"]
)
def test_only_plain_files_are_let_through(kind):
    refused(header("x", kind) + bytes(1024), "not a plain file", "x")


def test_a_cut_tar_is_refused():
    data = tar_of(("a", b"x" * 700))
    refused(data[:100], "truncated header")
    refused(data[: BLOCK + 700], "empty header")
    refused(data[: 3 * BLOCK + 9], "truncated header")
    refused(data[: 3 * BLOCK], "empty header")
    refused(data[: BLOCK + 699], "entry 'a' is of 700 bytes, with 699 left")
    refused(b"", "empty header")
    refused(b"\1" * 2 * BLOCK, "header")
