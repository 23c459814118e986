"""The front door: reads the command line and calls one function of the house.

Nothing heavy is imported before it is known to be needed: `ludens --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.command_line import FAILURE, Command, UsageError, explain, nearest, read_words

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from contextlib import AbstractContextManager

    from agents.progress import Progress
    from arena.ladder import LadderSettings, Position
    from arena.match_pool import MatchPool
    from arena.training_watch import StopSignal
    from configs.ablation import Variant
    from selfplay.config import TrainConfig
    from selfplay.doctor import Finding
    from store.retention import Window
    from store.run import Run

VERSION = "0.1.0"
INTERRUPTED = 130  # exit status
RESERVED = ("random", "mcts", "solver", "human")  # agents that no run may be named after

DESCRIPTION = """\
Ludens learns games by playing them against itself, and plays them with you.
"""

AGENTS = """\
Agents, the same wherever one is named:
  random            any legal move
  mcts:1000         tree search with random rollouts, 1000 simulations a move
  solver            perfect play, where there is a solver
  RUN               the newest checkpoint of a training run, with its tree search
  RUN@12000         the checkpoint of that step
  RUN:sims=400      ... with 400 simulations a move; sims=0 plays without search
"""


CLOSING = """
ludens COMMAND --help explains a command and gives examples.
"""


# --- train --------------------------------------------------------------------------------------


def _train_arguments(parser: ArgumentParser) -> None:
    from configs.options import add_config_options

    parser.usage = "ludens train PRESET [--run NAME] [--store URL] [--minutes M] [--SETTING X ...]"
    parser.add_argument("preset", metavar="PRESET", help="a preset, a .toml file, or a game")
    parser.add_argument("--run", metavar="NAME", help="name of the run (default: the preset's)")
    _store_argument(parser)
    add_config_options(parser, first=("minutes", "seed"))


def _train(args: Namespace) -> int:
    from configs.loader import default_run_name, load_config
    from configs.options import given_options

    config = load_config(args.preset, given_options(args))
    name = args.run or default_run_name(args.preset)
    _refuse_agent_name(name)
    # The terminal answers at once, before the seconds that the rest takes to import.
    from arena.panel import open_display

    where = f"run {name!r} in {args.store!r}, {_budget(config)}"
    with open_display(config.game, where) as display, _stop_signal(display.notice) as stop:
        last = _train_and_watch(config, args.store, name, stop, display)
    print(_farewell(config, name, stopped=stop(), last=last))
    return 0


def _train_and_watch(
    config: TrainConfig, store: str, name: str, stop: StopSignal, display: Any
) -> Progress:
    from arena.training_truth import TruthMeter
    from arena.training_watch import watch
    from benchmarks.machine import machine_facts
    from envs.registry import find_game
    from selfplay.board import TensorBoardLog
    from selfplay.journal import Journal
    from selfplay.loop import train

    truth = TruthMeter(find_game(config.game), config.search)
    stages = train(config, store_url=store, run_name=name, stop=stop)
    with TensorBoardLog(store, name) as board, Journal(store, name, machine_facts()) as journal:
        return watch(stages, truth, [display, board, journal])


def _stop_signal(say: Callable[[str], None]) -> StopSignal:
    from arena.training_watch import StopSignal

    return StopSignal(say)


def _farewell(config: TrainConfig, name: str, *, stopped: bool, last: Progress) -> str:
    if stopped:
        return f"stopped at step {last.learner_steps:,}; the same command goes on from there"
    more = "the same command with more --minutes trains on"
    done = "trained" if last.first_game_s is not None else "was trained already"
    return (
        f"run {name!r} {done}, to step {last.learner_steps:,}: {more}\n"
        f"play it:  ludens play {config.game} --agent {name}"
    )


def _budget(config: TrainConfig) -> str:
    minutes = f"{config.minutes:g} minutes" if config.minutes else ""
    games = f"{config.games:,} games" if config.games else ""
    return " or ".join(filter(None, (minutes, games))) or "until stopped"


def _refuse_agent_name(name: str) -> None:
    if name in RESERVED:
        raise UsageError(f"run name {name!r} is an agent's name ({', '.join(RESERVED)})")


# --- play, analyze, match -------------------------------------------------------------------------


def _play_arguments(parser: ArgumentParser) -> None:
    _game_argument(parser)
    parser.add_argument(
        "--agent", metavar="A", help="who plays (default: the newest run); see ludens --help"
    )
    parser.add_argument(
        "--agent2", metavar="B", default="human", help="against whom (default: you)"
    )
    parser.add_argument("--second", action="store_true", help="A moves first, you second")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of an agent's chances")
    parser.add_argument("--plain", action="store_true", help="line by line, as without a terminal")
    parser.add_argument("--web", action="store_true", help="in a browser on this machine")
    parser.add_argument(
        "--port", type=int, default=8000, metavar="P", help="of --web (default: 8000)"
    )
    _store_argument(parser)


def _play(args: Namespace) -> int:
    from arena.agent_names import HUMAN, find_agent
    from arena.play import HumanPlayer, Seat, Table, Terminal, shows_a_screen
    from envs.registry import find_game

    game = find_game(args.game)

    def seat(name: str) -> Seat:
        return HumanPlayer() if name == HUMAN else find_agent(name, game, args.store)

    notice = ""
    if args.agent is None:
        from arena.screen.opponent import default_agent

        args.agent, notice = default_agent(game, args.store)
    first, second = seat(args.agent), seat(args.agent2)
    if args.web:
        return _play_in_browser(args, game.title)
    if args.agent2 == HUMAN and args.agent != HUMAN and not args.second:
        first, second = second, first
    if shows_a_screen() and not args.plain:
        from arena.screen.app import show
        from arena.screen.session import Session

        session = Session(game, (first, second), seed=args.seed)
        return show(session, notice, plain="NO_COLOR" in os.environ)
    print(notice, end="\n" if notice else "")
    colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    Table(game, (first, second), Terminal(_read_line, print, colours), args.seed).play()
    return 0


def _play_in_browser(args: Namespace, title: str) -> int:
    """Serve this same command, which has the browser for its screen."""
    from arena.screen.web import serve

    words = [sys.executable, str(Path(__file__).resolve()), "play", args.game]
    for option in ("agent", "agent2", "seed", "store"):
        words += [f"--{option}", str(getattr(args, option))]
    serve([*words, *(["--second"] if args.second else [])], f"Ludens: {title}", args.port)
    return 0


def _read_line(prompt: str) -> str:
    """A line of input with its newline, "" at the end of input; edited where it is a terminal."""
    if sys.stdin.isatty():
        import readline  # noqa: F401  (arrow keys and history in input())
    try:
        return input(prompt) + "\n"
    except EOFError:
        return ""


def _analyze_arguments(parser: ArgumentParser) -> None:
    _game_argument(parser)
    parser.add_argument("--agent", metavar="A", required=True, help="who thinks; see ludens --help")
    parser.add_argument("--simulations", type=int, metavar="N", help="of the agent's search")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--moves", metavar="M", default="", help="the moves that lead there")
    where.add_argument(
        "--positions", metavar="FILE", help="one position a line; - is standard input"
    )
    _json_argument(parser, "one object a line: position, move, value, visits, policy, ...")
    _store_argument(parser)


def _analyze(args: Namespace) -> int:
    from arena.agent_names import find_agent
    from arena.analysis_text import write_table, write_verdict
    from arena.analyze import analyze_lines, analyze_positions
    from envs.registry import find_game

    game = find_game(args.game)
    player = find_agent(args.agent, game, args.store, simulations=args.simulations)
    if args.positions is not None:
        with _open_lines(args.positions) as lines:
            return write_table(analyze_lines(game, player, lines), args.positions, args.json)
    (verdict,) = analyze_positions(game, player, [game.parse_moves(args.moves)])
    write_verdict(game, verdict, args.json)
    return 0


def _open_lines(path: str) -> AbstractContextManager[Iterable[str]]:
    from contextlib import nullcontext

    return nullcontext(sys.stdin) if path == "-" else Path(path).open(encoding="utf-8")


def _match_arguments(parser: ArgumentParser) -> None:
    _game_argument(parser)
    parser.add_argument("first", metavar="A", help="an agent; see ludens --help")
    parser.add_argument("second", metavar="B", help="another")
    parser.add_argument(
        "--games", type=int, metavar="N", help="even; with --sprt at most (default: 100, 20000)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of openings and chances")
    _openings_arguments(parser)
    parser.add_argument(
        "--sprt",
        type=float,
        nargs=2,
        metavar=("ELO0", "ELO1"),
        help="stop as soon as it is known whether A is no more than ELO0, or ELO1, stronger than B",
    )
    for rate, of in (("--alpha", "ELO1"), ("--beta", "ELO0")):
        told = f"how often to accept {of} wrongly (default: 0.05)"
        parser.add_argument(rate, type=float, default=0.05, metavar="P", help=told)
    parser.add_argument(
        "--no-record", action="store_true", help="leave the run's records alone, play all anew"
    )
    _workers_argument(parser)
    _json_argument(parser)
    _store_argument(parser)


def _openings_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--opening-plies", type=int, metavar="K", help="random moves before each pair of games"
    )
    parser.add_argument(
        "--balanced", action="store_true", help="begin from positions that favour neither side"
    )


def _workers_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--workers", type=int, default=0, metavar="N", help="play on so many cores, by Ray"
    )


@contextmanager
def _match_pool(game: str, args: Namespace) -> Iterator[MatchPool | None]:
    """The Ray of so many workers, on this machine or the cluster that is told of; None without."""
    if args.workers < 0:
        raise UsageError(f"--workers {args.workers}: expected 0 or more")
    if not args.workers:
        yield None
        return
    from arena.match_workers import RayPool
    from selfplay.cluster import connected, settling, shared_store

    store = shared_store(args.store, args.workers)
    with connected(cpus=args.workers):
        yield RayPool(args.workers, game, store, settling)


def _match(args: Namespace) -> int:
    from arena.agent_names import find_agent
    from arena.contenders import exact_name, home_of
    from arena.match import play_match
    from arena.match_records import MatchKey, MatchLog
    from arena.match_text import MatchProgress, summary
    from arena.openings import balanced_openings, random_openings
    from arena.sprt import Sprt
    from envs.registry import find_game

    game = find_game(args.game)
    sprt = Sprt(args.sprt[0], args.sprt[1], args.alpha, args.beta) if args.sprt else None
    names = exact_name(args.first, game, args.store), exact_name(args.second, game, args.store)
    first, second = (find_agent(name, game, args.store) for name in names)
    openings = (balanced_openings if args.balanced else random_openings)(game, args.opening_plies)
    home = None if args.no_record else home_of([*names], game, args.store)
    key = MatchKey(game.name, names, args.seed, openings.label)
    log = MatchLog(home.files, key) if home else None
    with _match_pool(args.game, args) as pool, MatchProgress() as report:
        result = play_match(
            game,
            first,
            second,
            args.games,
            seed=args.seed,
            openings=openings,
            sprt=sprt,
            log=log,
            pool=pool,
            report=report,
        )
    _print_json(result.to_json()) if args.json else print(summary(result, sprt))
    return 0


# --- rate -----------------------------------------------------------------------------------------


def _rate_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="training runs of one game")
    numbers = (
        ("--width", float, 25.0, "E", "play until checkpoints are known to +-E Elo (default: 25)"),
        ("--simulations", int, 64, "N", "of a checkpoint, a move; 0 plays without search"),
        ("--checkpoints", int, 12, "N", "of each run at most, the first and newest among them"),
        ("--games", int, 20_000, "N", "new games at most (default: 20000)"),
        ("--seed", int, 0, "S", "of openings and chances"),
    )
    for option, kind, default, metavar, told in numbers:
        parser.add_argument(option, type=kind, default=default, metavar=metavar, help=told)
    parser.add_argument(
        "--anchors",
        default="random,mcts:100,mcts:1000",
        metavar="A,B=ELO",
        help="further agents, fixed at an Elo if given (default: random,mcts:100,mcts:1000)",
    )
    parser.add_argument("--follow", action="store_true", help="go on while a training goes on")
    parser.add_argument(
        "--plot", metavar="FILE", help="the picture, .png and .svg (default: in the run's folder)"
    )
    _openings_arguments(parser)
    _workers_argument(parser)
    _json_argument(parser, "each standing as one JSON object")
    _store_argument(parser)


def _rate(args: Namespace) -> int:
    from arena.contenders import parse_anchors
    from arena.ladder import Ladder, LadderSettings, open_runs
    from arena.ladder_plot import check_path, default_path, write_plot
    from arena.ladder_text import LadderProgress, standing_text
    from arena.openings import balanced_openings, random_openings
    from arena.rate import rate
    from arena.standing import standing_of

    settings = LadderSettings(args.width, args.simulations, args.checkpoints, args.games, args.seed)
    game, runs = open_runs(args.store, args.runs)
    plot = check_path(Path(args.plot)) if args.plot else default_path(runs)
    openings = (balanced_openings if args.balanced else random_openings)(game, args.opening_plies)
    anchors = parse_anchors(args.anchors, game, args.store)
    progress = LadderProgress()

    def settled(position: Position) -> None:
        standing = standing_of(ladder, position)
        drawn = [str(path) for path in write_plot(standing, plot)] if plot else []
        progress.clear()
        if args.json:
            _print_json({**standing.to_json(), "plots": drawn})
        else:
            print(standing_text(standing), *(f"plot: {path}" for path in drawn), sep="\n")

    with _match_pool(runs[0].info.game, args) as pool:
        ladder = Ladder(game, args.store, runs, anchors, openings, settings, pool)
        is_complete = rate(ladder, follow=args.follow, progress=progress, settled=settled)
    return 0 if is_complete or args.follow else INTERRUPTED


# --- ablate ---------------------------------------------------------------------------------------


def _ablate_arguments(parser: ArgumentParser) -> None:
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
        help="one more variant, with a setting of its own; may be repeated",
    )
    parser.add_argument(
        "--no-control", action="store_true", help="do not train the preset with another seed"
    )
    parser.add_argument(
        "--runs", metavar="NAME", help="how the runs' names begin (default: PRESET-ablation)"
    )
    numbers = (
        ("--turn", float, 2.0, "M", "minutes that a variant trains before the next (default: 2)"),
        ("--width", float, 20.0, "E", "play until the bars are +-E Elo (default: 20)"),
        ("--simulations", int, 64, "N", "a move when rated; 0 plays without search (default: 64)"),
    )
    for option, kind, default, metavar, told in numbers:
        parser.add_argument(option, type=kind, default=default, metavar=metavar, help=told)
    _openings_arguments(parser)
    _json_argument(parser)
    _store_argument(parser)
    add_config_options(parser, first=("minutes", "seed"))


def _techniques() -> str:
    from configs.ablation import TECHNIQUES

    return ", ".join(TECHNIQUES)


def _ablate(args: Namespace) -> int:
    from arena.ladder import LadderSettings
    from configs.ablation import plan_ablation
    from configs.loader import default_run_name
    from configs.options import given_options

    if not args.turn > 0:
        raise UsageError(f"ludens ablate: --turn {args.turn:g}: expected minutes above 0")
    without = [word.strip() for word in args.without.split(",") if word.strip()]
    variants = plan_ablation(
        args.preset, given_options(args), without, args.settings, control=not args.no_control
    )
    seed = variants[0].config.seed
    settings = LadderSettings(args.width, args.simulations, most=1, seed=seed)
    names = args.runs or f"{default_run_name(args.preset)}-ablation"
    runs = {f"{names}-{variant.suffix}": variant for variant in variants}
    is_trained = _train_in_turns(runs, args.store, 60.0 * args.turn)
    return _compare(runs, settings, args) if is_trained else INTERRUPTED


def _train_in_turns(runs: Mapping[str, Variant], store: str, turn_s: float) -> bool:
    """Train all variants to their end; False if that was interrupted."""
    from contextlib import ExitStack

    from arena.ablation_text import TurnsDisplay
    from arena.training_truth import Truth
    from benchmarks.machine import machine_facts
    from selfplay.journal import Journal
    from selfplay.turns import train_in_turns

    first = next(iter(runs.values())).config
    labels = {run: variant.label for run, variant in runs.items()}
    title = f"{first.game}, {len(runs)} variants, {_budget(first)} each, in {store!r}"
    configs = {run: variant.config for run, variant in runs.items()}
    facts = machine_facts()
    with ExitStack() as opened:
        journals = {run: opened.enter_context(Journal(store, run, facts)) for run in runs}
        display = opened.enter_context(TurnsDisplay(title, labels))
        stop = opened.enter_context(_stop_signal(display.notice))
        for run, progress in train_in_turns(configs, store_url=store, turn_s=turn_s, stop=stop):
            display.show(run, progress)
            journals[run].show(progress, Truth())
        return not stop()


def _compare(runs: Mapping[str, Variant], settings: LadderSettings, args: Namespace) -> int:
    from arena.ablation import ablation_ladder, ablation_of, measure_errors
    from arena.ablation_text import ablation_text
    from arena.ladder_text import LadderProgress
    from arena.openings import balanced_openings, random_openings
    from arena.rate import rate
    from envs.registry import find_game

    game = find_game(next(iter(runs.values())).config.game)
    openings = (balanced_openings if args.balanced else random_openings)(game, args.opening_plies)
    ladder = ablation_ladder(args.store, list(runs), openings, settings)
    labels = {run: variant.label for run, variant in runs.items()}
    errors = measure_errors(ladder)
    progress = LadderProgress()

    def settled(position: Position) -> None:
        progress.clear()
        found = ablation_of(ladder, position, labels, errors)
        _print_json(found.to_json()) if args.json else print(ablation_text(found))

    return 0 if rate(ladder, progress=progress, settled=settled) else INTERRUPTED


# --- watch --------------------------------------------------------------------------------------


def _watch_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a training run, here or elsewhere")
    parser.add_argument("--once", action="store_true", help="print where it stands, and leave")
    _store_argument(parser)
    _json_argument(parser, "one JSON object at every change; with --once, one")


def _watch(args: Namespace) -> int:
    import time
    from contextlib import suppress

    from arena.history import History
    from arena.watch import as_json, each_moment, follow, open_watch, show_once
    from store.run import open_run

    run = open_run(args.store, args.run)
    history = History(run)
    where = f"run {run.name!r} in {args.store!r}"
    if args.json and args.once:
        _print_json(as_json(history, time.time()))
    elif args.once:
        show_once(history, run.info.game, where)
    else:
        history.course()  # before the panel: a run without a journal is told in one line
        with suppress(KeyboardInterrupt):
            if args.json:
                for found in each_moment(history):
                    _print_json(found, flush=True)
            else:
                with open_watch(run.info.game, where) as display:
                    follow(history, display)
    return 0


# --- report -------------------------------------------------------------------------------------


def _report_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a training run, finished or not")
    parser.add_argument("--out", metavar="FILE.html", help="what to write (default: RUN.html)")
    parser.add_argument("--game", metavar="FILE.py", help="a game of your own, to draw its boards")
    _store_argument(parser)
    _json_argument(parser)


def _report(args: Namespace) -> int:
    from arena.report import write_report
    from envs.registry import BUILT_IN, find_game
    from store.run import open_run

    run = open_run(args.store, args.run)
    # A run may come from anybody: a file that it names is not imported, one named here is.
    name = args.game or (run.info.game if run.info.game in BUILT_IN else None)
    path = Path(args.out or f"{args.run}.html")
    written = write_report(run, path, find_game(name) if name else None)
    text = (
        f"{written.path}: {written.moments:,} records of run {args.run!r}, {written.size:,} bytes"
    )
    _answer(args, vars(written), lambda: text)
    return 0


# --- doctor -------------------------------------------------------------------------------------


def _doctor_arguments(parser: ArgumentParser) -> None:
    from configs.options import add_config_options

    parser.usage = "ludens doctor [PRESET] [--store URL] [--seconds S] [--json] [--SETTING X ...]"
    parser.add_argument(
        "preset", metavar="PRESET", nargs="?", default="connect_four", help="what would be trained"
    )
    parser.add_argument(
        "--seconds", type=float, default=20.0, metavar="S", help="of measuring; 0 only looks (20)"
    )
    _store_argument(parser)
    _json_argument(parser, "the findings as one JSON object")
    add_config_options(parser, first=("workers", "device"))


def _doctor(args: Namespace) -> int:
    from arena.doctor_text import show_finding, verdict
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
        _print_json({"ok": all(f.status != "problem" for f in findings), "findings": findings})
    else:
        print(f"\n{verdict(findings)}")
    return FAILURE if any(found.status == "problem" for found in findings) else 0


def _findings(config: TrainConfig, args: Namespace) -> Iterator[Finding]:
    from selfplay.doctor import Finding, examine

    yield from examine(config, args.store)
    if args.seconds:
        try:
            from selfplay.doctor_speed import interpret, measure_speeds

            yield from interpret(config, measure_speeds(config, args.seconds))
        except (ImportError, RuntimeError, ValueError, OSError) as error:
            yield Finding("speed", "problem", f"cannot be measured: {error}")


# --- perft, check-game, bench ---------------------------------------------------------------------


def _perft_arguments(parser: ArgumentParser) -> None:
    _game_argument(parser)
    parser.add_argument("depth", type=int, metavar="DEPTH", help="plies")
    parser.add_argument("--position", metavar="P", default="", help="the moves that lead there")
    parser.add_argument("--divide", action="store_true", help="split by the first move")
    _json_argument(parser)


def _perft(args: Namespace) -> int:
    from envs import perft
    from envs.registry import find_game

    result = perft.run(find_game(args.game), args.depth, args.position, args.divide)
    if args.json:
        _print_json(vars(result))
        return 0
    for move, nodes in (result.divided or {}).items():
        print(f"{move}: {nodes:,}")
    print(f"{result.nodes:,}")
    return 0


def _check_game_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("game", metavar="FILE.py", help="a game's file, or a game's name")
    parser.add_argument("--games", type=int, default=50, metavar="N", help="random games to play")
    parser.add_argument("--seed", type=int, default=0, metavar="S")


def _check_game(args: Namespace) -> int:
    from envs.contract import check
    from envs.registry import find_game

    found = check(find_game(args.game), args.games, args.seed)
    print(found)
    print(f"{found.game}: {'every check passed' if found.ok else 'FAILED'}")
    return 0 if found.ok else FAILURE


def _bench_arguments(parser: ArgumentParser) -> None:
    parser.usage = "ludens bench {search GAME | selfplay PRESET} [--seconds S] [--json]"
    parser.add_argument("what", choices=("search", "selfplay"), help="what to measure")
    parser.add_argument("subject", metavar="GAME|PRESET", help="a game, or a preset for selfplay")
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S", help="(default: 20)")
    parser.add_argument("--peer-python", metavar="PATH", help="a Python that has mctx and pgx")
    _json_argument(parser)


def _bench(args: Namespace) -> int:
    if args.what == "search":
        from benchmarks import search

        found = search.measure(args.subject, args.seconds, args.peer_python)
    else:
        from benchmarks import selfplay
        from configs.loader import load_config

        found = selfplay.measure(load_config(args.subject), args.seconds)
    if args.json:
        _print_json(found)
        return 0
    for name, figure in _flat(found):
        print(f"{name:44} {figure}")
    return 0


def _flat(found: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """A result's figures as lines."""
    for name, figure in found.items():
        if isinstance(figure, dict):
            yield from _flat(figure, f"{prefix}{name}.")
        elif isinstance(figure, (int, float)):
            yield prefix + name, f"{figure:,}" if isinstance(figure, int) else f"{figure:,.2f}"
        else:
            yield prefix + name, str(figure)


