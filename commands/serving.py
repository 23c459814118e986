"""The command by which other programs play with an agent."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from commands.options import store_argument
from configs.command_line import UsageError, nearest

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

    from arena.engine.protocols.uci_desk import UciDesk
    from arena.engine.protocols.uci_grammar import Options

PROTOCOL_OF = {"chess": "uci", "chess5": "uci"}  # the protocol that programs for a game speak


def engine_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--agent", metavar="A", required=True, help="who plays; see ludens --help")
    parser.add_argument(
        "--game", metavar="GAME", default="chess", help="chess, Chess960 included, or chess5"
    )
    parser.add_argument(
        "--protocol", choices=sorted(set(PROTOCOL_OF.values())), help="(default: the game's)"
    )
    parser.add_argument("--seed", type=int, metavar="S", help="of whatever is random")
    parser.add_argument(
        "--prepare", action="store_true", help="compile what the agent needs, and exit"
    )
    store_argument(parser)


def engine(args: Namespace) -> int:
    from arena.engine.protocols.lines import Inbox, Writer, converse
    from arena.engine.protocols.uci import UciSession

    _check_protocol(args)
    if args.prepare:
        return _prepare(args)
    sessions: list[UciSession] = []

    def make(inbox: Inbox, write: Writer) -> UciSession:
        def load(options: Options) -> UciDesk:
            return _load(args, options, write)

        sessions.append(UciSession(f"Ludens {args.agent}", args.game, load, inbox, write))
        return sessions[0]

    converse(make, sys.stdin.fileno(), sys.stdout.fileno())
    (session,) = sessions
    if session.failure is not None:
        raise session.failure
    if session.is_loading:
        leave_at_once()
    return 0


def leave_at_once() -> None:
    """End the process while a thread compiles, which nothing can interrupt."""
    import os

    sys.stderr.flush()
    os._exit(0)


def _check_protocol(args: Namespace) -> None:
    if args.game not in PROTOCOL_OF:
        near = nearest(args.game, PROTOCOL_OF)
        raise UsageError(
            f"ludens engine: --game {args.game}{near} (there is a protocol for "
            f"{', '.join(PROTOCOL_OF)})"
        )


def _load(args: Namespace, options: Options, write: Callable[..., None]) -> UciDesk:
    """Load the agent, and compile what it needs."""
    import secrets

    from arena.engine.protocols.uci_desk import UciDesk
    from arena.names import find_agent
    from envs.registry import find_game

    game = find_game(args.game)
    player = find_agent(args.agent, game, args.store)
    seed = secrets.randbits(62) if args.seed is None else args.seed
    desk = UciDesk(game, player, options, write, seed)
    desk.get_ready()
    return desk


def _prepare(args: Namespace) -> int:
    import time

    from arena.engine.protocols.uci_grammar import Options

    began = time.monotonic()
    _load(args, Options(), lambda *lines: None).close()
    print(f"{args.agent} is ready to play {args.game}, after {time.monotonic() - began:.1f} s")
    return 0
