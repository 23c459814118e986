"""Positions with the game before them: what repetition, superko and history planes need."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from envs.batch import is_legal, no_past, play, replay_rows, scratch_for
from envs.compiled import rule_table
from envs.compiled.rows import bytes_of, row_of, rows_of, states_of, states_row
from envs.compiled.rule_table import table_of
from envs.game import Game, GameError, State

MOST_START_BYTES = 1024  # of a stored position's text; one of Go on 19 x 19 has some 400


def read_start(game: Game, text: str) -> State:
    """Return the position that a stored game began from, a record; "" is the game's start.

    Raises GameError for any other text than a position: the text is untrusted.
    """
    if not text:
        return game.new_state()
    if len(text.encode()) > MOST_START_BYTES:
        raise GameError(f"a position of {len(text)} characters, expected up to {MOST_START_BYTES}")
    try:
        state, moves = game.read_position(text)
    except (ValueError, LookupError) as error:  # of a game's own reader, which anyone may write
        raise GameError(f"{text!r:.80} is no position of {game.name}: {error}") from error
    if state is None or moves:
        raise GameError(f"{text!r:.80} is no position of {game.name}, but moves")
    return state


def played(game: Game, moves: NDArray[Any], start: State | None = None) -> NDArray[Any]:
    """Return the positions of a game, from the start to after `moves` [n], records [n + 1].

    It begins at `start` if given, as a game without a past, else at the initial position. Raises
    GameError for a move that is not legal. Compiled, unlike `Game.line`.
    """
    starts = game.new_states(1)
    if start is not None:
        starts[0] = start
    states, plies = game.new_states(len(moves) + 1), np.arange(len(moves) + 1)
    legal = np.zeros(1, np.bool_)
    replay_rows(
        scratch_for(game),
        starts,
        np.asarray(moves, np.int64),
        np.array([0, len(moves)]),
        plies,
        np.array([0, len(plies)]),
        states,
        no_past(game, len(plies)),
        np.zeros(len(plies), np.int8),
        legal,
    )
    if not legal[0]:
        raise GameError(f"the moves {np.asarray(moves).tolist()} are no game of {game.name}")
    return states


def play_from(game: Game, start: Any, moves: Sequence[int]) -> NDArray[Any]:
    """Return the positions of a game that begins at `start`, or None, records [n + 1]; compiled.

    Raises GameError for a move that is not legal, with its number, and for a game that is longer
    than the game's longest.
    """
    if len(moves) > game.max_plies:
        raise GameError(f"{len(moves)} moves: no game of {game.name} has over {game.max_plies}")
    now = game.new_states(1) if start is None else np.array([start], game.dtype)
    states = np.zeros(len(moves) + 1, game.dtype)
    states[0] = now[0]
    past, row = new_past(game, now), np.zeros(1, np.int64)
    for ply, action in enumerate(moves):
        if play_moves(game, now, past, row, np.array([action])) >= 0:
            over = bool(game.rules.is_terminal(now[0]))
            why = "the game is over there" if over else "it is not legal"
            is_action = 0 <= action < game.num_actions
            said = game.format_action(int(action)) if is_action else int(action)
            raise GameError(f"move {ply + 1}, {said!r}: {why}")
        states[ply + 1] = now[0]
    return states


@njit(cache=True, nogil=True)
def _keys_of(table, states, keys):
    positions = states_of(states)
    for i in range(len(positions)):
        keys[i] = rule_table.position_key(table, positions[i])


class Past(NamedTuple):
    """What lies before n positions, each of a game of its own.

    In games that do not look back `keys` has one unused column; `boards` has as many columns as
    the game's planes show earlier boards.
    """

    keys: NDArray[np.uint64]  # [n, max_plies + 1] position keys of earlier positions, oldest first
    counts: NDArray[np.int64]  # [n] how many there are
    boards: NDArray[Any]  # records [n, past_boards], newest first

    def take(self, rows: NDArray[Any]) -> Past:
        """Return the pasts of some of the positions."""
        return Past(self.keys[rows], self.counts[rows], self.boards[rows])


def new_past(game: Game, states: NDArray[Any]) -> Past:
    """Return the past of positions [n] before which nothing is known: boards repeat themselves."""
    width = game.max_plies + 1 if game.rules.remember is not None else 1
    boards = np.repeat(states[:, None], game.past_boards, axis=1)
    return Past(np.zeros((len(states), width), np.uint64), np.zeros(len(states), np.int64), boards)


def past_of(game: Game, games: Sequence[NDArray[Any]]) -> Past:
    """Return what lies before the last position of each game [n].

    A game is its positions from the first on, records [plies + 1].
    """
    past = new_past(game, np.array([line[-1] for line in games], game.dtype))
    for i, line in enumerate(games):
        past.counts[i] = len(line) - 1
        if game.rules.remember is not None and len(line) > 1:
            earlier = bytes_of(np.ascontiguousarray(line[:-1]))
            _keys_of(table_of(game), earlier, past.keys[i])
        for back in range(game.past_boards):
            past.boards[i, back] = line[max(len(line) - 2 - back, 0)]
    return past


def play_moves(
    game: Game, states: NDArray[Any], past: Past, rows: NDArray[np.int64], actions: NDArray[Any]
) -> int:
    """Play an action on each of some positions in place, and keep their past; compiled.

    Returns the index of the first action that is not legal, before which it stops, or -1.
    """
    allowed = np.zeros(game.max_legal, np.int32)
    before = (past.keys, past.counts, bytes_of(past.boards))
    played = (np.asarray(rows, np.int64), np.asarray(actions, np.int64))
    return int(_play_moves(table_of(game), allowed, bytes_of(states), *before, *played))


@njit(cache=True, nogil=True)
def _play_moves(table, allowed, states, keys, counts, boards, rows, actions):
    positions, listed = states_of(states), rows_of(allowed)
    for k in range(len(rows)):
        row = rows[k]
        if not is_legal(table, positions[row], actions[k], listed):
            return k
        earlier = states_row(boards, row)
        for back in range(len(earlier) - 1, 0, -1):
            earlier[back] = earlier[back - 1]
        if len(earlier) > 0:
            earlier[0] = positions[row]
        play(table, positions[row], row_of(keys, row), counts[row], actions[k])
        counts[row] += 1
    return -1
