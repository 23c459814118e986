"""Print the doctor's findings."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Protocol

from rich.console import Console
from rich.text import Text

STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}
STATUS_WIDTH, NAME_WIDTH = 9, 15
WIDTH = 100


class ShownFinding(Protocol):
    """A finding: its name, status, text, and advice."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def status(self) -> str: ...  # noqa: D102

    @property
    def text(self) -> str: ...  # noqa: D102

    @property
    def advice(self) -> str: ...  # noqa: D102


def show_finding(found: ShownFinding, console: Console | None = None) -> None:
    """Print a finding: its state, its name, what was found, and below it what to do."""
    console = console or Console()
    indent = " " * (STATUS_WIDTH + NAME_WIDTH)
    width = max(60, min(WIDTH, console.width))
    body = textwrap.wrap(found.text, width - len(indent))
    if found.advice:
        body += textwrap.wrap(f"-> {found.advice}", width - len(indent))
    head = Text.assemble(
        (f"{found.status:{STATUS_WIDTH}}", STYLES.get(found.status, "")),
        (f"{found.name:{NAME_WIDTH}}", "bold"),
    )
    first, *rest = body or [""]
    console.print(head + Text(first), soft_wrap=True, highlight=False)
    for line in rest:
        console.print(Text(indent + line), soft_wrap=True, highlight=False)


def verdict(findings: Iterable[ShownFinding]) -> str:
    """Count the findings of each status, in a sentence."""
    kinds = [found.status for found in findings]
    problems, warnings = kinds.count("problem"), kinds.count("warning")
    if not problems and not warnings:
        return "everything is as it should be"
    counted = [
        f"{count} {kind}{'' if count == 1 else 's'}"
        for kind, count in (("problem", problems), ("warning", warnings))
        if count
    ]
    return " and ".join(counted)
