"""The command that measures what each technique of a preset is worth."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from commands.evaluating import scores_comparison
from commands.options import (
    INTERRUPTED,
    OPENINGS,
    answer,
    changed_game_argument,
    chosen_openings,
    json_argument,
    openings_arguments,
    refuse_options,
    store_argument,
    turn_minutes,
)
from commands.teams.rating import teams_comparison
from commands.turns import budget, train_variants
from configs.command_line import UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from agents.training import TrainConfig
    from arena.rating.ladder import LadderState
    from configs.ablation import Variant

WIDTH, SIMULATIONS = 20.0, 64
TURN_MINUTES = 2.0
OF_BOARDS = {"width": WIDTH, "simulations": SIMULATIONS, **OPENINGS}
"""Options of games on boards alone, with their defaults."""


def ablate_arguments(parser: ArgumentParser) -> None:
    from configs.options import add_config_options

    parser.usage = (
        "ludens ablate PRESET --without A,B [--minutes M] [--store URL] [--SETTING X ...]"
    )
    parser.add_argument("preset", metavar="PRESET", help="a preset, a .toml file, or a game")
    parser.add_argument(
        "--without", metavar="A,B", default="", help=f"leave out, one at a time: {_techniques()}"
    )
    parser.add_argument(
        "--with",
        dest="settings",
        metavar="FIELD=VALUE",
        action="append",
        default=[],
        help="add a variant with this setting; may be repeated",
    )
    parser.add_argument(
        "--no-control", action="store_true", help="do not train the preset with another seed"
    )
    parser.add_argument(
        "--runs", metavar="NAME", help="prefix of the runs' names (default: PRESET-ablation)"
    )
    numbers = (
        ("--turn", float, None, "M", "minutes that a variant trains before the next (default: 2)"),
        ("--cores", int, None, "N", "train at once under Ray, each on N cores, and not in turns"),
        ("--rating-games", int, None, "N", "games of each pairing of teams (default: 40), or of "
            "each variant with scores (default: 30); on boards at most (default: 20000)"),
        ("--width", float, WIDTH, "E", "on boards: play until the bars are +-E Elo (default: 20)"),
        ("--simulations", int, SIMULATIONS, "N", "on boards, a move when rated; 0 plays without "
            "search (default: 64)"),
    )  # fmt: skip
    for option, kind, default, metavar, told in numbers:
        parser.add_argument(option, type=kind, default=default, metavar=metavar, help=told)
    changed_game_argument(parser)
    openings_arguments(parser)
    json_argument(parser)
    store_argument(parser)
    add_config_options(parser, first=("minutes", "seed"))


def _techniques() -> str:
    from agents.registry import BUILT_IN, find_techniques

    listed = (f"{', '.join(find_techniques(name))} ({name})" for name in BUILT_IN)
    return "; ".join(listed)


def ablate(args: Namespace) -> int:
    from configs.ablation import plan_ablation
    from configs.loader import default_run_name
    from configs.options import given_options

    minutes = turn_minutes(args, TURN_MINUTES)
    if args.cores is not None and args.cores < 1:
        raise UsageError(f"--cores {args.cores}: expected 1 or more")
    without = [word.strip() for word in args.without.split(",") if word.strip()]
    variants = plan_ablation(
        args.preset, given_options(args), without, args.settings, control=not args.no_control
    )
    names = args.runs or f"{default_run_name(args.preset)}-ablation"
    runs = {f"{names}-{variant.suffix}": variant for variant in variants}
    first = variants[0].config
    compare = _comparison(args, first)
    title = f"{first.game}, {len(runs)} variants, {budget(first)} each, in {args.store!r}"
    if not _train(runs, title, args, minutes):
        print("stopped; the same command goes on from there", file=sys.stderr)
        return INTERRUPTED
    return compare({run: variant.label for run, variant in runs.items()})


def _comparison(args: Namespace, first: TrainConfig) -> Callable[[Mapping[str, str]], int]:
    """Return what compares the trained runs, {run: label}; its options are checked here."""
    from agents.registry import method_of
    from envs.registry import TEAM_GAMES

    if method_of(first).acts_in(first.game):
        refuse_options(args, OF_BOARDS, f"is for board games, and {first.game} has scores")
        return scores_comparison(args, first.game)
    if first.game in TEAM_GAMES:
        refuse_options(args, OF_BOARDS, f"is for board games, and {first.game} is a game of teams")
        return teams_comparison(args, first.seed)
    return _boards_comparison(args, first)


def _train(runs: Mapping[str, Variant], title: str, args: Namespace, minutes: float) -> bool:
    """Train all variants to the end, `minutes` a turn; False if interrupted."""
    # With --json, standard output holds the object alone.
    how = {"store": args.store, "changed_game": args.changed_game, "on_stderr": args.json}
    return train_variants(runs, title, minutes=minutes, cores=args.cores, **how)


def _boards_comparison(args: Namespace, first: TrainConfig) -> Callable[[Mapping[str, str]], int]:
    from arena.rating.ablation import ablation_ladder, ablation_of, measure_errors
    from arena.rating.ablation_text import ablation_text
    from arena.rating.ladder import LadderSettings
    from arena.rating.ladder_text import LadderProgress
    from arena.rating.rate import rate
    from selfplay.own_game import game_of

    settings = LadderSettings(
        args.width,
        args.simulations,
        most=1,
        games=LadderSettings.games if args.rating_games is None else args.rating_games,
        seed=first.seed,
    )
    game = game_of(first)
    openings = chosen_openings(game, args)

    def compare(labels: Mapping[str, str]) -> int:
        ladder = ablation_ladder(game, args.store, [*labels], openings, settings)
        errors = measure_errors(ladder)
        progress = LadderProgress()

        def settled(state: LadderState) -> None:
            progress.clear()
            found = ablation_of(ladder, state, labels, errors)
            answer(args, found.to_json(), lambda: ablation_text(found))

        return 0 if rate(ladder, progress=progress, settled=settled) else INTERRUPTED

    return compare
