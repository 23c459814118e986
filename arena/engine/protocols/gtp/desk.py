"""An agent behind GTP: a board of its size, what is played on it, and thinking."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from agents.players import Player, SearchPlayer
from arena.engine.engine import Engine
from arena.engine.limits import Clock, Clocks, Limit
from arena.engine.protocols.gtp.board import GtpBoard, board_of
from arena.engine.protocols.gtp.grammar import (
    AnalysisWords,
    Command,
    GtpError,
    colour_of,
    quoted,
    read_analysis,
    require,
    whole_number_of,
)
from arena.engine.protocols.gtp.info import info_line
from arena.engine.protocols.gtp.session import Finish, OtherSizeError, Start
from arena.engine.protocols.gtp.settings import GameTime, Settings
from arena.engine.snapshot import Snapshot
from arena.engine.thinking import Request, Result
from envs.game import Game, NotationError, final_ownership
from envs.go.notation import format_point, handicap_points, most_handicap_stones, parse_point
from envs.go.sgf import GoRecord, format_result, format_sgf, parse_sgf

MOST_FILE_BYTES = 1 << 20  # of a game record


def limit_of(game_time: GameTime, own_nodes: int) -> Limit:
    """Return the limit of a move: the clocks, or without them the agent's own number of nodes."""
    if not game_time.settings.is_limited:
        return Limit(max(1, own_nodes), early=False)
    return Limit(clocks=Clocks(_clock(game_time, 0), _clock(game_time, 1)))


def _clock(game_time: GameTime, colour: int) -> Clock:
    settings, left = game_time.settings, game_time.left[colour]
    if left.stones == 0:
        stones = settings.stones if settings.period else 1
        return Clock(left.seconds, settings.increment, 0, settings.period, stones)
    if settings.is_byoyomi:  # `stones` counts the periods
        return Clock(0.0, period=max(0.0, left.seconds))
    return Clock(left.seconds, moves_to_go=left.stones)


