"""The command that trains: one preset, or in several environments with several seeds."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from commands.options import (
    INTERRUPTED,
    changed_game_argument,
    in_store,
    refuse_options,
    store_argument,
    turn_minutes,
)
from commands.turns import budget, stop_signal, train_variants
from configs.command_line import UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from agents.metrics import MetricSpec
    from agents.progress import Progress
    from agents.training import TrainConfig
    from arena.monitor.stop_signal import StopSignal
    from selfplay.tensorboard_log import TensorBoardLog

TURN_MINUTES = 10.0

# Names of agents, which no run may have.
RESERVED = (
    "random",
    "mcts",
    "solver",
    "human",
    "wanderer",
    "pusher",
    "fighter",
    "uci",
    "usi",
    "gtp",
    "xboard",
)


def train_arguments(parser: ArgumentParser) -> None:
    from configs.options import add_config_options

    parser.usage = "ludens train PRESET [--run NAME] [--store URL] [--minutes M] [--SETTING X ...]"
    parser.add_argument("preset", metavar="PRESET", help="a preset, a .toml file, or a game")
    parser.add_argument("--run", metavar="NAME", help="name of the run (default: the preset's)")
    changed_game_argument(parser)
    parser.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help="N runs, in turns, of each --env A,B",
    )
    parser.add_argument(
        "--turn", type=float, metavar="M", help=f"minutes of a turn (default: {TURN_MINUTES:g})"
    )
    parser.add_argument(
        "--cores",
        type=int,
        metavar="N",
        help="train these runs at once under Ray, each on N cores, and not in turns",
    )
    store_argument(parser)
    add_config_options(parser, first=("game", "minutes", "rows", "seed", "keep_all"))


def train(args: Namespace) -> int:
    from configs.loader import default_run_name, load_config
    from configs.options import given_options

    options = given_options(args)
    if args.seeds is not None or "," in options.get("game", ""):
        return _train_sweep(args, options)
    why = "expected several runs (--seeds N, --env A,B)"
    refuse_options(args, {"cores": None, "turn": None}, why)
    config = load_config(args.preset, options)
    name = args.run or default_run_name(args.preset)
    refuse_agent_name(name)
    config = _continued(config, name, args)
    _say_what_is_missing()
    # Print first: importing the rest takes seconds.
    from agents.registry import find_metrics
    from arena.monitor.panel import LivePanel, open_panel

    specs = find_metrics(config.algorithm)
    where = f"run {name!r} in {args.store!r}, {budget(config)}; {_kept(config)}"
    with (
        open_panel(LivePanel, config.game, where, specs) as display,
        stop_signal(display.notice) as stop,
    ):
        last, trained = _train_and_watch(config, args, name, stop, display)
    print(_farewell(config, name, args.store, stopped=stop(), trained=trained, last=last))
    return 0


def _train_sweep(args: Namespace, options: Mapping[str, str]) -> int:
    """Train a preset in several environments with several seeds; then evaluate them.

    In turns, or all at once with `--cores`.
    """
    from dataclasses import replace

    from agents.registry import method_of
    from commands.evaluating import evaluate_runs
    from configs.loader import default_run_name
    from configs.sweep import plan_sweep

    minutes = turn_minutes(args, TURN_MINUTES)
    if args.cores is not None and args.cores < 1:
        raise UsageError(f"--cores {args.cores}: expected 1 or more")
    prefix = args.run or default_run_name(args.preset)
    refuse_agent_name(prefix)
    planned = plan_sweep(args.preset, options, 1 if args.seeds is None else args.seeds)
    runs = {
        name: replace(variant, config=_continued(variant.config, name, args))
        for name, variant in ((f"{prefix}-{v.suffix}", v) for v in planned)
    }
    first = planned[0].config
    title = f"sweep {prefix}: {len(runs)} runs, {budget(first)} each, in {args.store!r}"
    how = {"store": args.store, "changed_game": args.changed_game}
    if not train_variants(runs, title, minutes=minutes, cores=args.cores, **how):
        print("stopped; the same command goes on from there", file=sys.stderr)
        return INTERRUPTED
    if not method_of(first).acts_in(first.game):
        print(f"rate them:  ludens rate {' '.join(runs)}{in_store(args.store)}")
        return 0
    evaluate_runs({run: variant.config.game for run, variant in runs.items()}, args.store)
    print(f"compare them:  ludens report --sweep {prefix}{in_store(args.store)}")
    return 0


def _continued(config: TrainConfig, name: str, args: Namespace) -> TrainConfig:
    """Return the settings to train with: an existing run's own, with the options given."""
    from configs.loader import asked_settings
    from configs.options import given_options
    from selfplay.resuming import continue_run

    asked = asked_settings(args.preset, given_options(args))
    found = continue_run(args.store, name, config, asked)
    if found.kept:
        listed = ", ".join(f"{n} is {old!r}, not {new!r}" for n, (old, new) in found.kept.items())
        print(f"run {name!r} keeps the settings that it began with: {listed}")
    if found.added:
        listed = ", ".join(f"{n} = {value!r}" for n, value in found.added.items())
        print(f"run {name!r} has the defaults of settings that came after it: {listed}")
    return found.config


