"""Commands that measure strength: a match, and a ladder of checkpoints.

A game says of what kind it is: those of teams are played and rated in `commands.teams.rating`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from commands.evaluating import have_scores, rate_scores
from commands.options import (
    INTERRUPTED,
    OF_SCORES,
    OPENINGS,
    chosen_openings,
    drawn,
    environment_arguments,
    game_argument,
    json_argument,
    named_game,
    named_match_game,
    openings_arguments,
    own_game_argument,
    print_json,
    record_file,
    records_argument,
    refuse_options,
    seed_argument,
    store_argument,
)
from commands.teams.rating import match_teams, rate_teams, team_game_of_runs
from configs.command_line import UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from agents.players import Player
    from arena.game_records import RecordFile
    from arena.match.clock import TimeControl
    from arena.match.kept_games import KeptGames
    from arena.match.match import MatchResult
    from arena.match.openings import Openings
    from arena.match.pool import MatchPool
    from arena.rating.ladder import LadderState
    from arena.rating.sprt import Sprt
    from envs.game import Game
    from store.run import Run

LADDER_GAMES = 20_000
ERROR_RATE = 0.05  # of --sprt
ANCHORS = "random,mcts:100,mcts:1000"

# Options of `match`, and of `rate`, that one of their ways does not have, with their defaults.
OF_BOARDS = {**OPENINGS, "workers": 0}
OF_MATCHES = {
    "width": 25.0,
    "simulations": 64,
    "anchors": ANCHORS,
    "game": None,
    **OF_BOARDS,
}
OF_ENVIRONMENTS = {"env": None, **OF_SCORES}


def match_arguments(parser: ArgumentParser) -> None:
    game_argument(parser)
    parser.add_argument("first", metavar="A", help="an agent; see ludens --help")
    parser.add_argument("second", metavar="B", help="another")
    parser.add_argument(
        "--games", type=int, metavar="N", help="even; with --sprt at most (default: 100, 20000)"
    )
    seed_argument(parser, "random seed of openings and play")
    openings_arguments(parser)
    parser.add_argument(
        "--sprt",
        type=float,
        nargs=2,
        metavar=("ELO0", "ELO1"),
        help="stop once it is clear whether A is at most ELO0 or at least ELO1 stronger",
    )
    for rate, of in (("--alpha", "ELO1"), ("--beta", "ELO0")):
        told = f"how often to accept {of} wrongly (default: {ERROR_RATE:g})"
        parser.add_argument(rate, type=float, default=ERROR_RATE, metavar="P", help=told)
    parser.add_argument(
        "--clock",
        metavar="S+I",
        help="play by the clock: S seconds a game for each side, and I more after each move; "
        "whoever runs out of time loses, and the games are not recorded",
    )
    parser.add_argument(
        "--no-record", action="store_true", help="neither use nor write the run's records"
    )
    records_argument(parser, "the games")
    _workers_argument(parser)
    json_argument(parser)
    store_argument(parser)


def match(args: Namespace) -> int:
    from arena.rating.sprt import Sprt
    from envs.teams import TeamGame

    game = named_match_game(args.game)
    if args.sprt is None:
        rates = {"alpha": ERROR_RATE, "beta": ERROR_RATE}
        refuse_options(args, rates, "expected --sprt ELO0 ELO1, whose errors it limits")
    sprt = Sprt(args.sprt[0], args.sprt[1], args.alpha, args.beta) if args.sprt else None
    if isinstance(game, TeamGame):
        options = {**OF_BOARDS, "records": None, "clock": None}
        refuse_options(args, options, f"{game.name} is played from seeds")
        return match_teams(args, game, sprt)
    openings = chosen_openings(game, args)
    file = record_file(game, args.records)
    return _match_boards(args, game, openings, sprt, file)


def _match_boards(
    args: Namespace, game: Game, openings: Openings, sprt: Sprt | None, file: RecordFile | None
) -> int:
    from arena.match.contenders import exact_name, home_of
    from arena.match.kept_games import KeptGames
    from arena.match.match import play_match
    from arena.match.origins import Origins
    from arena.match.records import MatchLog
    from arena.match.text import MatchProgress, summary
    from arena.names import find_agent
    from arena.rating.recorded import note_best_checkpoint

    clock = _clock(args)
    names = exact_name(args.first, game, args.store), exact_name(args.second, game, args.store)
    first, second = (find_agent(name, game, args.store, programs=True) for name in names)
    is_recorded = clock is None and not args.no_record
    home = home_of([*names], game, args.store) if is_recorded else None
    key = Origins(args.store).key(game.name, names, args.seed, openings.label)
    log = MatchLog(home.files, key) if home else None
    kept = None if file is None else KeptGames(game, file)
    with _match_pool(args.game, args, names) as pool, MatchProgress() as report:
        if pool is not None:
            _stop_programs(first, second)
        result = play_match(
            game,
            first,
            second,
            args.games,
            seed=args.seed,
            openings=openings,
            sprt=sprt,
            clock=clock,
            log=log,
            pool=pool,
            report=report,
            keep=kept or (lambda planned, batch: None),
        )
    if home:
        note_best_checkpoint(home)
    print_json(result.to_json()) if args.json else print(summary(result, sprt))
    if kept is not None:
        _tell_kept(kept, result)
    return 0


def _clock(args: Namespace) -> TimeControl | None:
    from arena.match.clock import parse_clock

    if args.clock is None:
        return None
    try:
        return parse_clock(args.clock)
    except ValueError as error:
        raise UsageError(f"--{error}") from None


def _tell_kept(kept: KeptGames, result: MatchResult) -> None:
    """Say on standard error which games of a match are not in its file."""
    left_out = {
        "were played before, and their moves are not stored": result.resumed_games,
        f"begin at a position for which {result.game} has no text": kept.left_out,
    }
    for why, count in left_out.items():
        if count:
            print(f"{kept.file.path}: {count} games {why}", file=sys.stderr)


def rate_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="training runs of one game")
    numbers: tuple[tuple[str, type, float | None, str, str], ...] = (
        ("--width", float, 25.0, "E", "play until checkpoints are known to +-E Elo (default: 25)"),
        ("--simulations", int, 64, "N", "of a checkpoint, a move; 0 plays without search"),
        ("--checkpoints", int, 12, "N", "of each run at most, the first and newest among them"),
        (
            "--games",
            int,
            None,
            "N",
            f"new games at most (default: {LADDER_GAMES}); of an "
            "environment, games of each checkpoint (default: 30); of teams, of each pairing (40)",
        ),
    )
    for option, kind, default, metavar, told in numbers:
        parser.add_argument(option, type=kind, default=default, metavar=metavar, help=told)
    seed_argument(parser, "random seed of openings and play")
    parser.add_argument(
        "--anchors",
        default=ANCHORS,
        metavar="A,B=ELO",
        help="further agents, fixed at an Elo if given (default: random,mcts:100,mcts:1000)",
    )
    own_game_argument(parser, "where the runs learned one")
    parser.add_argument("--follow", action="store_true", help="go on while a run is in training")
    parser.add_argument(
        "--plot", metavar="FILE", help="the picture, .png and .svg (default: in the run's folder)"
    )
    openings_arguments(parser)
    environment_arguments(parser)
    _workers_argument(parser)
    json_argument(parser, "one JSON object for each state")
    store_argument(parser)


def rate(args: Namespace) -> int:
    from arena.rating.anchors import parse_anchors
    from arena.rating.ladder import Ladder, LadderSettings, open_runs
    from arena.rating.ladder_text import LadderProgress, table_text
    from arena.rating.plot import write_plot
    from arena.rating.rate import rate
    from arena.rating.table import note_table, table_of
    from store.run import open_run

    opened = [open_run(args.store, name) for name in args.runs]
    if team_game_of_runs(opened):
        why = f"run {opened[0].name!r} learned a game of teams"
        refuse_options(args, {**OF_MATCHES, **OF_ENVIRONMENTS}, why)
        return rate_teams(args, args.runs, _plot_path(args, opened))
    if have_scores(opened):
        refuse_options(args, OF_MATCHES, f"run {opened[0].name!r} has scores, and plays no matches")
        return rate_scores(args, opened, _plot_path(args, opened))
    refuse_options(
        args, OF_ENVIRONMENTS, f"run {opened[0].name!r} plays matches, and has no scores"
    )
    games = LADDER_GAMES if args.games is None else args.games
    settings = LadderSettings(args.width, args.simulations, args.checkpoints, games, args.seed)
    given = named_game(args.game) if args.game else None
    game, runs = open_runs(args.store, args.runs, given)
    plot = _plot_path(args, runs)
    openings = chosen_openings(game, args)
    anchors = parse_anchors(args.anchors, game, args.store)
    progress = LadderProgress()

    def settled(state: LadderState) -> None:
        table = table_of(ladder, state)
        note_table(ladder, table)
        progress.clear()
        plots = drawn(lambda: write_plot(table, plot) if plot else [])
        if args.json:
            print_json({**table.to_json(), "plots": plots}, flush=True)
        else:
            print(table_text(table), *(f"plot: {path}" for path in plots), sep="\n", flush=True)

    with _match_pool(args.game or game.name, args, anchors) as pool:
        ladder = Ladder(game, args.store, runs, anchors, openings, settings, pool)
        is_complete = rate(ladder, follow=args.follow, progress=progress, settled=settled)
    return 0 if is_complete or args.follow else INTERRUPTED


def _plot_path(args: Namespace, runs: list[Run]) -> Path | None:
    """Return the picture's path; None without matplotlib, unless --plot asks for one."""
    from arena.rating.plot import check_path, default_path
    from configs.missing_packages import how_to_install, is_installed

    if args.plot:
        return check_path(Path(args.plot))
    if is_installed("matplotlib"):
        return default_path(runs)
    print(f"no plot without matplotlib: {how_to_install('matplotlib')}", file=sys.stderr)
    return None


def _workers_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--workers", type=int, default=0, metavar="N", help="play on N cores, by Ray"
    )


@contextmanager
def _match_pool(word: str, args: Namespace, names: Iterable[str]) -> Iterator[MatchPool | None]:
    """Connect to Ray for that many workers, here or on the given cluster; None for 0.

    The workers may start those of the `names`, typed by a person, that are other programs.
    """
    if args.workers < 0:
        raise UsageError(f"--workers {args.workers}: expected 0 or more")
    if not args.workers:
        yield None
        return
    from arena.match.workers import RayPool
    from arena.opponents.names import is_opponent
    from envs.game_file import typed_game
    from selfplay.cluster.ray_session import connected, settling, shared_store

    store = shared_store(args.store, args.workers)
    with connected(cpus=args.workers):
        programs = frozenset(filter(is_opponent, names))
        yield RayPool(args.workers, typed_game(word), store, settling, programs)


def _stop_programs(*players: Player) -> None:
    """End programs that were started to see whether they can play; each worker has its own."""
    from arena.opponents.opponent import OpponentPlayer

    for player in players:
        if isinstance(player, OpponentPlayer):
            player.stop()
