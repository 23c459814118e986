"""Leave a screen by SIGTERM or SIGHUP.

An exception that a signal handler raises in one of Textual's callbacks can leave the event loop
running and the terminal without echo. So the event loop handles the signals, between callbacks.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress

from textual.app import App

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def leave_by_signals(leave: Callable[[int], object]) -> None:
    """Have the event loop call `leave` with the exit status, 128 plus the signal's number."""
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        with suppress(ValueError, RuntimeError):  # not in the main thread
            loop.add_signal_handler(number, leave, 128 + number)


def run_until_left(app: App[None]) -> int:
    """Run an app; return the exit status that it was left with.

    Afterwards the signals have the handlers of before; the event loop would reset them.
    """
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        app.run()
    finally:
        with suppress(ValueError):  # not in the main thread
            for number, handler in before.items():
                signal.signal(number, handler)
    return app.return_code or 0
