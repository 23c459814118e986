"""The front door: reads the command line and calls one function of the house.

Nothing heavy is imported before it is known to be needed: `ludens --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, cast

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from selfplay.config import TrainConfig

ROOT = Path(__file__).resolve().parent
PACKAGES = ("envs", "store", "mcts", "agents", "selfplay", "arena", "configs", "benchmarks")
VERSION = "0.1.0"
FAILURE, USAGE, INTERRUPTED = 1, 2, 130
RESERVED = ("random", "mcts", "solver", "human")  # agents that no run may be named after

USAGE_ERRORS = (
    ("configs.fields", "ConfigError"),
    ("envs.game", "GameError"),
    ("arena.agent_names", "AgentNameError"),
)
FAILURES = (("store.errors", "StoreError"),)

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


class UsageError(Exception):
    """A mistake in the command's words."""


class Command(NamedTuple):
    """One word after `ludens`."""

    summary: str
    examples: str
    arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], int]


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
    print(f"run {name!r} in {args.store!r}: {config.game}, {_budget(config)}", flush=True)

    from arena.panel import PlainLines
    from arena.training_truth import TruthMeter
    from arena.training_watch import StopSignal, watch
    from envs.registry import find_game
    from selfplay.loop import train

    say = print
    truth = TruthMeter(find_game(config.game), config.search)
    with StopSignal(say) as stop:
        stages = train(config, store_url=args.store, run_name=name, stop=stop)
        last = watch(cast(Any, stages), truth, [PlainLines(say)])
    say(_farewell(args, name, stopped=stop(), step=last.learner_steps))
    return 0


def _farewell(args: Namespace, name: str, *, stopped: bool, step: int) -> str:
    if stopped:
        return f"stopped at step {step:,}; the same command goes on from there"
    from configs.loader import load_config

    game = load_config(args.preset).game
    return (
        f"finished at step {step:,}; ludens play {game} --agent {name} plays it, "
        "the same command with more --minutes trains on"
    )


def _budget(config: TrainConfig) -> str:
    minutes = f"{config.minutes:g} minutes" if config.minutes else ""
    games = f"{config.games:,} games" if config.games else ""
    return " or ".join(filter(None, (minutes, games))) or "until stopped"


def _refuse_agent_name(name: str) -> None:
    if name in RESERVED:
        raise UsageError(f"run name {name!r} is an agent's name ({', '.join(RESERVED)})")


# --- shared options -----------------------------------------------------------------------------


def _store_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--store", metavar="URL", default="runs", help="folder of the runs (default: ./runs)"
    )


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
        return run_command(words[0], words[1:])
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
        return report(error)


def overview() -> str:
    """The text of `ludens --help`."""
    width = max(map(len, COMMANDS))
    commands = "".join(f"  {name:{width}}  {c.summary}\n" for name, c in COMMANDS.items())
    return f"{DESCRIPTION}\nusage: ludens COMMAND ...\n\n{commands}\n{AGENTS}{CLOSING}"


def run_command(name: str, words: Sequence[str]) -> int:
    """Read a command's words and run it. Raises UsageError for an unknown command or option."""
    if name not in COMMANDS:
        raise UsageError(
            f"unknown command {name!r}{nearest(name, COMMANDS)} (ludens --help lists them)"
        )
    check_packages()
    command = COMMANDS[name]
    parser = make_parser(name, command)
    args, unknown = parser.parse_known_args(words)
    if unknown:
        word = unknown[0].partition("=")[0]
        known = [o for action in parser._actions for o in action.option_strings]
        raise UsageError(f"ludens {name}: unknown argument {word!r}{nearest(word, known)}")
    return command.run(args)


def make_parser(name: str, command: Command) -> ArgumentParser:
    """The parser of one command's arguments."""
    import argparse

    class OneLineParser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise UsageError(f"ludens {name}: {message} (ludens {name} --help explains)")

    parser = OneLineParser(
        prog=f"ludens {name}",
        description=command.summary,
        epilog=f"examples:\n{command.examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.arguments(parser)
    return parser


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` where a known word resembles this one."""
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def report(error: Exception) -> int:
    """Say in one line what went wrong; the exit status that goes with it."""
    if isinstance(error, (UsageError, *_loaded(USAGE_ERRORS))):
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    if isinstance(error, (ValueError, OSError, *_loaded(FAILURES))):
        print(f"error: {error}", file=sys.stderr)
        return FAILURE
    kind = type(error).__name__
    print(f"internal error, {kind}: {error} (LUDENS_DEBUG=1 shows where)", file=sys.stderr)
    return FAILURE


def _loaded(names: Iterable[tuple[str, str]]) -> tuple[type[Exception], ...]:
    """Those exception classes whose modules are loaded: others cannot have been raised."""
    modules = [(sys.modules.get(module), attribute) for module, attribute in names]
    return tuple(getattr(module, attribute) for module, attribute in modules if module)


def check_packages(root: Path = ROOT) -> None:
    """Our packages have generic names: make sure that Python would import ours and no other's.

    Raises RuntimeError naming the path of the intruder.
    """
    from importlib.util import find_spec

    for name in PACKAGES:
        spec = find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None or origin.parent.parent != root:
            raise RuntimeError(
                f"the package {name!r} would be imported from {origin or 'nowhere'}, and not from "
                f"{root}: run ludens from its checkout, in an environment of its own"
            )


if __name__ == "__main__":
    sys.exit(main())
