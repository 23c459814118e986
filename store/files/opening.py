"""Open the files at a store's address."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from store.errors import StoreUrlError
from store.files.local import LocalFiles
from store.files.protocol import Files

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)(?::/|::)")


def open_files(store_url: str | Path) -> Files:
    """Open the files at a store's address, without a write or a request.

    A local path ("~" is the home folder) or file:///absolute/path is a folder. Any other URL is
    opened by fsspec, if its filesystem can create a file exclusively: s3://bucket/prefix (with
    `pip install -e '.[s3]'`), or memory://name, which lives and dies with the process.

    An object store's settings come from where its driver looks for them. For S3 that is botocore:
    AWS_ENDPOINT_URL (or AWS_ENDPOINT_URL_S3) for a server other than Amazon's,
    AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE and the files in ~/.aws, and
    AWS_DEFAULT_REGION. The bucket must exist.

    Raises:
        StoreUrlError: the address is empty, its scheme is unknown, its driver is not installed or
            cannot create a file exclusively.
    """
    address = str(store_url)
    if not address.strip():
        raise StoreUrlError("the store's address is empty; expected a folder such as 'runs'")
    if _SCHEME.match(address) is None:
        return LocalFiles(Path(address).expanduser().absolute())
    parts = urlsplit(address)
    if parts.scheme in ("file", "local") and "::" not in address:
        if parts.netloc not in ("", "localhost") or not parts.path:
            raise StoreUrlError(
                f"cannot open the store {address!r}: expected file:///absolute/path on this machine"
            )
        return LocalFiles(Path(unquote(parts.path)).absolute())
    # Imported here: fsspec loads slowly, and a local store does not need it.
    from store.files.object_store import open_object_files

    return open_object_files(address)
