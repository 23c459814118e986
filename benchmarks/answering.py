"""Ask a script in a process of its own, such as a peer with other packages."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any


class Answering:
    """A script in a process of its own that answers lines of JSON, such as a peer's.

    Args:
        python: the interpreter that has what the script imports.
        script: reads a question a line and prints an answer a line.
    """

    def __init__(self, python: str, script: Path) -> None:
        self._process = subprocess.Popen(
            [python, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Return the answer; raises RuntimeError if the process has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process ended with status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def has_package(python: str, name: str) -> bool:
    """Return whether that Python can import a package; raises OSError if it cannot be run."""
    look = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({name!r}) is None)"
    return subprocess.run([python, "-c", look], check=False).returncode == 0
