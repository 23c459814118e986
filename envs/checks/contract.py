"""The contract of a game: checks that every game passes, a user's own included.

`check` plays random games, traces them with the interpreted and with the compiled rules, and checks
each promise of the protocol. A failure names the game, the moves that lead to the position and the
difference. The suite cannot know who should have won: a game needs its own test for that.

The first line of each check's docstring is its promise, which `ludens check-game` prints.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from envs import game as generic
from envs.checks.caching import LARGEST_TABLE, large_table, recursion, rule_functions
from envs.checks.trial import SPARE, ContractError, Trace, Trial, explain, make_trial, written
from envs.game import Game, NotationError, advance, step


def check_start(trial: Trial) -> int:
    """The first player is to move in a position that is not over, whatever the record held."""
    game = trial.game
    start = game.new_states(3)
    trial.require(not game.rules.is_terminal(start[0]), [], "the game is over at the start")
    side = int(game.rules.to_play(start[0]))
    trial.require(side == 0, [], f"to_play is {side} at the start, expected 0")
    used = np.full(game.dtype.itemsize, 0xFF, np.uint8).view(game.dtype)
    game.rules.reset(used[0])
    for name in [str(field[0]) for field in game.fields]:
        same = np.array_equal(used[name], start[name][:1])
        trial.require(same, [], f"reset does not write the field {name!r} of a used record")
    return 3


def check_always_a_move(trial: Trial) -> int:
    """Some action is legal in every position that is not over."""
    for t in trial.traces:
        stuck = ~t.over & (t.counts == 0)
        for ply in np.flatnonzero(stuck):
            trial.fail(t.actions[:ply], "no action is legal, yet the game is not over")
    return trial.positions


def check_ends_in_time(trial: Trial) -> int:
    """Every game ends within `max_plies`."""
    limit = trial.game.max_plies
    for t in trial.traces:
        trial.require(
            len(t.actions) <= limit, t.actions, f"the game goes on after max_plies={limit} plies"
        )
    return len(trial.traces)


def check_legal_count(trial: Trial) -> int:
    """No position has more than `max_legal` legal actions."""
    limit = trial.game.max_legal
    for t in trial.traces:
        for ply in np.flatnonzero(t.counts > limit):
            what = f"{t.counts[ply]} actions are legal, more than max_legal={limit}"
            trial.fail(t.actions[:ply], what)
    return trial.positions


def check_legal_list(trial: Trial) -> int:
    """Each legal action is listed once, and is one of the game's."""
    for t in trial.traces:
        for ply in range(len(t.states)):
            legal, times = np.unique(t.legal_at(ply), return_counts=True)
            for action in legal[(legal < 0) | (legal >= trial.game.num_actions)].tolist():
                what = f"action {action} is listed, expected 0 to {trial.game.num_actions - 1}"
                trial.fail(t.actions[:ply], what)
            for action in legal[times > 1].tolist():
                trial.fail(t.actions[:ply], f"action {action} is listed more than once")
    return trial.positions


def check_sides(trial: Trial) -> int:
    """`to_play` is 0 or 1 everywhere."""
    for t in trial.traces:
        for ply in np.flatnonzero((t.sides != 0) & (t.sides != 1)):
            what = f"to_play is {t.sides[ply]}, expected 0 or 1"
            trial.fail(t.actions[:ply], what)
    return trial.positions


def check_values(trial: Trial) -> int:
    """Results are in [-1, 1], and equal for positions that look equal to the side to move."""
    seen: dict[bytes, tuple[float, list[int]]] = {}
    for t in trial.traces:
        for ply in np.flatnonzero(t.over):
            value = float(t.values[ply])
            in_range = -1.0 <= value <= 1.0
            what = f"value_to_play is {value}, expected a number in [-1, 1]"
            trial.require(in_range, t.actions[:ply], what)
            first, moves = seen.setdefault(t.planes[ply].tobytes(), (value, t.actions[:ply]))
            if first != value:
                other = f"{first} after {written(trial.game, moves)}, which encodes the same"
                trial.fail(t.actions[:ply], f"value_to_play is {value}, but {other}")
    return len(seen)


