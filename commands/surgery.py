"""The command that makes a wider run of a trained one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commands.options import answer, in_store, json_argument, store_argument
from commands.training import refuse_agent_name
from configs.command_line import UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from agents.training import TrainConfig
    from selfplay.surgery import Operated


def surgery_arguments(parser: ArgumentParser) -> None:
    from configs.options import add_config_options

    parser.usage = (
        "ludens surgery RUN[@STEP] --config PRESET [--run NAME] [--new-budget] [--store URL] "
        "[--SETTING X ...]"
    )
    parser.add_argument(
        "source", metavar="RUN", help="the run, or RUN@STEP (default: its newest checkpoint)"
    )
    parser.add_argument(
        "--config",
        required=True,
        metavar="PRESET",
        help="the new run's settings: a preset or a .toml file, as `ludens train` takes it",
    )
    parser.add_argument("--run", metavar="NAME", help="name of the new run (default: RUN-surgery)")
    parser.add_argument(
        "--new-budget",
        action="store_true",
        help="minutes, games and rows of the new run count from 0, and schedules begin again; "
        "without it those of RUN count too",
    )
    json_argument(parser)
    store_argument(parser)
    add_config_options(parser, first=("game", "minutes", "rows", "seed", "keep_all"))


def surgery(args: Namespace) -> int:
    from configs.loader import load_config
    from configs.options import given_options

    source, step = _source(args.source)
    name = args.run or f"{source}-surgery"
    refuse_agent_name(name)
    config = load_config(args.config, given_options(args))
    from selfplay.surgery import operate

    done = operate(args.store, source, step, config, name, new_budget=args.new_budget)
    document = {
        "run": name,
        "store": args.store,
        "from": {"run": source, "step": done.step},
        **done.told,
    }
    answer(args, document, lambda: _text(done, config, source, args))
    return 0


def _source(text: str) -> tuple[str, int | None]:
    """Return the run and the step of RUN or RUN@STEP."""
    name, at, step = text.partition("@")
    if at and not (step.isascii() and step.isdigit()):
        raise UsageError(f"ludens surgery: {text!r}: expected RUN or RUN@STEP, as in RUN@12000")
    return name, int(step) if at else None


def _text(done: Operated, config: TrainConfig, source: str, args: Namespace) -> str:
    told = done.told
    opponents = (
        f", with {told['past_opponents']:,} past opponents" if told["past_opponents"] else ""
    )
    return (
        f"run {done.run.name!r} begins with checkpoint {done.step} of run {source!r}{opponents}: "
        f"{told['weights']:,} weights, before {told['weights_before']:,}\n"
        f"its outputs are the same, to {told['difference']:.0e}\n"
        f"train it:  {_train(done, config, args)}"
    )


def _train(done: Operated, config: TrainConfig, args: Namespace) -> str:
    """Return the command that trains the new run, with more minutes if they are used up."""
    from agents.running.budget import limits_of, share_used
    from configs.loader import load_config

    words = ["ludens train", args.config, "--run", done.run.name]
    if config.game != load_config(args.config).game:
        words += ["--env", config.game]
    if config.minutes and share_used(limits_of(config), done.elapsed_s, {}) >= 1.0:
        words += ["--minutes", f"{done.elapsed_s / 60.0 + config.minutes:.0f}"]
    return " ".join(words) + in_store(args.store)
