"""The game protocol: a few short rules over one record, dispatched on the record's dtype.

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
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from types import FunctionType
from typing import Any

import numba
import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from envs.compiled.jitable import jitable
from envs.compiled.shared_cache import save_one_at_a_time
from envs.compiled.symbol_names import name_helpers
from envs.notation.boards import BoardShape
from envs.notation.records import BookFormat, RecordFormat
from envs.symmetry import Symmetries, identity

save_one_at_a_time()

State = Any  # one record: np.void in plain Python, a Numba Record in compiled code
Rule = Callable[..., Any]

RULE_PARAMETERS: dict[str, tuple[str, ...]] = {
    "reset": ("state",),
    "legal_actions": ("state", "actions"),
    "step": ("state", "action"),
    "is_terminal": ("state",),
    "value_to_play": ("state",),
    "to_play": ("state",),
    "encode": ("state", "planes"),
    "position_key": ("state",),
    "remember": ("state", "keys", "count"),
    "evaluation_key": ("state",),
    "final_ownership": ("state", "owners"),
}
OPTIONAL_RULES = ("remember", "evaluation_key", "final_ownership")
ENCODE_WITH_PAST = ("state", "past", "planes")  # `encode` of a game with `past_boards`

MIX = np.uint64(0xD6E8FEB86659FD93)  # odd, to mix the parts of a key

_IDENTITY_OF_ANY_SIZE = identity(0, 0)  # means "no symmetry given"; replaced by the right size


class GameError(ValueError):
    """A game definition, move or position that the rules do not allow."""


class NotationError(GameError):
    """Text that names no legal move or position."""


@dataclass(frozen=True)
class Rules:
    """The rules of a game, compiled by Numba and also run as plain Python.

    `state` is one record, changed in place where stated. Parameter names are part of the protocol
    (Numba requires them to agree). `remember` and `evaluation_key` are for games whose rules look
    back: repetition in chess and shogi, superko in Go. Such a game gets the keys of its earlier
    positions once, when a position is made, and writes what follows from them into the record.
    `final_ownership` is for games that count points, which a learner may predict.
    """

    reset: Rule  # reset(state): write the initial position
    # legal_actions(state, actions) -> count: write the legal actions of an unfinished game into
    # int32 [max_legal], in an order that depends on the position alone, and return their number
    legal_actions: Rule
    step: Rule  # step(state, action): play a legal action in place
    is_terminal: Rule  # is_terminal(state) -> bool
    value_to_play: Rule  # value_to_play(state) -> float in [-1, 1] for the side to move, at the end
    to_play: Rule  # to_play(state) -> 0 (first player) or 1
    # encode(state, planes): write float32 [C, H, W], zeroed by the caller, seen by the side to
    # move; encode(state, past, planes) in games with `past_boards`
    encode: Rule
    position_key: Rule  # position_key(state) -> uint64, equal where the rules see one position
    # remember(state, keys, count): called once after each step, with the position keys of the
    # game's earlier positions, uint64 keys[:count], oldest first
    remember: Rule | None = None
    # evaluation_key(state) -> uint64, equal where `encode` and the rules agree; None: position_key
    evaluation_key: Rule | None = None
    # final_ownership(state, owners) -> float: write who owns each cell of a finished board into
    # int8 [H*W], 1 for the first player, -1 for the second; return the first player's lead
    final_ownership: Rule | None = None

    def __post_init__(self) -> None:
        for name, wanted in RULE_PARAMETERS.items():
            rule = getattr(self, name)
            if rule is None and name in OPTIONAL_RULES:
                continue
            got = tuple(inspect.signature(rule).parameters)
            if name == "encode" and got == ENCODE_WITH_PAST:
                continue
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

    `mean_legal` sizes a search tree's edges and its cache: about as many actions as are legal in
    most positions; 0 is `max_legal`. `past_boards` is how many earlier boards `encode` shows.
    `parse_position` and `format_position` turn text (FEN, say) into a record and back.
    `format_move` and `parse_move` are the notation of a game whose words depend on the position.
    `cells` says what stands on each cell, uint8 [H*W]: 0 is nothing, 2k + 1 and 2k + 2 are kind k
    of the first and of the second player. `policy_planes` is the number of planes of a policy by
    convolution, whose action is `plane * H * W + row * W + column`; 0 is a policy without planes.
    `count_lines` counts the move sequences of a length from a position by the rules of movement
    alone, for a game whose perft goes on after a draw. `record_formats` are the formats of game
    records that the game is written in, PGN say; text lines of moves need none; `book_formats` are
    those of books of openings. `board` tells a screen how to draw the `cells` and to play by them.
    `turned_axes` are the axes of the planes [C, H, W] that are reversed for the other player, in a
    game that shows each player the board from their own side: (1,) upside down, (1, 2) turned
    around; its actions are named as the side to move sees the board. `board_plane` is the plane
    with ones on the cells of the board and zeros outside, in a game of several sizes; None: no cell
    is outside.
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
    mean_legal: int = 0
    past_boards: int = 0
    policy_planes: int = 0
    turned_axes: tuple[int, ...] = ()
    board_plane: int | None = None
    parse_position: Callable[[str], State] | None = None
    format_position: Callable[[State], str] | None = None
    format_move: Callable[[State, int], str] | None = None
    parse_move: Callable[[State, str], int] | None = None
    cells: Callable[[State], NDArray[np.uint8]] | None = None
    count_lines: Callable[[State, int], int] | None = None
    record_formats: tuple[RecordFormat, ...] = ()
    book_formats: tuple[BookFormat, ...] = ()
    board: BoardShape | None = None

    def __post_init__(self) -> None:
        self._check_sizes()
        if self.symmetries is _IDENTITY_OF_ANY_SIZE:
            _, height, width = self.planes_shape
            object.__setattr__(self, "symmetries", identity(height * width, self.num_actions))
        if not self.title:
            object.__setattr__(self, "title", self.name.replace("_", " ").capitalize())
        _register(self)

    def _check_sizes(self) -> None:
        """Raise GameError where fields contradict each other or the rules."""
        if not 0 <= self.mean_legal <= self.max_legal:
            raise GameError(
                f"{self.name}: mean_legal = {self.mean_legal}, expected 0 to "
                f"max_legal = {self.max_legal}"
            )
        parameters = tuple(inspect.signature(self.rules.encode).parameters)
        if (parameters == ENCODE_WITH_PAST) != (self.past_boards > 0):
            wanted = ENCODE_WITH_PAST if self.past_boards else RULE_PARAMETERS["encode"]
            raise GameError(
                f"{self.name}: past_boards = {self.past_boards}, so rule encode{parameters} must "
                f"take exactly ({', '.join(wanted)})"
            )
        channels, height, width = self.planes_shape
        if self.turned_axes not in ((), (1,), (2,), (1, 2)):
            raise GameError(
                f"{self.name}: turned_axes = {self.turned_axes}, expected axes of its planes' rows "
                "and columns, such as (1,)"
            )
        if self.board_plane is not None and not 0 <= self.board_plane < channels:
            raise GameError(
                f"{self.name}: board_plane = {self.board_plane}, expected one of its {channels}"
            )
        if self.policy_planes and self.policy_planes * height * width != self.num_actions:
            raise GameError(
                f"{self.name}: {self.policy_planes} policy planes of {height} x {width} are not "
                f"its {self.num_actions} actions"
            )

    @property
    def typical_legal(self) -> int:
        """Return `mean_legal`, or `max_legal` where that is not given."""
        return self.mean_legal or self.max_legal

    @property
    def has_history(self) -> bool:
        """Whether a position's past is part of it: for the rules, or for what a network sees."""
        return self.rules.remember is not None or self.past_boards > 0

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

    def legal_actions(self, state: State) -> NDArray[np.int32]:
        """Return the legal actions of a position, int32 [count]; none if the game is over."""
        actions = np.zeros(self.max_legal, np.int32)
        count = 0 if self.rules.is_terminal(state) else self.rules.legal_actions(state, actions)
        return actions[:count]

    def legal_mask(self, state: State) -> NDArray[np.bool_]:
        """Return the legal actions of a position, bool [A]; none if the game is over."""
        mask = np.zeros(self.num_actions, np.bool_)
        mask[self.legal_actions(state)] = True
        return mask

    def encode(self, state: State, past: NDArray[Any] | None = None) -> NDArray[np.float32]:
        """Return the network's input for one position, float32 [C, H, W].

        `past` are the boards before it, records [past_boards], newest first; None repeats its own.
        """
        planes = np.zeros(self.planes_shape, np.float32)
        if not self.past_boards:
            self.rules.encode(state, planes)
        else:
            boards = np.full(self.past_boards, state, self.dtype) if past is None else past
            self.rules.encode(state, boards, planes)
        return planes

    def parse_moves(self, text: str, start: State | None = None) -> list[int]:
        """Parse a game record into actions, checking each move against the rules.

        It begins at `start`, or at the initial position. Raises NotationError for text that is not
        a move or is not legal, with the move, its number and the legal moves.
        """
        moves: list[int] = []
        words = self.split_moves(text)
        keys = np.zeros(len(words) + 1, np.uint64)
        state = self.new_state() if start is None else start.copy()
        for word in words:
            action = self.parse_legal(state, word, len(moves) + 1)
            advance(state, keys, len(moves), action)
            moves.append(action)
        return moves

    def split_moves(self, text: str) -> list[str]:
        """Split a game record into moves; without a separator, each character is a move."""
        text = text.strip()
        return text.split() if self.move_separator else list(text)

    def parse_legal(self, state: State, word: str, number: int = 1) -> int:
        """Parse one legal action. Raises NotationError, with the legal moves, for anything else."""
        allowed = self.legal_actions(state)
        try:
            action = self.parse_move(state, word) if self.parse_move else self.parse_action(word)
        except (ValueError, LookupError):
            action = -1
        if action not in allowed:
            legal = " ".join(self.written(state, int(a)) for a in np.sort(allowed))
            what = f"the legal moves are {legal}" if legal else "the game is over there"
            raise NotationError(f"move {number}, {word!r}, is not legal in {self.name}: {what}")
        return action

    def written(self, state: State, action: int) -> str:
        """Return a legal action of a position in the game's notation."""
        if self.format_move is not None:
            return self.format_move(state, action)
        return self.format_action(action)

    def read_position(self, text: str) -> tuple[State | None, list[int]]:
        """Read where a game begins: a position's text, moves from the initial one, or both.

        Both are "POSITION moves M1 M2"; "startpos" is the initial position. Returns the position,
        None for the initial one, and the moves that follow. Raises NotationError for other text.
        """
        place, _, rest = f"{text.strip()} ".partition(" moves ")
        start, moves = self._read_place(place.strip())
        if start is None:
            words = (self.format_moves(moves), rest.strip())
            return None, self.parse_moves(self.move_separator.join(filter(None, words)))
        return start, self.parse_moves(rest, start)

    def _read_place(self, text: str) -> tuple[State | None, list[int]]:
        if text in ("", "startpos"):
            return None, []
        if self.parse_position is not None:
            try:
                return self.parse_position(text), []
            except NotationError as error:
                first = self.split_moves(text)[0]
                try:
                    self.parse_legal(self.new_state(), first)
                except NotationError:
                    raise error from None
        return None, self.parse_moves(text)

    def write_position(self, start: State | None, moves: Sequence[int]) -> str:
        """Write where a game stands, as `read_position` reads it: its start, and its moves.

        Raises NotationError for a start that the game has no text for.
        """
        if start is None:
            return self.format_moves(moves)
        if self.format_position is None:
            raise NotationError(f"{self.name} has no text for positions: expected moves alone")
        line = self.move_separator.join(self.words(start, moves))
        return (
            f"{self.format_position(start)} moves {line}" if moves else self.format_position(start)
        )

    def words(self, state: State, moves: Sequence[int]) -> list[str]:
        """Return the words of legal moves that are played one after the other from a position."""
        if self.format_move is None:
            return [self.format_action(int(action)) for action in moves]
        line = self.line(moves[:-1], state)
        return [self.written(before, int(action)) for before, action in zip(line, moves)]

    def format_moves(self, moves: Sequence[int]) -> str:
        """Format the legal actions of a game as its record, which `parse_moves` reads back."""
        return self.move_separator.join(self.words(self.new_state(), moves))

    def position(self, moves: Sequence[int]) -> State:
        """Return the position after legal `moves` from the start, as a new record."""
        return self.line(moves)[-1]

    def line(self, moves: Sequence[int], start: State | None = None) -> NDArray[Any]:
        """Return the positions of a game, from its first to after legal `moves`, records [n + 1].

        It begins at `start` if given, as a game without a past, else at the initial position.
        """
        states, keys = self.new_states(len(moves) + 1), np.zeros(len(moves) + 1, np.uint64)
        if start is not None:
            states[0] = start
        for ply, action in enumerate(moves):
            states[ply + 1] = states[ply]
            advance(states[ply + 1], keys, ply, action)
        return states


