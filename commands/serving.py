"""The command by which other programs play with an agent."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from arena.engine.protocols.dialects import DIALECTS
from commands.options import VERSION, seed_argument, store_argument
from configs.command_line import UsageError, nearest

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

    from agents.players import Player
    from arena.engine.protocols.gtp.desk import GtpDesk
    from arena.engine.protocols.gtp.session import GtpSession
    from arena.engine.protocols.gtp.settings import Settings
    from arena.engine.protocols.lines import Inbox, Writer
    from arena.engine.protocols.universal.desk import UniversalDesk
    from arena.engine.protocols.universal.dialect import Dialect
    from arena.engine.protocols.universal.options import Options
    from arena.engine.protocols.universal.session import UniversalSession
    from arena.engine.strength import Strengths
    from envs.game import Game

GO_SIZES = {size: f"go{size}" for size in (7, 9, 13, 19)}
SEVERAL_SIZES = {"go9_from7": (7, 8, 9)}
# the protocol that programs for a game speak
PROTOCOL_OF = {game: name for name, dialect in DIALECTS.items() for game in dialect.variants}
PROTOCOL_OF |= dict.fromkeys([*GO_SIZES.values(), *SEVERAL_SIZES], "gtp")
AGENTS_OF_ANY_GAME = ("random", "mcts")
USUAL_GAME = {"uci": "chess", "usi": "shogi", "gtp": "go9"}


def engine_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--agent", metavar="A", required=True, help="who plays; see ludens --help")
    parser.add_argument(
        "--game",
        metavar="GAME",
        help="chess (the default), Chess960 included, chess5, shogi, minishogi, or go7, go9, go13, "
        "go19, go9_from7",
    )
    parser.add_argument(
        "--protocol", choices=sorted(set(PROTOCOL_OF.values())), help="(default: the game's)"
    )
    parser.add_argument("--name", help="what the engine calls itself (default: Ludens and A)")
    seed_argument(parser, "of whatever is random", None)
    parser.add_argument(
        "--prepare", action="store_true", help="compile what the agent needs, and exit"
    )
    store_argument(parser)


def engine(args: Namespace) -> int:
    from arena.engine.protocols.lines import converse

    protocol = _settle_game(args)
    if args.prepare:
        return _prepare(args, protocol)
    sessions: list[UniversalSession | GtpSession] = []

    def make(inbox: Inbox, write: Writer) -> UniversalSession | GtpSession:
        if protocol == "gtp":
            sessions.append(_gtp_session(args, inbox, write))
        else:
            sessions.append(_universal_session(args, protocol, inbox, write))
        return sessions[0]

    converse(make, sys.stdin.fileno(), sys.stdout.fileno())
    (session,) = sessions
    if session.failure is not None:
        raise session.failure
    if session.is_loading:
        leave_at_once()
    return 0


def _universal_session(
    args: Namespace, protocol: str, inbox: Inbox, write: Writer
) -> UniversalSession:
    from arena.engine.protocols.universal.session import UniversalSession
    from arena.engine.strength import read_strengths

    dialect, strengths = DIALECTS[protocol], None
    if args.agent.partition(":")[0] not in AGENTS_OF_ANY_GAME:
        strengths = read_strengths(args.agent, args.store)

    def load(options: Options) -> UniversalDesk:
        return _load_universal(args, dialect, options, write, strengths)

    return UniversalSession(dialect, _name(args), args.game, load, inbox, write, strengths)


def _gtp_session(args: Namespace, inbox: Inbox, write: Writer) -> GtpSession:
    from arena.engine.protocols.gtp.session import GtpSession

    def load(game: str, settings: Settings, done: Callable[..., None]) -> GtpDesk:
        return _load_gtp(args, game, settings, write, done)

    sizes = {size: name for size, name in GO_SIZES.items() if _plays(args, name)}
    sizes |= dict.fromkeys(SEVERAL_SIZES.get(args.game, ()), args.game)
    return GtpSession(_name(args), VERSION, args.game, sizes, load, inbox, write)


def _name(args: Namespace) -> str:
    return f"Ludens {args.agent}" if args.name is None else " ".join(args.name.split())


def _plays(args: Namespace, game: str) -> bool:
    """Return whether the agent plays a game: its own, or any if it has no network."""
    return game == args.game or args.agent.partition(":")[0] in AGENTS_OF_ANY_GAME


def leave_at_once() -> None:
    """End the process while a thread compiles, which nothing can interrupt."""
    import os

    sys.stderr.flush()
    os._exit(0)


def _settle_game(args: Namespace) -> str:
    """Write the usual game where none is named, and return the protocol."""
    if args.game is None:
        args.game = USUAL_GAME[args.protocol or "uci"]
    if args.game not in PROTOCOL_OF:
        near = nearest(args.game, PROTOCOL_OF)
        raise UsageError(
            f"ludens engine: --game {args.game}{near} (there is a protocol for "
            f"{', '.join(PROTOCOL_OF)})"
        )
    protocol = PROTOCOL_OF[args.game]
    if args.protocol not in (None, protocol):
        raise UsageError(
            f"ludens engine: --protocol {args.protocol} with --game {args.game}: programs for that "
            f"game speak {protocol}"
        )
    return protocol


def _player_of(args: Namespace, name: str) -> tuple[Game, Player, int]:
    """Load a game and the agent for it, and draw a seed where none is given."""
    import secrets

    from arena.names import find_agent
    from envs.registry import find_game

    game = find_game(name)
    seed = secrets.randbits(62) if args.seed is None else args.seed
    return game, find_agent(args.agent, game, args.store), seed


def _load_universal(
    args: Namespace,
    dialect: Dialect,
    options: Options,
    write: Callable[..., None],
    strengths: Strengths | None = None,
) -> UniversalDesk:
    """Load the agent, and compile what it needs."""
    from arena.engine.protocols.universal.desk import UniversalDesk
    from arena.names import find_agent
    from store.errors import StoreError

    game, player, seed = _player_of(args, args.game)

    def limited(elo: int) -> tuple[Player, str]:
        assert strengths is not None  # else there is no such option
        rated = strengths.nearest(elo)
        told = f"plays {strengths.run}@{rated.step}, rated {rated.elo:.0f} +- {rated.error:.0f}"
        try:
            return find_agent(strengths.agent(rated), game, args.store), told
        except StoreError as error:
            raise ValueError(str(error)) from None

    desk = UniversalDesk(
        dialect, game, player, options, write, seed, limited=limited if strengths else None
    )
    desk.get_ready()
    return desk


def _load_gtp(
    args: Namespace,
    name: str,
    settings: Settings,
    write: Callable[..., None],
    done: Callable[..., None],
) -> GtpDesk:
    """Load the agent for a size of board, and compile what it needs."""
    from arena.engine.protocols.gtp.desk import GtpDesk

    game, player, seed = _player_of(args, name)
    desk = GtpDesk(game, player, settings, write, done, seed)
    desk.get_ready()
    return desk


def _prepare(args: Namespace, protocol: str) -> int:
    import time

    from arena.engine.protocols.gtp.settings import Settings
    from arena.engine.protocols.universal.options import Options

    def nothing(*words: object) -> None:
        """Take what is written and done, of which there is none."""

    began = time.monotonic()
    if protocol == "gtp":
        _load_gtp(args, args.game, Settings(), nothing, nothing).close()
    else:
        _load_universal(args, DIALECTS[protocol], Options(), nothing).close()
    print(f"{args.agent} is ready to play {args.game}, after {time.monotonic() - began:.1f} s")
    return 0