class GtpDesk:
    """One agent and the board before it. See `session.Desk`.

    Args:
        game: Go on a square board, or on several.
        player: the agent.
        settings: as the session sets them, also later.
        write: writes lines, from any thread.
        done: gets what is left to do after a search, from the thinking thread.
        seed: of whatever is random.
        make: the engine, given the game and the player.
    """

    def __init__(
        self,
        game: Game,
        player: Player,
        settings: Settings,
        write: Callable[..., None],
        done: Callable[[Finish], None],
        seed: int,
        make: Callable[..., Engine] = Engine,
    ) -> None:
        self.game, self.player = game, player
        self.board = GtpBoard(game)
        self._settings, self._write, self._done = settings, write, done
        self._rng = np.random.default_rng(seed)
        self._engine = make(game, player)
        self._answers: dict[str, Callable[[tuple[str, ...]], str | Start]] = {
            "play": self._play,
            "undo": self._undo,
            "boardsize": self._board_size,
            "clear_board": self._clear,
            "fixed_handicap": self._fixed_handicap,
            "place_free_handicap": self._free_handicap,
            "set_free_handicap": self._set_free_handicap,
            "showboard": self._show_board,
            "final_score": self._final_score,
            "final_status_list": self._final_status,
            "loadsgf": self._load_sgf,
            "printsgf": self._print_sgf,
            "genmove": self._genmove,
            "reg_genmove": self._reg_genmove,
            "lz-analyze": lambda args: self._analyze("lz", args),
            "kata-analyze": lambda args: self._analyze("kata", args),
            "lz-genmove_analyze": lambda args: self._genmove_analyze("lz", args),
            "kata-genmove_analyze": lambda args: self._genmove_analyze("kata", args),
        }

    def get_ready(self) -> None:
        """Compile what the commands need. Raises what the agent raises."""
        self._engine.get_ready()
        self.board.play(0, self.board.from_game(int(self.game.legal_actions(self._empty())[0])))
        self._engine.start(Request(self.board.position(1), Limit(nodes=1))).wait()
        self._clear(())

    def answer(self, command: Command) -> str | Start:
        """See `session.Desk`."""
        return self._answers[command.name](command.args)

    def stop(self) -> None:
        """See `session.Desk`."""
        self._engine.stop()

    def close(self) -> None:
        """See `session.Desk`."""
        self._engine.close()

    # --- the board ---

    @property
    def komi(self) -> float:
        """Return what is added to White's area in the score."""
        if self._settings.komi is not None:
            return self._settings.komi
        owners = np.zeros(self.game.num_actions - 1, np.int8)
        return -final_ownership(self._empty(), owners)

    def _empty(self) -> np.void:
        """Return the position that a game on this board begins with."""
        state: np.void = GtpBoard(self.game, size=self.board.size).position(0).state[0]
        return state

    def _vertex(self, word: str) -> int:
        try:
            return parse_point(word, self.board.size, self.board.size)
        except ValueError:
            raise GtpError(f"invalid vertex {quoted(word)}") from None

    def _words(self, actions: Sequence[int]) -> list[str]:
        size = self.board.size
        return [format_point(int(action), size, size) for action in actions]

    def _play(self, args: tuple[str, ...]) -> str:
        require(args, 2, 2, "play COLOUR VERTEX")
        colour = colour_of(args[0])
        if args[1].lower() != "resign":  # the game is over, for whoever asks for no more of it
            self.board.play(colour, self._vertex(args[1]))
        return ""

    def _undo(self, args: tuple[str, ...]) -> str:
        self.board.undo()
        return ""

    def _board_size(self, args: tuple[str, ...]) -> str:
        """Take another of the game's sizes, which the session knows."""
        self.board = GtpBoard(self.game, size=int(args[0]))
        return ""

    def _clear(self, args: tuple[str, ...]) -> str:
        self.board = GtpBoard(self.game, size=self.board.size)
        return ""

    def _show_board(self, args: tuple[str, ...]) -> str:
        side = ("Black (X)", "White (O)")[self.board.to_play]
        told = f"{side} to move, move {len(self.board.moves) + 1}, komi {self.komi:g}"
        return "\n".join(["", *self.board.draw(), told])

    def _place(self, points: Sequence[int]) -> str:
        if not self.board.is_empty or self.board.moves:
            raise GtpError("board not empty")
        size = self.board.size
        record = GoRecord(size, size, 0.0, [], (sorted(points), []), first_side=1)
        self.board = GtpBoard(self.game, record)
        return " ".join(self._words(points))

    def _fixed_handicap(self, args: tuple[str, ...]) -> str:
        require(args, 1, 1, "fixed_handicap STONES")
        return self._place_fixed(whole_number_of(args[0], "stones", 0, 10_000))

    def _free_handicap(self, args: tuple[str, ...]) -> str:
        """Place a fixed handicap, of fewer stones where the board has too few points."""
        require(args, 1, 1, "place_free_handicap STONES")
        stones = whole_number_of(args[0], "stones", 0, 10_000)
        if not 2 <= stones < self.board.size**2:
            raise GtpError("invalid number of stones")
        return self._place_fixed(min(stones, most_handicap_stones(self.board.size)))

    def _place_fixed(self, stones: int) -> str:
        try:
            points = handicap_points(self.board.size, stones)
        except ValueError as error:
            raise GtpError(f"invalid number of stones: {error}") from None
        return self._place(points)

    def _set_free_handicap(self, args: tuple[str, ...]) -> str:
        points = [self._vertex(word) for word in args]
        size = self.board.size**2
        if not 2 <= len(points) < size or len(set(points)) < len(points) or size in points:
            raise GtpError("bad vertex list: expected two points or more, none twice")
        self._place(points)
        return ""

    # --- the end ---

    def _lead(self) -> float:
        return float(self.board.owners().sum(dtype=np.int64)) - self.komi

    def _final_score(self, args: tuple[str, ...]) -> str:
        return format_result(self._lead())

    def _final_status(self, args: tuple[str, ...]) -> str:
        """List every chain as alive: no stone is taken for dead."""
        require(args, 1, 1, "final_status_list alive, seki or dead")
        if args[0] not in ("alive", "seki", "dead"):
            raise GtpError(f"invalid status {quoted(args[0])}: expected alive, seki or dead")
        if args[0] != "alive":
            return ""
        return "\n".join(" ".join(self._words(chain)) for chain in self.board.chains())

    # --- records ---

    def _load_sgf(self, args: tuple[str, ...]) -> str:
        if not args:
            raise GtpError("syntax error: expected loadsgf FILE MOVE, the last may be left out")
        has_number = len(args) > 1 and args[-1].isdecimal()
        last = whole_number_of(args[-1], "move", 0, 10**6) if has_number else 10**6
        path = Path(" ".join(args[:-1] if has_number else args))
        try:
            if not path.is_file():
                raise OSError  # a folder, or a pipe, for which a reader may wait for ever
            with path.open("rb") as file:
                data = file.read(MOST_FILE_BYTES + 1)
        except (OSError, ValueError):
            raise GtpError(f"cannot load file {quoted(str(path))}") from None
        if len(data) > MOST_FILE_BYTES:
            raise GtpError(f"cannot load file: it has over {MOST_FILE_BYTES} bytes")
        text = data.decode(errors="replace")
        try:
            record = parse_sgf(text)
        except NotationError as error:
            raise GtpError(f"cannot load file: {error}") from None
        if record.rows != record.columns:
            raise GtpError("cannot load file: the board is not square")
        if record.rows != self.board.size:
            raise OtherSizeError(record.rows)
        self.board = board_of(self.game, record, max(0, last - 1) if has_number else last)
        if "KM[" in text and abs(record.komi) < 1000:
            self._settings.komi = record.komi
        return ""

    def _print_sgf(self, args: tuple[str, ...]) -> str:
        require(args, 0, 0, "printsgf, and no file")
        return format_sgf(self.board.record(self.komi)).strip()

    # --- thinking ---

    def _genmove(self, args: tuple[str, ...]) -> Start:
        require(args, 1, 1, "genmove COLOUR")
        return self._start(colour_of(args[0]), "{}", plays=True)

    def _reg_genmove(self, args: tuple[str, ...]) -> Start:
        require(args, 1, 1, "reg_genmove COLOUR")
        return self._start(colour_of(args[0]), "{}", plays=False)

    def _genmove_analyze(self, form: str, args: tuple[str, ...]) -> Start:
        words = read_analysis(args)
        colour = self.board.to_play if words.colour is None else words.colour
        return self._start(colour, "play {}", plays=True, form=form, words=words)

    def _start(
        self,
        colour: int,
        answer: str,
        *,
        plays: bool,
        form: str = "",
        words: AnalysisWords | None = None,
    ) -> Start:
        """Return the start of a search for a move; its answer is the move in a text."""
        own = self.player.config.simulations if isinstance(self.player, SearchPlayer) else 1
        position, began = self.board.position(colour), time.monotonic()

        def finish(result: Result) -> str:
            if result.error is not None or result.best is None:
                raise GtpError(f"the agent failed: {result.error}")
            best = self.board.from_game(result.best)
            if plays:
                self.board.play(colour, best)
                self._settings.time.spend(colour, time.monotonic() - began)
            return answer.format(*self._words([best]))

        request = Request(
            position,
            limit_of(self._settings.time, own),
            multipv=1 if words is None else words.moves,
            only=() if words is None else self._only(words, colour, position.state[0]),
            seed=[int(self._rng.integers(1 << 62))] if plays else None,
            on_info=None if words is None else self._teller(form, words),
            on_result=lambda result: self._done(lambda: finish(result)),
        )
        return lambda: self._engine.start(request)

    def _analyze(self, form: str, args: tuple[str, ...]) -> Start:
        words = read_analysis(args)
        colour = self.board.to_play if words.colour is None else words.colour
        position = self.board.position(colour)

        def finish(result: Result) -> str:
            if result.error is not None:
                raise GtpError(f"the agent failed: {result.error}")
            return ""

        request = Request(
            position,
            multipv=words.moves,
            only=self._only(words, colour, position.state[0]),
            on_info=self._teller(form, words),
            on_result=lambda result: self._done(lambda: finish(result)),
        )
        return lambda: self._engine.start(request)

    def _only(self, words: AnalysisWords, colour: int, state: np.void) -> tuple[int, ...]:
        """Return the legal moves that an analysis may consider; none are all."""
        legal = set(self.game.legal_actions(state).tolist())
        wanted = set(legal)
        for side, vertices in words.allow:
            wanted &= self._actions(vertices) if side == colour else wanted
        for side, vertices in words.avoid:
            wanted -= self._actions(vertices) if side == colour else set()
        if not wanted:
            raise GtpError("no legal move is allowed")
        return tuple(sorted(wanted)) if wanted != legal else ()

    def _actions(self, vertices: Sequence[str]) -> set[int]:
        """Return the game's actions of some points."""
        return {self.board.to_game(self._vertex(word)) for word in vertices}

    def _teller(self, form: str, words: AnalysisWords) -> Callable[[Snapshot], None]:
        written_at = -words.seconds - 1.0

        def names(actions: Sequence[int]) -> list[str]:
            return self._words([self.board.from_game(action) for action in actions])

        def tell(snapshot: Snapshot) -> None:
            nonlocal written_at
            now = time.monotonic()
            line = info_line(snapshot, form, names) if now - written_at >= words.seconds else ""
            if line:
                written_at = now
                self._write(line)

        return tell
