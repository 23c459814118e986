"""Make the openings of matches: random, balanced, or read from a book.

A stream of openings depends on its seed alone, and a longer match begins with those of a shorter.
Each opening comes once, and the stream ends when all were drawn.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.players import ROLLOUT_CONFIG, Player, rollout_player
from arena.game_records import read_games
from arena.match.distinct_openings import distinct_openings, enough_plies
from arena.solvers.players import SolverPlayer
from arena.solvers.registry import find_solver
from envs.game import Game, NotationError

ATTEMPTS = 100  # at an opening that differs from the earlier ones
CANDIDATES, KEPT = 64, 16  # random openings drawn, and the most even ones played
EVEN_SIMULATIONS = 400


class Opening(NamedTuple):
    """A position, a record array [1], and the plies that lead there.

    `moves` are these plies from the game's initial position; None where they are not known.
    """

    state: NDArray[Any]
    plies: int
    moves: tuple[int, ...] | None = None

    @property
    def id(self) -> str:
        """16 hexadecimal digits that name the position."""
        return hashlib.blake2b(self.state.tobytes(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Openings:
    """A way to begin games.

    Attributes:
        label: names it in records: the same label and seed are the same openings.
        stream: the openings of a seed, in order, each once; it ends after the last.
        count: how many there are, or None where that shows at the end of the stream alone.
    """

    label: str
    stream: Callable[[int], Iterator[Opening]]
    count: int | None = None


def random_openings(game: Game, plies: int | None = None) -> Openings:
    """Make openings of `plies` random moves (default: `enough_plies`).

    The stream raises ValueError when random games end before they are that long.
    """
    length = enough_plies(game) if plies is None else plies
    if length < 0:
        raise ValueError(f"openings of {length} plies: expected 0 or more")
    return Openings(f"random:{length}", lambda seed: _random_stream(game, length, seed))


def balanced_openings(game: Game, plies: int | None = None) -> Openings:
    """Make openings that favour neither side, so that fewer results follow from the opening alone.

    They are the drawn positions that the game's solver has; without any, random ones, the most even
    quarter by the solver or, where there is none, by a search with rollouts.

    Raises ValueError for a number of plies where the solver's positions have their own.
    """
    drawn = _drawn_openings(game)
    if not drawn:
        length = enough_plies(game) if plies is None else plies
        return Openings(f"balanced:{length}", lambda seed: _even_stream(game, length, seed))
    if plies is not None:
        raise ValueError(
            f"balanced openings of {game.name} are solved positions, not of {plies} plies"
        )
    return Openings("balanced", lambda seed: _shuffled(drawn, seed), len(drawn))


def book_openings(game: Game, path: Path, plies: int | None = None) -> Openings:
    """Read the openings of a file: a line each, or games in a format of the game's, PGN say.

    A line is a position (FEN, say), moves, or a position with moves; # begins a comment. Of games
    in PGN or SGF the first `plies` moves are an opening, or all of them; of a book in Polyglot's
    format each line of that length. The order is the seed's; what leads to the same position
    counts once.

    Raises NotationError naming file and line for what is no position to play from, and for a file
    without openings; ValueError for plies of a file of lines or positions; OSError for one that
    cannot be read.
    """
    found: dict[bytes, Opening] = {}
    games = read_games(game, path, plies)
    if plies and not any(each.record.moves for each in games):
        raise ValueError(f"openings of {plies} plies: those of {path} have no moves")
    for where, text, record in games:
        if text and plies is not None:
            raise ValueError(
                f"openings of {plies} plies: the lines of {path} have their own length"
            )
        opening = _opening(game, record.start, record.moves)
        if game.rules.is_terminal(opening.state[0]):
            after = f"after {text}" if text else f"after {len(record.moves)} moves"
            raise NotationError(f"{where}: {after} the game is over")
        found.setdefault(opening.state.tobytes(), opening)
    book = list(found.values())
    label = f"book:{path.name}:{zlib.crc32(b''.join(found)):08x}"
    return Openings(label, lambda seed: _shuffled(book, seed), len(book))


def position_opening(game: Game, text: str) -> Openings:
    """Make the one opening that a text says: a position (FEN, say), moves, or both.

    Agents that play by chance begin there in every game. Raises NotationError for text that is no
    position to play from.
    """
    opening = _opening(game, *game.read_position(text))
    if game.rules.is_terminal(opening.state[0]):
        raise NotationError(f"position {text!r}: the game is over there")
    return Openings(f"position:{opening.id}", lambda seed: iter([opening]))


def _opening(game: Game, start: Any, moves: Sequence[int]) -> Opening:
    state = np.atleast_1d(game.line(moves, start)[-1])
    return Opening(state, len(moves), tuple(moves) if start is None else None)


def _random_stream(game: Game, plies: int, seed: int) -> Iterator[Opening]:
    """Yield new positions of random walks; then the positions they missed, in random order."""
    rng = np.random.default_rng([seed, 0])
    seen: set[bytes] = set()
    while (found := _new_opening(game, plies, rng, seen)) is not None:
        seen.add(found.state.tobytes())
        yield found
    if not seen:
        raise ValueError(f"openings of {plies} plies: games of {game.name} end before that")
    states = distinct_openings(game, plies)
    missed = [] if states is None else [s for s in states if s.tobytes() not in seen]
    for i in rng.permutation(len(missed)):
        yield Opening(np.atleast_1d(missed[i]), plies)


def _new_opening(
    game: Game, plies: int, rng: np.random.Generator, seen: Container[bytes]
) -> Opening | None:
    """Draw an unseen position by random moves; None after ATTEMPTS without one."""
    for _ in range(ATTEMPTS):
        found = _random_opening(game, plies, rng)
        if found is not None and found.state.tobytes() not in seen:
            return found
    return None


def random_position(game: Game, plies: int, rng: np.random.Generator) -> NDArray[Any] | None:
    """Play random moves to a record array [1]; None if the game ends on the way."""
    found = _random_opening(game, plies, rng)
    return None if found is None else found.state


def _random_opening(game: Game, plies: int, rng: np.random.Generator) -> Opening | None:
    states, moves = game.new_states(1), []
    for _ in range(plies):
        legal = np.flatnonzero(game.legal_mask(states[0]))
        moves.append(int(legal[rng.integers(len(legal))]))
        game.rules.step(states[0], moves[-1])
        if game.rules.is_terminal(states[0]):
            return None
    return Opening(states, plies, tuple(moves))


def _even_stream(game: Game, plies: int, seed: int) -> Iterator[Opening]:
    judge = _judge(game)
    stream = random_openings(game, plies).stream(seed)
    while candidates := list(islice(stream, CANDIDATES)):
        values = judge.analyze(np.concatenate([o.state for o in candidates])).value_to_play
        kept = max(1, len(candidates) * KEPT // CANDIDATES)
        most_even = np.argsort(np.abs(values), kind="stable")[:kept]
        yield from (candidates[i] for i in sorted(most_even))


def _judge(game: Game) -> Player:
    try:
        return SolverPlayer(game)
    except ValueError:
        return rollout_player(game, replace(ROLLOUT_CONFIG, simulations=EVEN_SIMULATIONS))


def _drawn_openings(game: Game) -> list[Opening]:
    solver = find_solver(game.name)
    drawn = [] if solver is None else solver.drawn_openings()
    return [_opening(game, None, moves) for moves in drawn]


def _shuffled(openings: list[Opening], seed: int) -> Iterator[Opening]:
    for i in np.random.default_rng([seed, 0]).permutation(len(openings)):
        yield openings[i]
