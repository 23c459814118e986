"""Parse the anchors of a ladder: agents that play along, some of them fixed at an Elo.

`AGENT[=ELO],...` is one text. A rating is what follows the last `=`, where what precedes it is a
whole name:

random=0                         rated 0
mcts:100=0                       rated 0
mcts:sims=100                    not rated: `mcts:sims` is no whole name
RUN@12000:sims=64=-12.5          rated -12.5
uci:stockfish=3000               rated 3000
uci:stockfish?elo=1320           not rated: this `=` is the option's
uci:stockfish?elo=1320=1320      rated 1320
gtp:prog --size=9?               not rated: a command with arguments and `=` ends with `?`
gtp:prog --size=9?=1500          rated 1500

A comma ends a program's name. Of other agents, one before an option of the search does not:
`mcts:sims=50,c_init=2,random` are two agents.
"""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import fields

from arena.match.contenders import exact_name
from arena.names import AgentNameError
from arena.opponents.names import is_opponent
from envs.game import Game
from mcts.config import SearchConfig


def parse_anchors(text: str, game: Game, store_url: str) -> dict[str, float | None]:
    """Parse a text of anchors into exact names, each with its fixed Elo or None.

    Raises AgentNameError for an unknown or repeated name, and for a rating that is no number.
    """
    anchors: dict[str, float | None] = {}
    for words in _agent_words(text):
        agent, elo = split_rating(words)
        name = exact_name(agent, game, store_url)
        if name in anchors:
            raise AgentNameError(f"anchor {name!r} is named twice")
        anchors[name] = elo
    return anchors


def _agent_words(text: str) -> list[str]:
    found: list[str] = []
    for word in filter(None, (word.strip() for word in text.split(","))):
        continues = "=" in word and _is_search_option(word.partition("=")[0])
        if found and continues and not is_opponent(found[-1]):
            found[-1] += f",{word}"
        else:
            found.append(word)
    return found


def _is_search_option(key: str) -> bool:
    known = {"sims", *(found.name for found in fields(SearchConfig))}
    return key.strip().replace("-", "_") in known


def split_rating(text: str) -> tuple[str, float | None]:
    """Split an anchor into its agent's name and its rating, None where it has none.

    Raises AgentNameError for a rating that is no finite number, and for a command of which it is
    not clear whether its last `=` begins a rating.
    """
    agent, equals, rating = text.rpartition("=")
    is_program = is_opponent(text)
    if equals and is_program and "?" not in text and _has_arguments(agent):
        raise AgentNameError(
            f"anchor {text!r}: a command with arguments and = ends with ?, and a rating follows: "
            f"{text + '?'!r} has none, {text + '?=1500'!r} has one"
        )
    if is_program and "?" in rating:  # the last = is one of the command's
        return text, None
    whole = _is_whole_program if is_program else _is_whole_name
    if not equals or not whole(agent):
        return text, None
    try:
        elo = float(rating)
    except ValueError:
        elo = math.nan
    if not math.isfinite(elo):
        raise AgentNameError(f"anchor {text!r}: expected a rating in Elo after =, got {rating!r}")
    return agent, elo


def _has_arguments(command: str) -> bool:
    try:
        return len(shlex.split(command)) > 1
    except ValueError:  # of its quotes; `parse_opponent` says which
        return False


def _is_whole_name(text: str) -> bool:
    """Return whether a text could be the name of an agent that is no program.

    Options come in pairs `KEY=VALUE`, and a lone number is the simulations.
    """
    _, colon, options = text.partition(":")
    last = re.split("[:,]", options)[-1].strip()
    return not colon or "=" in last or last.isdecimal()


def _is_whole_program(text: str) -> bool:
    """Return whether a program's name is whole before the `=` that follows it."""
    last = text.partition("?")[2].rpartition("&")[2]
    return not last or "=" in last
