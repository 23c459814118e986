"""Where a store's address leads."""

import sys

import fsspec
import pytest
from fsspec.registry import _registry as loaded_drivers

from store.errors import StoreUrlError
from store.files.local import LocalFiles
from store.files.object_store import ObjectFiles
from store.files.opening import open_files


def test_paths_and_file_urls_are_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    addresses = (tmp_path / "a b", f"file://{tmp_path}/a%20b", f"local://{tmp_path}/a b", "~/a b")
    for address in addresses:
        files = open_files(address)
        assert isinstance(files, LocalFiles)
        assert files.root == tmp_path / "a b"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("", "is empty"),
        ("file://elsewhere/x", "expected file:///absolute/path on this machine"),
        ("s3:/typo", "expected s3://"),
        ("s3://", "expected s3://"),
        ("memory:///", "expected memory://"),
        ("memroy://name", r"'memroy' is not supported; did you mean memory://\?"),
        ("qqqqq://name", "'qqqqq' is not supported; expected a local path"),
        ("simplecache::s3://bucket", "chained"),
        ("reference://x/y", "'reference' cannot create a file exclusively"),
        ("http://host/x", "'http' cannot create a file exclusively"),
        ("zip://x/y", "'zip' cannot create a file exclusively"),
    ],
)
def test_other_addresses_are_refused_clearly(address, message):
    with pytest.raises(StoreUrlError, match=message) as caught:
        open_files(address)
    assert repr(address) in str(caught.value) or not address


@pytest.mark.parametrize(
    ("scheme", "module", "advice"),
    [("s3", "s3fs", r"pip install -e '\.\[s3\]'"), ("gs", "gcsfs", "install gcsfs")],
)
def test_a_missing_driver_says_what_to_install(monkeypatch, scheme, module, advice):
    monkeypatch.setitem(sys.modules, module, None)  # importing it fails
    monkeypatch.delitem(loaded_drivers, scheme, raising=False)
    with pytest.raises(StoreUrlError, match=advice):
        open_files(f"{scheme}://bucket/x")


def test_a_filesystem_that_someone_registered_is_judged_by_what_it_implements(monkeypatch):
    class AsksFirst(fsspec.AbstractFileSystem):
        protocol = "asksfirst"

    class Exclusive(fsspec.AbstractFileSystem):
        protocol = "exclusive"

        def pipe_file(self, path, value, mode="overwrite", **kwargs):
            raise NotImplementedError

    for driver in (AsksFirst, Exclusive):
        monkeypatch.setitem(loaded_drivers, driver.protocol, driver)
    assert isinstance(open_files("exclusive://x"), ObjectFiles)
    with pytest.raises(StoreUrlError, match="'asksfirst' cannot create a file exclusively"):
        open_files("asksfirst://x")
