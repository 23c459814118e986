"""Matches: pairs of games from shared random openings, colours swapped, all played at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.players import Player
from arena.ratings import score_interval
from envs.game import Game

GAMES_AT_ONCE = 256
OPENING_ATTEMPTS = 100  # at an opening that differs from the earlier ones

Report = Callable[[int, int], None]  # games finished, of how many


@dataclass(frozen=True)
class Tally:
    """Results of the first agent."""

    wins: int
    draws: int
    losses: int

    @property
    def games(self) -> int:
        """How many games."""
        return self.wins + self.draws + self.losses

    @property
    def score(self) -> float:
        """Share of the points, 0 to 1; a draw is half a point."""
        return (self.wins + self.draws / 2) / self.games if self.games else math.nan


@dataclass(frozen=True)
class MatchResult:
    """What a match came to, seen by its first agent."""

    game: str
    agents: tuple[str, str]
    seed: int
    opening_plies: int
    total: Tally
    as_first_player: Tally
    as_second_player: Tally
    pairs: tuple[int, int, int, int, int]  # pairs of 0, 1/2, 1, 3/2 and 2 points
    interval: tuple[float, float]  # 95% confidence of the score
    mean_plies: float  # openings included

    def to_json(self) -> dict[str, Any]:
        """Values for JSON; the score is said too."""
        return {**asdict(self), "score": self.total.score}


def play_match(
    game: Game,
    first: Player,
    second: Player,
    games: int,
    *,
    seed: int = 0,
    opening_plies: int | None = None,
    report: Report = lambda finished, games: None,
) -> MatchResult:
    """Play `games` games, each opening twice with the colours swapped; the same seed repeats it.

    `opening_plies` random moves begin each pair (default: a tenth of the longest game, at most 4).
    Raises ValueError for a number of games that is not even and positive.
    """
    if games < 2 or games % 2:
        raise ValueError(f"{games} games: expected an even number, for pairs with colours swapped")
    plies = min(4, game.max_plies // 10 + 1) if opening_plies is None else opening_plies
    rng = np.random.default_rng([seed, 0])
    openings = random_openings(game, games // 2, plies, rng)
    scores = np.full(games, np.nan)  # of the first agent, 0 to 1; it moves first in the even games
    lengths = np.zeros(games, np.int64)
    for start in range(0, games, GAMES_AT_ONCE):
        part = slice(start, min(start + GAMES_AT_ONCE, games))
        states = np.repeat(openings, 2)[part].copy()
        rngs = [np.random.default_rng([seed, 1, start, agent]) for agent in range(2)]
        for scores[part], lengths[part] in _play_together(game, (first, second), states, rngs):
            report(int(np.isfinite(scores).sum()), games)
    return _result(game, (first.name, second.name), scores, lengths + plies, seed, plies)


def random_openings(game: Game, count: int, plies: int, rng: np.random.Generator) -> NDArray[Any]:
    """`count` unfinished positions [count] after so many random moves, different while they last.

    Raises ValueError when random games end before they are that long.
    """
    found: list[NDArray[Any]] = []
    seen: set[bytes] = set()
    for _ in range(count):
        opening = None
        for _ in range(OPENING_ATTEMPTS):
            state = _random_position(game, plies, rng)
            if state is not None:
                opening = state
                if state.tobytes() not in seen:
                    break
        if opening is None:
            raise ValueError(f"openings of {plies} plies: games of {game.name} end before that")
        seen.add(opening.tobytes())
        found.append(opening)
    return np.concatenate(found)


def _random_position(game: Game, plies: int, rng: np.random.Generator) -> NDArray[Any] | None:
    """A record array [1] after random moves, or None if the game ends on the way."""
    states = game.new_states(1)
    for _ in range(plies):
        game.rules.step(states[0], int(rng.choice(np.flatnonzero(game.legal_mask(states[0])))))
        if game.rules.is_terminal(states[0]):
            return None
    return states


def _play_together(
    game: Game,
    agents: tuple[Player, Player],
    states: NDArray[Any],
    rngs: list[np.random.Generator],
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int64]]]:
    """Play positions [n] out; in even ones the first agent has the first player's side.

    Yields after every ply the first agent's scores, NaN while a game goes on, and the plies played.
    """
    sides = np.arange(len(states)) % 2  # of the first agent
    scores, plies = np.full(len(states), np.nan), np.zeros(len(states), np.int64)
    active = np.arange(len(states))
    while len(active):
        to_move = np.array([game.rules.to_play(states[i]) for i in active]) ^ sides[active]
        for agent in range(2):
            chosen = active[to_move == agent]
            if len(chosen):
                _move(game, agents[agent], states, chosen, rngs[agent])
        plies[active] += 1
        for i in active:
            if game.rules.is_terminal(states[i]):
                value = float(game.rules.value_to_play(states[i]))
                is_mine = game.rules.to_play(states[i]) == sides[i]
                scores[i] = (1 + (value if is_mine else -value)) / 2
        active = active[np.isnan(scores[active])]
        yield scores, plies


def _move(
    game: Game,
    agent: Player,
    states: NDArray[Any],
    chosen: NDArray[np.int64],
    rng: np.random.Generator,
) -> None:
    for i, action in zip(chosen, agent.choose(states[chosen], rng)):
        if not game.legal_mask(states[i])[action]:
            raise RuntimeError(f"{agent.name} chose action {action}, which is not legal")
        game.rules.step(states[i], int(action))


def _result(
    game: Game,
    names: tuple[str, str],
    scores: NDArray[np.float64],
    plies: NDArray[np.int64],
    seed: int,
    opening_plies: int,
) -> MatchResult:
    pair_scores = scores.reshape(-1, 2).mean(axis=1)
    counts = np.bincount(np.rint(4 * pair_scores).astype(np.int64), minlength=5)
    return MatchResult(
        game=game.name,
        agents=names,
        seed=seed,
        opening_plies=opening_plies,
        total=_tally(scores),
        as_first_player=_tally(scores[0::2]),
        as_second_player=_tally(scores[1::2]),
        pairs=(int(counts[0]), int(counts[1]), int(counts[2]), int(counts[3]), int(counts[4])),
        interval=score_interval(pair_scores),
        mean_plies=float(plies.mean()),
    )


def _tally(scores: NDArray[np.float64]) -> Tally:
    wins, losses = int((scores > 0.5).sum()), int((scores < 0.5).sum())
    return Tally(wins, len(scores) - wins - losses, losses)
