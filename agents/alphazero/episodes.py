"""A self-play game as it is stored, and the training rows made from it.

Games keep moves, sparse policies and results; positions are replayed by the compiled rules, so a
change of the network's encoding does not invalidate a log.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.alphazero.config import LearnerConfig
from envs.batch import no_past, replay_rows, scratch_for
from envs.game import Game
from store.replay.episodes import Episode, EpisodeBatch, EpisodeSchema

_logger = logging.getLogger("ludens.agents")

SCHEMA = EpisodeSchema(
    "alphazero/1",
    {
        "move": (
            np.dtype("u2"),
            (),
        ),  # [T] actions from the initial position, random opening included
        "opening_plies": (np.dtype("u2"), ()),  # [1] how many of them were random
        "outcome": (np.dtype("f4"), ()),  # [1] for the first player: 1, 0, -1
        "network_step": (np.dtype("i8"), ()),  # [1] version of the network when the game ended
        "row_ply": (np.dtype("u2"), ()),  # [R] positions to learn from, by moves played before them
        "row_value": (np.dtype("f4"), ()),  # [R] the search's value_to_play
        "row_exact": (np.dtype("f4"), ()),  # [R] its proven value_to_play, or NaN
        "policy_count": (np.dtype("u2"), ()),  # [R] entries of the row's sparse policy
        "policy_action": (np.dtype("u2"), ()),  # [P]
        "policy_weight": (np.dtype("f4"), ()),  # [P] sums to 1 in a row
    },
)


@dataclass(frozen=True)
class GameRecord:
    """A finished game of self-play; R rows to learn from, L most legal actions."""

    moves: NDArray[np.uint16]  # [T]
    opening_plies: int
    outcome: float  # for the first player
    network_step: int
    row_ply: NDArray[np.uint16]  # [R]
    row_legal: NDArray[np.uint16]  # [R, L] actions that the policy's columns stand for
    row_policy: NDArray[np.float32]  # [R, L]
    row_value: NDArray[np.float32]  # [R] value_to_play
    row_exact: NDArray[np.float32]  # [R] proven value_to_play, or NaN


def to_episode(record: GameRecord, uuid: bytes) -> Episode:
    """Convert a game to the store's form."""
    row, column = np.nonzero(record.row_policy)
    counts = np.bincount(row, minlength=len(record.row_ply))
    return Episode(
        uuid,
        {
            "move": record.moves,
            "opening_plies": np.array([record.opening_plies], np.uint16),
            "outcome": np.array([record.outcome], np.float32),
            "network_step": np.array([record.network_step], np.int64),
            "row_ply": record.row_ply,
            "row_value": record.row_value,
            "row_exact": record.row_exact,
            "policy_count": counts.astype(np.uint16),
            "policy_action": record.row_legal[row, column],
            "policy_weight": record.row_policy[row, column],
        },
    )


def ring_fields(game: Game) -> dict[str, tuple[Any, tuple[int, ...]]]:
    """Return the arrays of one training row in RAM, as `store.memory.ring.Ring` takes them."""
    return {
        "state": (game.dtype, ()),
        "past": (game.dtype, (game.past_boards,)),  # the boards before it, newest first
        "policy_start": (np.int64, ()),  # its first entry among the POLICY_ENTRIES
        "policy_count": (np.uint16, ()),
        "outcome": (np.float32, (3,)),  # shares of win, draw and loss, for the side to move
    }


POLICY_ENTRIES: dict[str, Any] = {"action": np.uint16, "weight": np.float32}
"""What RAM holds of an action with weight in a row's policy."""


class TrainingRows(NamedTuple):
    """R rows to learn from."""

    states: NDArray[Any]  # records [R]
    past: NDArray[Any]  # records [R, past_boards], newest first
    outcome: NDArray[np.float32]  # [R, 3] shares of win, draw and loss, for the side to move
    policy_count: NDArray[np.uint16]  # [R] entries of the row's policy; 0 where it has none
    policy_action: NDArray[np.uint16]  # [P]
    policy_weight: NDArray[np.float32]  # [P] sums to 1 in a row


