"""Commands that show agents of environments: on the screen, and as films and strips."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.options import (
    answer,
    environment_arguments,
    json_argument,
    refuse_options,
    seed_argument,
    store_argument,
)
from commands.teams.lanes import (
    OF_FILMS,
    OF_PLAY,
    is_lanes,
    lanes_record_arguments,
    record_lanes,
)
from configs.command_line import UsageError, nearest

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from arena.play.pictures.seats import Seat
    from arena.recording.record import Recording
    from envs.vector import EnvironmentClass

HUMAN, RANDOM = "human", "random"


def is_environment(word: str) -> bool:
    """Return whether a word names an environment, rather than a board game or its file.

    Raises UsageError for a word that names neither, with the nearest of both, and
    UnsupportedEnvironmentError for an environment that cannot be played.
    """
    from envs.lanes.rules import MODES
    from envs.registry import BUILT_IN
    from envs.vector import EnvironmentNameError, find_environment, typed_environment

    if word in BUILT_IN or word.endswith(".py"):
        return False
    try:
        find_environment(typed_environment(word))
    except EnvironmentNameError as error:
        near, boards = nearest(word, [*BUILT_IN, *MODES]), ", ".join(BUILT_IN)
        reason = f"unknown game {word!r}{near}" if near else str(error)
        raise UsageError(
            f"{reason} (board games are {boards}; a game of your own is named on the command line "
            "by the file that defines it, such as my_game.py)"
        ) from None
    return True


def play_environment(args: Namespace) -> int:
    """Play, or watch an agent play, an environment."""
    from arena.play.pictures.seats import default_agent, find_seat
    from arena.play.terminal import shows_a_screen
    from envs.vector import typed_environment

    if args.agent2 != HUMAN or args.second:
        raise UsageError(f"{args.game}: one plays there; expected no --agent2 and no --second")
    refuse_options(args, OF_PLAY, f"is for games of teams, and {args.game} has one player")
    named, notice = typed_environment(args.game), ""
    if args.agent is None:
        args.agent, notice = default_agent(named, args.store)
    has_screen = args.web or (shows_a_screen() and not args.plain)
    if args.agent == HUMAN and not has_screen:
        raise UsageError(
            f"{args.game}: a person needs a screen to play, and there is none here; name an agent, "
            "as in --agent random"
        )
    seat = find_seat(
        args.agent,
        args.store,
        environment=named,
        protocol=args.protocol or "",
        epsilon=args.epsilon,
    )
    if args.web:
        return _play_in_browser(args)
    session = seat.sit(args.seed)
    try:
        if has_screen:
            from arena.play.pictures.app import show

            return show(session, notice)
        from arena.play.pictures.plain import print_games

        print(notice, end="\n" if notice else "")
        print_games(session, args.games, lambda line: print(line, flush=True))
        return 0
    finally:
        session.environment.close()


def _play_in_browser(args: Namespace) -> int:
    """Serve this same command to the browser."""
    from arena.play.screen.web import serve
    from selfplay.package_check import ROOT

    words = [sys.executable, str(ROOT / "ludens.py"), "play", args.game]
    for option in ("agent", "seed", "store", "protocol", "epsilon"):
        if (value := getattr(args, option)) is not None:
            words += [f"--{option}", str(value)]
    serve(words, f"Ludens: {args.game}", args.port)
    return 0


def record_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "agent",
        metavar="RUN@STEP",
        help="a run's checkpoint (RUN: the newest); or random; or a game of teams (lanes_5v5), or "
        "a .replay file of one",
    )
    parser.add_argument("--out", metavar="FILE.mp4|FILE.gif", help="the film (default: RUN.mp4)")
    parser.add_argument(
        "--strip",
        metavar="FILE.png",
        nargs="?",
        const="",
        help="instead of a film, checkpoints kept at minutes of training, and the newest, side by "
        "side (default: RUN-strip.png)",
    )
    parser.add_argument("--games", type=int, default=1, metavar="N", help="to play (default: 1)")
    seed_argument(parser, "random seed of the games")
    parser.add_argument(
        "--values", action="store_true", help="draw the value of each action beside the picture"
    )
    environment_arguments(parser)
    lanes_record_arguments(parser)
    json_argument(parser)
    store_argument(parser)


def record(args: Namespace) -> int:
    if is_lanes(args.agent):
        return record_lanes(args)
    from arena.recording.films import check_film_name

    refuse_options(args, OF_FILMS, f"is for games of teams, not for {args.agent!r}")
    if args.strip is not None:
        if args.out is not None or args.values:
            raise UsageError("--strip writes one picture: expected no --out and no --values")
        return _record_strip(args, Path(args.strip or f"{_file_name(args.agent)}-strip.png"))
    path = Path(args.out or f"{_file_name(args.agent)}.mp4")
    check_film_name(path)  # before the games are played
    return _record_film(args, path)


def _file_name(agent: str) -> str:
    """Return an agent's name as that of a file, without its options and an ending."""
    return agent.partition(":")[0].replace("@", "-")


def _record_film(args: Namespace, path: Path) -> int:
    from arena.recording.record import record as record_games
    from arena.recording.record import recording_text

    session = _seat(args, args.agent).sit(args.seed)
    try:
        done: Recording = record_games(
            session, path, args.games, values=args.values, report=_reporter(args.games)
        )
    finally:
        session.environment.close()
    measures = session.environment.measures
    answer(args, {**vars(done)}, lambda: recording_text(done, measures))
    return 0


def _record_strip(args: Namespace, path: Path) -> int:
    from arena.recording.checkpoints import shown_checkpoints
    from arena.recording.strip import (
        check_strip_name,
        film_strip,
        strips_text,
        write_strips,
    )
    from store.upkeep.holds import Hold

    check_strip_name(path)
    newest = _seat(args, args.agent)
    if newest.run is None or "@" in args.agent:
        raise UsageError(
            f"--strip shows the checkpoints of a run: expected RUN, got {args.agent!r}"
        )
    run, strips = newest.run, []
    name, colon, options = args.agent.partition(":")
    shown = shown_checkpoints(run)
    with Hold(run, checkpoints=[checkpoint.step for checkpoint in shown]):
        for checkpoint in shown:
            session = _seat(args, f"{name}@{checkpoint.step}{colon}{options}").sit(args.seed)
            try:
                strips.append(film_strip(checkpoint.title, session, args.games))
            finally:
                session.environment.close()
            _report_line(f"{checkpoint.title}: score {strips[-1].best:g}")
    environment = session.environment
    protocol = f" ({environment.protocol})" if environment.protocol else ""
    write_strips(path, strips, f"{environment.name}{protocol}, run {run.name}")
    document = {
        "path": str(path),
        "environment": environment.name,
        "protocol": environment.protocol,
        "strips": [strip.to_json() for strip in strips],
    }
    answer(args, document, lambda: strips_text(path, strips, environment.measures))
    return 0


def _seat(args: Namespace, agent: str) -> Seat:
    from arena.play.pictures.seats import find_seat
    from envs.vector import typed_environment

    if agent == HUMAN:
        raise UsageError("human: a film is of an agent; expected a run's name, or random")
    named: str | EnvironmentClass | None = None
    if args.env is not None:
        named = typed_environment(args.env)
    return find_seat(
        agent,
        args.store,
        environment=named,
        protocol=args.protocol or "",
        epsilon=args.epsilon,
    )


def _reporter(games: int) -> Any:
    return lambda finished: _report_line(f"{finished} of {games} games") if games > 1 else None


def _report_line(line: str) -> None:
    """Tell a person who waits."""
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        print(line, file=sys.stderr)
