"""A shard: some of an actor's games, searched together in one thread.

Games do not wait for each other. After a round of evaluations the games whose searches are over
play their moves and begin their next searches, a few games together, so that batches stay full.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.alphazero.config import SelfPlayConfig
from agents.alphazero.episodes import GameRecord, Policies, to_episode
from agents.alphazero.game import read_starts
from agents.random_state import rng_state, set_rng_state
from envs.batch import no_past, play_random, replay_rows, scratch_for, statuses
from envs.game import Game, GameError
from envs.positions import past_of, played, read_start
from mcts.config import SearchConfig
from mcts.search import Evaluator, RootResults, Search
from store.errors import CheckpointError
from store.replay.episodes import Episode

DECIDED_AT_ONCE = 16
"""The part of the games, a sixteenth, whose searches have ended before their moves are played: the
interpreter's work between two batches is mostly the same for one game and for many."""


@dataclass
class ResignStatistics:
    """Counts how often resignation would have been wrong, from games played to the end."""

    resigned: int = 0
    played_on: int = 0
    false_positives: int = 0  # played on and not lost by the side that would have resigned


def surprise_of(policy: NDArray[np.float32], prior: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the divergence of policies from the network's priors [n, L] in nats, float32 [n].

    KL(policy || prior); NaN where the prior is.
    """
    target, guess = policy.astype(np.float64), prior.astype(np.float64)
    ratio = np.where(target > 0.0, target / np.maximum(guess, 1e-30), 1.0)
    nats: NDArray[np.float32] = (target * np.log(ratio)).sum(1).astype(np.float32)
    return np.maximum(nats, 0.0)


def status_of(
    states: NDArray[Any],
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64]]:
    """Of records [n]: the side to move, whether the game is over, its value_to_play if so."""
    count = len(states)
    found = np.zeros(count, np.int64), np.zeros(count, np.bool_), np.zeros(count, np.float64)
    statuses(states, *found)
    return found


class Shard:
    """G games of self-play and their search. Deterministic from its seed and its weights' order.

    Attributes:
        rows_made: training rows of the games finished so far.
        network_step: version of the network that plays, noted in the games' records.
    """

    def __init__(
        self,
        game: Game,
        search: SearchConfig,
        config: SelfPlayConfig,
        games: int,
        *,
        seed: int,
        number: int,
    ) -> None:
        self.game = game
        self.config = config
        self.starts = read_starts(game, config.starts)
        self.number = number
        self.full_simulations = search.simulations
        self.seed = seed
        self.search = Search(
            game,
            search,
            games,
            max_simulations=max(search.simulations, config.fast_simulations),
            seed=int(np.random.SeedSequence([seed, 2, number]).generate_state(1)[0]),
        )
        self.rng = np.random.default_rng([seed, 3, number])
        self.network_step = 0
        self.games_finished = 0
        self.rows_made = 0
        self.plies_finished = 0  # of whole games, openings included
        self.plies_played = 0  # since this object was made, of games that go on too
        self.resign = ResignStatistics()
        self.moves = np.zeros((games, game.max_plies), np.uint16)
        self.ply = np.zeros(games, np.int64)
        self.opening = np.zeros(games, np.int64)  # its plies; a game may be within it
        self.start_texts = [""] * games  # positions that the games began from; "": the game's start
        self.start_states = game.new_states(games)
        self.full = np.zeros(games, np.bool_)  # the running search is a full one
        self.plays_on = np.zeros(games, np.bool_)  # a proven result does not end the game
        self.never_resigns = np.zeros(games, np.bool_)
        self.low_moves = np.zeros((games, 2), np.int64)  # own moves in a row below resign_value
        self.would_resign = np.full(games, -1, np.int64)  # first player who would have resigned
        self._make_room_for_rows(games)
        self.start(np.arange(games))

    def _make_room_for_rows(self, games: int) -> None:
        """Allocate the training rows of the running games, one each ply at most."""
        plies = self.game.max_plies
        self.row_count = np.zeros(games, np.int64)
        self.row_ply = np.zeros((games, plies), np.uint16)
        self.row_entries = np.zeros((games, plies), np.uint16)  # of each row's policy
        self.num_entries = np.zeros(games, np.int64)  # of all rows of a game
        # They grow as needed: huge pages would make room for the largest game resident at once.
        self.entry_action = np.zeros((games, self.game.max_legal), np.uint16)
        self.entry_weight = np.zeros((games, self.game.max_legal), np.float32)
        self.row_value = np.zeros((games, plies), np.float32)
        self.row_exact = np.zeros((games, plies), np.float32)
        self.row_surprise = np.zeros((games, plies), np.float32)

    # -- beginning ---------------------------------------------------------------------------

    def start(self, slots: NDArray[np.int64]) -> None:
        """Begin new games in these slots, some from given positions or random openings."""
        for slot in slots:
            self.start_texts[slot] = ""
        self.start_states[slots] = self.game.new_state()
        states = self._openings(slots)
        if self.starts:
            self._take_starts(states, slots)
        self.plays_on[slots] = self.rng.random(len(slots)) < self.config.proof_playout_share
        self.never_resigns[slots] = self.rng.random(len(slots)) < self.config.resign_playout_share
        self.low_moves[slots] = 0
        self.would_resign[slots] = -1
        self.row_count[slots] = 0
        self.num_entries[slots] = 0
        self._place(states, slots)
        self.begin_searches(slots)

    def _place(self, states: NDArray[Any], slots: NDArray[np.int64]) -> None:
        """Make positions the roots, with the games before them where those matter."""
        past = None
        if self.game.has_history:
            games = [
                played(self.game, self.moves[slot, : self.ply[slot]], self.start_states[slot])
                for slot in slots
            ]
            past = past_of(self.game, games)
        self.search.place(states, slots, past)

    def _take_starts(self, states: NDArray[Any], slots: NDArray[np.int64]) -> None:
        """Let a share of new games begin from the given positions instead, in place."""
        chosen = self.rng.random(len(slots)) < self.config.starts_share
        drawn = self.rng.integers(len(self.starts), size=len(slots))
        for i in np.flatnonzero(chosen):
            start, slot = self.starts[drawn[i]], slots[i]
            self.start_texts[slot] = start.text
            self.start_states[slot] = start.state
            self.moves[slot, : len(start.moves)] = start.moves
            self.ply[slot] = self.opening[slot] = len(start.moves)
            states[i] = played(self.game, np.array(start.moves, np.int64), start.state)[-1]

    def _openings(self, slots: NDArray[np.int64]) -> NDArray[Any]:
        """Return positions [n] to start from, some after recorded random moves; none is terminal.

        An opening that ends its game is drawn again, one ply shorter. One by the network's policy
        is not played here: its game has no ply yet, and `opening` says how many are to be drawn.
        """
        states = self.game.new_states(len(slots))
        longest = min(self.config.opening_plies, self.game.max_plies - 1)
        random = self.rng.random(len(slots)) < self.config.opening_share
        wanted = self.rng.integers(min(longest, 1), longest + 1, len(slots)) * random
        self.ply[slots] = 0
        by_policy = self.config.opening_moves == "policy"
        pending = np.flatnonzero(wanted)[: 0 if by_policy else None]
        while len(pending):
            drawn = self.game.new_states(len(pending))
            shape = len(pending), int(wanted[pending].max())
            draws, moves = self.rng.random(shape), np.zeros(shape, np.uint16)
            play_random(scratch_for(self.game), drawn, wanted[pending], draws, moves)
            states[pending] = drawn
            self.moves[slots[pending], : shape[1]] = moves
            _, over, _ = status_of(drawn)
            pending = pending[over]
            wanted[pending] = np.maximum(wanted[pending] - 1, 1)
        self.opening[slots] = wanted
        if not by_policy:
            self.ply[slots] = wanted
        return states

    def _in_opening(self, slots: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether games are within an opening by the network's policy."""
        return self.ply[slots] < self.opening[slots]

    def begin_searches(self, slots: NDArray[np.int64]) -> None:
        """Start the next search of each slot: full with noise, or fast (playout cap).

        Within an opening by the policy, a search of one simulation evaluates the position.
        """
        opens = self._in_opening(slots)
        full = (self.rng.random(len(slots)) < self.config.full_share) & ~opens
        self.full[slots] = full
        if self.config.fresh_full_searches:
            self.search.restart(slots[full])
        simulations = np.where(full, self.full_simulations, self.config.fast_simulations)
        simulations[opens] = 1
        degrees = self._temperatures(slots)
        self.search.begin(slots, simulations.astype(np.int32), full, degrees)

    # -- playing -----------------------------------------------------------------------------

    def play(
        self, evaluator: Evaluator, goal: int, pause: Callable[[], bool] = lambda: False
    ) -> list[Episode]:
        """Play until the finished games hold `goal` training rows in all, or `pause` answers True.

        Pauses do not affect the games.
        """
        episodes: list[Episode] = []
        while self.rows_made < goal and not pause():
            episodes += self.advance(evaluator)
        return episodes

    def advance(self, evaluator: Evaluator) -> list[Episode]:
        """Evaluate a leaf of every game and play the decided moves; return the ended games."""
        leaves = self.search.select()
        if len(leaves.counts):
            self.search.receive(*evaluator(leaves))
        done = self.search.done()
        is_enough = len(done) * DECIDED_AT_ONCE >= len(self.ply) or not len(leaves.counts)
        return self.finish_moves(done) if len(done) and is_enough else []

    def finish_moves(self, slots: NDArray[np.int64]) -> list[Episode]:
        """Play the moves of the finished searches; return the games that ended."""
        results = self.search.read(slots, self._temperatures(slots))
        opens = self._in_opening(slots)
        if opens.any():
            results.action[opens] = self._opening_moves(results, opens)
        self._note_rows(slots, results)
        players, _, _ = status_of(self.search.roots(slots))
        resigns = self._resignations(slots, players, results)
        adjudged = ~np.isnan(results.exact) & ~self.plays_on[slots] & ~opens
        stops = adjudged | resigns
        episodes = [
            self._finish(slots[i], players[i], results.exact[i] if adjudged[i] else -1.0)
            for i in np.flatnonzero(stops)
        ]
        going, actions = slots[~stops], results.action[~stops]
        self.moves[going, self.ply[going]] = actions
        self.ply[going] += 1
        self.plies_played += int(np.sum(~opens[~stops]))
        self.search.play(going, actions)
        players, ended, values = status_of(self.search.roots(going))
        whole = ended & ~opens[~stops]  # a game that ends within its opening is begun again
        episodes += [self._finish(going[i], players[i], values[i]) for i in np.flatnonzero(whole)]
        self.begin_searches(going[~ended])
        over = np.concatenate([slots[stops], going[ended]])
        if len(over):
            self.start(over)
        return episodes

    def _opening_moves(self, results: RootResults, opens: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Draw a move of each game that `opens` from the network's policy at a temperature.

        Where the network was not asked, because the result is proven, from the moves that prove it.
        """
        prior, policy = results.prior[opens], results.policy[opens]
        odds = np.where(np.isnan(prior), policy, prior).astype(np.float64)
        odds /= odds.max(1, keepdims=True)
        summed = np.cumsum(odds ** (1.0 / self.config.opening_temperature), 1)
        drawn = self.rng.random(len(odds)) * summed[:, -1]
        column = np.argmax(summed > drawn[:, None], 1)
        return results.legal[opens][np.arange(len(odds)), column].astype(np.int64)

    def _temperatures(self, slots: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the temperature by plies since the opening: exponential from first to final."""
        c = self.config
        decay = 0.5 ** ((self.ply[slots] - self.opening[slots]) / c.temperature_halflife)
        return c.final_temperature + (c.temperature - c.final_temperature) * decay

    def _note_rows(self, slots: NDArray[np.int64], results: RootResults) -> None:
        """Record training rows: full searches, and a share of the other proven positions."""
        keep = self.full[slots].copy()
        if self.config.proven_row_share > 0.0:
            drawn = self.rng.random(len(slots)) < self.config.proven_row_share
            keep |= drawn & ~np.isnan(results.exact) & ~self._in_opening(slots)
        kept = slots[keep]
        row = self.row_count[kept]
        self.row_ply[kept, row] = self.ply[kept]
        self._note_policies(kept, Policies.of(results.legal[keep], results.policy[keep]))
        self.row_value[kept, row] = results.value_to_play[keep]
        self.row_exact[kept, row] = results.exact[keep]
        self.row_surprise[kept, row] = surprise_of(results.policy[keep], results.prior[keep])
        self.row_count[kept] += 1

    def _note_policies(self, slots: NDArray[np.int64], policies: Policies) -> None:
        """Write the policy of one more row of each of these games behind its others."""
        count = policies.counts.astype(np.int64)
        self._make_room_for_entries(int((self.num_entries[slots] + count).max(initial=0)))
        first = np.cumsum(count) - count
        entry = np.arange(len(policies.action)) + np.repeat(self.num_entries[slots] - first, count)
        self.entry_action[np.repeat(slots, count), entry] = policies.action
        self.entry_weight[np.repeat(slots, count), entry] = policies.weight
        self.row_entries[slots, self.row_count[slots]] = count
        self.num_entries[slots] += count

    def _make_room_for_entries(self, most: int) -> None:
        """Make room for `most` entries a game, at least twice the room there was if it grows."""
        width = self.entry_action.shape[1]
        if most > width:
            more = [(0, 0), (0, max(most, 2 * width) - width)]
            self.entry_action = np.pad(self.entry_action, more)
            self.entry_weight = np.pad(self.entry_weight, more)

    def _resignations(
        self, slots: NDArray[np.int64], players: NDArray[np.int64], results: RootResults
    ) -> NDArray[np.bool_]:
        """Which games end now by resignation: two own moves in a row below the threshold."""
        if self.config.resign_value <= -1.0:
            return np.zeros(len(slots), np.bool_)
        low = (results.value_to_play < self.config.resign_value) & np.isnan(results.exact)
        low &= ~self._in_opening(slots)
        self.low_moves[slots, players] = np.where(low, self.low_moves[slots, players] + 1, 0)
        wants = self.low_moves[slots, players] >= 2
        first = wants & (self.would_resign[slots] < 0)
        self.would_resign[slots[first]] = players[first]
        resigns = wants & ~self.never_resigns[slots]
        self.resign.resigned += int(resigns.sum())
        return resigns

    # -- ending ------------------------------------------------------------------------------

    def _finish(self, slot: int, player: int, value_to_play: float) -> Episode:
        """Return the episode of a game that ends with this value for this player."""
        outcome = float(value_to_play) if player == 0 else -float(value_to_play)
        loser = self.would_resign[slot]
        if loser >= 0 and self.never_resigns[slot]:
            self.resign.played_on += 1
            self.resign.false_positives += (outcome if loser == 0 else -outcome) > -1.0
        rows = self.row_count[slot]
        record = GameRecord(
            moves=self.moves[slot, : self.ply[slot]].copy(),
            opening_plies=int(self.opening[slot]),
            outcome=outcome,
            network_step=self.network_step,
            row_ply=self.row_ply[slot, :rows].copy(),
            policies=self._policies(slot),
            row_value=self.row_value[slot, :rows].copy(),
            row_exact=self.row_exact[slot, :rows].copy(),
            row_surprise=self.row_surprise[slot, :rows].copy(),
            start=self.start_texts[slot],
        )
        name = f"{self.seed}/{self.number}/{self.games_finished}".encode()
        self.games_finished += 1
        self.plies_finished += int(self.ply[slot])
        self.rows_made += int(rows)
        return to_episode(record, hashlib.blake2b(name, digest_size=16).digest())

    def _policies(self, slot: int) -> Policies:
        """Return the policies of a game's rows."""
        size = self.num_entries[slot]
        return Policies(
            self.row_entries[slot, : self.row_count[slot]].copy(),
            self.entry_action[slot, :size].copy(),
            self.entry_weight[slot, :size].copy(),
        )

    def counters(self) -> dict[str, int]:
        """Return the search's counters, and games, rows, their plies and resignations so far."""
        return self.search.counters() | {
            "games": self.games_finished,
            "rows": self.rows_made,
            "plies": self.plies_finished,
            **asdict(self.resign),
        }

    # -- resuming ----------------------------------------------------------------------------

    def forget_trees(self) -> None:
        """Restart every running search from its position, as a resumed shard does."""
        slots = np.arange(len(self.ply))
        self.search.restart(slots)
        self.search.clear_cache()
        self.begin_searches(slots)

    _GAME_ARRAYS = (
        "moves", "ply", "opening", "plays_on", "never_resigns", "low_moves", "would_resign",
        "row_count", "row_ply", "row_value", "row_exact", "row_surprise",
    )  # fmt: skip

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the running games and random streams as arrays, between two rounds."""
        arrays: dict[str, NDArray[Any]] = {n: getattr(self, n) for n in self._GAME_ARRAYS}
        arrays |= self._policy_arrays()
        texts = [text.encode() for text in self.start_texts]
        arrays["start"] = np.frombuffer(b"".join(texts), np.uint8)
        arrays["start_bytes"] = np.array([len(text) for text in texts])
        arrays["streams"] = self.search.forest.info["stream"].copy()
        arrays["totals"] = np.array(
            [self.games_finished, self.rows_made, self.plies_finished, self.resign.resigned,
             self.resign.played_on, self.resign.false_positives]
        )  # fmt: skip
        return arrays

    def _policy_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the policies of the running games' rows, row by row, as their entries."""
        policies = [self._policies(slot) for slot in range(len(self.ply))]
        counts, actions, weights = (np.concatenate(field) for field in zip(*policies, strict=True))
        return {"policy_count": counts, "policy_action": actions, "policy_weight": weights}

    def _load_policies(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take the policies of `_policy_arrays`; raises CheckpointError where they do not fit."""
        counts = arrays["policy_count"].astype(np.int64)
        actions, weights = arrays["policy_action"], arrays["policy_weight"]
        rows = np.arange(self.row_ply.shape[1]) < self.row_count[:, None]
        fits = len(counts) == rows.sum() and counts.sum() == len(actions) == len(weights)
        if (
            not fits
            or (counts > self.game.max_legal).any()
            or (actions >= self.game.num_actions).any()
        ):
            raise CheckpointError(
                f"the policies that were stored for {rows.sum()} rows of running games are none of "
                f"{self.game.name!r}"
            )
        self.row_entries[rows] = counts
        self.num_entries[:] = (self.row_entries * rows).sum(1)
        self._make_room_for_entries(int(self.num_entries.max(initial=0)))
        ends = np.cumsum(self.num_entries)
        for slot, (size, end) in enumerate(zip(self.num_entries, ends, strict=True)):
            self.entry_action[slot, :size] = actions[end - size : end]
            self.entry_weight[slot, :size] = weights[end - size : end]

    def _load_starts(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take the positions that the running games began from; raises CheckpointError."""
        lengths = arrays["start_bytes"].astype(np.int64)
        ends, data = np.cumsum(lengths), arrays["start"].tobytes()
        if len(lengths) != len(self.ply) or lengths.min() < 0 or ends[-1] != len(data):
            raise CheckpointError(f"the starts of {len(self.ply)} running games do not fit them")
        for slot, (length, end) in enumerate(zip(lengths, ends, strict=True)):
            try:
                self.start_texts[slot] = data[end - length : end].decode()
                self.start_states[slot] = read_start(self.game, self.start_texts[slot])
            except (GameError, UnicodeDecodeError) as error:
                raise CheckpointError(f"running game {slot} began nowhere: {error}") from error

    def state_dict(self) -> dict[str, Any]:
        """Return the random generator's state, which belongs to `state_arrays`."""
        return rng_state(self.rng)

    def load_state(self, arrays: dict[str, NDArray[Any]], rng: dict[str, Any]) -> None:
        """Continue the games of `state_arrays`; their searches restart.

        Raises CheckpointError for moves that the rules do not allow.
        """
        for name in self._GAME_ARRAYS:
            getattr(self, name)[...] = arrays[name]
        self._load_policies(arrays)
        self._load_starts(arrays)
        totals = [int(x) for x in arrays["totals"]]
        self.games_finished, self.rows_made, self.plies_finished = totals[:3]
        self.resign = ResignStatistics(*totals[3:])
        slots = np.arange(len(self.ply))
        self._place(self._stored_positions(), slots)
        self.search.forest.info["stream"] = arrays["streams"]
        set_rng_state(self.rng, rng)
        self.begin_searches(slots)

    def _stored_positions(self) -> NDArray[Any]:
        """Return the positions of the running games by replaying their moves; see `replay_rows`."""
        games, longest = self.moves.shape
        states, legal = self.game.new_states(games), np.zeros(games, np.bool_)
        replay_rows(
            scratch_for(self.game),
            self.start_states,
            self.moves.astype(np.int64).ravel(),
            np.arange(games + 1) * longest,
            self.ply,
            np.arange(games + 1),
            states,
            no_past(self.game, games),
            np.zeros(games, np.int8),
            legal,
        )
        bad = int((~legal | (self.ply > longest) | status_of(states)[1]).sum())
        if bad:
            raise CheckpointError(
                f"{bad} of {games} running games that were stored are none of {self.game.name!r}"
            )
        return states
