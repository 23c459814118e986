"""What is said about one `go`: infos while an agent thinks, and at the end its best move."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from arena.engine.protocols.universal.dialect import Dialect
from arena.engine.protocols.universal.grammar import GoWords, info_string
from arena.engine.protocols.universal.info import info_lines
from arena.engine.protocols.universal.options import Options
from arena.engine.snapshot import Snapshot
from arena.engine.thinking import Result
from arena.engine.tree import LONGEST_LINE
from envs.game import Game, State
from envs.positions import played

INFO_S = 0.1  # at least between two infos of one search


class Answers:
    """Writes about one search; `tell` and `decide` run in the thinking thread.

    Args:
        game: the position's.
        state: the position.
        words: what followed `go`.
        options: as they are now.
        dialect: the interface.
        proves: whether the agent can prove a result.
        rng: draws the move, where a temperature is set.
        write: writes lines.
    """

    def __init__(
        self,
        game: Game,
        state: State,
        words: GoWords,
        options: Options,
        *,
        dialect: Dialect,
        proves: bool,
        rng: np.random.Generator,
        write: Callable[..., None],
    ) -> None:
        self.stop: Callable[[], None] = lambda: None
        self.may_stop = not {"ponder", "infinite"} & words.flags
        self._game, self._state, self._words = game, state.copy(), words
        self._options, self._dialect, self._proves = replace(options), dialect, proves
        self._rng, self._write = rng, write
        self._written_at = -1.0
        self._last: Snapshot | None = None

    def moves_to_search(self) -> tuple[int, ...]:
        """Return the legal ones of `searchmoves`; none are all."""
        found = []
        for word in self._words.searchmoves:
            try:
                found.append(self._game.parse_legal(self._state, word))
            except ValueError as error:
                self._write(info_string(f"searchmoves: {error}"))
        return tuple(dict.fromkeys(found))

    # --- in the thinking thread ---

    def tell(self, snapshot: Snapshot) -> None:
        """Write what is known, not too often; stop once it is what `depth` or `mate` asked for."""
        now = time.monotonic()
        infos = self._infos(snapshot) if now - self._written_at >= INFO_S and snapshot.lines else []
        if infos:
            self._write(*infos)
            self._written_at, self._last = now, snapshot
        if self.may_stop and self._is_enough(snapshot):
            self.stop()

    def decide(self, result: Result) -> None:
        """Write the last infos and the best move, or the mate, together."""
        lines = []
        if result.error is not None:
            lines.append(info_string(f"the agent failed: {result.error}"))
        if result.snapshot is not None and result.snapshot is not self._last:
            lines += self._infos(result.snapshot)
        if self._options.debug:
            lines.append(info_string(f"ended: {result.reason}"))
        if self._dialect.checkmate is not None and "mate" in self._words.flags:
            answer = self._dialect.checkmate(result.snapshot, self._proves, self._texts)
        else:
            answer = self._best(result)
        self._write(*lines, answer)

    def _is_enough(self, snapshot: Snapshot) -> bool:
        if "mate" in self._words.flags:
            return False  # the search ends by itself
        numbers = self._words.numbers
        depth, mate = numbers.get("depth"), numbers.get("mate")
        if depth is not None and snapshot.depth >= min(depth, LONGEST_LINE):
            return True
        return mate is not None and snapshot.exact == 1.0 and snapshot.plies <= 2 * mate - 1

    def _infos(self, snapshot: Snapshot) -> list[str]:
        """Return the infos; none of an agent that has no opinion, whose moves are drawn."""
        if snapshot.value_to_play is None:
            return []
        return info_lines(snapshot, self._texts, self._dialect, self._options.show_wdl)

    def _best(self, result: Result) -> str:
        best, reply, snapshot = result.best, result.ponder, result.snapshot
        if best is None and result.error is not None:
            legal = self._game.legal_actions(self._state)
            best = int(legal[0]) if len(legal) else None  # a game goes on, whatever failed
        if best is None:
            known = None if snapshot is None else snapshot.value_to_play
            return f"bestmove {self._dialect.no_move(0.0 if known is None else known)}"
        if self._resigns(snapshot):
            return "bestmove resign"
        drawn = self._drawn(snapshot, best)
        if drawn != best or reply is None:
            return f"bestmove {self._texts([drawn])[0]}"
        return "bestmove {} ponder {}".format(*self._texts([best, reply]))

    def _resigns(self, snapshot: Snapshot | None) -> bool:
        """Return whether the game is as good as lost by the option; an analysis has no end."""
        value = None if snapshot is None else snapshot.value_to_play
        if value is None or self._options.analyse or "infinite" in self._words.flags:
            return False
        return self._dialect.centipawns(value) <= -self._options.resign

    def _drawn(self, snapshot: Snapshot | None, best: int) -> int:
        """Draw a move by its share to the power of 1 / temperature; never one proven worse."""
        temperature = self._options.temperature
        if temperature <= 0 or snapshot is None or snapshot.exact is not None:
            return best
        open_moves = [c for c in snapshot.candidates if c.exact != -1.0 and c.share > 0]
        if not open_moves:
            return best
        logits = np.log([c.share for c in open_moves]) / max(temperature, 1e-3)
        weights = np.exp(logits - logits.max())
        return open_moves[self._rng.choice(len(weights), p=weights / weights.sum())].action

    def _texts(self, moves: Sequence[int]) -> list[str]:
        """Return the texts of moves that follow each other from the position."""
        states = played(self._game, np.array(moves[:-1], np.int64), self._state)
        write, options = self._dialect.written, self._options
        return [write(self._game, options, state, action) for state, action in zip(states, moves)]
