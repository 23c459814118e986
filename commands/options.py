"""Options that several commands have, and how their results are printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

INTERRUPTED = 130  # exit status


def game_argument(parser: ArgumentParser) -> None:
    parser.add_argument("game", metavar="GAME", help="a game's name, or the .py file of your own")


def store_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--store",
        metavar="URL",
        default="runs",
        help="folder or s3:// URL of the runs (default: runs)",
    )


def json_argument(parser: ArgumentParser, what: str = "the result as one JSON object") -> None:
    parser.add_argument("--json", action="store_true", help=what)


def openings_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--opening-plies", type=int, metavar="K", help="random moves before each pair of games"
    )
    parser.add_argument(
        "--balanced", action="store_true", help="begin from positions that favour neither side"
    )


def print_json(document: Mapping[str, Any], *, flush: bool = False) -> None:
    import json
    from dataclasses import asdict

    print(json.dumps(document, default=asdict), flush=flush)


def answer(args: Namespace, document: Mapping[str, Any], text: Callable[[], str]) -> None:
    print_json(document) if args.json else print(text())
