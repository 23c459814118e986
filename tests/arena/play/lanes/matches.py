"""Matches of Lanes for tests: agents that are written down, and short replays."""

import numpy as np

from arena.play.lanes.players import Players
from arena.play.lanes.session import begin_session
from envs.lanes.one_match import LanesMatch
from envs.lanes.scripted_team import ScriptedTeam


class Clock:
    """Seconds that a test sets."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def players(game="lanes_1v1", left="fighter", right="pusher", person=None, seed=0):
    agents = tuple(ScriptedTeam(name, game) if name else None for name in (left, right))
    return Players(game, agents, person, seed)


def session(game="lanes_1v1", seed=3, now=lambda: 0.0, **words):
    by_turns = words.pop("by_turns", False)
    return begin_session(game, players(game, **words), seed=seed, by_turns=by_turns, now=now)


def random_actions(game, decisions, seed=0):
    """int8 [decisions, players, 3], of which some are not legal."""
    rng = np.random.default_rng(seed)
    count = LanesMatch(game, 0).spec.players
    actions = np.stack([rng.integers(-1, top, (decisions, count)) for top in (11, 9, 21)], axis=2)
    return actions.astype(np.int8)


def played(game="lanes_1v1", decisions=60, seed=3, **words):
    """A match some way on."""
    match, ask = LanesMatch(game, seed), players(game, **words)
    for _ in range(decisions):
        match.step(ask(match))
    return match
