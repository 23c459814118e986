"""Commands on scores in environments: of agents, of a run's checkpoints, of a sweep's runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.options import (
    INTERRUPTED,
    answer,
    drawn,
    environment_arguments,
    in_store,
    json_argument,
    print_json,
    seed_argument,
    store_argument,
)
from configs.command_line import UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from arena.evaluation.evaluator import Evaluator
    from arena.evaluation.following import Progress
    from arena.evaluation.records import Evaluation
    from arena.evaluation.settings import EvaluationSettings
    from envs.vector import EnvironmentClass
    from store.run import Run

GAMES = 30  # of each agent (Mnih et al. 2015)
RANDOM = "random"
BOARD_PLAYERS = ("mcts", "solver", "human")


def evaluate_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "agents",
        nargs="+",
        metavar="RUN@STEP",
        help="a run's checkpoint (RUN: the newest); or random, with --env",
    )
    parser.add_argument(
        "--games", type=int, default=GAMES, metavar="N", help=f"of each agent (default: {GAMES})"
    )
    seed_argument(parser, "random seed of environments and play")
    parser.add_argument(
        "--environments",
        type=int,
        default=10,
        metavar="K",
        help="play in up to K environments at once; a seed repeats the games with the same K "
        "(default: 10)",
    )
    environment_arguments(parser)
    parser.add_argument(
        "--follow", action="store_true", help="go on with each new checkpoint of a run in training"
    )
    json_argument(parser, "one JSON object for each evaluation")
    store_argument(parser)


def evaluate(args: Namespace) -> int:
    from arena.evaluation.text import EvaluationProgress

    if args.follow and len(args.agents) > 1:
        raise UsageError(f"--follow: expected one run, got {len(args.agents)}")
    settings = _settings(args, args.games)
    with EvaluationProgress() as progress:
        for text in args.agents:
            _evaluate_agent(text, args, settings, progress)
    return 0


def _evaluate_agent(
    text: str, args: Namespace, settings: EvaluationSettings, progress: Progress
) -> None:
    from dataclasses import replace

    from arena.evaluation.evaluator import Evaluator, evaluate_random
    from arena.evaluation.following import evaluate_new, evaluate_one
    from arena.match.contenders import newest_step
    from store.run import open_run

    name, step, epsilon = _parsed(text)
    if name == RANDOM:
        if args.env is None or args.follow:
            raise UsageError("random: expected --env with the environment, and no --follow")
        named = _environment(args)
        assert named is not None
        found = evaluate_random(named, settings, partial(progress, RANDOM))
        _show(RANDOM, found, args)
        return
    if args.follow and step is not None:
        raise UsageError(f"{text}: --follow evaluates new checkpoints; expected a run's name alone")
    if epsilon is not None:
        settings = replace(settings, epsilon=epsilon)
    evaluator = Evaluator(open_run(args.store, name), settings, _environment(args))
    if args.follow:
        for found in evaluate_new(evaluator, progress=progress):
            _show(evaluator.agent_name(found.key.step or 0), found, args)
        return
    step = newest_step(evaluator.run) if step is None else step
    _show(evaluator.agent_name(step), evaluate_one(evaluator, step, progress), args)


def evaluate_runs(environments: Mapping[str, str], store: str) -> None:
    """Evaluate and print the newest checkpoint of each run, {name: environment as typed}."""
    from arena.evaluation.text import EvaluationProgress, evaluation_text
    from arena.match.contenders import newest_step
    from arena.status_line import clear_line

    settings = _settings_of_all_cores(GAMES)
    with EvaluationProgress() as progress:
        for name, word in environments.items():
            evaluator = _evaluator(store, name, settings, word)
            step = newest_step(evaluator.run)
            agent = evaluator.agent_name(step)
            found = evaluator.evaluate(step, partial(progress, agent))
            clear_line()
            print(evaluation_text(agent, found), flush=True)


def _settings_of_all_cores(games: int) -> EvaluationSettings:
    from agents.cores import allowed_cores, use_threads
    from arena.evaluation.settings import EvaluationSettings

    use_threads(allowed_cores())
    return EvaluationSettings(games, threads=allowed_cores())


def _evaluator(store: str, run: str, settings: EvaluationSettings, word: str) -> Evaluator:
    """Return what evaluates a run in the environment of this name, as typed."""
    from arena.evaluation.evaluator import Evaluator
    from envs.vector import typed_environment
    from store.run import open_run

    return Evaluator(open_run(store, run), settings, typed_environment(word))


def _parsed(text: str) -> tuple[str, int | None, float | None]:
    """Return name, step and epsilon of an agent."""
    from arena.names import AgentNameError, parse_agent_name

    name, step, options = parse_agent_name(text)
    if name in BOARD_PLAYERS:
        raise AgentNameError(
            f"agent {text!r} plays no environment: expected a run's name, or random with --env"
        )
    if set(options) - {"epsilon"}:
        raise AgentNameError(f"agent {text!r}: expected no option but epsilon, as in RUN:epsilon=0")
    if "epsilon" not in options:
        return name, step, None
    try:
        return name, step, float(options["epsilon"])
    except ValueError:
        raise AgentNameError(
            f"agent {text!r}: epsilon {options['epsilon']!r} is not a number"
        ) from None


def _show(agent: str, found: Evaluation, args: Namespace) -> None:
    from arena.evaluation.text import evaluation_text
    from arena.status_line import clear_line

    clear_line()
    if args.json:
        print_json({"agent": agent, **found.to_json()}, flush=True)
    else:
        print(evaluation_text(agent, found), flush=True)


def _settings(args: Namespace, games: int, *, environments: int = 10) -> EvaluationSettings:
    """Return the settings that the options name; beside a training run they use one thread."""
    from agents.cores import allowed_cores, use_threads
    from arena.evaluation.settings import EvaluationSettings

    threads = 1 if args.follow else allowed_cores()
    use_threads(threads)
    return EvaluationSettings(
        games,
        args.protocol or "",
        args.epsilon,
        args.seed,
        getattr(args, "environments", environments),
        threads,
    )


def _environment(args: Namespace) -> str | EnvironmentClass | None:
    from envs.vector import typed_environment

    return None if args.env is None else typed_environment(args.env)


# --- a run's checkpoints --------------------------------------------------------------------------


def have_scores(runs: Sequence[Run]) -> bool:
    """Return whether the first run's agents have scores in an environment, by its algorithm."""
    from agents.registry import method_of_run

    return method_of_run(runs[0].info).acts_in(runs[0].info.game)