_BY_TYPE: dict[Any, Game] = {}
_BY_DTYPE: dict[np.dtype[Any], Game] = {}


def _register(game: Game) -> None:
    tag = str(game.dtype.names[-1]) if game.dtype.names else game.name
    name_helpers([getattr(game.rules, field.name) for field in fields(game.rules)], tag)
    _BY_TYPE[numba.from_dtype(game.dtype)] = game
    _BY_DTYPE[game.dtype] = game


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


def legal_actions(state: State, actions: NDArray[np.int32]) -> int:
    """Write the legal actions of an unfinished game into int32 [max_legal]; return their number."""
    return int(game_of(state).rules.legal_actions(state, actions))


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


def encode(state: State, past: NDArray[Any], planes: NDArray[np.float32]) -> None:
    """Write the network's input, float32 [C, H, W], zeroed by the caller.

    `past` are the boards before the position, records [past_boards], newest first.
    """
    game = game_of(state)
    if game.past_boards:
        game.rules.encode(state, past, planes)
    else:
        game.rules.encode(state, planes)


def encode_alone(state: State, planes: NDArray[np.float32]) -> None:
    """Do as `encode`, for a game whose planes show no earlier boards."""
    game_of(state).rules.encode(state, planes)


def position_key(state: State) -> int:
    """Return a 64-bit key, equal for positions that the rules and the network see as equal."""
    with np.errstate(over="ignore"):  # hashing wraps; only plain Python warns of it
        return int(game_of(state).rules.position_key(state))


