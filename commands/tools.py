"""Commands that check this machine, a game's rules, and the speed of the parts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from commands.options import (
    game_argument,
    json_argument,
    named_game,
    open_lines,
    position_argument,
    print_json,
    seed_argument,
    source_name,
    store_argument,
)
from configs.command_line import FAILURE, UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from agents.findings import Finding
    from agents.training import TrainConfig


def doctor_arguments(parser: ArgumentParser) -> None:
    from configs.options import add_config_options

    parser.usage = "ludens doctor [PRESET] [--store URL] [--seconds S] [--json] [--SETTING X ...]"
    parser.add_argument(
        "preset", metavar="PRESET", nargs="?", default="connect_four", help="what would be trained"
    )
    parser.add_argument(
        "--seconds", type=float, default=20.0, metavar="S", help="of measuring; 0 only looks (20)"
    )
    store_argument(parser)
    json_argument(parser, "the findings as one JSON object")
    add_config_options(parser, first=("workers", "device"))


def doctor(args: Namespace) -> int:
    from arena.monitor.doctor_text import show_finding, verdict
    from configs.loader import load_config
    from configs.options import given_options

    if not 0 <= args.seconds < 3600:
        raise UsageError(f"ludens doctor: --seconds {args.seconds:g}: expected 0 to 3600")
    config = load_config(args.preset, given_options(args))
    findings = []
    for found in _findings(config, args):
        findings.append(found)
        if not args.json:
            show_finding(found)
    if args.json:
        print_json({"ok": all(f.status != "problem" for f in findings), "findings": findings})
    else:
        print(f"\n{verdict(findings)}")
    return FAILURE if any(found.status == "problem" for found in findings) else 0


def _findings(config: TrainConfig, args: Namespace) -> Iterator[Finding]:
    from agents.findings import Finding
    from selfplay.doctor import examine, examine_speed

    yield from examine(config, args.store)
    if args.seconds:
        try:
            yield from examine_speed(config, args.seconds)
        except (ImportError, RuntimeError, ValueError, OSError) as error:
            yield Finding("speed", "problem", f"cannot be measured: {error}")


def perft_arguments(parser: ArgumentParser) -> None:
    game_argument(parser)
    parser.add_argument(
        "depth",
        type=int,
        metavar="DEPTH",
        nargs="?",
        help="plies; with --positions those of lines that name none, and the most of the others",
    )
    where = parser.add_mutually_exclusive_group()
    position_argument(where, "count from this position")
    where.add_argument(
        "--positions",
        metavar="FILE",
        help="count from each line's position, followed by ;D4 or by ;D4 197281 (a depth, the "
        "lines expected); - is standard input",
    )
    parser.add_argument("--divide", action="store_true", help="split by the first move")
    json_argument(parser)


def perft(args: Namespace) -> int:
    from envs.checks import perft

    if args.positions is not None:
        return _perft_file(args)
    if args.depth is None:
        raise UsageError("ludens perft: DEPTH is missing: expected a number of plies")
    result = perft.run(named_game(args.game), args.depth, args.position, args.divide)
    if args.json:
        print_json(vars(result))
        return 0
    for move, nodes in (result.divided or {}).items():
        print(f"{move}: {nodes:,}")
    print(f"{result.nodes:,}")
    return 0


def _perft_file(args: Namespace) -> int:
    """Count from the positions of a file; the status is 1 if a count is not the expected one."""
    from envs.checks.perft_file import read_tasks

    if args.divide:
        raise UsageError("ludens perft: --divide: expected one --position, not --positions")
    game, source = named_game(args.game), source_name(args.positions)
    with open_lines(args.positions) as lines:
        tasks = read_tasks(game, lines, source, args.depth)
    wrong = 0
    for task in tasks:
        nodes, position = (found := task.count(game)).nodes, found.position
        differs = task.expected not in (None, nodes)
        wrong += differs
        if args.json:
            expected = {} if task.expected is None else {"expected": task.expected}
            row = {"position": position, "depth": task.depth, "nodes": nodes, **expected}
            print_json(row, flush=True)
        else:
            note = f"  expected {task.expected:,}" if differs and task.expected is not None else ""
            print(f"{nodes:>15,}  depth {task.depth}  {position}{note}", flush=True)
    if wrong:
        print(f"error: {source}: {wrong} of {len(tasks)} counts differ", file=sys.stderr)
    return FAILURE if wrong else 0


def check_game_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("game", metavar="FILE.py", help="a game's file, or a game's name")
    parser.add_argument("--games", type=int, default=50, metavar="N", help="random games to play")
    seed_argument(parser, "random seed of the games")


def check_game(args: Namespace) -> int:
    from envs.checks.contract import check

    found = check(named_game(args.game), args.games, args.seed)
    print(found)
    print(f"{found.game}: {'every check passed' if found.ok else 'FAILED'}")
    return 0 if found.ok else FAILURE


def bench_arguments(parser: ArgumentParser) -> None:
    parser.usage = (
        "ludens bench {search GAME | selfplay PRESET | acting PRESET | learning PRESET"
        " | environment GAME} [--seconds S] [--json]"
    )
    parser.add_argument(
        "what",
        choices=("search", "selfplay", "acting", "learning", "environment"),
        help="search: the tree search alone; selfplay, acting: a preset's actor beside the raw "
        "speed of its network, or of its environments; learning: agent steps/s while a run learns; "
        "environment: agent steps/s of a game of teams with random actions",
    )
    parser.add_argument(
        "subject", metavar="GAME|PRESET", help="a game for search and environment, else a preset"
    )
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S", help="(default: 20)")
    parser.add_argument(
        "--peer-python",
        metavar="PATH",
        help="a Python that has mctx and pgx (search) or stable-baselines3 (learning)",
    )
    json_argument(parser)


def bench(args: Namespace) -> int:
    found = _measured(args)
    if args.json:
        print_json(found)
        return 0
    for name, figure in _flat(found):
        print(f"{name:44} {figure}")
    return 0


def _measured(args: Namespace) -> dict[str, Any]:
    if args.what == "search":
        from benchmarks.selfplay import search

        return search.measure(args.subject, args.seconds, args.peer_python)
    if args.what == "learning":
        from benchmarks.learning import training

        return training.measure(args.subject, args.seconds, args.peer_python)
    if args.peer_python is not None:
        raise UsageError(f"ludens bench {args.what}: --peer-python: there is no peer to compare")
    if args.what == "environment":
        from benchmarks.learning import environment

        return environment.measure(args.subject, args.seconds)
    from benchmarks.learning import acting

    return acting.measure(args.subject, args.seconds)


def _flat(found: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Flatten a result's figures into lines."""
    for name, figure in found.items():
        if isinstance(figure, dict):
            yield from _flat(figure, f"{prefix}{name}.")
        elif isinstance(figure, (int, float)):
            yield prefix + name, f"{figure:,}" if isinstance(figure, int) else f"{figure:,.2f}"
        else:
            yield prefix + name, str(figure)
