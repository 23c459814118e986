"""The game protocol: eight short rules over one record, dispatched on the record's dtype.

A position is one record of a NumPy structured dtype, a batch of positions an array of records. The
generic functions of this module (`step`, `legal_actions`, ...) find the game by the record's type:
through `numba.extending.overload` in compiled code, by the dtype in plain Python. So search, replay
and perft are written once and use Numba's on-disk cache for every game.

Every dtype ends in a tag: a field of zeros, named after the game and a hash of its source file. So
two games never share a dtype, and a kernel compiled from an older source is never loaded.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from types import FunctionType
from typing import Any

import numba
import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from envs.symmetry import Symmetries, identity

State = Any  # one record: np.void in plain Python, a Numba Record in compiled code
Rule = Callable[..., Any]

RULE_PARAMETERS: dict[str, tuple[str, ...]] = {
    "reset": ("state",),
    "legal_actions": ("state", "mask"),
    "step": ("state", "action"),
    "is_terminal": ("state",),
    "value_to_play": ("state",),
    "to_play": ("state",),
    "encode": ("state", "planes"),
    "position_key": ("state",),
}

_IDENTITY_OF_ANY_SIZE = identity(0, 0)  # means "no symmetry given"; replaced by the right size


class GameError(ValueError):
    """A game definition, move or position that the rules do not allow."""


class NotationError(GameError):
    """Text that names no legal move or position."""


@dataclass(frozen=True)
class Rules:
    """The eight rules of a game, compiled by Numba and also run as plain Python.

    `state` is one record, changed in place where stated; arrays are zeroed by the caller. Parameter
    names are part of the protocol (Numba requires them to agree).
    """

    reset: Rule  # reset(state): write the initial position
    legal_actions: Rule  # legal_actions(state, mask): set mask[a] = True, bool [A]
    step: Rule  # step(state, action): play a legal action in place
    is_terminal: Rule  # is_terminal(state) -> bool
    value_to_play: Rule  # value_to_play(state) -> float in [-1, 1] for the side to move, at the end
    to_play: Rule  # to_play(state) -> 0 (first player) or 1
    encode: Rule  # encode(state, planes): write float32 [C, H, W], seen by the side to move
    position_key: Rule  # position_key(state) -> uint64, equal where `encode` and the rules agree

    def __post_init__(self) -> None:
        for name, wanted in RULE_PARAMETERS.items():
            got = tuple(inspect.signature(getattr(self, name)).parameters)
            if got != wanted:
                raise GameError(
                    f"rule {name}{got} must take exactly ({', '.join(wanted)}), by these names"
                )


@dataclass(frozen=True, eq=False)
class Game:
    """A two-player, zero-sum board game: its rules, shapes, notation and drawing.

    `fields` are the record's fields as for `np.dtype`. `format_action` and `parse_action` turn an
    action into text and back; a game record is the moves joined by `move_separator`, and a position
    is written as the record that leads to it. `render` draws a record for a terminal. `in_a_row` is
    how many stones in a line win, for a screen that marks the line; 0 if lines do not win.
    """

    name: str
    rules: Rules
    fields: Sequence[tuple[Any, ...]]
    num_actions: int
    planes_shape: tuple[int, int, int]  # (channels, height, width)
    max_plies: int  # no game is longer
    max_legal: int  # no position has more legal actions
    format_action: Callable[[int], str]
    parse_action: Callable[[str], int]
    render: Callable[[State], str]
    symmetries: Symmetries = _IDENTITY_OF_ANY_SIZE
    move_separator: str = " "
    title: str = ""
    player_names: tuple[str, str] = ("first", "second")
    in_a_row: int = 0

    def __post_init__(self) -> None:
        if self.symmetries is _IDENTITY_OF_ANY_SIZE:
            _, height, width = self.planes_shape
            object.__setattr__(self, "symmetries", identity(height * width, self.num_actions))
        if not self.title:
            object.__setattr__(self, "title", self.name.replace("_", " ").capitalize())
        _register(self)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Return the record's dtype: the fields, widest first, then the tag.

        The tag fills the record up to a multiple of its alignment. There is no padding between
        fields: NumPy does not copy padding, so records could not be compared or hashed as bytes.
        """
        source = inspect.getsourcefile(self.rules.step)
        digest = hashlib.sha256(Path(source).read_bytes() if source else b"").hexdigest()[:8]
        aligned = [(np.dtype([field], align=True).alignment, field) for field in self.fields]
        aligned.sort(key=lambda pair: -pair[0])
        ordered = [field for _, field in aligned]
        used = np.dtype(ordered, align=True)
        whole = np.dtype([*ordered, ("tag", "u1")], align=True).itemsize
        size = sum(used[name].itemsize for name in used.names or ())
        return np.dtype([*ordered, (f"{self.name}_{digest}", "u1", (whole - size,))], align=True)

    def new_states(self, count: int) -> NDArray[Any]:
        """Return `count` initial positions, a record array [count]."""
        states = np.zeros(count, self.dtype)
        self.rules.reset(states[0])
        states[1:] = states[0]
        return states

    def new_state(self) -> State:
        """Return one initial position, a record that the rules change in place."""
        return self.new_states(1)[0]

    def legal_mask(self, state: State) -> NDArray[np.bool_]:
        """Return the legal actions of a position, bool [A]; none if the game is over."""
        mask = np.zeros(self.num_actions, np.bool_)
        if not self.rules.is_terminal(state):
            self.rules.legal_actions(state, mask)
        return mask

    def encode(self, state: State) -> NDArray[np.float32]:
        """Return the network's input for one position, float32 [C, H, W]."""
        planes = np.zeros(self.planes_shape, np.float32)
        self.rules.encode(state, planes)
        return planes

    def parse_moves(self, text: str) -> list[int]:
        """Parse a game record into actions, checking each move against the rules.

        Raises NotationError for text that is not a move or is not legal, with the move, its number
        and the legal moves.
        """
        moves: list[int] = []
        state = self.new_state()
        for word in self.split_moves(text):
            action = self.parse_legal(state, word, len(moves) + 1)
            self.rules.step(state, action)
            moves.append(action)
        return moves

    def split_moves(self, text: str) -> list[str]:
        """Split a game record into moves; without a separator, each character is a move."""
        text = text.strip()
        return text.split() if self.move_separator else list(text)

    def parse_legal(self, state: State, word: str, number: int = 1) -> int:
        """Parse one legal action. Raises NotationError, with the legal moves, for anything else."""
        mask = self.legal_mask(state)
        try:
            action = self.parse_action(word)
        except (ValueError, LookupError):
            action = -1
        if not 0 <= action < self.num_actions or not mask[action]:
            legal = " ".join(self.format_action(int(a)) for a in np.flatnonzero(mask))
            what = f"the legal moves are {legal}" if legal else "the game is over there"
            raise NotationError(f"move {number}, {word!r}, is not legal in {self.name}: {what}")
        return action

    def format_moves(self, moves: Sequence[int]) -> str:
        """Format actions as a game record, which `parse_moves` reads back."""
        return self.move_separator.join(self.format_action(int(a)) for a in moves)

    def position(self, moves: Sequence[int]) -> State:
        """Return the position after legal `moves` from the start, as a new record."""
        state = self.new_state()
        for action in moves:
            self.rules.step(state, action)
        return state


