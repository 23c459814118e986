"""Commands that play against an agent and analyze positions with one."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from commands.options import (
    OF_GAMES,
    game_argument,
    json_argument,
    named_game,
    open_lines,
    position_argument,
    protocol_arguments,
    record_file,
    records_argument,
    refuse_options,
    seed_argument,
    store_argument,
)
from commands.showing import is_environment, play_environment
from commands.teams.lanes import OF_PLAY, is_lanes, lanes_play_arguments, play_lanes
from configs.command_line import UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from agents.players import Player
    from arena.engine.limits import Limit
    from arena.game_records import RecordFile
    from arena.play.analysis import Verdict
    from envs.game import Game
    from envs.notation.records import GameRecord


def play_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "game",
        metavar="GAME|ENV",
        help="a game, the .py file of your own, an environment, or a .replay file",
    )
    parser.add_argument(
        "--agent",
        metavar="A",
        help="who plays (default: the newest run, in Lanes fighter); see ludens --help",
    )
    parser.add_argument(
        "--agent2", metavar="B", default="human", help="the opponent (default: you)"
    )
    parser.add_argument("--second", action="store_true", help="A moves first, you second")
    seed_argument(parser, "random seed of the agents")
    position_argument(parser, "begin at this position of a board game")
    records_argument(parser, "the games of a board game")
    parser.add_argument("--plain", action="store_true", help="play line by line, without a screen")
    parser.add_argument("--web", action="store_true", help="in a browser on this machine")
    parser.add_argument(
        "--port", type=int, default=8000, metavar="P", help="of --web (default: 8000)"
    )
    parser.add_argument(
        "--games", type=int, default=1, metavar="N", help="of an environment with --plain"
    )
    protocol_arguments(parser)
    lanes_play_arguments(parser)
    store_argument(parser)


def play(args: Namespace) -> int:
    if is_lanes(args.game) or is_environment(args.game):
        for option in ("position", "records"):
            if getattr(args, option):
                raise UsageError(f"--{option}: expected a board game, not {args.game!r}")
        return play_lanes(args) if is_lanes(args.game) else play_environment(args)
    from envs.notation.records import GameRecord

    others = {**OF_GAMES, **OF_PLAY}
    refuse_options(args, others, f"is for environments and games of teams, not for {args.game!r}")
    game = named_game(args.game)
    start, moves = game.read_position(args.position)
    begin = GameRecord(start, tuple(moves))
    return _play_board(args, game, begin, record_file(game, args.records))


def _play_board(args: Namespace, game: Game, begin: GameRecord, file: RecordFile | None) -> int:
    from arena.names import HUMAN, find_agent
    from arena.play.terminal import HumanPlayer, Seat, Table, Terminal, shows_a_screen

    def seat(name: str) -> Seat:
        if name == HUMAN:
            return HumanPlayer()
        return find_agent(name, game, args.store, programs=True)

    notice = ""
    if args.agent is None:
        from arena.play.screen.opponent import default_agent

        args.agent, notice = default_agent(game, args.store)
    first, second = seat(args.agent), seat(args.agent2)
    if args.web:
        return _play_in_browser(args, game.title)
    if args.agent2 == HUMAN and args.agent != HUMAN and not args.second:
        first, second = second, first
    keep = None if file is None else file.write
    if shows_a_screen() and not args.plain:
        from arena.play.screen.app import show
        from arena.play.screen.session import GameSession

        session = GameSession(game, (first, second), seed=args.seed, begin=begin, keep=keep)
        return show(session, notice, plain="NO_COLOR" in os.environ)
    print(notice, end="\n" if notice else "")
    colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    terminal = Terminal(_read_line, print, colours)
    table = Table(game, (first, second), terminal, args.seed, [*begin.moves], begin.start)
    table.play()
    if keep is not None and len(table.moves) > len(begin.moves):
        keep(table.record())
    return 0


def _play_in_browser(args: Namespace, title: str) -> int:
    """Serve this same command to the browser."""
    from arena.play.screen.web import serve
    from selfplay.package_check import ROOT

    words = [sys.executable, str(ROOT / "ludens.py"), "play", args.game]
    for option in ("agent", "agent2", "seed", "store", "position", "records"):
        if (value := getattr(args, option)) not in ("", None):
            words += [f"--{option}", str(value)]
    serve([*words, *(["--second"] if args.second else [])], f"Ludens: {title}", args.port)
    return 0


def _read_line(prompt: str) -> str:
    """Read a line of input with its newline, "" at its end; editable on a terminal."""
    if sys.stdin.isatty():
        with suppress(ImportError):  # some builds of Python come without it
            import readline  # noqa: F401  (arrow keys and history in input())
    try:
        return input(prompt) + "\n"
    except EOFError:
        return ""


def analyze_arguments(parser: ArgumentParser) -> None:
    game_argument(parser)
    parser.add_argument(
        "--agent", metavar="A", required=True, help="the agent that analyzes; see ludens --help"
    )
    parser.add_argument(
        "--simulations", type=int, metavar="N", help="simulations a move of the agent's search"
    )
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="think for S seconds about a position"
    )
    parser.add_argument(
        "--nodes", type=int, metavar="N", help="think for N new visits of a position's moves"
    )
    parser.add_argument(
        "--lines", type=int, default=1, metavar="K", help="show K principal variations (default: 1)"
    )
    where = parser.add_mutually_exclusive_group()
    position_argument(where, "analyze this position")
    where.add_argument("--moves", metavar="M", default="", help="the same, as moves alone")
    where.add_argument(
        "--positions", metavar="FILE", help="one position a line; - is standard input"
    )
    where.add_argument(
        "--record", metavar="FILE", help="each position of the games of a .pgn, .sgf or .txt file"
    )
    json_argument(parser, "one object a line: position, move, value, visits, policy, ...")
    store_argument(parser)


def analyze(args: Namespace) -> int:
    from agents.players import SearchPlayer
    from arena.game_records import read_games
    from arena.names import find_agent
    from arena.play.analysis import analyze_lines, analyze_positions
    from arena.play.analysis_text import write_table, write_verdict

    game = named_game(args.game)
    limit = _thinking_limit(args)
    # Before the agent is loaded: what is wrong with a position shows at once.
    start, moves = game.read_position(args.position)
    moves = moves or game.parse_moves(args.moves)
    games = [] if args.record is None else read_games(game, Path(args.record))
    player = find_agent(args.agent, game, args.store, simulations=args.simulations, programs=True)
    if args.lines > 1 and not isinstance(player, SearchPlayer):
        raise UsageError(f"--lines {args.lines}: {args.agent} does not search, expected 1")
    if games:
        think = partial(_each_position, game, player, limit, args.lines)
        verdicts = (verdict for found in games for verdict in think(found.record))
        return write_table(verdicts, args.record, args.json)
    if args.positions is not None:
        with open_lines(args.positions) as lines:
            found = analyze_lines(game, player, lines, limit, args.lines)
            return write_table(found, args.positions, args.json)
    (verdict,) = analyze_positions(game, player, [moves], [start], limit, args.lines)
    write_verdict(game, verdict, args.json)
    return 0


def _thinking_limit(args: Namespace) -> Limit | None:
    """Return the limit that --seconds and --nodes make; None leaves the agent its simulations."""
    from arena.engine.limits import Limit

    if args.lines < 1:
        raise UsageError(f"--lines {args.lines}: expected 1 or more")
    if args.nodes is None and args.seconds is None:
        return None
    if args.simulations is not None:
        raise UsageError("--simulations: expected no --nodes or --seconds beside it")
    if args.nodes is not None and args.nodes < 1:
        raise UsageError(f"--nodes {args.nodes}: expected 1 or more")
    if args.seconds is not None and not 0 < args.seconds < math.inf:
        raise UsageError(f"--seconds {args.seconds}: expected a time above 0")
    return Limit(nodes=args.nodes or 0, seconds=args.seconds or 0.0, early=False)


def _each_position(
    game: Game, player: Player, limit: Limit | None, lines: int, record: GameRecord
) -> Iterable[Verdict]:
    from arena.play.analysis import analyze_positions

    games = [[*record.moves[:ply]] for ply in range(len(record.moves) + 1)]
    return analyze_positions(game, player, games, [record.start] * len(games), limit, lines)
