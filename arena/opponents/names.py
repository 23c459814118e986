"""Names of other programs: `uci:stockfish?nodes=100`, `gtp:gnugo?level=10`, `xboard:gnushogi`.

A name is `PROTOCOL:COMMAND?OPTION=VALUE&OPTION=VALUE`. The command may have arguments, as a shell
would split them. Such a name starts a program, so it comes from the command line alone.
"""

from __future__ import annotations

import shlex
from typing import NamedTuple

EXAMPLES = {
    "uci": "uci:stockfish?nodes=100",
    "usi": "usi:fairy-stockfish?nodes=100",
    "gtp": "gtp:gnugo?level=10",
    "xboard": "xboard:hoichess?depth=4",
}
PROTOCOLS = tuple(EXAMPLES)
PROGRAM = "program"  # the key under which `AgentName.options` has the command
_REPEATS = {PROGRAM, "nodes", "depth", "hash", "variant", "timeout"}
"""With these options alone an engine repeats itself."""


class OpponentName(NamedTuple):
    """The parts of a program's name."""

    protocol: str
    command: tuple[str, ...]
    options: dict[str, str]


def is_opponent(text: str) -> bool:
    """Return whether an agent's name is that of another program."""
    return text.strip().partition(":")[0] in PROTOCOLS


def parse_opponent(text: str) -> OpponentName:
    """Parse a program's name. Raises ValueError for another text."""
    protocol, _, rest = text.strip().partition(":")
    program, _, query = rest.partition("?")
    example = EXAMPLES.get(protocol, EXAMPLES["uci"])
    try:
        command = tuple(shlex.split(program))
    except ValueError as error:
        raise ValueError(f"agent {text!r}: {error} in the command") from None
    if protocol not in PROTOCOLS or not command:
        raise ValueError(f"agent {text!r}: expected a program after {protocol}:, as in {example}")
    options: dict[str, str] = {}
    for word in filter(None, query.split("&")):
        key, equals, value = (part.strip() for part in word.partition("="))
        if not (key and equals and value):
            raise ValueError(
                f"agent {text!r}: expected OPTION=VALUE, got {word!r}, as in {example}"
            )
        if key.lower() in {PROGRAM, *(known.lower() for known in options)}:
            raise ValueError(
                f"agent {text!r}: option {key!r} is given twice or not one of a program"
            )
        options[key] = value
    return OpponentName(protocol, command, options)


def format_opponent(protocol: str, program: str, options: dict[str, str]) -> str:
    """Format a program's name with its options in order."""
    query = "&".join(f"{key}={options[key]}" for key in sorted(options))
    return f"{protocol}:{program}{'?' if query else ''}{query}"


def repeats_itself(name: str) -> bool:
    """Return whether a program is expected to play the same game from the same opening again.

    Limits of time, several threads, and a strength below the best make an engine's play vary.
    """
    try:
        protocol, _, options = parse_opponent(name)
    except ValueError:
        return False
    keys = {key.lower() for key in options}
    return protocol != "gtp" and bool(keys & {"nodes", "depth"}) and keys <= _REPEATS
