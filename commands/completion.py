"""Complete commands, options and values in the shell, by argcomplete.

The shell calls `ludens` itself with the line typed so far; what completes a value follows from its
placeholder in the help (`RUN`, `PRESET`, `puct|gumbel`), so a new command needs nothing here.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from configs.command_line import Command, make_parser

if TYPE_CHECKING:
    from argparse import Action, ArgumentParser, Namespace

SHELLS = ("bash", "zsh", "fish")


def completion_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="the shell to complete in")


def completion(args: Namespace) -> int:
    """Print the script that a shell evaluates at its start."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["ludens"], shell=args.shell))
    return 0


def is_completing() -> bool:
    """Return whether a shell called the program to complete a line, not to run it."""
    return "_ARGCOMPLETE" in os.environ


def complete(commands: Mapping[str, Command]) -> None:
    """Write the completions of the line in COMP_LINE for the shell, and exit the process."""
    import argcomplete

    parser = parser_of_line(os.environ.get("COMP_LINE", ""), commands)
    argcomplete.autocomplete(parser, exclude=_second_spellings(parser))


def parser_of_line(line: str, commands: Mapping[str, Command]) -> ArgumentParser:
    """Return a parser of all commands, with the arguments of the one that the line names."""
    from argparse import ArgumentParser

    parser = ArgumentParser(prog="ludens", add_help=False)
    known = parser.add_subparsers()
    named = _words(line)[1:2]
    for name, command in commands.items():
        if [name] == named:
            known.add_parser(name, parents=[make_parser(name, command)], add_help=False)
        else:
            known.add_parser(name, help=command.summary)
    for action in _actions(parser):
        if not (action.choices or action.nargs == 0):
            action.completer = _completer(str(action.metavar))  # type: ignore[attr-defined]
    return parser


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:  # an open quote
        return line.split()


def _actions(parser: ArgumentParser) -> Iterator[Action]:
    for action in parser._actions:
        yield action
        if action.nargs == "A..." and isinstance(action.choices, dict):  # sub-commands
            for inner in action.choices.values():
                yield from _actions(inner)


def _second_spellings(parser: ArgumentParser) -> list[str]:
    """Return options that are spelled with underscores beside one with dashes."""
    options = {option for action in _actions(parser) for option in action.option_strings}
    return [o for o in options if "_" in o and o.replace("_", "-") in options]


def _completer(placeholder: str) -> Callable[..., Iterable[str]]:
    """Return what completes a value of this placeholder in the help."""
    if placeholder in _VALUES:
        return _VALUES[placeholder]
    if "|" in placeholder and placeholder.islower():
        return lambda **_: placeholder.split("|")
    if placeholder.startswith("FILE"):
        from argcomplete.completers import FilesCompleter

        return FilesCompleter()
    return lambda **_: []


def _run_names(parsed_args: Namespace, **_: object) -> list[str]:
    from store.run import list_runs

    return list_runs(getattr(parsed_args, "store", None) or "runs")


def _agent_names(parsed_args: Namespace, **_: object) -> list[str]:
    from envs.registry import TEAM_GAMES

    if getattr(parsed_args, "game", None) in TEAM_GAMES:
        return ["wanderer", "pusher", "fighter", *_run_names(parsed_args)]
    return ["random", "mcts:", "solver", *_run_names(parsed_args)]


def _game_names(**_: object) -> list[str]:
    from envs.registry import BUILT_IN

    return list(BUILT_IN)


def _environment_names(**_: object) -> list[str]:
    from envs.atari.games import SOLO_GAMES

    return list(SOLO_GAMES)


def _played_names(**_: object) -> list[str]:
    from envs.lanes.rules import MODES

    return [*_game_names(), *MODES, *_environment_names()]


def _preset_names(**_: object) -> list[str]:
    from configs.loader import preset_names

    return sorted({*preset_names(), *_game_names()})


_VALUES: dict[str, Callable[..., Iterable[str]]] = {
    "RUN": _run_names,
    "RUN@STEP": _run_names,
    "A": _agent_names,
    "B": _agent_names,
    "GAME": _game_names,
    "GAME|ENV": _played_names,
    "ENV": _environment_names,
    "PRESET": _preset_names,
    "GAME|PRESET": _preset_names,
}
