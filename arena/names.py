"""Parse agent names and load the agents; every command uses the same names.

random            any legal move
mcts:1000         rollout MCTS with 1000 simulations a move (also mcts:sims=1000,c_init=2)
solver            perfect play
RUN               the newest checkpoint of a run, with the run's search
RUN@12000         the checkpoint of that step
RUN:sims=400      another number of simulations; 0 is the network alone
RUN@12000:sims=64,root=gumbel    any option of the search (`mcts.config.SearchConfig`)
uci:stockfish?nodes=100, usi:, gtp:, xboard:PROGRAM    another program (`arena.opponents.names`)

wanderer, pusher, fighter    the scripted players of games of teams (`arena.teams.names`)
"""

from __future__ import annotations

import logging
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from agents.players import (
    ROLLOUT_CONFIG,
    Player,
    RandomPlayer,
    rollout_player,
)
from agents.registry import method_of_run
from agents.running.run_game import how_to_name_it, is_game_of, registered_game, source_change
from arena.opponents.names import PROGRAM, PROTOCOLS, is_opponent, parse_opponent
from envs.game import Game
from envs.registry import TEAM_GAMES
from mcts.config import apply_options
from store import checkpoints
from store.errors import CheckpointNotFoundError, RunNameError, RunNotFoundError
from store.run import Run, list_runs, nearest_names, open_run

HUMAN = "human"
SCRIPTS = ("wanderer", "pusher", "fighter")  # players of games of teams
WITHOUT_OPTIONS = ("random", "solver", HUMAN, *SCRIPTS)
RESERVED = (*WITHOUT_OPTIONS, "mcts", *PROTOCOLS)  # names that no run may have
ROLLOUT_SIMULATIONS = 1000

_AGENT = re.compile(r"(?P<name>[^@:]+)(@(?P<step>[^:]*))?(:(?P<options>.*))?")
_SHORT = {"sims": "simulations"}
_logger = logging.getLogger("ludens.arena")


class AgentNameError(ValueError):
    """The text names no agent, or one that cannot play this game."""


class AgentName(NamedTuple):
    """The parts of an agent's name."""

    name: str  # random, mcts, solver, human, a script, a protocol, or a run
    step: int | None
    options: dict[str, str]  # by name, not parsed


def parse_agent_name(text: str) -> AgentName:
    """Parse `NAME[@STEP][:KEY=VALUE,...]`; a lone number stands for `sims=`.

    Raises AgentNameError for anything else. Of another program the name is its protocol, and the
    command is among its options.
    """
    if is_opponent(text):
        return _parse_program(text)
    parts = _AGENT.fullmatch(text.strip())
    if parts is None:
        raise AgentNameError(f"agent {text!r}: expected NAME, NAME@STEP or NAME:sims=400")
    step = parts["step"]
    if step is not None and not (step.isdecimal() and len(step) <= checkpoints.MOST_STEP_DIGITS):
        raise AgentNameError(
            f"agent {text!r}: step {step!r} is not a whole number (`ludens runs` tells the steps "
            "of checkpoints that are kept by name)"
        )
    words = [word.strip() for word in (parts["options"] or "").split(",") if word.strip()]
    options = dict(_parse_option(text, word) for word in words)
    name = parts["name"]
    if options and name in WITHOUT_OPTIONS:
        raise AgentNameError(f"agent {text!r}: {name} takes no options")
    if step is not None and name in RESERVED:
        raise AgentNameError(f"agent {text!r}: {name} has no checkpoints")
    return AgentName(name, None if step is None else int(step), options)


def _parse_program(text: str) -> AgentName:
    try:
        protocol, command, options = parse_opponent(text)
    except ValueError as error:
        raise AgentNameError(str(error)) from None
    return AgentName(protocol, None, {PROGRAM: shlex.join(command), **options})


