"""Show how far a command is, on standard error."""

from __future__ import annotations

import sys
import time
from typing import Self

TERMINAL_INTERVAL_S, PLAIN_INTERVAL_S = 0.2, 30.0


class StatusLine:
    """Shows one changing line on a terminal; elsewhere prints a line every half minute.

    A command that ends sooner prints none there. Leaving the context clears the line.
    """

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._due = 0.0 if self._is_terminal else time.monotonic() + PLAIN_INTERVAL_S

    def show(self, text: str) -> None:
        """Show this text, if it is time to."""
        if time.monotonic() < self._due:
            return
        interval = TERMINAL_INTERVAL_S if self._is_terminal else PLAIN_INTERVAL_S
        self._due = time.monotonic() + interval
        line = f"\r\x1b[K{text}" if self._is_terminal else f"{text}\n"
        print(line, end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Clear the line before other output; what is shown next is shown at once."""
        if self._is_terminal:
            clear_line()
            self._due = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()


def clear_line() -> None:
    """Clear the line that a terminal shows."""
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
