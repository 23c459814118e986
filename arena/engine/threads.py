"""The threads in which agents think, by one name, so that a program can wait for them to end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from threading import Thread
from typing import Any

THREAD_NAME = "ludens-thinking"


def start_thread(target: Callable[..., None], *words: Any) -> Thread:
    """Run a function in a thread that `all_threads_end` waits for.

    A daemon: a solver at work cannot be interrupted, and must not keep the program alive.
    """
    thread = Thread(target=target, args=words, name=THREAD_NAME, daemon=True)
    thread.start()
    return thread


def all_threads_end(within_s: float) -> bool:
    """Wait for the thinking threads; False if one still runs."""
    last = time.monotonic() + within_s
    ours = [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]
    for thread in ours:
        thread.join(max(0.0, last - time.monotonic()))
    return not any(thread.is_alive() for thread in ours)
