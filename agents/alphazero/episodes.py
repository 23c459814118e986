"""A self-play game as it is stored, and the training rows made from it.

Games keep moves, sparse policies and results; positions are replayed by the compiled rules, so a
change of the network's encoding does not invalidate a log.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.alphazero.config import LearnerConfig
from envs.batch import final_areas, no_past, replay_rows, scratch_for
from envs.game import Game, GameError
from envs.positions import MOST_START_BYTES, read_start
from store.replay.episodes import Episode, EpisodeBatch, EpisodeSchema
from store.upgrades import episodes

_logger = logging.getLogger("ludens.agents")

SCHEMA = EpisodeSchema(
    "alphazero/2",
    {
        # [S] UTF-8 text of the position that it began from, without a past; none: the game's start
        "start": (np.dtype("u1"), ()),
        "move": (np.dtype("u2"), ()),  # [T] actions from there on, opening included
        "opening_plies": (np.dtype("u2"), ()),  # [1] how many of them were its opening
        "outcome": (np.dtype("f4"), ()),  # [1] for the first player: 1, 0, -1
        "network_step": (np.dtype("i8"), ()),  # [1] version of the network when the game ended
        "row_ply": (np.dtype("u2"), ()),  # [R] positions to learn from, by moves played before them
        "row_value": (np.dtype("f4"), ()),  # [R] the search's value_to_play
        "row_exact": (np.dtype("f4"), ()),  # [R] its proven value_to_play, or NaN
        # [R] nats by which its policy diverges from the network's prior; NaN where that is unknown
        "row_surprise": (np.dtype("f4"), ()),
        "policy_count": (np.dtype("u2"), ()),  # [R] entries of the row's sparse policy
        "policy_action": (np.dtype("u2"), ()),  # [P]
        "policy_weight": (np.dtype("f4"), ()),  # [P] sums to 1 in a row
    },
)


@episodes("alphazero").step(1)
def _start_and_surprise_from_now_on(batch: EpisodeBatch) -> EpisodeBatch:
    """Version 2 has the position that a game began from and its rows' surprise."""
    nowhere, unknown = np.zeros(0, np.uint8), np.full(len(batch.values["row_ply"]), np.nan, "f4")
    return EpisodeBatch(
        SCHEMA,
        batch.uuids,
        {
            **batch.offsets,
            "start": np.zeros(len(batch) + 1, np.int64),
            "row_surprise": batch.offsets["row_ply"],
        },
        {**batch.values, "start": nowhere, "row_surprise": unknown},
    )


class Policies(NamedTuple):
    """The policies of R rows as their P entries, the actions with weight, row after row."""

    counts: NDArray[np.uint16]  # [R] entries of each row
    action: NDArray[np.uint16]  # [P]
    weight: NDArray[np.float32]  # [P] sums to 1 in a row

    @classmethod
    def of(cls, legal: NDArray[Any], policy: NDArray[np.float32]) -> Policies:
        """Take the entries of policies [R, L], whose columns stand for the actions `legal`."""
        row, column = np.nonzero(policy)
        counts = np.bincount(row, minlength=len(policy)).astype(np.uint16)
        return cls(counts, legal[row, column].astype(np.uint16), policy[row, column])


@dataclass(frozen=True)
class GameRecord:
    """A finished game of self-play; R rows to learn from."""

    moves: NDArray[np.uint16]  # [T]
    opening_plies: int
    outcome: float  # for the first player
    network_step: int
    row_ply: NDArray[np.uint16]  # [R]
    policies: Policies  # of R rows
    row_value: NDArray[np.float32]  # [R] value_to_play
    row_exact: NDArray[np.float32]  # [R] proven value_to_play, or NaN
    row_surprise: NDArray[np.float32] | None = None  # [R] nats, or NaN; None: all are unknown
    start: str = ""  # text of the position that it began from; "" is the game's start


def to_episode(record: GameRecord, uuid: bytes) -> Episode:
    """Convert a game to the store's form."""
    surprise = record.row_surprise
    if surprise is None:
        surprise = np.full(len(record.row_ply), np.nan, np.float32)
    return Episode(
        uuid,
        {
            "start": np.frombuffer(record.start.encode(), np.uint8),
            "move": record.moves,
            "opening_plies": np.array([record.opening_plies], np.uint16),
            "outcome": np.array([record.outcome], np.float32),
            "network_step": np.array([record.network_step], np.int64),
            "row_ply": record.row_ply,
            "row_value": record.row_value,
            "row_exact": record.row_exact,
            "row_surprise": surprise,
            "policy_count": record.policies.counts,
            "policy_action": record.policies.action,
            "policy_weight": record.policies.weight,
        },
    )