def check_legal_steps(trial: Trial) -> int:
    """Every legal action can be played, and playing it changes only the record it is given."""
    game, stepped = trial.game, 0
    for t in trial.traces:
        for ply in _sample(trial, t):
            if t.over[ply]:
                continue
            for action in t.legal_at(ply):
                board = np.repeat(t.states[ply : ply + 1], 3)
                before = board[0].tobytes()
                actions = [*t.actions[:ply], int(action)]
                try:
                    step(board[1], int(action))
                except Exception as error:
                    raise ContractError(explain(game, actions, error)) from error
                alone = board[0].tobytes() == before == board[2].tobytes()
                trial.require(alone, actions, "step changed another record than the one it got")
                stepped += 1
    return stepped


def check_reading(trial: Trial) -> int:
    """Rules that only read a position do not change it."""
    game, asked = trial.game, 0
    actions = np.zeros(game.max_legal + SPARE, np.int32)
    planes = np.zeros(game.planes_shape, np.float32)
    owners = np.zeros(planes[0].size, np.int8)
    for t in trial.traces:
        for ply in _sample(trial, t):
            questions: dict[str, tuple[Any, ...]] = {
                "is_terminal": (),
                "to_play": (),
                "position_key": (),
                "evaluation_key": (),
                "encode": (np.repeat(t.states[ply : ply + 1], game.past_boards), planes),
            }
            ended = {"value_to_play": (), "final_ownership": (owners,)}
            questions |= ended if t.over[ply] else {"legal_actions": (actions,)}
            for name, outputs in questions.items():
                state = t.states[ply : ply + 1].copy()[0]
                getattr(generic, name)(state, *outputs)
                same = state.tobytes() == t.states[ply].tobytes()
                trial.require(same, t.actions[:ply], f"{name} changed the record")
                asked += 1
    return asked


def _sample(trial: Trial, t: Trace, count: int = 6) -> list[int]:
    """Choose some plies of a game, the first and the last ones among them."""
    last = len(t.states) - 1
    rng = np.random.default_rng([trial.seed, len(t.actions)])
    return sorted({0, last, max(0, last - 1), *rng.integers(0, last + 1, count).tolist()})


def check_compiled(trial: Trial) -> int:
    """Compiled and interpreted rules agree on every position, to the byte of the record."""
    for plain, fast in zip(trial.traces, trial.compiled, strict=True):
        for ply in range(min(len(plain.states), len(fast.states))):
            for name in ("states", "counts", "legal", "over", "values", "sides", "planes", "keys"):
                left, right = getattr(plain, name)[ply], getattr(fast, name)[ply]
                if left.tobytes() != right.tobytes() and not np.array_equal(left, right):
                    what = _difference(name, left, right)
                    trial.fail(plain.actions[:ply], what)
    return trial.positions


def _difference(name: str, interpreted: Any, compiled: Any) -> str:
    if name in ("legal", "planes"):
        place = tuple(int(i) for i in np.argwhere(interpreted != compiled)[0])
        name, interpreted, compiled = f"{name}{[*place]}", interpreted[place], compiled[place]
    return f"{name} differ: interpreted {interpreted}, compiled {compiled}"


def check_replay(trial: Trial) -> int:
    """A game replayed beside another game passes through the same records."""
    game = trial.game
    for t, other in pairwise([*trial.traces, trial.traces[0]]):
        state, distraction = game.new_state(), game.new_state()
        keys, other_keys = np.zeros((2, len(t.actions) + 1), np.uint64)
        for ply, action in enumerate(t.actions):
            advance(state, keys, ply, action)
            if ply < len(other.actions):
                advance(distraction, other_keys, ply, other.actions[ply])
            if state.tobytes() != t.states[ply + 1].tobytes():
                what = f"played again the record is {state}, was {t.states[ply + 1]}"
                trial.fail(t.actions[: ply + 1], what)
    return trial.positions


def check_encode(trial: Trial) -> int:
    """Planes are finite and in [-1, 1]."""
    for t in trial.traces:
        good = np.abs(t.planes) <= 1.0  # False for NaN too
        for ply in np.flatnonzero(~good.all(axis=(1, 2, 3))):
            place = tuple(int(i) for i in np.argwhere(~good[ply])[0])
            what = f"planes{list(place)} is {t.planes[ply][place]}, expected a number in [-1, 1]"
            trial.fail(t.actions[:ply], what)
    return trial.positions


