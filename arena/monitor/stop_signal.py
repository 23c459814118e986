"""Stop a training run by Ctrl-C or SIGTERM."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any


class StopSignal:
    """Handles Ctrl-C and SIGTERM: the first stops cleanly, the second ends the process."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __call__(self) -> bool:
        """Whether a stop was requested."""
        return self.received is not None

    def __enter__(self) -> StopSignal:
        for number in self.SIGNALS:
            self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            if sys.stdout.isatty():
                with suppress(RuntimeError):
                    sys.stdout.write("\x1b[?25h\n")  # the panel hid the cursor
                    sys.stdout.flush()
            os._exit(128 + number)
        self.received = number
        with suppress(RuntimeError):  # Python refuses it while another line is being written
            self.say("stopping: writing a checkpoint (once more to stop at once, without one)")