def ring_fields(
    game: Game, config: LearnerConfig | None = None
) -> dict[str, tuple[Any, tuple[int, ...]]]:
    """Return the arrays of one training row in RAM, as `store.memory.ring.Ring` takes them.

    Those of `TrainingRows.extras` are there where `config` has a use for them.
    """
    return extra_fields(game, config or LearnerConfig()) | {
        "state": (game.dtype, ()),
        "past": (game.dtype, (game.past_boards,)),  # the boards before it, newest first
        "policy_start": (np.int64, ()),  # its first entry among the POLICY_ENTRIES
        "policy_count": (np.uint16, ()),
        "outcome": (np.float32, (3,)),  # shares of win, draw and loss, for the side to move
    }


def extra_fields(game: Game, config: LearnerConfig) -> dict[str, tuple[Any, tuple[int, ...]]]:
    """Return the fields of `TrainingRows.extras`."""
    cells = game.planes_shape[1] * game.planes_shape[2]
    extras: dict[str, tuple[Any, tuple[int, ...]]] = {}
    if config.surprise_share > 0.0:
        extras["weight"] = (np.float32, ())
    if config.reply_weight > 0.0:
        extras["reply_count"] = (np.uint16, ())
    if config.ownership_weight > 0.0:
        extras["ownership"] = (np.int8, (cells,))
    if config.counts_points:
        extras["lead"] = (np.float32, ())
    return extras


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
    # of what the settings ask for: "weight" float32 [R] of a row in the loss, mean 1; "reply_count"
    # uint16 [R] entries of the policy of the next ply, which follow the row's own; "ownership" int8
    # [R, H*W] of the finished board: 1 the side to move, -1 the other; "lead" float32 [R] of the
    # side to move in points at the end, NaN where the game was not played to its end
    extras: Mapping[str, NDArray[Any]] = MappingProxyType({})


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
    if not (fits := _fits(batch, game)).all():
        return to_rows(game, [_kept(batch, fits)], config)
    starts, known = _starts(game, batch)
    if not known.all():
        return to_rows(game, [_kept(batch, known)], config)
    plies, offsets = batch.values["row_ply"].astype(np.int64), batch.offsets["row_ply"]
    states, past, players, legal = _replay(game, batch, starts, plies, offsets)
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
        _extras(game, batch, starts, players, counts, config),
    )


class _Positions(NamedTuple):
    """What `replay_rows` writes."""

    states: NDArray[Any]
    past: NDArray[Any]
    players: NDArray[np.int8]
    legal: NDArray[np.bool_]


def _replay(
    game: Game,
    batch: EpisodeBatch,
    starts: NDArray[Any],
    plies: NDArray[np.int64],
    offsets: NDArray[np.int64],
) -> _Positions:
    """Return the positions of games at these plies; see `replay_rows`."""
    found = _Positions(
        np.zeros(len(plies), game.dtype),
        no_past(game, len(plies)),
        np.zeros(len(plies), np.int8),
        np.zeros(len(batch), np.bool_),
    )
    moves = batch.values["move"].astype(np.int64)
    replay_rows(scratch_for(game), starts, moves, batch.offsets["move"], plies, offsets, *found)
    return found


