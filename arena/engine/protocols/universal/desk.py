"""An agent behind a universal interface: positions and limits in its words, and thinking."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from agents.players import Player, SearchPlayer
from arena.engine.engine import Engine
from arena.engine.limits import Limit
from arena.engine.protocols.lines import Writer
from arena.engine.protocols.universal.answers import Answers
from arena.engine.protocols.universal.dialect import Dialect
from arena.engine.protocols.universal.go_limit import limit_of
from arena.engine.protocols.universal.grammar import GoWords, PositionWords, info_string, read_go
from arena.engine.protocols.universal.options import Options
from arena.engine.protocols.universal.session_position import SessionPosition
from arena.engine.searching import room_in
from arena.engine.thinking import Request
from envs.game import Game


class UniversalDesk:
    """One agent and the position before it. See `session.Desk`.

    Args:
        dialect: the interface.
        game: one that it is for.
        player: the agent.
        options: as the session sets them, also later.
        write: writes lines.
        seed: of whatever is random.
        make: the engine, given the game and the player.
        limited: finds the player whose strength is the nearest to an Elo, and what to tell of it.
            Raises ValueError where it is not there any more.
    """

    def __init__(
        self,
        dialect: Dialect,
        game: Game,
        player: Player,
        options: Options,
        write: Writer | Callable[..., None],
        seed: int,
        make: Callable[..., Engine] = Engine,
        limited: Callable[[int], tuple[Player, str]] | None = None,
    ) -> None:
        self.dialect, self.game, self.player = dialect, game, player
        self._unlimited, self._limited = player, limited
        self._options, self._write, self._make = options, write, make
        self._rng = np.random.default_rng(seed)
        self._position = SessionPosition(game)
        self._elo: int | None = None  # that the player's strength is limited to
        self._engine = self._new_engine()

    def _asked(self) -> tuple[int, int, int | None]:
        """Return what the options say of the engine: threads, megabytes, and the Elo or None."""
        options = self._options
        elo = options.elo if options.limit_strength and self._limited else None
        return options.threads, options.hash, elo

    def _new_engine(self) -> Engine:
        self._made_for = threads, megabytes, elo = self._asked()
        is_other = elo != self._elo
        if is_other:
            self._elo = elo
            self._change_player()
        room = room_in(self.game, megabytes << 20)
        engine = self._make(self.game, self.player, room=room, threads=threads)
        if is_other:  # the first evaluations of a network take tenths of a second
            engine.get_ready()
        return engine

    def _change_player(self) -> None:
        """Take the agent, or the one that is as strong as it may be, and tell which."""
        self.player = self._unlimited
        if self._elo is None or self._limited is None:
            return
        try:
            self.player, told = self._limited(self._elo)
        except ValueError as error:
            told = f"the strength is not limited: {error}"
        self._write(info_string(told))

    def get_ready(self) -> None:
        """Compile what a `go` needs, by one of each kind, of which nothing is written.

        A search for a mate is compiled apart from others, and its time may be a second. Raises what
        the agent raises.
        """
        self._engine.get_ready()
        start = self.game.new_state()
        word = self.game.written(start, int(self.game.legal_actions(start)[0]))
        position = SessionPosition(self.game).after("", [word]).position
        words = read_go(["nodes", "1"], self.dialect)
        answers = self._answers(position.state[0], words, lambda *lines: None)
        for prove in (False, True) if isinstance(self.player, SearchPlayer) else (False,):
            request = Request(position, Limit(nodes=1), prove=prove, on_result=answers.decide)
            self._engine.start(request).wait()
        self.new_game()

    def place(self, position: PositionWords) -> None:
        """See `session.Desk`."""
        self._position = self._position.after(position.start, position.moves)

    def go(self, words: GoWords) -> None:
        """See `session.Desk`."""
        if self._asked() != self._made_for:
            self.new_game()
        if words.ignored:
            self._write(info_string(f"not understood after go: {' '.join(words.ignored)}"))
        self._engine.stop()  # its moves are written in the notation that was asked for then
        position = self._position.position
        answers = self._answers(position.state[0], words, self._write)
        own = self.player.config.simulations if isinstance(self.player, SearchPlayer) else 1
        request = Request(
            position,
            limit_of(words, self._options, own, self.dialect),
            multipv=self._options.multipv,
            only=answers.moves_to_search(),
            ponder="ponder" in words.flags,
            prove="mate" in words.flags or "mate" in words.numbers,
            seed=[int(self._rng.integers(1 << 62))],
            on_info=answers.tell,
            on_result=answers.decide,
        )
        answers.stop = self._engine.stop
        self._search = answers
        self._engine.start(request)

    def _answers(self, state: np.void, words: GoWords, write: Callable[..., None]) -> Answers:
        return Answers(
            self.game,
            state,
            words,
            self._options,
            dialect=self.dialect,
            proves=isinstance(self.player, SearchPlayer),
            rng=np.random.default_rng(self._rng.integers(1 << 62)),
            write=write,
        )

    def stop(self) -> None:
        """See `session.Desk`."""
        self._engine.stop()

    def ponderhit(self) -> None:
        """See `session.Desk`."""
        if self._engine.current is not None:
            self._search.may_stop = True
        self._engine.ponderhit()

    def new_game(self) -> None:
        """See `session.Desk`; what is thought about ends first."""
        self._engine.close()
        self._engine = self._new_engine()

    def close(self) -> None:
        """See `session.Desk`."""
        self._engine.close()
