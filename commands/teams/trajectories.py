"""The command on the matches that a run recorded while it trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from commands.options import answer, json_argument, store_argument
from configs.command_line import UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from agents.running.trajectories import Trajectory
    from store.run import Run

LIMIT = 20  # matches of the table


def trajectories_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run that recorded matches")
    parser.add_argument(
        "--limit",
        type=int,
        default=LIMIT,
        metavar="N",
        help=f"matches to list, the newest (default: {LIMIT})",
    )
    export = parser.add_mutually_exclusive_group()
    export.add_argument(
        "--npz", type=int, metavar="NUMBER", help="write a match as arrays, for numpy.load"
    )
    export.add_argument(
        "--replay", type=int, metavar="NUMBER", help="write a match of Lanes as a .replay file"
    )
    parser.add_argument(
        "--out", metavar="FILE", help="what is written (default: RUN-NUMBER.npz or .replay)"
    )
    json_argument(parser)
    store_argument(parser)


def trajectories(args: Namespace) -> int:
    from store.run import open_run

    if args.limit < 1:
        raise UsageError(f"--limit {args.limit}: expected 1 or more")
    run = open_run(args.store, args.run)
    _check_records(run)
    if args.npz is not None:
        return _write_arrays(args, run)
    if args.replay is not None:
        return _write_replay(args, run)
    if args.out is not None:
        raise UsageError("--out: expected --npz NUMBER or --replay NUMBER, which say what to write")
    return _list(args, run)


def _check_records(run: Run) -> None:
    """Raise UsageError for a run whose algorithm records nothing."""
    from agents.registry import method_of_run

    method = method_of_run(run.info)
    if not method.trajectories_setting:
        raise UsageError(
            f"run {run.name!r} learned {run.info.game!r} with the algorithm {method.name!r}, which "
            "records no trajectories"
        )


def _list(args: Namespace, run: Run) -> int:
    from arena.recording.trajectories import newest_trajectories, trajectories_table

    found = newest_trajectories(run, args.limit)
    document = {
        "run": run.name,
        "game": run.info.game,
        "trajectories": [t.to_json() for t in found],
    }
    answer(args, document, lambda: trajectories_table(found) if found else _none(run))
    return 0


def _none(run: Run) -> str:
    """Say that a run has recorded nothing, and which setting records."""
    from agents.registry import method_of_run

    setting = method_of_run(run.info).trajectories_setting
    return (
        f"run {run.name!r} has no recorded matches yet: they are stored at checkpoints, and "
        f"--{setting.replace('_', '-')} N records those of N places of each worker"
    )


def _found(run: Run, number: int) -> Trajectory:
    from arena.recording.trajectories import TrajectoryError, find_trajectory, newest_trajectories

    if not newest_trajectories(run, 1):
        raise TrajectoryError(_none(run))
    return find_trajectory(run, number)


def _write_arrays(args: Namespace, run: Run) -> int:
    from arena.recording.trajectories import check_arrays_name, write_arrays

    path = Path(args.out or f"{run.name}-{args.npz}.npz")
    check_arrays_name(path)
    found = _found(run, args.npz)
    write_arrays(path, found)
    document = {"path": str(path), **found.to_json()}
    answer(args, document, lambda: f"{path}: {found.steps} steps of match {found.number}")
    return 0


def _write_replay(args: Namespace, run: Run) -> int:
    from arena.recording.trajectories import check_match_name, write_match

    path = Path(args.out or f"{run.name}-{args.replay}.replay")
    check_match_name(path)
    found = _found(run, args.replay)
    replay = write_match(path, run, found)
    document = {
        "path": str(path),
        "agents": replay.names,
        "digest": replay.digest.hex(),
        **found.to_json(),
    }
    left, right = replay.names
    told = f"{path}: {left} against {right}, {found.steps} decisions; `ludens play {path}` shows it"
    answer(args, document, lambda: told)
    return 0
