"""The command line: parsing of commands and options, one-line error messages.

Every mistake is raised as an exception and becomes text and an exit status in `explain` alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, NoReturn

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

FAILURE, USAGE = 1, 2  # exit statuses
USAGE_ERRORS = (
    ("configs.fields", "ConfigError"),
    ("envs.game", "GameError"),
    ("envs.vector.steps", "EnvironmentNameError"),
    ("arena.names", "AgentNameError"),
)
FAILURES = (
    ("agents.players", "ForfeitError"),
    ("store.errors", "StoreError"),
    ("envs.vector.steps", "EnvironmentFailedError"),
    ("selfplay.cluster.placement", "PlacementError"),
    ("selfplay.cluster.ray_session", "RayStartError"),
)


class UsageError(Exception):
    """A mistake on the command line."""


class Command(NamedTuple):
    """One command of `ludens`."""

    summary: str
    examples: str
    arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], int]


def read_words(name: str, command: Command, words: Sequence[str]) -> Namespace:
    """Parse a command's arguments. Raises UsageError for a mistake, SystemExit after --help."""
    parser = make_parser(name, command)
    args, unknown = parser.parse_known_args(words)
    if unknown:
        word = unknown[0].partition("=")[0]
        known = [o for action in parser._actions for o in action.option_strings]
        raise UsageError(f"ludens {name}: unknown argument {word!r}{nearest(word, known)}")
    return args


def make_parser(name: str, command: Command) -> ArgumentParser:
    """Return the parser of one command's arguments."""
    import argparse

    class OneLineParser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise UsageError(f"ludens {name}: {message} (ludens {name} --help explains)")

    parser = OneLineParser(
        prog=f"ludens {name}",
        description=command.summary,
        epilog=f"examples:\n{command.examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.arguments(parser)
    return parser


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for a similar known word, else nothing."""
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def explain(error: Exception) -> tuple[int, str]:
    """Return the exit status of an error, and one line that explains it."""
    if isinstance(error, (UsageError, *_loaded(USAGE_ERRORS))):
        return USAGE, f"error: {error}"
    if isinstance(error, OSError) and error.filename is not None:
        return FAILURE, f"error: {error.filename}: {error.strerror}"
    if isinstance(error, (ValueError, OSError, *_loaded(FAILURES))):
        return FAILURE, f"error: {error}"
    if isinstance(error, ModuleNotFoundError):
        from configs.missing_packages import what_is_missing

        if missing := what_is_missing(error):
            return FAILURE, f"error: {missing}"
    kind = type(error).__name__
    return FAILURE, f"internal error, {kind}: {error} (LUDENS_DEBUG=1 shows where)"


def _loaded(names: Iterable[tuple[str, str]]) -> tuple[type[Exception], ...]:
    """Return the exception classes whose modules are loaded: others cannot have been raised."""
    modules = [(sys.modules.get(module), attribute) for module, attribute in names]
    return tuple(getattr(module, attribute) for module, attribute in modules if module)
