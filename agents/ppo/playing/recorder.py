"""Keep the steps of some matches over rollouts, until each match is a trajectory.

The recorded matches are those of the first places. Their steps are slices of the rollout's arrays,
copied once a rollout: a step costs nothing but a copy of the rewards, which a rollout has with the
team's spirit only.

Shapes: m recorded matches of a players, T steps of a rollout, L steps of a match.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.ppo.playing.rollout import Rollout
from agents.ppo.pool import Opponents
from agents.running.trajectories import NO_OPPONENT, Arrays
from envs.teams import TeamSpec, TeamSteps
from store.memory.frames import GOES_ON, TERMINATED, TRUNCATED
from store.memory.trajectories import FACT

MOST_BYTES = 2**25
"""Bytes of a match from which on what there is of it is handed over as a piece; Lanes has less."""


class Playing(NamedTuple):
    """Who plays the matches that run.

    Attributes:
        opponents: and sides, of each match.
        newest: bool [m * a] which players the newest network is.
        seeds: uint64 [m] of the matches, None where they have none.
    """

    opponents: Opponents
    newest: NDArray[np.bool_]
    seeds: NDArray[np.uint64] | None


class _Match:
    """A match that is recorded.

    Attributes:
        facts: what is known of it from its beginning.
        start: where its steps begin in the current rollout.
        first: number of the first step that is kept.
        parts: the steps that are kept, a part a rollout.
    """

    def __init__(self, facts: dict[str, NDArray[Any]], start: int) -> None:
        self.facts, self.start, self.first = facts, start, 0
        self.parts: list[dict[str, NDArray[Any]]] = []

    @property
    def steps(self) -> int:
        return sum(len(part["action"]) for part in self.parts)


class _Ended(NamedTuple):
    """A match that ended in the current rollout, before step `stop`, with the teams' scores."""

    place: int
    match: _Match
    stop: int
    ending: int
    scores: NDArray[np.float32]


class Recorder:
    """Records the matches of the first places of a vector.

    Args:
        spec: of the environment.
        steps: T.
        matches: m, 0 for none.
        worker: number of who plays.
    """

    def __init__(self, spec: TeamSpec, steps: int, matches: int, worker: int) -> None:
        self._players, self._teams, self._matches = spec.players, spec.teams, matches
        self._worker = worker
        self._rewards = np.zeros((matches * spec.players, steps), np.float32)
        self._has_masks = spec.mask_size > 0
        self._running: list[_Match] = []
        self._ended: list[_Ended] = []

    def begin(self, playing: Playing) -> None:
        """Forget matches that have not ended: new ones begin in all places."""
        self._running = [self._new(place, 0, playing) for place in range(self._matches)]
        self._ended = []

    def note_rewards(self, step: int, rewards: NDArray[np.float32]) -> None:
        """Note the environment's rewards of a step, those of all matches."""
        if self._matches:
            self._rewards[:, step] = rewards[: self._matches].ravel()

    def note_ends(self, step: int, steps: TeamSteps, playing: Playing) -> None:
        """Note which matches ended with a step, and who plays those that follow them."""
        if not self._matches:
            return
        of = slice(self._matches)
        for place in np.flatnonzero(steps.terminated[of] | steps.truncated[of]).tolist():
            ending = TRUNCATED if steps.truncated[place] else TERMINATED
            scores = steps.scores[place].copy()
            self._ended.append(_Ended(place, self._running[place], step + 1, ending, scores))
            self._running[place] = self._new(place, step + 1, playing)

    def collect(self, rollout: Rollout, version: int) -> tuple[Arrays, ...]:
        """Take the steps of a rollout; return the trajectories that are complete.

        That is those of matches that ended, and pieces of matches above MOST_BYTES.

        Args:
            rollout: its steps, whose arrays are written into again.
            version: of the newest network, which acted in it.
        """
        done = []
        for place, match, stop, ending, scores in self._ended:
            match.parts.append(self._cut(rollout, place, slice(match.start, stop), version))
            rows = self._rows(place)
            done.append(self._joined(match, ending, scores, rollout.end_values[rows, stop - 1]))
        self._ended = []
        for place, match in enumerate(self._running):
            if match.start < rollout.steps:
                part = self._cut(rollout, place, slice(match.start, rollout.steps), version)
                match.parts.append(part)
            match.start = 0
            if sum(array.nbytes for part in match.parts for array in part.values()) >= MOST_BYTES:
                unknown = np.full(self._teams, np.nan, np.float32)
                done.append(self._joined(match, GOES_ON, unknown, np.zeros(self._players)))
                match.first += match.steps
                match.parts = []
        return tuple(done)

    def _rows(self, place: int) -> slice:
        return slice(place * self._players, (place + 1) * self._players)

    def _new(self, place: int, start: int, playing: Playing) -> _Match:
        opponent = int(playing.opponents.opponents[place])
        seeds = playing.seeds
        facts = {
            "worker": np.array([self._worker]),
            "place": np.array([place]),
            "opponent": np.array([NO_OPPONENT if opponent == Opponents.LATEST else opponent]),
            "side": playing.opponents.sides[place : place + 1].copy(),
            "newest": playing.newest[None, self._rows(place)].copy(),
            "seed": np.zeros(0, np.uint64) if seeds is None else seeds[place : place + 1].copy(),
        }
        return _Match(facts, start)

    def _cut(
        self, rollout: Rollout, place: int, steps: slice, version: int
    ) -> dict[str, NDArray[Any]]:
        """Copy some steps of a match, [L, a, ...]."""
        rows = self._rows(place)
        arrays = {
            "observation": rollout.observations,
            "action": rollout.actions,
            "reward": self._rewards,
            "log_probability": rollout.log_probabilities,
            "value": rollout.values,
            **({"action_mask": rollout.masks} if self._has_masks else {}),
        }
        part = {n: array[rows, steps].swapaxes(0, 1).copy() for n, array in arrays.items()}
        part["policy_version"] = np.full(steps.stop - steps.start, version, np.int64)
        return part

    def _joined(
        self, match: _Match, ending: int, scores: NDArray[np.float32], end_values: NDArray[Any]
    ) -> Arrays:
        """Return the arrays of `agents.running.trajectories.match_schema`, but its number."""
        arrays = {n: np.concatenate([part[n] for part in match.parts]) for n in match.parts[0]}
        others = ~match.facts["newest"][0]
        arrays["log_probability"][:, others] = np.nan  # a past opponent's are not known
        arrays["value"][:, others] = np.nan
        facts = {
            **match.facts,
            "first_step": np.array([match.first]),
            "scores": scores[None],
            "end_value": end_values[None].astype(np.float32),
        }
        return {
            **arrays,
            "present": np.ones((match.steps, self._players), np.bool_),
            "ending": np.array([ending], np.uint8),
            **{FACT + name: found for name, found in facts.items()},
        }
