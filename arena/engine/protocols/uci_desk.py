"""An agent behind UCI: positions and limits in its words, thinking, best moves."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from agents.players import Player, SearchPlayer
from arena.engine.engine import Engine
from arena.engine.limits import Clock, Clocks, Limit
from arena.engine.protocols.lines import Writer
from arena.engine.protocols.session_position import SessionPosition
from arena.engine.protocols.uci_grammar import GoWords, Options, PositionWords, info_string, read_go
from arena.engine.protocols.uci_info import info_lines
from arena.engine.searching import room_in
from arena.engine.snapshot import Snapshot
from arena.engine.thinking import Request, Result
from arena.engine.tree import LONGEST_LINE
from envs.chess.board import STANDARD
from envs.chess.notation import format_uci
from envs.game import Game, State
from envs.positions import played
from mcts.search import MOST_VISITS

INFO_S = 0.1  # at least between two infos of one search
SHORTEST_S = 0.001  # of a move whose time is less than the overhead
NO_MOVE = "0000"


def limit_of(words: GoWords, options: Options, own_nodes: int) -> Limit:
    """Return the limit that `go` asks for; without one the agent's own number of nodes.

    `depth` and `mate` are not limits of an engine: with these alone it goes on until its tree is
    full, and whoever follows its snapshots stops it.
    """
    if "infinite" in words.flags:
        return Limit()
    numbers = words.numbers
    seconds, clocks = 0.0, None
    if "movetime" in numbers:
        seconds = max(SHORTEST_S, (numbers["movetime"] - options.overhead) / 1000)
    if "wtime" in numbers or "btime" in numbers:
        first, second = (_clock(numbers, side) for side in "wb")
        clocks = Clocks(first, second, overhead=options.overhead / 1000)
    nodes = min(MOST_VISITS, max(1, numbers["nodes"])) if "nodes" in numbers else 0
    if options.nodes:
        nodes = min(nodes, options.nodes) if nodes else options.nodes
    if not (nodes or seconds or clocks):
        nodes = MOST_VISITS if {"depth", "mate"} & set(numbers) else own_nodes
    return Limit(nodes, seconds, clocks, early=clocks is not None and not options.analyse)


def _clock(numbers: dict[str, int], side: str) -> Clock:
    """Return a side's clock; one that is not given is like the other's."""
    other = "b" if side == "w" else "w"
    left = numbers.get(f"{side}time", numbers.get(f"{other}time", 0))
    gained = max(0, numbers.get(f"{side}inc", 0))
    return Clock(left / 1000, gained / 1000, max(0, numbers.get("movestogo", 0)))


class UciDesk:
    """One agent and the position before it. See `uci.Desk`.

    Args:
        game: chess, or another game whose moves are written alike.
        player: the agent.
        options: as the session sets them, also later.
        write: writes lines.
        seed: of whatever is random.
        make: the engine, given the game and the player.
    """

    def __init__(
        self,
        game: Game,
        player: Player,
        options: Options,
        write: Writer | Callable[..., None],
        seed: int,
        make: Callable[..., Engine] = Engine,
    ) -> None:
        self.game, self.player = game, player
        self._options, self._write, self._make = options, write, make
        self._rng = np.random.default_rng(seed)
        self._position = SessionPosition(game)
        self._sizes = (options.threads, options.hash)
        self._engine = self._new_engine()

    def _new_engine(self) -> Engine:
        self._sizes = threads, megabytes = self._options.threads, self._options.hash
        room = room_in(self.game, megabytes << 20)
        return self._make(self.game, self.player, room=room, threads=threads)

    def get_ready(self) -> None:
        """Compile what a `go` needs, by one of which nothing is written.

        Raises what the agent raises.
        """
        self._engine.get_ready()
        start = self.game.new_state()
        word = self.game.written(start, int(self.game.legal_actions(start)[0]))
        position = SessionPosition(self.game).after("", [word]).position
        words = read_go(["nodes", "1"])
        search = _Search(self.game, position.state[0], words, self._options, lambda *lines: None)
        self._engine.start(Request(position, Limit(nodes=1), on_result=search.decide)).wait()
        self.new_game()

    def place(self, position: PositionWords) -> None:
        """See `uci.Desk`."""
        self._position = self._position.after(position.start, position.moves)

    def go(self, words: GoWords) -> None:
        """See `uci.Desk`."""
        if (self._options.threads, self._options.hash) != self._sizes:
            self.new_game()
        if words.ignored:
            self._write(info_string(f"not understood after go: {' '.join(words.ignored)}"))
        self._engine.stop()  # its moves are written in the notation that was asked for then
        position = self._position.position
        search = _Search(self.game, position.state[0], words, self._options, self._write)
        search.rng = np.random.default_rng(self._rng.integers(1 << 62))
        own = self.player.config.simulations if isinstance(self.player, SearchPlayer) else 1
        request = Request(
            position,
            limit_of(words, self._options, own),
            multipv=self._options.multipv,
            only=search.moves_to_search(),
            ponder="ponder" in words.flags,
            seed=[int(self._rng.integers(1 << 62))],
            on_info=search.tell,
            on_result=search.decide,
        )
        search.stop = self._engine.stop
        self._search = search
        self._engine.start(request)

    def stop(self) -> None:
        """See `uci.Desk`."""
        self._engine.stop()

    def ponderhit(self) -> None:
        """See `uci.Desk`."""
        if self._engine.current is not None:
            self._search.may_stop = True
        self._engine.ponderhit()

    def new_game(self) -> None:
        """See `uci.Desk`; what is thought about ends first."""
        self._engine.close()
        self._engine = self._new_engine()

    def close(self) -> None:
        """See `uci.Desk`."""
        self._engine.close()


class _Search:
    """What is said about one `go`; its methods `tell` and `decide` run in the thinking thread."""

    def __init__(
        self,
        game: Game,
        state: State,
        words: GoWords,
        options: Options,
        write: Callable[..., None],
    ) -> None:
        self.rng = np.random.default_rng(0)
        self.stop: Callable[[], None] = lambda: None
        self.may_stop = not {"ponder", "infinite"} & words.flags
        self._game, self._state, self._words = game, state.copy(), words
        self._options, self._write = replace(options), write
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

    def tell(self, snapshot: Snapshot) -> None:
        """Write what is known, not too often; stop once it is what `depth` or `mate` asked for."""
        now = time.monotonic()
        infos = self._infos(snapshot) if now - self._written_at >= INFO_S and snapshot.lines else []
        if infos:
            self._write(*infos)
            self._written_at, self._last = now, snapshot
        if self.may_stop and self._is_enough(snapshot):
            self.stop()

    def _is_enough(self, snapshot: Snapshot) -> bool:
        numbers = self._words.numbers
        depth, mate = numbers.get("depth"), numbers.get("mate")
        if depth is not None and snapshot.depth >= min(depth, LONGEST_LINE):
            return True
        return mate is not None and snapshot.exact == 1.0 and snapshot.plies <= 2 * mate - 1

    def decide(self, result: Result) -> None:
        """Write the last infos and the best move, together."""
        lines = []
        if result.error is not None:
            lines.append(info_string(f"the agent failed: {result.error}"))
        if result.snapshot is not None and result.snapshot is not self._last:
            lines += self._infos(result.snapshot)
        if self._options.debug:
            lines.append(info_string(f"ended: {result.reason}"))
        self._write(*lines, self._best(result))

    def _infos(self, snapshot: Snapshot) -> list[str]:
        """Return the infos; none of an agent that has no opinion, whose moves are drawn."""
        if snapshot.value_to_play is None:
            return []
        return info_lines(snapshot, self._texts, self._options.show_wdl)

    def _best(self, result: Result) -> str:
        best, reply = result.best, result.ponder
        if best is None and result.error is not None:
            legal = self._game.legal_actions(self._state)
            best = int(legal[0]) if len(legal) else None  # a game goes on, whatever failed
        if best is None:
            return f"bestmove {NO_MOVE}"
        drawn = self._drawn(result.snapshot, best)
        if drawn != best or reply is None:
            return f"bestmove {self._texts([drawn])[0]}"
        return "bestmove {} ponder {}".format(*self._texts([best, reply]))

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
        return open_moves[self.rng.choice(len(weights), p=weights / weights.sum())].action

    def _texts(self, moves: Sequence[int]) -> list[str]:
        """Return the texts of moves that follow each other from the position."""
        states = played(self._game, np.array(moves[:-1], np.int64), self._state)
        return [self._text(state, action) for state, action in zip(states, moves)]

    def _text(self, state: State, action: int) -> str:
        if self._options.chess960:
            return format_uci(state, action, STANDARD, chess960=True)
        return self._game.written(state, action)
