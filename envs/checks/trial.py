"""Random games for `envs.checks.contract`, traced by the compiled and by the interpreted rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
from numba import njit
from numpy.typing import NDArray

from envs.game import (
    Game,
    State,
    advance,
    encode,
    input_key,
    is_terminal,
    legal_actions,
    reset,
    to_play,
    value_to_play,
)

MESSAGE_LINES = 8  # of a compiler's error
SPARE = 64  # room for a rule that writes more than max_legal actions, which is to be reported


class ContractError(AssertionError):
    """A game breaks a promise of the protocol; the message says where and how."""


@dataclass(frozen=True)
class Trace:
    """One game, ply by ply: P actions and what the rules return for the P + 1 positions.

    `counts` are 0 where the game is over, `values` NaN where it is not.
    """

    actions: list[int]
    states: NDArray[Any]  # records [P + 1]
    legal: NDArray[np.int32]  # [P + 1, max_legal] in the rules' order
    counts: NDArray[np.int64]  # [P + 1] legal actions
    over: NDArray[np.bool_]  # [P + 1]
    values: NDArray[np.float64]  # [P + 1], value_to_play
    sides: NDArray[np.int64]  # [P + 1], to_play
    planes: NDArray[np.float32]  # [P + 1, C, H, W]
    keys: NDArray[np.uint64]  # [P + 1], `input_key`

    def legal_at(self, ply: int) -> NDArray[np.int32]:
        """Return the legal actions after `ply` plies, in the rules' order."""
        return self.legal[ply, : self.counts[ply]]


@njit(cache=True)
def _follow(actions, earlier, past, states, legal, counts, over, values, sides, planes, keys):  # type: ignore[no-untyped-def]
    """Fill a trace up to the first illegal action; return the number of positions.

    `earlier` uint64 [P + 1] and `past` records [past_boards] are scratch. `_follow.py_func` is the
    interpreted version.
    """
    reset(states[0])
    for ply in range(len(states)):
        state = states[ply]
        over[ply] = is_terminal(state)
        sides[ply] = to_play(state)
        for back in range(len(past)):
            past[back] = states[max(ply - 1 - back, 0)]
        encode(state, past, planes[ply])
        if over[ply]:
            values[ply] = value_to_play(state)
            keys[ply] = input_key(state, past, legal[ply], 0)
            return ply + 1
        counts[ply] = legal_actions(state, legal[ply])
        keys[ply] = input_key(state, past, legal[ply], counts[ply])
        if ply == len(actions):
            return ply + 1
        found = False
        for k in range(counts[ply]):
            found = found or legal[ply, k] == actions[ply]
        if not found:
            return ply + 1
        states[ply + 1] = state
        advance(states[ply + 1], earlier, ply, actions[ply])
    return len(states)


def trace(game: Game, actions: list[int], compiled: bool) -> Trace:
    """Trace `actions` from the start with the compiled or the interpreted rules.

    The trace ends before the first action that is not legal.
    """
    plies = len(actions) + 1
    observed = {
        "states": np.zeros(plies, game.dtype),
        "legal": np.zeros((plies, game.max_legal + SPARE), np.int32),
        "counts": np.zeros(plies, np.int64),
        "over": np.zeros(plies, np.bool_),
        "values": np.full(plies, np.nan),
        "sides": np.full(plies, -1, np.int64),
        "planes": np.zeros((plies, *game.planes_shape), np.float32),
        "keys": np.zeros(plies, np.uint64),
    }
    earlier, past = np.zeros(plies, np.uint64), np.zeros(game.past_boards, game.dtype)
    follow: Callable[..., int] = _follow if compiled else _follow.py_func
    with np.errstate(over="ignore"):  # hashing wraps; only plain Python warns of it
        count = follow(np.array(actions, np.int64), earlier, past, *observed.values())
    filled: dict[str, Any] = {name: array[:count] for name, array in observed.items()}
    return Trace(actions[: count - 1], **filled)


@dataclass(frozen=True, eq=False)
class Trial:
    """A game and the random games that are checked."""

    game: Game
    traces: list[Trace]  # by the interpreted rules
    seed: int

    def follow(self, actions: list[int]) -> Trace:
        """Trace actions with the compiled rules. Raises ContractError if they do not compile."""
        try:
            return trace(self.game, actions, compiled=True)
        except Exception as error:
            what = f"{type(error).__name__}: {_innermost(str(error))}"
            raise ContractError(f"{self.game.name}: the rules do not compile: {what}") from error

    @cached_property
    def compiled(self) -> list[Trace]:
        """Return the same games, traced with the compiled rules."""
        return [self.follow(t.actions) for t in self.traces]

    @property
    def positions(self) -> int:
        """Return the number of positions in all games."""
        return sum(len(t.states) for t in self.traces)

    def fail(self, actions: list[int], difference: str) -> NoReturn:
        """Raise ContractError for the position after `actions`."""
        where = written(self.game, actions)
        raise ContractError(f"{self.game.name} after {where}: {difference}")

    def require(self, promise: bool, actions: list[int], difference: str) -> None:
        """Raise ContractError for the position after `actions` unless the promise holds."""
        if not promise:
            self.fail(actions, difference)


def _innermost(message: str) -> str:
    """Return the part of a Numba error that says what is wrong, without its context."""
    message = message.rsplit("raised a specific error:", 1)[-1]
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return "\n".join(lines[:MESSAGE_LINES])


def written(game: Game, actions: list[int]) -> str:
    """Format actions for a message, in the game's notation, or as numbers if that raises."""
    try:
        return repr(game.format_moves(actions))
    except Exception:
        return f"actions {actions}"


def legal_of(game: Game, state: State) -> NDArray[np.int32]:
    """Return the legal actions as the interpreted rule lists them, too many included."""
    actions = np.zeros(game.max_legal + SPARE, np.int32)
    count = 0 if game.rules.is_terminal(state) else game.rules.legal_actions(state, actions)
    return actions[:count]


def _play_randomly(game: Game, rng: np.random.Generator) -> list[int]:
    """Play one random game, until no action is legal or max_plies is exceeded; its actions."""
    actions: list[int] = []
    state, keys = game.new_state(), np.zeros(game.max_plies + 2, np.uint64)
    try:
        while len(actions) <= game.max_plies:
            legal = np.sort(legal_of(game, state))
            if len(legal) == 0:
                break
            actions.append(int(rng.choice(legal)))
            advance(state, keys, len(actions) - 1, actions[-1])
    except Exception as error:
        raise ContractError(explain(game, actions, error)) from error
    return actions


def explain(game: Game, actions: list[int], error: Exception) -> str:
    """Return the message for an exception that a rule raised after `actions`, with its line."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f"{frame.tb_frame.f_code.co_name}, line {frame.tb_lineno}" if frame else "a rule"
    return (
        f"{game.name} after {written(game, actions)}: the interpreted rules raised "
        f"{type(error).__name__}: {error} (in {place})"
    )


def make_trial(game: Game, games: int = 50, seed: int = 0) -> Trial:
    """Play the random games of a trial. Raises ContractError if a rule raises."""
    rng = np.random.default_rng(seed)
    traces = []
    for _ in range(games):
        actions = _play_randomly(game, rng)
        try:
            traces.append(trace(game, actions, compiled=False))
        except Exception as error:
            raise ContractError(explain(game, actions, error)) from error
    return Trial(game, traces, seed)