def _starts(game: Game, batch: EpisodeBatch) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the positions that games began from, records [games], and which are positions."""
    starts, known = np.full(len(batch), game.new_state(), game.dtype), np.ones(len(batch), np.bool_)
    read: dict[bytes, Any] = {}
    for i in np.flatnonzero(batch.lengths("start")):
        first, end = batch.offsets["start"][i : i + 2]
        text = batch.values["start"][first:end].tobytes()
        if text not in read:
            try:
                read[text] = read_start(game, text.decode())
            except (GameError, UnicodeDecodeError):
                read[text] = None
        if read[text] is None:
            known[i] = False
        else:
            starts[i] = read[text]
    return starts, known


def _extras(
    game: Game,
    batch: EpisodeBatch,
    starts: NDArray[Any],
    players: NDArray[np.int8],
    policy_count: NDArray[np.uint16],
    config: LearnerConfig,
) -> dict[str, NDArray[Any]]:
    """Return `TrainingRows.extras`."""
    extras: dict[str, NDArray[Any]] = {}
    rows = batch.lengths("row_ply")
    if config.surprise_share > 0.0:
        surprise = batch.values["row_surprise"]
        extras["weight"] = surprise_weights(surprise, rows, config.surprise_share)
    if config.reply_weight > 0.0:
        extras["reply_count"] = _reply_counts(batch.values["row_ply"], rows, policy_count)
    if config.counts_points:
        side = np.where(players == 0, 1, -1).astype(np.int8)
        owners, leads = _final_areas(game, batch, starts)
        extras["lead"] = np.repeat(leads, rows) * side.astype(np.float32)
        if config.ownership_weight > 0.0:
            extras["ownership"] = np.repeat(owners, rows, axis=0) * side[:, None]
    return extras


def surprise_weights(
    surprise: NDArray[np.float32], rows: NDArray[np.int64], share: float
) -> NDArray[np.float32]:
    """Return the weights of rows in the loss, float32 [R], whose mean in each game is 1.

    `share` of a game's weight goes to its rows in proportion to their surprise [R], the rest is
    equal (KataGo, "Methods": policy surprise weighting, with a half). A row of unknown surprise has
    weight 1. `rows` int64 [games] are the rows of each game.
    """
    known = ~np.isnan(surprise)
    nats = np.where(known, surprise, 0.0).astype(np.float64)
    game = np.repeat(np.arange(len(rows)), rows)
    count = np.bincount(game, weights=known, minlength=len(rows))
    total = np.bincount(game, weights=nats, minlength=len(rows))
    scale = np.divide(count, total, out=np.zeros(len(rows)), where=total > 0.0)
    weighted = known & (total > 0.0)[game]
    return np.where(weighted, 1.0 - share + share * nats * scale[game], 1.0).astype(np.float32)


def _reply_counts(
    plies: NDArray[np.uint16], rows: NDArray[np.int64], policy_count: NDArray[np.uint16]
) -> NDArray[np.uint16]:
    """Return the policy entries of the ply after each row, uint16 [R]; 0 if that is no row."""
    game = np.repeat(np.arange(len(rows)), rows)
    follows = (game[1:] == game[:-1]) & (plies[1:] == plies[:-1].astype(np.int64) + 1)
    counts = np.zeros(len(plies), np.uint16)
    counts[:-1][follows] = policy_count[1:][follows]
    return counts


def _final_areas(
    game: Game, batch: EpisodeBatch, starts: NDArray[Any]
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return `final_areas` of games that were played to their end: int8 [games, H*W], [games]."""
    ends = _replay(game, batch, starts, batch.lengths("move"), np.arange(len(batch) + 1))
    owners = np.zeros((len(batch), game.planes_shape[1] * game.planes_shape[2]), np.int8)
    leads = np.zeros(len(batch), np.float32)
    final_areas(ends.states, owners, leads)
    return owners, leads


def _kept(batch: EpisodeBatch, sound: NDArray[np.bool_]) -> EpisodeBatch:
    """Return the valid games; warns with the number of invalid ones."""
    _logger.warning("%d stored games are none of this game and left out", np.sum(~sound))
    return batch.take(np.flatnonzero(sound))


def _fits(batch: EpisodeBatch, game: Game) -> NDArray[np.bool_]:
    """Return whether each game's arrays agree in length and are in bounds."""
    rows, entries = batch.lengths("row_ply"), batch.lengths("policy_action")
    fits = (batch.lengths("outcome") == 1) & (batch.lengths("opening_plies") == 1)
    fits &= batch.lengths("move") <= game.max_plies  # from a position, the rules may not see to it
    fits &= batch.lengths("start") <= MOST_START_BYTES
    for name in ("row_value", "row_exact", "row_surprise", "policy_count"):
        fits &= batch.lengths(name) == rows
    fits &= batch.lengths("policy_weight") == entries
    counted = np.concatenate([[0], np.cumsum(batch.values["policy_count"], dtype=np.int64)])
    fits &= np.diff(counted[batch.offsets["policy_count"]]) == entries
    if not fits.all():  # what follows counts entries along with their weights
        return fits
    weight = batch.values["policy_weight"]
    bad = (batch.values["policy_action"] >= game.num_actions) | ~(weight >= 0) | np.isinf(weight)
    surprise, exact = batch.values["row_surprise"], batch.values["row_exact"]
    wrong = (surprise < 0) | np.isinf(surprise)
    wrong |= ~_is_value(batch.values["row_value"]) | ~(_is_value(exact) | np.isnan(exact))
    return (
        fits
        & _is_value(batch.values["outcome"])
        & _none(bad, batch.offsets["policy_action"])
        & _none(wrong, batch.offsets["row_ply"])
    )


def _is_value(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which numbers are values of positions, to rounding; NaN is none."""
    is_value: NDArray[np.bool_] = np.abs(values) <= 1.001
    return is_value


def _none(marked: NDArray[np.bool_], offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether nothing of each game is marked, bool [games]."""
    none: NDArray[np.bool_] = np.diff(np.concatenate([[0], np.cumsum(marked)])[offsets]) == 0
    return none


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