def evaluation_key(state: State) -> int:
    """Return a 64-bit key, equal where the network sees equal positions, past boards left out."""
    rules = game_of(state).rules
    with np.errstate(over="ignore"):
        return int((rules.evaluation_key or rules.position_key)(state))


def final_ownership(state: State, owners: NDArray[np.int8]) -> float:
    """Write who owns each cell of a finished board into int8 [H*W]; return the lead in points.

    1 is the first player, -1 the second, 0 neither; the lead is the first player's. In games that
    count no points nothing is written, and the lead is 0.
    """
    rule = game_of(state).rules.final_ownership
    return 0.0 if rule is None else float(rule(state, owners))


def remembers(state: State) -> bool:
    """Return whether the game's rules look back at its earlier positions."""
    return game_of(state).rules.remember is not None


def remember(state: State, keys: NDArray[np.uint64], count: Any) -> None:
    """Write into a new position what follows from the keys of the game's earlier ones.

    keys[:count] are their position keys, oldest first. Nothing happens in games that do not look
    back.
    """
    rule = game_of(state).rules.remember
    if rule is not None:
        with np.errstate(over="ignore"):
            rule(state, keys, count)


@jitable
def advance(state: State, keys: NDArray[np.uint64], count: int, action: int) -> None:
    """Play a legal action in place, in a game whose earlier positions have the keys keys[:count].

    Writes this position's key to keys[count], in games that look back.
    """
    if remembers(state):
        keys[count] = position_key(state)
    step(state, action)
    remember(state, keys, count + 1)