def check_symmetries(trial: Trial) -> int:
    """Symmetries are permutations that commute with legal_actions, step, encode and the end."""
    game, symmetries = trial.game, trial.game.symmetries
    channels, height, width = game.planes_shape
    permuted = [
        ("cells", symmetries.cells, height * width),
        ("actions", symmetries.actions, game.num_actions),
    ]
    if symmetries.channels is not None:
        permuted.append(("channels", symmetries.channels, channels))
    for label, rows, size in permuted:
        good = rows.shape == (len(symmetries), size) and np.all(np.sort(rows) == np.arange(size))
        trial.require(bool(good), [], f"symmetries.{label} are not permutations of {size}")
        identical = np.array_equal(rows[0], np.arange(size))
        trial.require(identical, [], f"symmetries.{label}[0] is not the identity")
    for t in trial.traces:
        for symmetry in range(1, len(symmetries)):
            _compare_image(trial, t, symmetry)
    return len(symmetries) * trial.positions


def _compare_image(trial: Trial, t: Trace, symmetry: int) -> None:
    """Compare a game whose moves are permuted with the permuted game."""
    symmetries = trial.game.symmetries
    image = trial.follow(symmetries.action_image(symmetry)[t.actions].tolist())
    plies = len(image.states)  # it ends early if a move's image is not legal
    wanted = {
        "encode": (symmetries.planes(t.planes, symmetry)[:plies], image.planes),
        "is_terminal": (t.over[:plies], image.over),
        "value_to_play": (np.nan_to_num(t.values[:plies]), np.nan_to_num(image.values)),
    }
    for name, (left, right) in wanted.items():
        differs = (left != right).reshape(plies, -1).any(axis=1)
        for ply in np.flatnonzero(differs):
            what = f"symmetry {symmetry} does not commute with {name}"
            trial.fail(t.actions[:ply], what)
    moved = symmetries.action_image(symmetry)
    for number in range(plies):
        if set(moved[t.legal_at(number)].tolist()) != set(image.legal_at(number).tolist()):
            what = f"symmetry {symmetry} does not commute with legal_actions"
            trial.fail(t.actions[:number], what)


def check_notation(trial: Trial) -> int:
    """Actions and game records survive formatting and parsing; nonsense is refused."""
    game = trial.game
    words: dict[str, int] = {}
    for action in range(game.num_actions):
        word = game.format_action(action)
        first = words.setdefault(word, action)
        trial.require(first == action, [], f"actions {first} and {action} are both {word!r}")
        trial.require(
            game.split_moves(word) == [word],
            [],
            f"action {action}, {word!r}, is split by the separator {game.move_separator!r}",
        )
        back = game.parse_action(word)
        trial.require(back == action, [], f"action {action} is {word!r}, read back as {back}")
    for t in trial.traces:
        text = game.format_moves(t.actions)
        same = game.parse_moves(text) == t.actions
        trial.require(same, t.actions, "the game record is read back as another game")
    try:
        game.parse_legal(game.new_state(), "?!")
        trial.fail([], "the move '?!' is accepted")
    except NotationError:
        pass
    return game.num_actions + len(trial.traces)


def check_position_key(trial: Trial) -> int:
    """Different positions have different keys; a position reached in two ways has one key."""
    seen: dict[int, tuple[bytes, list[int]]] = {}
    for t in trial.traces:
        for ply, key in enumerate(t.keys.tolist()):
            looks = _looks(t, ply)
            first, moves = seen.setdefault(key, (looks, t.actions[:ply]))
            if first != looks:
                other = f"{written(trial.game, moves)}, another position"
                trial.fail(t.actions[:ply], f"position_key {key:#x} is also that of {other}")
    pairs = [pair for t in trial.traces for pair in _transpositions(trial, t)]
    recognised = any(a.keys[ply] == b.keys[ply] for a, b, ply in pairs)
    for a, b, ply in pairs[:1]:
        what = f"position_key differs after {written(trial.game, b.actions[:ply])}"
        trial.require(recognised, a.actions[:ply], f"{what}, the same position")
    return len(seen) + len(pairs)


def _looks(t: Trace, ply: int) -> bytes:
    """Return all that the network and the search see of a position, as bytes."""
    seen = (t.planes[ply], t.legal_at(ply), t.over[ply], t.values[ply])
    return b"".join(part.tobytes() for part in seen)


