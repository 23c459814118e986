"""Analyse positions with an agent: one or thousands, for people or for programs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from agents.players import THREADS, Analysis, Player, SearchPlayer, analysis_of
from arena.engine.engine import Engine
from arena.engine.limits import Limit
from arena.engine.position import position_after
from arena.engine.searching import LEAVES
from arena.engine.snapshot import Line
from arena.engine.thinking import Request
from envs.game import Game, NotationError, State
from envs.positions import past_of

POSITIONS_AT_ONCE = 1024


@dataclass(frozen=True)
class Verdict:
    """An agent's analysis of one position; values are for the side to move, in [-1, 1].

    A finished position has no `move`, and its result as the value.
    """

    position: str  # as `Game.read_position` reads it: moves, or a start and moves
    move: str | None  # the best, in the game's notation
    value: float | None  # None where the agent has no opinion
    exact: float | None  # the value under best play, where it is proven
    plies: int | None  # to the end along it, where that is known too
    visits: dict[str, int]  # searches spent on each legal move; empty for agents without search
    policy: dict[str, float]  # probability of each legal move
    move_values: dict[str, float]  # value of each move looked at, for the mover
    lines: tuple[dict[str, Any], ...] = field(default=(), kw_only=True)
    """Of the best moves with what is expected to follow, as `line_facts` has them."""

    def to_json(self) -> dict[str, Any]:
        """Return values for JSON, rounded to single precision."""
        return {
            "position": self.position,
            "move": self.move,
            "value": None if self.value is None else round(self.value, 6),
            "exact": self.exact,
            "plies": self.plies,
            "visits": self.visits,
            "policy": {move: round(p, 6) for move, p in self.policy.items()},
            "move_values": {move: round(q, 6) for move, q in self.move_values.items()},
            "lines": list(self.lines),
        }


@dataclass(frozen=True)
class BadLine:
    """A line that does not describe a position, and why."""

    number: int
    problem: str


def analyze_positions(
    game: Game,
    player: Player,
    positions: list[list[int]],
    starts: Sequence[State | None] = (),
    limit: Limit | None = None,
    lines: int = 1,
) -> list[Verdict]:
    """Analyse the positions that these games of legal actions lead to.

    Each begins at its one of `starts`, or at the initial position where that is None or missing. A
    search analyses one position, or those with a limit, one after the other and with as many
    principal variations as `lines`, and also several if there are to be more lines than one; else
    it analyses several to its own simulations together, without variations.
    """
    begun = [*starts, *[None] * (len(positions) - len(starts))]
    games = list(zip(begun, positions, strict=True))
    alone = limit is not None or len(positions) == 1 or lines > 1
    if isinstance(player, SearchPlayer) and alone:
        return _think(game, player, games, limit, lines)
    return _analyze_together(game, player, games)


Place = tuple[State | None, list[int]]  # where a game begins, and its moves


def _think(
    game: Game, player: SearchPlayer, games: list[Place], limit: Limit | None, lines: int
) -> list[Verdict]:
    """Analyse each position with an engine.

    Without a limit its visits are those that the player makes among other positions: leaf by leaf.
    """
    own, room = Limit(nodes=player.config.simulations, early=False), None
    leaves = LEAVES
    if limit is None:
        leaves, room = 1, own.nodes
    with Engine(game, player, room=room, threads=THREADS, leaves=leaves) as engine:
        if limit is not None and limit.seconds:
            engine.get_ready()
        return [_think_about(engine, place, limit or own, lines) for place in games]


def _think_about(engine: Engine, place: Place, limit: Limit, lines: int) -> Verdict:
    game, (start, moves) = engine.game, place
    request = Request(position_after(game, moves, start), limit, lines)
    thinking = engine.think(request)
    thinking.run()
    found = thinking.wait().snapshot
    state = request.position.state[0]
    text = game.write_position(start, moves)
    if found is None or thinking.root is None:
        value = float(game.rules.value_to_play(state))
        return Verdict(text, None, value, value, 0, {}, {}, {})
    verdict = _verdict(game, text, state, analysis_of(thinking.root, game), 0)
    return replace(verdict, lines=tuple(line_facts(game, state, line) for line in found.lines))


def line_facts(game: Game, state: Any, line: Line) -> dict[str, Any]:
    """Return a line's moves from `state` in the game's words, and what is known of it, for JSON."""
    return {
        "moves": game.words(state, line.moves),
        "visits": line.visits,
        "value": None if line.value_to_play is None else round(line.value_to_play, 6),
        "exact": line.exact,
        "plies": line.plies or None,
    }


def _analyze_together(game: Game, player: Player, games: list[Place]) -> list[Verdict]:
    lines = [game.line(moves, start) for start, moves in games]
    states = np.concatenate([line[-1:] for line in lines])
    over = np.array([game.rules.is_terminal(state) for state in states])
    rows = iter(range(len(states)))
    asked = [states[~over]]
    if game.has_history:
        asked.append(past_of(game, [line for line, done in zip(lines, over) if not done]))
    opinions = player.analyze(*asked) if not over.all() else None
    verdicts = []
    for (start, moves), state, finished in zip(games, states, over):
        text = game.write_position(start, moves)
        if finished or opinions is None:
            value = float(game.rules.value_to_play(state))
            verdicts.append(Verdict(text, None, value, value, 0, {}, {}, {}))
        else:
            verdicts.append(_verdict(game, text, state, opinions, next(rows)))
    return verdicts


def _verdict(game: Game, text: str, state: State, of: Analysis, row: int) -> Verdict:
    legal = np.flatnonzero(game.legal_mask(state)).tolist()
    names = {action: game.written(state, action) for action in legal}
    exact = _known(of.exact[row])
    return Verdict(
        position=text,
        move=names[int(of.best_action[row])],
        value=_known(of.value_to_play[row]),
        exact=exact,
        plies=int(of.plies[row]) or None if exact is not None else None,
        visits={n: int(of.visits[row, a]) for a, n in names.items()}
        if of.visits[row].any()
        else {},
        policy={name: float(of.policy[row, a]) for a, name in names.items()},
        move_values={n: q for a, n in names.items() if (q := _known(of.q[row, a])) is not None},
    )


def _known(number: float) -> float | None:
    return None if math.isnan(number) else float(number)


def analyze_lines(
    game: Game,
    player: Player,
    lines: Iterable[str],
    limit: Limit | None = None,
    variations: int = 1,
) -> Iterator[Verdict | BadLine]:
    """Analyse positions, one a line, in order; blank lines and # comments are skipped.

    A line that is no position becomes a BadLine; the others are still analysed.
    """
    numbered = enumerate(lines, start=1)
    at_once = POSITIONS_AT_ONCE if limit is None else 1  # with a limit, each answer takes its time
    while batch := list(islice(numbered, at_once)):
        yield from _analyze_batch(game, player, batch, limit, variations)


def _analyze_batch(
    game: Game, player: Player, batch: list[tuple[int, str]], limit: Limit | None, variations: int
) -> Iterator[Verdict | BadLine]:
    read: list[tuple[State | None, list[int]] | BadLine] = []
    for number, line in batch:
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            read.append(game.read_position(text))
        except NotationError as error:
            read.append(BadLine(number, str(error)))
    places = [place for place in read if not isinstance(place, BadLine)]
    starts, positions = [start for start, _ in places], [moves for _, moves in places]
    found = analyze_positions(game, player, positions, starts, limit, variations) if places else []
    verdicts = iter(found)
    for place in read:
        yield place if isinstance(place, BadLine) else next(verdicts)
