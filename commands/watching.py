"""Commands that show a training run: live, and as a page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from commands.evaluating import report_sweep
from commands.options import (
    answer,
    json_argument,
    named_game,
    own_game_argument,
    print_json,
    store_argument,
)
from configs.command_line import UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def watch_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a training run, here or elsewhere")
    parser.add_argument("--once", action="store_true", help="print its state once, and exit")
    store_argument(parser)
    json_argument(parser, "one JSON object at every change; with --once, one")


def watch(args: Namespace) -> int:
    import time
    from contextlib import suppress

    from agents.registry import metrics_of_run
    from arena.monitor.history import History
    from arena.monitor.panel import open_panel
    from arena.monitor.watch import WatchPanel, as_json, each_moment, follow, show_once
    from store.run import open_run

    run = open_run(args.store, args.run)
    history, specs = History(run), metrics_of_run(run.info)
    where = f"run {run.name!r} in {args.store!r}"
    if args.json and args.once:
        print_json(as_json(history, time.time()))
    elif args.once:
        show_once(history, run.info.game, where)
    else:
        history.timeline()  # before the panel: a run without a journal gets a one-line error
        with suppress(KeyboardInterrupt):
            if args.json:
                for found in each_moment(history):
                    print_json(found, flush=True)
            else:
                with open_panel(WatchPanel, run.info.game, where, specs) as display:
                    follow(history, display)
    return 0


def report_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "runs", nargs="*", metavar="RUN", help="a training run, finished or not; or several"
    )
    parser.add_argument(
        "--sweep", metavar="PREFIX", help="all runs PREFIX-ENV-SEED, as `train --seeds` names them"
    )
    parser.add_argument(
        "--out", metavar="FILE.html", help="what to write (default: RUN.html, PREFIX.html)"
    )
    own_game_argument(parser, "to draw its boards")
    store_argument(parser)
    json_argument(parser)


def report(args: Namespace) -> int:
    if not (args.runs or args.sweep):
        raise UsageError("ludens report: expected a RUN, several, or --sweep PREFIX")
    if args.sweep or len(args.runs) > 1:
        return report_sweep(args)
    (name,) = args.runs
    return _report_run(name, args)


def _report_run(name: str, args: Namespace) -> int:
    from agents.running.run_game import how_to_name_it, is_game_of, registered_game
    from arena.monitor.report.page import write_report
    from store.run import open_run

    run = open_run(args.store, name)
    # A run may come from an untrusted store: only the file named here is executed.
    game = named_game(args.game) if args.game else registered_game(run.info)
    if game is not None and not is_game_of(run.info, game):
        raise UsageError(f"run {name!r} learned {run.info.game!r}, not {game.name!r}")
    path = Path(args.out or f"{name}.html")
    written = write_report(run, path, game)
    if game is None and run.info.game_source:
        told = how_to_name_it(run, f"ludens report {name} --game FILE")
        print(f"note: no boards are drawn: {told}", file=sys.stderr)
    text = f"{written.path}: {written.moments:,} records of run {name!r}, {written.size:,} bytes"
    answer(args, vars(written), lambda: text)
    return 0