def rate_scores(args: Namespace, runs: Sequence[Run], plot: Path | None) -> int:
    """Evaluate checkpoints of runs of an environment, as a table and a plot."""
    from arena.evaluation.evaluator import Evaluator
    from arena.evaluation.following import evaluate_chosen
    from arena.evaluation.plot import write_plot
    from arena.evaluation.sweep import check_distinct
    from arena.evaluation.table import table_of
    from arena.evaluation.text import EvaluationProgress, table_text
    from arena.status_line import clear_line
    from store import checkpoints
    from store.errors import StoreError

    if args.checkpoints < 1:
        raise UsageError(f"--checkpoints {args.checkpoints}: expected 1 or more")
    check_distinct([run.name for run in runs])
    settings = _settings(args, GAMES if args.games is None else args.games)
    evaluators = [Evaluator(run, settings, _environment(args)) for run in runs]
    table_of(evaluators)  # refuses those that do not compare before a game is played
    for run in runs:
        if not (args.follow or checkpoints.steps(run)):
            raise StoreError(f"run {run.name!r} has no checkpoint yet; there is nothing to rate")

    def settled() -> None:
        table = table_of(evaluators)
        clear_line()
        plots = drawn(lambda: write_plot(table, plot) if plot and table.rows else [])
        if args.json:
            print_json({**table.to_json(), "plots": plots}, flush=True)
        else:
            print(table_text(table), *(f"plot: {path}" for path in plots), sep="\n", flush=True)

    with EvaluationProgress() as progress:
        is_complete = evaluate_chosen(
            evaluators, args.checkpoints, progress=progress, settled=settled, follow=args.follow
        )
    return 0 if is_complete or args.follow else INTERRUPTED


# --- an ablation ----------------------------------------------------------------------------------


def scores_comparison(args: Namespace, environment: str) -> Callable[[Mapping[str, str]], int]:
    """Return what evaluates and compares the newest checkpoints of runs, {run: variant's label}.

    The options are checked here, before the runs train.
    """
    from arena.evaluation.ablation import score_ablation, score_ablation_text
    from arena.evaluation.following import evaluate_chosen
    from arena.evaluation.text import EvaluationProgress
    from arena.status_line import clear_line

    settings = _settings_of_all_cores(GAMES if args.rating_games is None else args.rating_games)

    def compare(labels: Mapping[str, str]) -> int:
        evaluators = {
            label: _evaluator(args.store, run, settings, environment)
            for run, label in labels.items()
        }

        def settled() -> None:
            clear_line()
            found = score_ablation(evaluators)
            answer(args, found.to_json(), lambda: score_ablation_text(found))

        with EvaluationProgress() as progress:
            listed = [*evaluators.values()]
            is_complete = evaluate_chosen(listed, 1, progress=progress, settled=settled)
        return 0 if is_complete else INTERRUPTED

    return compare


# --- a sweep --------------------------------------------------------------------------------------


def report_sweep(args: Namespace) -> int:
    """Write the report of several runs, or of a sweep by its prefix."""
    from arena.evaluation.sweep import check_distinct, runs_of_sweep, sweep_of
    from arena.monitor.report.sweep_page import sweep_text, write_sweep_report
    from store.run import open_run

    if args.sweep and args.runs:
        raise UsageError("--sweep finds its runs by their names: expected no RUN beside it")
    if args.game:
        raise UsageError("--game draws the boards of one run; the report of several has none")
    check_distinct(args.runs)
    if args.sweep:
        runs = runs_of_sweep(args.store, args.sweep)
    else:
        runs = [open_run(args.store, name) for name in args.runs]
    sweep = sweep_of(runs)
    title = args.sweep or ", ".join(args.runs)
    path = Path(args.out or f"{args.sweep or 'runs'}.html")
    written = write_sweep_report(sweep, title, path, f"{len(runs)} runs in {args.store}")
    if sweep.missing:
        command = f"ludens evaluate {' '.join(sweep.missing)}{in_store(args.store)}"
        print(f"note: not evaluated yet: {command}", file=sys.stderr)
    document: Mapping[str, Any] = {"path": written.path, **sweep.to_json()}
    answer(args, document, lambda: f"{sweep_text(sweep)}\n{written.path}: {written.size:,} bytes")
    return 0