# --- runs -----------------------------------------------------------------------------------------


def _runs_arguments(parser: ArgumentParser) -> None:
    import argparse

    _store_argument(parser)
    _json_argument(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", help="none lists the runs")

    def action(name: str, what: str, *words: str) -> ArgumentParser:
        added = actions.add_parser(name, help=what, description=what, allow_abbrev=False)
        for word in words:
            added.add_argument(word.lower().partition(".")[0], metavar=word)
        # No defaults here: they would hide what stands before the action.
        added.add_argument("--store", metavar="URL", default=argparse.SUPPRESS)
        added.add_argument("--json", action="store_true", default=argparse.SUPPRESS)
        return added

    action("verify", "read every file of a run and name each problem; changes nothing", "RUN")
    prune = action("prune", "drop old checkpoints and replay that nobody needs", "RUN")
    prune.add_argument("--keep-last", type=int, metavar="K", help="the newest K checkpoints")
    prune.add_argument(
        "--keep-every", type=int, default=0, metavar="N", help="and the steps that N divides"
    )
    prune.add_argument("--keep-rows", type=int, metavar="R", help="the newest R rows of replay")
    prune.add_argument("--dry-run", action="store_true", help="tell what would go")
    prune.add_argument("--wait", action="store_true", help="see which readers still live (60 s)")
    prune.add_argument("--force", action="store_true", help="drop what a reader holds too")
    action("export", "pack a run into one file", "RUN", "FILE.tar")
    into = action("import", "make a run of such a file, verified first", "FILE.tar")
    into.add_argument("--run", metavar="NAME", help="the run's name (default: as exported)")


def _runs(args: Namespace) -> int:
    listing = {"verify": _verify, "prune": _prune, "export": _export, "import": _import}
    return listing.get(args.action, _list_runs)(args)


def _list_runs(args: Namespace) -> int:
    from arena.recorded_ratings import best_checkpoints
    from arena.runs_text import runs_table
    from store.summary import summarize_store

    runs = list(summarize_store(args.store))
    best = best_checkpoints(args.store, [run.name for run in runs])
    listed = [{**vars(run), "best": best[run.name]} for run in runs]
    _answer(args, {"store": args.store, "runs": listed}, lambda: runs_table(runs, best, args.store))
    return 0


def _verify(args: Namespace) -> int:
    from arena.runs_text import verification_text
    from store.verify import verify

    found = verify(args.store, args.run)
    _answer(args, {"ok": found.ok, **vars(found)}, lambda: verification_text(found))
    return 0 if found.ok else FAILURE


def _prune(args: Namespace) -> int:
    from arena.recorded_ratings import best_checkpoint
    from arena.runs_text import pruning_text
    from store.holds import HoldWatch
    from store.retention import Retention, plan_pruning, prune
    from store.run import open_run

    if args.keep_last is None and not args.keep_every and args.keep_rows is None:
        raise UsageError("ludens runs prune: say what to keep: --keep-last K or --keep-rows R")
    run = open_run(args.store, args.run)
    watch = HoldWatch(run.files)
    holds = watch.wait() if args.wait else watch.living()
    if holds and args.force:
        owners = ", ".join(hold.owner for hold in holds)
        print(f"warning: what {owners} may be reading is not spared", file=sys.stderr)
    best = best_checkpoint(run)
    keep_last = 1 if args.keep_last is None and args.keep_every else args.keep_last
    retention = Retention(
        keep_last, args.keep_every, args.keep_rows, best.step if best else None, _window(run)
    )
    plan = plan_pruning(run, retention, [] if args.force else holds)
    if not args.dry_run:
        prune(run, plan)
    _answer(args, vars(plan), lambda: pruning_text(plan, dry_run=args.dry_run))
    return 0


def _window(run: Run) -> Window | None:
    """What a trainer of this run loads when it resumes, as its settings say."""
    from store.retention import Window

    rows = run.info.config.get("learner", {}).get("window_rows")
    return Window(rows, of="row_ply") if isinstance(rows, int) else None


def _export(args: Namespace) -> int:
    from arena.runs_text import exported_text
    from store.archive import export_run
    from store.run import open_run

    done = export_run(open_run(args.store, args.run), Path(args.file))
    for key, why in done.left_out.items():
        print(f"warning: left out {key}: {why}", file=sys.stderr)
    _answer(args, vars(done), lambda: exported_text(done))
    return 0


def _import(args: Namespace) -> int:
    from arena.runs_text import imported_text
    from store.archive import import_run

    done = import_run(args.store, Path(args.file), args.run)
    _answer(args, vars(done), lambda: imported_text(done))
    return 0


def _answer(args: Namespace, document: Mapping[str, Any], text: Callable[[], str]) -> None:
    _print_json(document) if args.json else print(text())


# --- shared options -----------------------------------------------------------------------------


def _game_argument(parser: ArgumentParser) -> None:
    parser.add_argument("game", metavar="GAME", help="a game's name, or the .py file of your own")


def _store_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--store",
        metavar="URL",
        default="runs",
        help="folder or s3:// URL of the runs (default: runs)",
    )


