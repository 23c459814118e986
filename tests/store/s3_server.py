"""A local S3 server for tests, whose answers can be made to fail."""

import gc
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import fsspec
import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "ludens-test"


@dataclass(frozen=True)
class Failure:
    """An answer with an error; `applied` tells whether the request took effect all the same."""

    status: str
    code: str
    applied: bool = False


@dataclass
class S3Server:
    """Moto behind a lock: S3 decides a conditional PUT in one step, moto asks and then writes.

    Attributes:
        failures: answers to the next requests of `failing_method`, first one first; None is moto's.
        requests: "METHOD path" of every request so far.
    """

    port: int = 0
    failing_method: str = "PUT"
    failures: list[Failure | None] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    _moto: Any = field(default_factory=lambda: DomainDispatcherApplication(create_backend_app))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        with self._lock:
            method = environ["REQUEST_METHOD"]
            self.requests.append(f"{method} {environ['PATH_INFO']}")
            if method != self.failing_method or not self.failures:
                return list(self._moto(environ, start_response))
            if (failure := self.failures.pop(0)) is None:
                return list(self._moto(environ, start_response))
            if failure.applied:
                list(self._moto(environ, lambda *_: lambda _: None))
            elif environ.get("CONTENT_LENGTH"):
                environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            start_response(failure.status, [("Content-Type", "application/xml")])
            return [f"<Error><Code>{failure.code}</Code><Message>no</Message></Error>".encode()]

    def environment(self) -> dict[str, str]:
        """What botocore needs to find it."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
        }


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_: Any) -> None:
        pass


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """The server with an empty bucket, in the environment where botocore looks for it."""
    app = S3Server()
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    app.port = server.port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
            patch.delenv(name, raising=False)
        for name, text in app.environment().items():
            patch.setenv(name, text)
        forget_clients()
        _reset(app)
        fsspec.filesystem("s3", use_listings_cache=False).mkdir(BUCKET)
        try:
            yield app
        finally:
            forget_clients()
            server.shutdown()
            thread.join()
            server.server_close()


def _reset(server: S3Server) -> None:
    """Empty moto, whose buckets belong to the process and not to the server."""
    address = f"{server.environment()['AWS_ENDPOINT_URL']}/moto-api/reset"
    urllib.request.urlopen(urllib.request.Request(address, method="POST")).close()


def forget_clients() -> None:
    """Close fsspec's S3 clients, so that the next one reads the environment anew."""
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    gc.collect()