_BY_TYPE: dict[Any, Game] = {}
_BY_DTYPE: dict[np.dtype[Any], Game] = {}


def _register(game: Game) -> None:
    _name_helpers(game)
    _BY_TYPE[numba.from_dtype(game.dtype)] = game
    _BY_DTYPE[game.dtype] = game


def _name_helpers(game: Game) -> None:
    """Give the closures that the rules call names of this game's own.

    Numba names a compiled function by its qualified name, a number that counts from 1 in each
    process, and the types of its arguments. Two boards' closures of one function may so be cached
    under one name by two processes, and a process that loads both runs one in place of the other.
    """
    tag, seen = str(game.dtype.names[-1]) if game.dtype.names else game.name, set[int]()
    pending: list[Any] = [getattr(game.rules, field.name) for field in fields(game.rules)]
    while pending:
        function = pending.pop()
        if isinstance(function, tuple):
            pending += function
        if not isinstance(function, FunctionType) or id(function) in seen:
            continue
        seen.add(id(function))
        if "<locals>" in function.__qualname__ and "@" not in function.__qualname__:
            function.__qualname__ += f"@{tag}"
        pending += [function.__globals__.get(name) for name in function.__code__.co_names]
        for cell in function.__closure__ or ():
            with suppress(ValueError):  # a cell that has no value yet
                pending.append(cell.cell_contents)