def _transpositions(trial: Trial, t: Trace) -> list[tuple[Trace, Trace, int]]:
    """Return pairs of a game and the same game with two moves of one player swapped, and a ply.

    Only plies where both look the same to the network and the search. The moves that follow are
    played too: the rules may remember the last few moves, which are then the same.
    """
    pairs = []
    for first in range(min(len(t.actions) - 2, 10)):
        actions = t.actions[: first + 7]
        a = trial.follow(actions)
        actions[first], actions[first + 2] = actions[first + 2], actions[first]
        b = trial.follow(actions)
        if a.actions == actions:
            continue
        for ply in range(first + 3, len(b.states)):
            if _looks(a, ply) == _looks(b, ply) and a.sides[ply] == b.sides[ply]:
                pairs.append((a, b, ply))
    return pairs


def check_caching(trial: Trial) -> int:
    """Rules read no table of over a megabyte and call no circle, so that kernels can be cached."""
    functions = rule_functions(trial.game.rules)
    for name, function in functions.items():
        if table := large_table(function):
            what = f"{name} reads the table {table[0]!r} of {table[1]:,} bytes"
            trial.fail([], f"{what}, expected at most {LARGEST_TABLE:,}: it could not be cached")
        if circle := recursion(function):
            trial.fail([], f"{name} calls itself ({' -> '.join(circle)}), expected a loop")
    return len(functions)


def check_rendering(trial: Trial) -> int:
    """Every position can be drawn, and a move changes the drawing."""
    game, drawn = trial.game, 0
    for t in trial.traces:
        for ply in _sample(trial, t):
            drawing = game.render(t.states[ply])
            good = bool(str(drawing).strip())
            trial.require(good, t.actions[:ply], f"render gives {drawing!r}, expected a drawing")
            drawn += 1
        same = len(t.states) > 1 and game.render(t.states[0]) == game.render(t.states[1])
        trial.require(not same, t.actions[:1], "render draws the position as before the move")
    return drawn


CHECKS: tuple[Callable[[Trial], int], ...] = (
    check_start,
    check_always_a_move,
    check_ends_in_time,
    check_legal_count,
    check_legal_list,
    check_sides,
    check_values,
    check_legal_steps,
    check_reading,
    check_compiled,
    check_replay,
    check_encode,
    check_symmetries,
    check_notation,
    check_position_key,
    check_caching,
    check_rendering,
)


@dataclass(frozen=True)
class Outcome:
    """The result of one check: its promise, the number of things checked, the first failure."""

    name: str
    promise: str
    count: int
    failure: str | None


@dataclass(frozen=True)
class Report:
    """The outcomes of all checks of a game."""

    game: str
    outcomes: list[Outcome]

    @property
    def ok(self) -> bool:
        """Return whether every check passed."""
        return all(outcome.failure is None for outcome in self.outcomes)

    def __str__(self) -> str:
        lines = []
        for outcome in self.outcomes:
            if outcome.failure is None:
                lines.append(f"ok      {outcome.name:<16} {outcome.count:>7}  {outcome.promise}")
            else:
                lines.append(f"FAILED  {outcome.name:<16} {outcome.failure}")
        return "\n".join(lines)


def check(game: Game, games: int = 50, seed: int = 0) -> Report:
    """Run every check on `games` random games; a check stops at its first failure.

    If a rule raises while the games are played, the check `play` fails and no other is run.
    """
    try:
        trial = make_trial(game, games, seed)
    except ContractError as error:
        promise = "Random games can be played."
        return Report(game.name, [Outcome("play", promise, 0, str(error))])
    return Report(game.name, [_outcome(function, trial) for function in CHECKS])


def _outcome(function: Callable[[Trial], int], trial: Trial) -> Outcome:
    name = function.__name__.removeprefix("check_")
    promise = (function.__doc__ or "").splitlines()[0]
    try:
        return Outcome(name, promise, function(trial), None)
    except ContractError as error:
        return Outcome(name, promise, 0, str(error))
    except Exception as error:  # a formatter, parser or renderer that raises
        what = f"{trial.game.name}: {type(error).__name__}: {error}"
        return Outcome(name, promise, 0, what)
