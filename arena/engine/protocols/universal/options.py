"""Options of an engine that another program sets by name: what there is, and the values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from agents.cores import allowed_cores

if TYPE_CHECKING:
    from arena.engine.strength import Strengths

NEVER = 99_999  # centipawns of a loss that no agent comes to: it does not resign


class OptionError(ValueError):
    """An option that does not exist, or a value that it cannot have."""


@dataclass
class Options:
    """The options of an engine, by their values at the moment."""

    threads: int = 1
    hash: int = 1024
    multipv: int = 1
    overhead: int = 50
    nodes: int = 0
    temperature: float = 0.0
    ponder: bool = False  # whether the other program may ask for it: nothing changes
    show_wdl: bool = False
    analyse: bool = False
    chess960: bool = False
    resign: int = NEVER
    variant: str = ""
    limit_strength: bool = False  # whether it plays about as strong as `elo`
    elo: int = 0
    debug: bool = False  # set by `debug`, not by `setoption`


class Option(NamedTuple):
    """One option: its name in the protocol, the field of its value, and what it may be."""

    name: str
    field: str
    kind: str  # spin, check, string or combo
    least: int = 0
    most: int = 0
    only: str = ""  # the one value of a combo
    also: str = ""  # another name by which it is set

    def line(self, default: object) -> str:
        """Return the line that offers it."""
        value = str(default).lower() if self.kind == "check" else str(default)
        head = f"option name {self.name} type {self.kind} default {value}"
        if self.kind == "spin":
            return f"{head} min {self.least} max {self.most}"
        return f"{head} var {value}" if self.kind == "combo" else head

    def read(self, text: str) -> int | bool | float | str:
        """Return the value that a text says. Raises OptionError."""
        expected = "true or false"
        if self.kind == "check" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if self.kind == "spin":
            expected = f"{self.least} to {self.most}"
            if is_number(text) and len(text) < 20 and self.least <= int(text) <= self.most:
                return int(text)
        if self.kind == "combo":
            expected = self.only
            if text == self.only:
                return text
        if self.kind == "string":
            expected = f"a number from {self.least} to {self.most}"
            try:
                if self.least <= float(text) <= self.most:
                    return float(text)
            except ValueError:
                pass
        raise OptionError(f"{self.name} = {text!r}: expected {expected}")


THREADS = Option("Threads", "threads", "spin", 1, allowed_cores())
MULTIPV = Option("MultiPV", "multipv", "spin", 1, 256)
NODES = Option("Nodes", "nodes", "spin", 0, 10**9)
TEMPERATURE = Option("Temperature", "temperature", "string", 0, 10)


def hash_option(name: str) -> Option:
    """Return the option of the tree's megabytes under a protocol's name."""
    return Option(name, "hash", "spin", 1, 1 << 16)


def overhead_option(name: str) -> Option:
    """Return the option of the milliseconds that a move needs on its way, under a name."""
    return Option(name, "overhead", "spin", 0, 10_000)


def strength_options(protocol: str, strengths: Strengths | None) -> tuple[Option, ...]:
    """Return the options that limit an agent's strength; none without ratings."""
    if strengths is None:
        return ()
    limit, elo = (f"{protocol.upper()}_{word}" for word in ("LimitStrength", "Elo"))
    return (
        Option(limit, "limit_strength", "check", also="UCI_LimitStrength"),
        Option(elo, "elo", "spin", strengths.least, strengths.most, also="UCI_Elo"),
    )


def is_number(word: str) -> bool:
    """Return whether a word is a whole number in digits, below 0 too."""
    return word.isascii() and word.removeprefix("-").isdigit()


def set_option(words: list[str], offered: tuple[Option, ...], options: Options) -> Option:
    """Set what follows `setoption`, and return the option. Raises OptionError."""
    at = words.index("value") if "value" in words else len(words)
    name, value = " ".join(words[1:at]), " ".join(words[at + 1 :])
    found = next((o for o in offered if name.lower() in (o.name.lower(), o.also.lower())), None)
    if words[:1] != ["name"] or not name or found is None:
        names = ", ".join(option.name for option in offered)
        raise OptionError(f"there is no option {name!r}: expected one of {names}")
    setattr(options, found.field, found.read(value))
    return found


def default_options(offered: tuple[Option, ...]) -> Options:
    """Return the options as they are at the start."""
    variant = next((option.only for option in offered if option.field == "variant"), "")
    elo = next((option.most for option in offered if option.field == "elo"), 0)
    return Options(variant=variant, elo=elo)
