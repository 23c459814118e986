"""Add the options that several commands share, and print results."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.command_line import UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _MutuallyExclusiveGroup
    from contextlib import AbstractContextManager

    from arena.game_records import RecordFile
    from arena.match.openings import Openings
    from envs.game import Game
    from envs.teams import TeamGame

VERSION = "0.1.0"  # as in pyproject.toml
INTERRUPTED = 130  # exit status
DEFAULT_STORE = "runs"  # the folder of the runs
OF_SCORES = {"protocol": None, "epsilon": None}
"""What decides the scores of agents of environments, with its defaults."""
OF_GAMES = {"games": 1, **OF_SCORES}
"""The same, with how many games are shown."""


def _seed(word: str) -> int:
    """Return the value of --seed. Raises UsageError unless it is a whole number, 0 or more."""
    try:
        number = int(word)
    except ValueError:
        raise UsageError(f"--seed {word}: expected a whole number, 0 or more") from None
    if number < 0:
        raise UsageError(f"--seed {word}: expected 0 or more")
    return number


def seed_argument(parser: ArgumentParser, what: str, default: int | None = 0) -> None:
    """Add the option for the seed of what is random."""
    parser.add_argument("--seed", type=_seed, default=default, metavar="S", help=what)


def game_argument(parser: ArgumentParser) -> None:
    parser.add_argument("game", metavar="GAME", help="a game's name, or the .py file of your own")


def own_game_argument(parser: ArgumentParser, what: str) -> None:
    """Add the option for a user's game file; a store does not hold its path."""
    parser.add_argument("--game", metavar="FILE.py", help=f"a game of your own, {what}")


def environment_arguments(parser: ArgumentParser) -> None:
    """Add the options of runs of an environment."""
    parser.add_argument(
        "--env",
        metavar="ENV",
        help="the environment, of random or where a run learned your own module:Class",
    )
    protocol_arguments(parser)


def protocol_arguments(parser: ArgumentParser) -> None:
    """Add the options that decide the scores of agents of environments."""
    parser.add_argument(
        "--protocol", metavar="nature|sticky", help="of Atari games (default: the run's own)"
    )
    parser.add_argument(
        "--epsilon",
        type=float,
        metavar="X",
        help="share of random actions (default: the protocol's, else 0)",
    )


def named_game(word: str) -> Game:
    """Load a game by its name or its file."""
    from envs.game_file import find_or_load, typed_game

    return find_or_load(typed_game(word))


def named_match_game(word: str) -> Game | TeamGame:
    """Load a game that agents play against each other: a game of teams by its name, or another."""
    from envs.registry import TEAM_GAMES, find_team_game

    return find_team_game(word) if word in TEAM_GAMES else named_game(word)


def store_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--store",
        metavar="URL",
        default=DEFAULT_STORE,
        help="folder or s3:// URL of the runs (default: runs)",
    )


def json_argument(parser: ArgumentParser, what: str = "the result as one JSON object") -> None:
    parser.add_argument("--json", action="store_true", help=what)


def position_argument(parser: ArgumentParser | _MutuallyExclusiveGroup, what: str) -> None:
    """Add the option for where a game begins, which `Game.read_position` reads."""
    told = f"{what}: its text (FEN, SFEN, ...; see docs/games.md) or the moves that lead there"
    parser.add_argument("--position", metavar="P", default="", help=told)


def open_lines(path: str) -> AbstractContextManager[Iterable[str]]:
    """Open a file of lines, or standard input for -."""
    from contextlib import nullcontext

    if path == "-":
        return nullcontext(sys.stdin)
    return Path(path).open(encoding="utf-8", errors="replace")


def source_name(path: str) -> str:
    """Return how errors name what `open_lines` opens."""
    return "standard input" if path == "-" else path


OPENINGS = {"opening_plies": None, "balanced": False, "openings": None, "position": ""}
"""What `openings_arguments` adds, with its defaults."""


def openings_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--opening-plies", type=int, metavar="K", help="random moves before each pair of games"
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--balanced", action="store_true", help="start from positions that favour neither side"
    )
    chosen.add_argument(
        "--openings",
        metavar="FILE",
        help="start from a file's positions: a line each (FEN, SFEN, ..., or moves), those of an "
        ".epd file, or the games of a .pgn, .sgf or .bin (Polyglot) file, of which "
        "--opening-plies takes the first moves",
    )
    position_argument(chosen, "start from this position")


def chosen_openings(game: Game, args: Namespace) -> Openings:
    """Make the openings that the options of `openings_arguments` ask for."""
    from arena.game_records import has_reader
    from arena.match.openings import (
        balanced_openings,
        book_openings,
        position_opening,
        random_openings,
    )

    if args.position:
        if args.opening_plies is not None:
            raise UsageError("--opening-plies: games begin at --position itself")
        return position_opening(game, args.position)
    if args.openings is None:
        return (balanced_openings if args.balanced else random_openings)(game, args.opening_plies)
    path = Path(args.openings)
    if args.opening_plies is not None and not has_reader(game, path):
        raise UsageError("--opening-plies: those of --openings have their own lengths")
    return book_openings(game, path, args.opening_plies)


def records_argument(parser: ArgumentParser, what: str) -> None:
    """Add the option for a file of game records, which `arena.game_records` writes."""
    told = f"write {what} to a new file: .pgn, .sgf, .kif or .csa, as the game has them, or .txt"
    parser.add_argument("--records", metavar="FILE", help=told)


def record_file(game: Game, path: str | None) -> RecordFile | None:
    """Check the file that `records_argument` names, before anything slow begins."""
    from arena.game_records import RecordFile

    return None if path is None else RecordFile(game, Path(path))


def print_json(document: Mapping[str, Any], *, flush: bool = False) -> None:
    import json
    from dataclasses import asdict

    print(json.dumps(document, default=asdict), flush=flush)


def answer(args: Namespace, document: Mapping[str, Any], text: Callable[[], str]) -> None:
    print_json(document) if args.json else print(text())


def drawn(write: Callable[[], Sequence[Path]]) -> list[str]:
    """Write pictures; return their paths, or none and say why on standard error.

    What was measured is worth more than its picture: a full disk must not keep the table back.
    """
    try:
        return [str(path) for path in write()]
    except OSError as error:
        print(f"no plot: {error}", file=sys.stderr)
        return []


def in_store(store: str) -> str:
    """Return the option for commands that we suggest, which the default store does not need."""
    return "" if store == DEFAULT_STORE else f" --store {store}"


def changed_game_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--changed-game",
        action="store_true",
        help="resume though your game's file has changed (its rules and planes must be the same)",
    )


def turn_minutes(args: Namespace, default: float) -> float:
    """Return the minutes of --turn; raises UsageError beside --cores, which takes no turns."""
    if args.turn is None:
        return default
    if not args.turn > 0:
        raise UsageError(f"--turn {args.turn:g}: expected minutes above 0")
    if args.cores is not None:
        raise UsageError("--turn: with --cores the runs train at once, and not in turns")
    return float(args.turn)


def refuse_options(args: Namespace, defaults: Mapping[str, object], why: str) -> None:
    """Raise UsageError for an option with another value than its default."""
    for name, default in defaults.items():
        if getattr(args, name) != default:
            raise UsageError(f"--{name.replace('_', '-')}: {why}")