@jitable
def input_key(state: State, past: Any, actions: Any, count: Any) -> Any:
    """Return a 64-bit key of all that an evaluation depends on: the key of its cache entry.

    That is what the network sees, earlier boards `past` included, and in games that look back the
    legal actions[:count], which may differ where the network sees the same.
    """
    key = np.uint64(evaluation_key(state))
    for back in range(len(past)):
        key = (key ^ (key >> np.uint64(31)) ^ np.uint64(evaluation_key(past[back]))) * MIX
    if remembers(state):
        for k in range(count):
            key = (key ^ (key >> np.uint64(31)) ^ np.uint64(actions[k])) * MIX
    return key


# Numba compiles the rule in place of the generic function: no dispatch is left at run time.

# What the search inlines by force hands that down to all that it calls. So a rule says that it is
# called, else each kernel has a copy of it for every place that uses it: chess took twice as long
# to compile.
CALLED: Any = {"forceinline": False, "no_cfunc_wrapper": True}
# The two that are long and used most are compiled as one piece, with all that they call inlined.
WHOLE: Any = {"forceinline": True, "no_cfunc_wrapper": True}


def whole_legal_actions(state: Any, actions: Any) -> Any:
    """Do as `legal_actions` in compiled code, inlined by force."""


def whole_step(state: Any, action: Any) -> Any:
    """Do as `step` in compiled code with an int64 action, inlined by force."""


