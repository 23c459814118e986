"""Actions for tests of Lanes: scripted, legal by chance, and of all kinds mixed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.lanes import rules as r
from envs.lanes import state as s
from envs.lanes.batch import LanesVector
from envs.lanes.scripts import SCRIPTS, act_all
from envs.teams.steps import TeamSteps

Actions = NDArray[np.int8]


def scripted_actions(vector: LanesVector, scripts: Sequence[Sequence[int]]) -> Actions:
    """Return the actions of a script for each team of each match, [m, players, 3].

    Args:
        scripts: [m, 2], indices of `SCRIPTS`.
    """
    actions = np.zeros((vector.count, vector.spec.players, 3), np.int8)
    act_all(
        np.asarray(scripts, np.int8),
        vector.matches["seed"],
        vector.matches["steps"],
        vector.layout.lanes,
        vector.rows,
        actions,
    )
    return actions


def masks_of(vector: LanesVector) -> NDArray[np.int8]:
    """Return what the heroes may choose now, [m, players, MASK]."""
    return vector.rows[..., s.OBSERVATION : s.OBSERVATION + s.MASK]


def _any_allowed(mask: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """Return an index of the last axis where the mask is 1, by chance."""
    return np.asarray((rng.random(mask.shape) * mask).argmax(-1))


def legal_actions(vector: LanesVector, rng: np.random.Generator) -> Actions:
    """Return legal actions by chance, with a target or direction that the primary action allows."""
    masks = masks_of(vector)
    primary = _any_allowed(masks[..., : s.DIRECTION_MASK], rng)
    directions = masks[..., s.DIRECTION_MASK : s.TARGET_MASK]
    targets = masks[..., s.TARGET_MASK :]
    by_direction = _any_allowed(directions.reshape(*masks.shape[:2], 3, r.DIRECTIONS), rng)
    by_target = _any_allowed(targets.reshape(*masks.shape[:2], 3, s.TARGETS), rng)
    users = {1: (r.MOVE, r.SKILL_A, r.SKILL_B), 2: (r.ATTACK, r.SKILL_A, r.SKILL_B)}
    actions = np.zeros((*masks.shape[:2], 3), np.int8)
    actions[..., 0] = primary
    for head, chosen in ((1, by_direction), (2, by_target)):
        for row, user in enumerate(users[head]):
            actions[..., head] = np.where(primary == user, chosen[..., row], actions[..., head])
    return actions


class MixedPlay:
    """Chooses actions: of scripts that change, in part legal ones by chance, in part any.

    Args:
        legal, other: shares of the actions that are legal by chance, and any numbers at all.
    """

    def __init__(self, rng: np.random.Generator, legal: float = 0.15, other: float = 0.03) -> None:
        self.rng, self.legal, self.other = rng, legal, other
        self.scripts = np.zeros((0, 2), np.int8)

    def actions(self, vector: LanesVector) -> Actions:
        """Return the actions of all heroes, [m, players, 3]."""
        rng, count = self.rng, vector.count
        if len(self.scripts) != count:
            self.scripts = rng.integers(len(SCRIPTS), size=(count, 2)).astype(np.int8)
        change = rng.random((count, 2)) < 0.05
        drawn = rng.integers(len(SCRIPTS), size=(count, 2))
        self.scripts = np.where(change, drawn, self.scripts).astype(np.int8)
        actions = scripted_actions(vector, self.scripts)
        which = rng.random(actions.shape[:2])[..., None]
        actions = np.where(which < self.legal, legal_actions(vector, rng), actions)
        anything = rng.integers(-2, 24, size=actions.shape)
        return np.where(which > 1 - self.other, anything, actions).astype(np.int8)


def play(vector: LanesVector, steps: int, play: MixedPlay) -> TeamSteps:
    """Advance all matches by some decisions; return what the last one answered."""
    for _ in range(steps):
        answer = vector.step(play.actions(vector))
    return answer
