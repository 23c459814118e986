"""An S3 server for the benchmark `hosts`: moto, with its objects in memory.

    python -m benchmarks.hosts.s3_server ADDRESS PORT BUCKET

prints "ready" and serves until it is killed. In S3 a conditional PUT is atomic; moto checks and
then writes, so requests take a lock.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import Client


class OneAtATime:
    """Moto as a WSGI application that answers one request at a time."""

    def __init__(self) -> None:
        self._moto: Any = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer one request."""
        with self._lock:
            return list(self._moto(environ, start_response))


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_: Any) -> None:
        pass


def main() -> None:
    """Create the bucket and serve."""
    address, port, bucket = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    application = OneAtATime()
    made = Client(application).put(f"/{bucket}", base_url=f"http://{address}:{port}")
    if made.status_code != 200:
        raise RuntimeError(f"bucket {bucket!r} cannot be created: {made.status}")
    server = make_server(address, port, application, threaded=True, request_handler=_Quiet)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