@overload(reset, jit_options=CALLED)
def _reset(state):  # type: ignore[no-untyped-def]
    return _rule_of(state, "reset")


@overload(legal_actions, jit_options=CALLED)
def _legal_actions(state, actions):  # type: ignore[no-untyped-def]
    return _call_legal_actions


@overload(whole_legal_actions, jit_options=WHOLE)
def _whole_legal_actions_of(state, actions):  # type: ignore[no-untyped-def]
    return _rule_of(state, "legal_actions")


@overload(step, jit_options=CALLED)
def _step(state, action):  # type: ignore[no-untyped-def]
    return _call_step


@overload(whole_step, jit_options=WHOLE)
def _whole_step_of(state, action):  # type: ignore[no-untyped-def]
    return _rule_of(state, "step")


@overload(is_terminal, jit_options=CALLED)
def _is_terminal(state):  # type: ignore[no-untyped-def]
    return _rule_of(state, "is_terminal")


@overload(value_to_play, jit_options=CALLED)
def _value_to_play(state):  # type: ignore[no-untyped-def]
    return _rule_of(state, "value_to_play")


@overload(to_play, jit_options=CALLED)
def _to_play(state):  # type: ignore[no-untyped-def]
    return _rule_of(state, "to_play")


# These are functions of the module, not closures over a game's rule: Numba caches them.


def _call_legal_actions(state, actions):  # type: ignore[no-untyped-def]
    return whole_legal_actions(state, actions)


def _call_step(state, action):  # type: ignore[no-untyped-def]
    whole_step(state, np.int64(action))  # one type of integer, so that the rule is compiled once


def _encode_without_past(state, past, planes):  # type: ignore[no-untyped-def]
    encode_alone(state, planes)


def _forget(state, keys, count):  # type: ignore[no-untyped-def]
    pass


@overload(encode, jit_options=CALLED)
def _encode(state, past, planes):  # type: ignore[no-untyped-def]
    game = _BY_TYPE.get(state)
    if game is not None and game.past_boards:
        return _rule_of(state, "encode")
    return _encode_without_past


@overload(encode_alone, jit_options=CALLED)
def _encode_alone(state, planes):  # type: ignore[no-untyped-def]
    return _rule_of(state, "encode")


@overload(evaluation_key, jit_options=CALLED)
def _evaluation_key(state):  # type: ignore[no-untyped-def]
    game = _BY_TYPE.get(state)
    named = game is not None and game.rules.evaluation_key is not None
    return _rule_of(state, "evaluation_key" if named else "position_key")


def _count_no_points(state, owners):  # type: ignore[no-untyped-def]
    return 0.0


@overload(final_ownership, jit_options=CALLED)
def _final_ownership(state, owners):  # type: ignore[no-untyped-def]
    game = _BY_TYPE.get(state)
    if game is not None and game.rules.final_ownership is not None:
        return _rule_of(state, "final_ownership")
    return _count_no_points


@overload(remembers)
def _remembers(state):  # type: ignore[no-untyped-def]
    game = _BY_TYPE.get(state)
    if game is not None and game.rules.remember is not None:
        return lambda state: True
    return lambda state: False


@overload(remember, jit_options=CALLED)
def _remember(state, keys, count):  # type: ignore[no-untyped-def]
    game = _BY_TYPE.get(state)
    if game is not None and game.rules.remember is not None:
        return _rule_of(state, "remember")
    return _forget


@overload(position_key, jit_options=CALLED)
def _position_key(state):  # type: ignore[no-untyped-def]
    return _rule_of(state, "position_key")