def _json_argument(parser: ArgumentParser, what: str = "the result as one JSON object") -> None:
    parser.add_argument("--json", action="store_true", help=what)


def _print_json(document: Mapping[str, Any], *, flush: bool = False) -> None:
    import json
    from dataclasses import asdict

    print(json.dumps(document, default=asdict), flush=flush)


# --- the door -----------------------------------------------------------------------------------

COMMANDS: dict[str, Command] = {
    "train": Command(
        "learn a game by self-play; the same command continues after a stop",
        """\
  ludens train connect_four
  ludens train connect_four --minutes 60 --run wide --network.filters 128
  ludens train my_game.py --minutes 30
""",
        _train_arguments,
        _train,
    ),
    "watch": Command(
        "follow a training from any terminal, also one on another machine",
        """\
  ludens watch connect_four
  ludens watch othello --store s3://BUCKET/ludens
  ludens watch connect_four --once --json
""",
        _watch_arguments,
        _watch,
    ),
    "report": Command(
        "a training on one HTML page: curves, checkpoints, ratings, games",
        """\
  ludens report connect_four
  ludens report othello --store s3://BUCKET/ludens --out othello.html
""",
        _report_arguments,
        _report,
    ),
    "play": Command(
        "play against an agent, watch two, or go through a game",
        """\
  ludens play connect_four
  ludens play connect_four --agent mcts:1000
  ludens play connect_four --agent connect_four:sims=800 --second
  ludens play othello --agent mcts:2000 --agent2 random
  ludens play othello --web --port 8080
""",
        _play_arguments,
        _play,
    ),
    "analyze": Command(
        "what an agent thinks of a position, or of thousands",
        """\
  ludens analyze connect_four --agent connect_four --simulations 600 --moves 4435
  ludens analyze connect_four --agent solver --positions positions.txt --json
  printf '44\\n4453\\n' | ludens analyze connect_four --agent mcts:500 --positions -
A position is the moves that lead there. Values are for the side to move, from -1 to 1.
""",
        _analyze_arguments,
        _analyze,
    ),
    "match": Command(
        "many games between two agents, each opening with both colours",
        """\
  ludens match connect_four connect_four mcts:1000 --games 200
  ludens match connect_four connect_four@4000 connect_four:sims=64 --json
  ludens match connect_four connect_four connect_four@4000 --sprt 0 20 --balanced
Results of a run's checkpoints are recorded with the run: the same command goes on where it was cut.
""",
        _match_arguments,
        _match,
    ),
    "rate": Command(
        "Elo of a run's checkpoints with error bars, as a table and a plot",
        """\
  ludens rate connect_four
  ludens rate connect_four --follow --width 40
  ludens rate connect_four wide --anchors mcts:100=0,mcts:1000 --balanced --plot elo.png
Games are played where they narrow the bars most, and recorded with the run. Zero is the mean of the
checkpoints unless an anchor is fixed.
""",
        _rate_arguments,
        _rate,
    ),
    "ablate": Command(
        "what each technique of a training is worth, in Elo and in errors",
        """\
  ludens ablate connect_four --without playout_cap,forced_playouts,cache --minutes 20
  ludens ablate othello6 --with search.c_init=2 --with network.blocks=4
The preset, the preset with another seed (the control) and each variant train for the same time, a
few minutes at a time in turns, and then play each other. The same command goes on after a stop.
""",
        _ablate_arguments,
        _ablate,
    ),
    "runs": Command(
        "list the runs of a store; verify, prune, export and import one",
        """\
  ludens runs
  ludens runs verify connect_four
  ludens runs prune connect_four --keep-last 5 --keep-every 10000 --keep-rows 500000 --dry-run
  ludens runs export connect_four connect_four.tar
  ludens runs import connect_four.tar --run copy --store elsewhere
""",
        _runs_arguments,
        _runs,
    ),
    "doctor": Command(
        "is this machine fit to train a preset, how fast, and what holds it back",
        """\
  ludens doctor
  ludens doctor othello --store s3://BUCKET/ludens --workers 8
  ludens doctor connect_four --seconds 0 --json
""",
        _doctor_arguments,
        _doctor,
    ),
    "perft": Command(
        "count the games of so many plies, the test of a game's rules",
        """\
  ludens perft othello 6
  ludens perft connect_four 4 --position 4435 --divide
""",
        _perft_arguments,
        _perft,
    ),
    "check-game": Command(
        "hold a game of your own to the contract that every game here passes",
        """\
  ludens check-game my_game.py
""",
        _check_game_arguments,
        _check_game,
    ),
    "bench": Command(
        "measure the search alone, or self-play against its network's raw speed",
        """\
  ludens bench search connect_four --json
  ludens bench selfplay connect_four --seconds 60
""",
        _bench_arguments,
        _bench,
    ),
}


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, 1 a failure, 2 a mistake in the command."""
    words = sys.argv[1:] if words is None else list(words)
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview(), end="")
        return 0
    if words[0] == "--version":
        print(f"ludens {VERSION}")
        return 0
    try:
        command = _find_command(words[0])
        from selfplay.origin import check_packages

        check_packages()
        return command.run(read_words(words[0], command, words[1:]))
    except SystemExit as leaving:  # argparse, after --help or its own one line
        return leaving.code if isinstance(leaving.code, int) else FAILURE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `| head` has seen enough; nothing more can be written
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except Exception as error:
        if os.environ.get("LUDENS_DEBUG") == "1":
            raise
        status, line = explain(error)
        print(line, file=sys.stderr)
        return status


def overview() -> str:
    """The text of `ludens --help`."""
    width = max(map(len, COMMANDS))
    commands = "".join(f"  {name:{width}}  {c.summary}\n" for name, c in COMMANDS.items())
    return f"{DESCRIPTION}\nusage: ludens COMMAND ...\n\n{commands}\n{AGENTS}{CLOSING}"


def _find_command(name: str) -> Command:
    if name not in COMMANDS:
        near = nearest(name, COMMANDS)
        raise UsageError(f"unknown command {name!r}{near} (ludens --help lists them)")
    return COMMANDS[name]


if __name__ == "__main__":
    sys.exit(main())
