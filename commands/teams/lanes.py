"""What `ludens play` and `ludens record` do with matches of Lanes and replays of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from commands.options import OF_GAMES, answer, refuse_options
from configs.command_line import UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from arena.play.lanes.session import LanesSession

HUMAN = "human"
REPLAY = ".replay"  # the ending of a replay's name
VIEWS = ("full", "left", "right")
FILM_SPEED = 4.0

# Options of `play`, and of `record`, of games of teams alone, with their defaults.
OF_PLAY = {"allies": None, "hero": 1, "turns": False}
OF_FILMS = {"agents": None, "view": "full", "speed": FILM_SPEED, "start": 0.0, "seconds": None}


def is_lanes(word: str) -> bool:
    """Return whether a word names a mode of Lanes, or a replay's file."""
    from envs.lanes.rules import MODES

    return word in MODES or word.endswith(REPLAY)


def lanes_play_arguments(parser: ArgumentParser) -> None:
    """Add the options of a person in a game of teams."""
    parser.add_argument(
        "--allies", metavar="C", help="who plays your team's other heroes (default: fighter)"
    )
    parser.add_argument(
        "--hero", type=int, default=1, metavar="N", help="yours, from 1 (default: 1)"
    )
    parser.add_argument(
        "--turns", action="store_true", help="a game of teams waits for each of your orders"
    )


def play_lanes(args: Namespace) -> int:
    """Play a match of Lanes, watch agents play one, or show a replay."""
    from arena.play.terminal import shows_a_screen

    refuse_options(args, OF_GAMES, f"expected an environment of one player, not {args.game!r}")
    has_screen = args.web or (shows_a_screen() and not args.plain)
    if args.game.endswith(REPLAY):
        seats = {"agent": None, "agent2": HUMAN, "second": False, "seed": 0, **OF_PLAY}
        refuse_options(args, seats, "a replay's players and moves are known")
    session, notice = _replay(args.game), ""
    if session is None:
        session, notice = _match(args)
        if session.person is not None and not has_screen:
            raise UsageError(
                f"{args.game}: a person needs a screen to play, and there is none here; name two "
                "agents, as in --agent fighter --agent2 pusher"
            )
    if args.web:
        return _play_in_browser(args)
    if has_screen:
        from arena.play.lanes.app import show

        return show(session, notice)
    from arena.play.lanes.plain import print_match

    print_match(session, lambda line: print(line, flush=True))
    return 0


def _replay(word: str) -> LanesSession | None:
    """Open a replay by the name of its file; None for a mode's name."""
    if not word.endswith(REPLAY):
        return None
    from arena.play.lanes.replay import read_replay
    from arena.play.lanes.session import open_session

    return open_session(read_replay(Path(word)))


def _match(args: Namespace) -> tuple[LanesSession, str]:
    """Begin the match that the options of `play` ask for; say who plays where none was named."""
    from arena.play.lanes.players import DEFAULT_AGENT, seat_players
    from arena.play.lanes.session import begin_session

    named = args.agent or DEFAULT_AGENT
    notice = "" if args.agent else f"{named} plays (--agent names another)"
    is_guest = args.agent2 == HUMAN and named != HUMAN and not args.second
    if HUMAN not in (named, args.agent2):
        refuse_options(args, {"second": False, **OF_PLAY}, "is for a person, and two agents play")
    players = seat_players(
        args.game,
        (HUMAN, named) if is_guest else (named, args.agent2),
        allies=args.allies or DEFAULT_AGENT,
        hero=args.hero,
        seed=args.seed,
        store_url=args.store,
    )
    return begin_session(args.game, players, seed=args.seed, by_turns=args.turns), notice


def _play_in_browser(args: Namespace) -> int:
    """Serve this same command to the browser."""
    from arena.play.screen.web import serve
    from selfplay.package_check import ROOT

    words = [sys.executable, str(ROOT / "ludens.py"), "play", args.game]
    for option in ("agent", "agent2", "allies", "hero", "seed", "store"):
        if (value := getattr(args, option)) is not None:
            words += [f"--{option}", str(value)]
    words += [f"--{flag}" for flag in ("second", "turns") if getattr(args, flag)]
    serve(words, f"Ludens: {args.game}", args.port)
    return 0


def lanes_record_arguments(parser: ArgumentParser) -> None:
    """Add the options of films of games of teams."""
    teams = parser.add_argument_group("games of teams")
    teams.add_argument(
        "--agents", metavar="A,B", help="who plays left and right (default: fighter,pusher)"
    )
    teams.add_argument("--view", choices=VIEWS, default="full", help="what is seen (default: full)")
    teams.add_argument(
        "--speed",
        type=float,
        default=FILM_SPEED,
        metavar="X",
        help=f"of the film, times the match's own (default: {FILM_SPEED:g})",
    )
    teams.add_argument(
        "--start", type=float, default=0.0, metavar="S", help="seconds of the match to leave out"
    )
    teams.add_argument(
        "--seconds", type=float, metavar="S", help="of the match to film (default: to its end)"
    )


def record_lanes(args: Namespace) -> int:
    """Write a match of Lanes, or a replay, as a film; a match also as a replay."""
    from arena.play.lanes.replay import check_replay_name
    from arena.recording.lanes_film import film_text, record_match

    others = {"strip": None, "values": False, "env": None, **OF_GAMES}
    refuse_options(args, others, f"expected an environment of one player, not {args.agent!r}")
    stem = args.agent
    if args.agent.endswith(REPLAY):
        refuse_options(args, {"agents": None, "seed": 0}, "a replay's players and moves are known")
        stem = Path(args.agent).stem
    path = Path(args.out or f"{stem}.mp4")
    if path.suffix == REPLAY:
        of_a_film = {name: OF_FILMS[name] for name in OF_FILMS if name != "agents"}
        refuse_options(args, of_a_film, "is for films, and a replay is the whole match")
        check_replay_name(path)
    session = _replay(args.agent) or _agents_match(args)
    if path.suffix == REPLAY:
        return _write_replay(args, session, path)
    film = record_match(
        session,
        path,
        view=args.view,
        speed=args.speed,
        start_s=args.start,
        seconds=args.seconds,
    )
    answer(args, vars(film), lambda: film_text(film))
    return 0


def _agents_match(args: Namespace) -> LanesSession:
    from arena.play.lanes.players import seat_players
    from arena.play.lanes.session import begin_session

    named = (args.agents or "fighter,pusher").split(",")
    if len(named) != 2 or HUMAN in named:
        raise UsageError(f"--agents {args.agents!r}: expected two agents, as in fighter,pusher")
    players = seat_players(args.agent, (named[0], named[1]), seed=args.seed, store_url=args.store)
    return begin_session(args.agent, players, seed=args.seed)


def _write_replay(args: Namespace, session: LanesSession, path: Path) -> int:
    """Play a match to its end and write it as a replay."""
    from arena.play.lanes.panels import clock, result_text
    from arena.play.lanes.replay import write_replay

    while session.timeline.advance():
        pass
    write_replay(path, session.timeline.replay(session.names))
    scene = session.scene()
    document = {
        "path": str(path),
        "game": session.match.game,
        "agents": session.names,
        "seed": session.match.seed,
        "decisions": session.timeline.at,
        "result": result_text(scene),
    }
    told = f"{path}: {clock(scene.seconds)} of {session.match.game}, {result_text(scene)}"
    answer(args, document, lambda: told)
    return 0