def _parse_option(text: str, word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals:
        key, value = "sims", word
    return _SHORT.get(key, key).replace("-", "_"), value


def find_agent(
    text: str,
    game: Game,
    store_url: str,
    *,
    simulations: int | None = None,
    device: str = "auto",
    programs: bool = False,
) -> Player:
    """Load a player by name; `simulations`, when given, override those of its search.

    Only with `programs` may a name start another program: for one that a person typed, not for
    one that was stored.

    Raises AgentNameError for an unknown name, suggesting the nearest, and the store's errors
    for a run that cannot be read.
    """
    name, step, options = parse_agent_name(text)
    if name in PROTOCOLS:
        return _find_program(text, game, programs, simulations)
    if simulations is not None:
        options = {**options, "simulations": str(simulations)}
    if name == "random":
        return RandomPlayer(game)
    if name == HUMAN:
        raise AgentNameError("a human plays with `ludens play` alone")
    if name in SCRIPTS:
        raise AgentNameError(
            f"agent {text!r} plays games of teams ({', '.join(TEAM_GAMES)}), not {game.name!r}"
        )
    if name == "solver":
        from arena.solvers.players import SolverPlayer

        try:
            return SolverPlayer(game)
        except ValueError as error:
            raise AgentNameError(str(error)) from None
    if name == "mcts":
        config = replace(ROLLOUT_CONFIG, simulations=ROLLOUT_SIMULATIONS)
        try:
            return rollout_player(game, apply_options(config, options), name=text)
        except ValueError as error:
            raise AgentNameError(f"agent {text!r}: {error}") from None
    run = find_run(name, game, store_url)
    with loading(text, step, run):
        return method_of_run(run.info).player(game, run, step, options, name=text, device=device)


def _find_program(text: str, game: Game, programs: bool, simulations: int | None) -> Player:
    if not programs:
        raise AgentNameError(
            f"agent {text!r} is another program, which this command does not start"
        )
    if simulations is not None:
        raise AgentNameError(f"agent {text!r}: expected its own limit, not --simulations")
    from arena.opponents.opponent import find_opponent

    try:
        return find_opponent(text, game)
    except ValueError as error:
        raise AgentNameError(str(error)) from None


@contextmanager
def loading(text: str, step: int | None, run: Run) -> Iterator[None]:
    """Turn what loading an agent's checkpoint raises into an AgentNameError with its name.

    The store's other errors pass.
    """
    try:
        yield
    except ValueError as error:
        raise AgentNameError(f"agent {text!r}: {error}") from None
    except CheckpointNotFoundError:
        known = checkpoints.steps(run)
        listed = ", ".join(map(str, known[-8:])) or "none yet"
        more = f"the newest of {len(known)}: " if known[8:] else ""
        raise AgentNameError(
            f"agent {text!r}: run {run.name!r} has no checkpoint {step}; it has {more}{listed}"
        ) from None


def find_run(name: str, game: Game, store_url: str) -> Run:
    """Open a run of this game by name. Raises AgentNameError."""
    run = open_agents_run(name, ("random", "mcts:1000", "solver"), store_url)
    if not is_game_of(run.info, game):
        raise AgentNameError(_not_its_game(run, game))
    if changed := source_change(run, game):
        _warn_once(changed)
    return run


def open_agents_run(name: str, others: Sequence[str], store_url: str) -> Run:
    """Open a run by name, which is no one of the `others` that the game has.

    Raises AgentNameError with the nearest name for one that is not there.
    """
    try:
        return open_run(store_url, name)
    except (RunNotFoundError, RunNameError):
        known = [*others, *list_runs(store_url)]
        listed = ", ".join(known[:12]) + (", ..." if known[12:] else "")
        near = _did_you_mean(name, known)
        raise AgentNameError(f"no agent {name!r}{near} (there are {listed})") from None


def _not_its_game(run: Run, game: Game) -> str:
    if registered_game(run.info) is not None or run.info.game in TEAM_GAMES:
        return f"run {run.name!r} learned {run.info.game!r}, it cannot play {game.name!r}"
    if method_of_run(run.info).acts_in(run.info.game):
        return (
            f"run {run.name!r} learned the environment {run.info.game!r} and plays no board games: "
            f"ludens evaluate {run.name} measures its score, ludens play {run.info.game} shows it"
        )
    told = how_to_name_it(run, f"ludens play FILE --agent {run.name}")
    return f"{told} (it cannot play {game.name!r})"


@cache
def _warn_once(what: str) -> None:
    _logger.warning("%s; with other rules it plays badly", what)


def _did_you_mean(word: str, known: Sequence[str]) -> str:
    near = nearest_names(word, list(known))
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