def game_of(state: State) -> Game:
    """Return the game of a record or record array. Raises GameError for an unknown dtype."""
    try:
        return _BY_DTYPE[state.dtype]
    except KeyError:
        raise GameError(f"no game is registered for the dtype {state.dtype}") from None


def _rule_of(state_type: Any, name: str) -> Rule | None:
    """Return the rule to compile, without annotations, which Numba would compare too."""
    game = _BY_TYPE.get(state_type)
    if game is None:
        return None
    rule = getattr(game.rules, name)
    return FunctionType(rule.__code__, rule.__globals__, rule.__name__, None, rule.__closure__)


def reset(state: State) -> None:
    """Write the initial position into the record."""
    game_of(state).rules.reset(state)


def legal_actions(state: State, mask: NDArray[np.bool_]) -> None:
    """Set `mask` bool [A], zeroed by the caller, to True at the legal actions."""
    game_of(state).rules.legal_actions(state, mask)


def step(state: State, action: int) -> None:
    """Play a legal action in place; the rules decide who moves next."""
    game_of(state).rules.step(state, action)


def is_terminal(state: State) -> bool:
    """Return whether the game is over."""
    return bool(game_of(state).rules.is_terminal(state))


def value_to_play(state: State) -> float:
    """Return the result of a finished game in [-1, 1], for the side to move."""
    return float(game_of(state).rules.value_to_play(state))


def to_play(state: State) -> int:
    """Return the side to move: 0 for the first player, 1 for the second."""
    return int(game_of(state).rules.to_play(state))


def encode(state: State, planes: NDArray[np.float32]) -> None:
    """Write the network's input, float32 [C, H, W], zeroed by the caller."""
    game_of(state).rules.encode(state, planes)


def position_key(state: State) -> int:
    """Return a 64-bit key, equal for positions that the rules and the network see as equal."""
    with np.errstate(over="ignore"):  # hashing wraps; only plain Python warns of it
        return int(game_of(state).rules.position_key(state))


# Numba compiles the rule in place of the generic function: no dispatch is left at run time.


@overload(reset)
def _reset(state):  # type: ignore[no-untyped-def]
    return _rule_of(state, "reset")


@overload(legal_actions)
def _legal_actions(state, mask):  # type: ignore[no-untyped-def]
    return _rule_of(state, "legal_actions")


@overload(step)
def _step(state, action):  # type: ignore[no-untyped-def]
    return _rule_of(state, "step")


@overload(is_terminal)
def _is_terminal(state):  # type: ignore[no-untyped-def]
    return _rule_of(state, "is_terminal")


@overload(value_to_play)
def _value_to_play(state):  # type: ignore[no-untyped-def]
    return _rule_of(state, "value_to_play")


@overload(to_play)
def _to_play(state):  # type: ignore[no-untyped-def]
    return _rule_of(state, "to_play")


@overload(encode)
def _encode(state, planes):  # type: ignore[no-untyped-def]
    return _rule_of(state, "encode")


@overload(position_key)
def _position_key(state):  # type: ignore[no-untyped-def]
    return _rule_of(state, "position_key")