def _train_and_watch(
    config: TrainConfig, args: Namespace, name: str, stop: StopSignal, display: Any
) -> tuple[Progress, bool]:
    """Return the last stage, and whether there was anything left to train."""
    from contextlib import ExitStack
    from functools import partial

    from agents.registry import method_of
    from arena.monitor.listeners import tell_listeners
    from arena.monitor.solver_errors import SolverErrorMeter
    from benchmarks.machine import machine_facts
    from selfplay.journal import Journal
    from selfplay.loop import train
    from selfplay.own_game import game_of

    algorithm = method_of(config)
    measure = SolverErrorMeter(game_of(config).name, partial(algorithm.probes, config))
    stages = train(
        config, store_url=args.store, run_name=name, stop=stop, changed_game=args.changed_game
    )
    with ExitStack() as opened:
        curves = [opened.enter_context(log) for log in _curves(args.store, name, algorithm.metrics)]
        journal = opened.enter_context(Journal(args.store, name, machine_facts()))
        begun = _Begun()
        last = tell_listeners(stages, measure, [begun, display, *curves, journal])
        return last, begun.at != (last.positions, last.learner_steps)


class _Begun:
    """Notes the rows and steps of the first stage, which those before this session made."""

    at: tuple[int, int] | None = None

    def show(self, progress: Progress) -> None:
        self.at = self.at or (progress.positions, progress.learner_steps)


def _curves(store: str, name: str, specs: Sequence[MetricSpec]) -> list[TensorBoardLog]:
    """Open the TensorBoard log, if TensorBoard is installed."""
    from configs.missing_packages import is_installed

    if not is_installed("tensorboard"):
        return []
    from selfplay.tensorboard_log import TensorBoardLog

    return [TensorBoardLog(store, name, specs)]


def _say_what_is_missing() -> None:
    from configs.missing_packages import how_to_install, is_installed

    if not is_installed("tensorboard"):
        print(f"no curves for TensorBoard, which is not installed: {how_to_install('tensorboard')}")


def _farewell(
    config: TrainConfig, name: str, store: str, *, stopped: bool, trained: bool, last: Progress
) -> str:
    if stopped:
        return f"stopped at step {last.learner_steps:,}; the same command goes on from there"
    reached = {
        "games": 0 < config.games <= last.games,
        "rows": 0 < config.rows <= last.positions,
    }
    from agents.registry import method_of
    from envs.registry import TEAM_GAMES

    limit = next((name for name, is_reached in reached.items() if is_reached), "minutes")
    more = f"the same command with more --{limit} trains on"
    done = "trained" if trained else "was trained already"
    told = f"run {name!r} {done}, to step {last.learner_steps:,}: {more}\n"
    where = in_store(store)
    if config.game in TEAM_GAMES:
        return (
            f"{told}rate it:  ludens rate {name}{where}\n"
            f"match:    ludens match {config.game} {name} fighter{where}"
        )
    if not method_of(config).acts_in(config.game):
        return f"{told}play it:  ludens play {config.game} --agent {name}{where}"
    named = f" --env {config.game}" if ":" in config.game else ""  # no store says where code is
    scored = f"{told}score it:  ludens evaluate {name}{named}{where}"
    if method_of(config).learns_teams and not _has_choices(config.game):
        return scored
    return f"{scored}\nwatch it:  ludens play {config.game} --agent {name}{where}"


def _has_choices(game: str) -> bool:
    """Return whether it is a known environment of one player with choices, which can be watched."""
    from envs.vector import find_environment

    try:
        find_environment(game)
    except ValueError:
        return False
    return True


def _kept(config: TrainConfig) -> str:
    if config.keep_all:
        return "keeps all checkpoints and replay"
    return "drops old checkpoints and replay (--keep-all keeps all)"


def refuse_agent_name(name: str) -> None:
    if name in RESERVED:
        raise UsageError(f"run name {name!r} is an agent's name ({', '.join(RESERVED)})")
