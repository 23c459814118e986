"""Show the matches that a run recorded, and write them as files: arrays, or replays of Lanes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.running.trajectories import Trajectory, stored_trajectories
from arena.new_file import new_file
from arena.play.lanes.replay import Replay, check_replay_name, write_replay
from envs.lanes.one_match import MOST_DECISIONS, LanesMatch
from envs.lanes.rules import MODES
from store.memory.trajectories import FACT
from store.run import Run

ARRAYS_ENDING = ".npz"
HEADER = ("number", "recorded", "version", "steps", "end", "scores", "newest against")
RIGHT = {"number", "version", "steps"}


class TrajectoryError(ValueError):
    """A recorded match that is not there, or cannot be what was asked for."""


def newest_trajectories(run: Run, limit: int) -> list[Trajectory]:
    """Return at most `limit` recorded matches of a run, the newest first."""
    return [*islice(stored_trajectories(run), limit)]


def find_trajectory(run: Run, number: int) -> Trajectory:
    """Return a recorded match by its number; raises TrajectoryError with the numbers there are."""
    newest, oldest = 0, 0
    for trajectory in stored_trajectories(run):
        if trajectory.number == number:
            return trajectory
        newest, oldest = newest or trajectory.number, trajectory.number
    there = f"expected {oldest} to {newest}" if newest else "it has none"
    raise TrajectoryError(f"run {run.name!r} has no recorded match {number}: {there}")


def trajectories_table(found: Sequence[Trajectory]) -> str:
    """Format a line a recorded match, under a header."""
    rows = [HEADER, *map(_row, found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = zip(HEADER, row, widths, strict=True)
        padded = (c.rjust(w) if head in RIGHT else c.ljust(w) for head, c, w in cells)
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _row(trajectory: Trajectory) -> tuple[str, ...]:
    first, last = trajectory.versions
    begins, steps = trajectory.first_step, str(trajectory.steps)
    scores = trajectory.scores
    return (
        str(trajectory.number),
        time.strftime("%Y-%m-%d %H:%M", time.localtime(trajectory.recorded)),
        str(last) if first == last else f"{first}-{last}",
        f"{begins}+{steps}" if begins else steps,
        trajectory.ending,
        "-" if scores is None else " : ".join(f"{score:g}" for score in scores),
        _against(trajectory),
    )


def _against(trajectory: Trajectory) -> str:
    if trajectory.teams == 1:
        return "-"
    if trajectory.opponent is None:
        return "latest"
    return f"past {trajectory.opponent}, as team {trajectory.side}"


def write_arrays(path: Path, trajectory: Trajectory) -> None:
    """Write a recorded match as NumPy arrays by name, which `numpy.load` reads without pickles.

    The file appears whole, and never replaces another. Raises TrajectoryError for a name that is
    taken or does not end in ARRAYS_ENDING, and OSError.
    """
    check_arrays_name(path)
    try:
        with new_file(path) as begun, begun.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **_exported(trajectory))
    except FileExistsError:
        raise TrajectoryError(f"{str(path)!r} exists: expected a new name") from None


def check_arrays_name(path: Path) -> None:
    """Raise TrajectoryError unless arrays can be written there by its name."""
    if path.suffix != ARRAYS_ENDING:
        raise TrajectoryError(
            f"{str(path)!r}: expected a name that ends in {ARRAYS_ENDING}, as it holds arrays"
        )
    _check_free(path)


def check_match_name(path: Path) -> None:
    """Raise TrajectoryError or ReplayError unless a replay can be written there by its name."""
    check_replay_name(path)
    _check_free(path)


def _check_free(path: Path) -> None:
    if not path.parent.is_dir():
        raise TrajectoryError(f"{str(path)!r}: there is no folder {str(path.parent)!r}")
    if path.exists():
        raise TrajectoryError(f"{str(path)!r} exists: expected a new name")


def _exported(trajectory: Trajectory) -> dict[str, NDArray[Any]]:
    """Return the arrays by name; a fact is one item, left out where the match has none."""
    arrays = {}
    for name, array in trajectory.arrays.items():
        if not name.startswith(FACT):
            arrays[name] = array
        elif len(array):
            arrays[name.removeprefix(FACT)] = array[0]
    return arrays


def write_match(path: Path, run: Run, trajectory: Trajectory) -> Replay:
    """Write a recorded match of Lanes as a replay, and return it; see `replay_of`."""
    check_match_name(path)
    replay = replay_of(run, trajectory)
    write_replay(path, replay)
    return replay


def replay_of(run: Run, trajectory: Trajectory) -> Replay:
    """Return a recorded match of Lanes as a replay, played once more by its seed and actions.

    Raises TrajectoryError for another game, a later piece of a match, and a match in which the
    heroes would not see what they saw or that would end otherwise: under other rules.
    """
    game, seed = run.info.game, trajectory.seed
    if game not in MODES:
        raise TrajectoryError(
            f"run {run.name!r} learned {game!r}: only matches of Lanes are replays; --npz writes "
            "the arrays of any"
        )
    actions, seen = trajectory.arrays["action"], trajectory.arrays["observation"]
    match_actions = (2 * MODES[game].agents, 3)
    if actions.shape[1:] != match_actions or seed is None or len(actions) > MOST_DECISIONS:
        raise TrajectoryError(f"match {trajectory.number} is none of {game}: it has other arrays")
    if trajectory.first_step:
        raise TrajectoryError(
            f"match {trajectory.number} is a piece that begins at step {trajectory.first_step}: "
            "expected one that begins the match"
        )
    match = LanesMatch(game, seed)
    played = actions.astype(np.int8)
    for step, orders in enumerate(played):
        if match.is_over or not _sees(match, seen[step]):
            raise _other_rules(trajectory, step)
        match.step(orders)
    if trajectory.scores is not None and trajectory.scores != _scores(match):
        raise _other_rules(trajectory, len(played))
    return Replay(game, seed, _names(run, trajectory), played, match.digest())


def _sees(match: LanesMatch, seen: NDArray[Any]) -> bool:
    return np.array_equal(np.concatenate([match.observations(0), match.observations(1)]), seen)


def _scores(match: LanesMatch) -> list[float] | None:
    """Return the teams' scores as a vector of matches counts them; None before the end."""
    if not match.is_over:
        return None
    return {0: [1.0, 0.0], 1: [0.0, 1.0]}.get(match.winner, [0.5, 0.5])


def _other_rules(trajectory: Trajectory, step: int) -> TrajectoryError:
    return TrajectoryError(
        f"match {trajectory.number} was recorded under other rules: played once more, it differs "
        f"at step {step}"
    )


def _names(run: Run, trajectory: Trajectory) -> tuple[str, str]:
    newest = f"{run.name}@{trajectory.versions[1]}"
    if trajectory.opponent is None:
        return newest, newest
    past = f"{run.name}, past {trajectory.opponent}"
    return (newest, past) if trajectory.side == 0 else (past, newest)
