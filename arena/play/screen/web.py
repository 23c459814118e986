"""Serve the screen to a browser on this machine, by textual-serve."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import textual_serve.server as served

HOST = "127.0.0.1"  # only this machine: the screen can write files


class LocalServer(served.Server):
    """Serves one command to browsers on this machine, one process a window.

    Other sites' pages can connect to local addresses too, and a name of theirs can lead here; so a
    request must name this address, and come from this page where it says where it comes from.
    """

    async def handle_index(self, request: Any) -> Any:
        """Serve the page. Raises HTTPForbidden for a request under another host name."""
        self._refuse_strangers(request)
        return await super().handle_index(request)

    async def handle_websocket(self, request: Any) -> Any:
        """Serve a window's connection. Raises HTTPForbidden for another site's page."""
        self._refuse_strangers(request)
        return await super().handle_websocket(request)

    def _refuse_strangers(self, request: Any) -> None:
        if not is_ours(request.headers.get("Host"), request.headers.get("Origin"), self.port):
            forbidden: Any = served.web.HTTPForbidden  # type: ignore[attr-defined]
            raise forbidden(text=f"only pages of http://{HOST}:{self.port} may play here")

    async def on_startup(self, app: Any) -> None:
        """Print the page's address."""
        print(f"play at http://{HOST}:{self.port}  (ctrl+c ends)", flush=True)


def is_ours(host: str | None, origin: str | None, port: int) -> bool:
    """Whether a request's headers name this machine and, if any page, one of ours."""
    here = {f"{HOST}:{port}", f"localhost:{port}"}
    if port == 80:  # which browsers leave out
        here |= {HOST, "localhost"}
    return host in here and (origin is None or origin in {f"http://{name}" for name in here})


def serve(words: Sequence[str], title: str, port: int) -> None:
    """Serve a command to this machine alone until ctrl+c.

    Raises OSError where the port is taken, ValueError where there is no such port.
    """
    if not 1 <= port <= 65535:
        raise ValueError(f"port {port}: expected 1 to 65535")
    LocalServer(shlex.join(words), host=HOST, port=port, title=title).serve()
