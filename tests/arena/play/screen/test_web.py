import asyncio
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from arena.play.screen.web import HOST, LocalServer, is_ours, serve

ROOT = Path(__file__).resolve().parents[4]


def test_browsers_leave_the_usual_port_out() -> None:
    assert is_ours("127.0.0.1", "http://127.0.0.1", 80)
    assert not is_ours("127.0.0.1", None, 8000)
    assert not is_ours("example.org", None, 80)


@pytest.mark.parametrize(
    ("host", "origin", "ours"),
    [
        ("127.0.0.1:8000", None, True),
        ("localhost:8000", "http://localhost:8000", True),
        ("127.0.0.1:8000", "http://127.0.0.1:8000", True),
        ("127.0.0.1:8000", "https://example.org", False),
        ("127.0.0.1:8000", "http://127.0.0.1:9000", False),
        ("127.0.0.1:8000", "null", False),
        ("example.org:8000", None, False),  # a name of theirs that leads here
        (None, None, False),
    ],
)
def test_only_our_own_page_may_play(host: str | None, origin: str | None, ours: bool) -> None:
    assert is_ours(host, origin, 8000) is ours


def free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


def wait_for(port: int) -> None:
    """Until the port answers: the address is told just before."""
    for _ in range(600):
        with socket.socket() as found:
            if found.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.05)


async def started(server: LocalServer) -> web.AppRunner:
    runner = web.AppRunner(await server._make_app())
    await runner.setup()
    await web.TCPSite(runner, server.host, server.port).start()
    return runner


def test_the_server_says_where_it_is_and_refuses_strangers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    port = free_port()
    here = f"http://{HOST}:{port}"

    async def ask() -> dict[str, int]:
        runner = await started(LocalServer("false", host=HOST, port=port, title="Ludens"))
        status = {}
        async with aiohttp.ClientSession() as client:
            for name, path, headers in (
                ("page", "/", {}),
                ("page by another name", "/", {"Host": "example.org"}),
                ("foreign window", "/ws", {"Origin": "https://example.org"}),
            ):
                async with client.get(here + path, headers=headers) as answer:
                    status[name] = answer.status
        await runner.cleanup()
        return status

    assert asyncio.run(ask()) == {"page": 200, "page by another name": 403, "foreign window": 403}
    assert capsys.readouterr().out == f"play at {here}  (ctrl+c ends)\n"


def test_a_port_that_there_is_not_is_told() -> None:
    with pytest.raises(ValueError, match="port 70000: expected 1 to 65535"):
        serve(["true"], "Ludens", 70000)


@pytest.mark.slow
def test_a_game_is_played_in_a_browser() -> None:
    port = free_port()
    words = [sys.executable, "ludens.py", "play", "tic_tac_toe", "--agent", "random"]
    words += ["--web", "--port", str(port)]

    async def play() -> bytes:
        seen = b""
        url = f"http://{HOST}:{port}/ws?width=80&height=24"
        async with aiohttp.ClientSession() as client, client.ws_connect(url) as window:
            for wanted, key in ((b"your move", "5"), (b"1.b2", "q")):
                while wanted not in seen:
                    message = await window.receive(60)
                    assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)
                    seen += message.data if message.type == aiohttp.WSMsgType.BINARY else b""
                await window.send_json(["stdin", key])
            await window.receive(60)
        return seen

    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout.readline() == f"play at http://{HOST}:{port}  (ctrl+c ends)\n"
            wait_for(port)
            assert b"random" in asyncio.run(play())
        finally:
            server.send_signal(signal.SIGINT)
            assert server.wait(60) == 0


def test_nobody_else_is_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []
    monkeypatch.setattr(LocalServer, "serve", lambda own: begun.append((own.host, own.port)))
    serve(["false"], "Ludens", 8123)
    assert begun == [("127.0.0.1", 8123)]