def outcome_shares(value_to_play: NDArray[Any]) -> NDArray[np.float32]:
    """Shares of win, draw and loss float32 [R, 3] whose mean is the value [R].

    |value| is decided and the rest a draw: of all such shares those with the fewest decided games.
    """
    win = np.maximum(value_to_play, 0.0)
    loss = np.maximum(-value_to_play, 0.0)
    return np.stack([win, 1.0 - win - loss, loss], 1).astype(np.float32)


def to_rows(game: Game, batches: Sequence[EpisodeBatch], config: LearnerConfig) -> TrainingRows:
    """Return the training rows of games.

    A row without a policy to learn (a proven loss, unless `config.lost_policy`) has no entries. A
    game that the rules do not allow is left out with a warning.
    """
    batch = EpisodeBatch.concatenate(SCHEMA, batches)
    if not (fits := _fits(batch, game.num_actions)).all():
        return to_rows(game, [_kept(batch, fits)], config)
    plies = batch.values["row_ply"].astype(np.int64)
    states = np.zeros(len(plies), game.dtype)
    past = no_past(game, len(plies))
    players = np.zeros(len(plies), np.int8)
    legal = np.zeros(len(batch), np.bool_)
    replay_rows(
        scratch_for(game),
        batch.values["move"].astype(np.int64),
        batch.offsets["move"],
        plies,
        batch.offsets["row_ply"],
        states,
        past,
        players,
        legal,
    )
    if not legal.all():
        return to_rows(game, [_kept(batch, legal)], config)
    counts = batch.values["policy_count"].copy()
    kept = np.ones(len(batch.values["policy_action"]), np.bool_)
    if not config.lost_policy:
        lost = batch.values["row_exact"] <= -1.0
        kept = ~np.repeat(lost, counts)
        counts[lost] = 0
    return TrainingRows(
        states,
        past,
        _outcome_target(batch, players, config),
        counts,
        batch.values["policy_action"][kept],
        batch.values["policy_weight"][kept],
    )


def _kept(batch: EpisodeBatch, sound: NDArray[np.bool_]) -> EpisodeBatch:
    """Return the valid games; warns with the number of invalid ones."""
    _logger.warning("%d stored games are none of this game and left out", np.sum(~sound))
    return batch.take(np.flatnonzero(sound))


def _fits(batch: EpisodeBatch, num_actions: int) -> NDArray[np.bool_]:
    """Return whether each game's arrays agree in length and are in bounds."""
    rows, entries = batch.lengths("row_ply"), batch.lengths("policy_action")
    fits = (batch.lengths("outcome") == 1) & (batch.lengths("opening_plies") == 1)
    for name in ("row_value", "row_exact", "policy_count"):
        fits &= batch.lengths(name) == rows
    fits &= batch.lengths("policy_weight") == entries
    counted = np.concatenate([[0], np.cumsum(batch.values["policy_count"], dtype=np.int64)])
    fits &= np.diff(counted[batch.offsets["policy_count"]]) == entries
    if not fits.all():  # what follows counts entries along with their weights
        return fits
    weight = batch.values["policy_weight"]
    bad = (batch.values["policy_action"] >= num_actions) | ~(weight >= 0) | np.isinf(weight)
    passed = np.concatenate([[0], np.cumsum(bad)])
    return fits & (np.diff(passed[batch.offsets["policy_action"]]) == 0)


def _outcome_target(
    batch: EpisodeBatch, players: NDArray[np.int8], config: LearnerConfig
) -> NDArray[np.float32]:
    """Outcomes to learn, float32 [R, 3]: the game's and the search's mixed, or the proven one."""
    outcome = np.repeat(batch.values["outcome"], batch.lengths("row_ply"))
    outcome_to_play = np.where(players == 0, outcome, -outcome)
    searched, exact = batch.values["row_value"], batch.values["row_exact"]
    share = config.search_value_share
    if config.value_mixing == "scalar":
        mixed = outcome_shares((1.0 - share) * outcome_to_play + share * searched)
    else:
        mixed = (1.0 - share) * outcome_shares(outcome_to_play) + share * outcome_shares(searched)
    proven = ~np.isnan(exact)
    mixed[proven] = outcome_shares(exact[proven])
    return mixed.astype(np.float32)
