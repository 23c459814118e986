"""The command on the runs of a store, and its actions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from commands.options import answer, json_argument, store_argument
from configs.command_line import FAILURE, UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from store.replay.window import Window
    from store.run import Run


def runs_arguments(parser: ArgumentParser) -> None:
    import argparse

    store_argument(parser)
    json_argument(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", help="none lists the runs")

    def action(name: str, what: str, *words: str) -> ArgumentParser:
        added = actions.add_parser(name, help=what, description=what, allow_abbrev=False)
        for word in words:
            added.add_argument(word.lower().partition(".")[0].replace("@", "_"), metavar=word)
        # No defaults here: they would override options before the action.
        added.add_argument("--store", metavar="URL", default=argparse.SUPPRESS)
        added.add_argument("--json", action="store_true", default=argparse.SUPPRESS)
        return added

    action("verify", "read every file of a run and name each problem; changes nothing", "RUN")
    prune = action("prune", "drop old checkpoints and replay that are no longer needed", "RUN")
    prune.add_argument("--keep-last", type=int, metavar="K", help="the newest K checkpoints")
    prune.add_argument(
        "--keep-every",
        type=int,
        default=0,
        metavar="N",
        help="also keep steps that are multiples of N",
    )
    prune.add_argument("--keep-rows", type=int, metavar="R", help="the newest R rows of replay")
    prune.add_argument("--dry-run", action="store_true", help="show what would be dropped")
    prune.add_argument(
        "--wait", action="store_true", help="watch for 60 s which readers are still active"
    )
    prune.add_argument("--force", action="store_true", help="also drop what a reader holds")
    keep = action("keep", "name a checkpoint, so that pruning keeps it", "RUN@STEP")
    keep.add_argument("name", metavar="NAME", help="letters, digits, '.', '_' and '-'")
    release = action("release", "remove a checkpoint's name", "RUN")
    release.add_argument("name", metavar="NAME", help="as `ludens runs` lists it")
    action("export", "pack a run into one file", "RUN", "FILE.tar")
    into = action("import", "verify an exported file and unpack it as a run", "FILE.tar")
    into.add_argument("--run", metavar="NAME", help="the run's name (default: as exported)")


def runs(args: Namespace) -> int:
    actions = {
        "verify": _verify,
        "prune": _prune,
        "keep": _keep,
        "release": _release,
        "export": _export,
        "import": _import,
    }
    return actions.get(args.action, _list_runs)(args)


def _list_runs(args: Namespace) -> int:
    from arena.monitor.runs_text import runs_table
    from arena.rating.recorded import best_checkpoints
    from store.progress.summary import summarize_store

    runs = list(summarize_store(args.store))
    best = best_checkpoints(args.store, runs)
    listed = [{**vars(run), "best": best[run.name]} for run in runs]
    answer(args, {"store": args.store, "runs": listed}, lambda: runs_table(runs, best, args.store))
    return 0


def _verify(args: Namespace) -> int:
    from arena.monitor.runs_text import verification_text
    from store.upkeep.verify import verify

    found = verify(args.store, args.run)
    answer(args, {"ok": found.ok, **vars(found)}, lambda: verification_text(found))
    return 0 if found.ok else FAILURE


def _prune(args: Namespace) -> int:
    from arena.monitor.runs_text import pruning_text
    from arena.rating.recorded import best_checkpoint
    from store.run import open_run
    from store.upkeep.holds import HoldWatch
    from store.upkeep.retention import Retention, plan_pruning, prune

    if args.keep_last is None and not args.keep_every and args.keep_rows is None:
        raise UsageError("ludens runs prune: say what to keep: --keep-last K or --keep-rows R")
    run = open_run(args.store, args.run)
    watch = HoldWatch(run.files)
    holds = watch.wait() if args.wait else watch.living()
    if holds and args.force:
        owners = ", ".join(hold.owner for hold in holds)
        print(f"warning: files that {owners} may be reading are dropped too", file=sys.stderr)
    best = best_checkpoint(run)
    keep_last = 1 if args.keep_last is None and args.keep_every else args.keep_last
    retention = Retention(
        keep_last, args.keep_every, args.keep_rows, best.step if best else None, _window(run)
    )
    plan = plan_pruning(run, retention, [] if args.force else holds)
    if not args.dry_run:
        prune(run, plan)
    answer(args, vars(plan), lambda: pruning_text(plan, dry_run=args.dry_run))
    return 0


def _window(run: Run) -> Window | None:
    """Return the replay that a trainer of this run keeps, by its settings."""
    from agents.registry import method_of_run
    from selfplay.resuming import settings_of
    from store.errors import RunMismatchError

    try:
        return method_of_run(run.info).kept_replay(settings_of(run))
    except RunMismatchError:
        return None


def _keep(args: Namespace) -> int:
    from store.run import open_run
    from store.upkeep.keeps import keep

    run_name, _, text = args.run_step.partition("@")
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"ludens runs keep: {args.run_step!r}: expected RUN@STEP, as in RUN@12000")
    keep(open_run(args.store, run_name), int(text), args.name)
    answer(
        args,
        {"run": run_name, "step": int(text), "name": args.name},
        lambda: f"checkpoint {int(text)} of run {run_name!r} stays, as {args.name!r}",
    )
    return 0


def _release(args: Namespace) -> int:
    from store.run import open_run
    from store.upkeep.keeps import release

    step = release(open_run(args.store, args.run), args.name)
    answer(
        args,
        {"run": args.run, "step": step, "name": args.name},
        lambda: f"checkpoint {step} of run {args.run!r} may be dropped with the others",
    )
    return 0


def _export(args: Namespace) -> int:
    from arena.monitor.runs_text import exported_text
    from store.run import open_run
    from store.upkeep.archive import export_run

    done = export_run(open_run(args.store, args.run), Path(args.file))
    for key, why in done.left_out.items():
        print(f"warning: left out {key}: {why}", file=sys.stderr)
    answer(args, vars(done), lambda: exported_text(done))
    return 0


def _import(args: Namespace) -> int:
    from arena.monitor.runs_text import imported_text
    from store.upkeep.archive import import_run

    done = import_run(args.store, Path(args.file), args.run)
    answer(args, vars(done), lambda: imported_text(done))
    return 0
