"""Take sample games of a run from its replay log, as `templates/game.html` draws them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from envs.game import Game, GameError, advance
from envs.positions import read_start
from store.errors import ForeignSegmentError, SegmentError
from store.files.protocol import Files
from store.replay.episodes import Episode, EpisodeBatch
from store.replay.log import segment_key
from store.replay.segments import SegmentName, decode_segment
from store.replay.walk import StoredSegment, stored_segments

MOST_WRITERS = 32  # read at most; a cluster has had hundreds
BOARDS = 4  # drawn of a game
FIELDS = frozenset({"move", "opening_plies", "outcome", "network_step"})  # of a board game

_ANSI = re.compile(r"\x1b\[([0-9;]*)m")
_COLOURS = {"91": "first", "93": "second", "90": "empty"}  # of envs.board_text


@dataclass(frozen=True)
class SampleGame:
    """A game of self-play.

    Attributes:
        when: which of the log's games it is: "first", "middle" or "newest".
        moves: actions from the position that it began from.
        opening_plies: how many of them were its opening.
        outcome: for the first player: 1, 0 or -1.
        network_step: version of the network at its end.
    """

    when: str
    moves: tuple[int, ...]
    opening_plies: int
    outcome: float
    network_step: int
    start: str = ""  # text of the position that it began from; "" is the game's start


def sample_games(files: Files) -> list[SampleGame]:
    """Take the first, a middle and the newest game of the log; fewer where it is short."""
    segments = _in_time(files)
    if not segments:
        return []
    wanted = {"first": (0, 0), "middle": (len(segments) // 2, None), "newest": (-1, -1)}
    games: dict[bytes, SampleGame] = {}
    for when, (place, index) in wanted.items():
        batch = _read(files, *segments[place])
        if batch is not None and len(batch):
            episode = batch.episode(len(batch) // 2 if index is None else index)
            games.setdefault(episode.uuid, _game(when, episode))
    return list(games.values())


def _in_time(files: Files) -> list[tuple[str, SegmentName]]:
    """List the first, middle and last segment of each writer, by commit time."""
    by_writer: dict[str, list[StoredSegment]] = {}
    for segment in stored_segments(files):
        by_writer.setdefault(segment.writer, []).append(segment)
    writers = list(by_writer)
    if not writers:
        return []
    found = []
    spread = np.unique(np.linspace(0, len(writers) - 1, MOST_WRITERS, dtype=int))
    for writer in (writers[i] for i in spread):
        segments = by_writer[writer]
        for place in sorted({0, len(segments) // 2, len(segments) - 1}):
            found.append((segments[place].committed_ns, writer, segments[place].name))
    return [(writer, name) for _, writer, name in sorted(found)]


def _read(files: Files, writer: str, name: SegmentName) -> EpisodeBatch | None:
    """Read a segment; None unless it is intact and of board games."""
    try:
        batch = decode_segment(name, files.read(segment_key(writer, name)))
    except (OSError, SegmentError, ForeignSegmentError):
        return None
    return batch if batch.schema.fields.keys() >= FIELDS else None


def _game(when: str, episode: Episode) -> SampleGame:
    arrays = episode.arrays
    return SampleGame(
        when,
        tuple(map(int, arrays["move"])),
        int(arrays["opening_plies"][0]),
        float(arrays["outcome"][0]),
        int(arrays["network_step"][0]),
        arrays["start"].tobytes().decode(errors="replace") if "start" in arrays else "",
    )


@dataclass(frozen=True)
class Piece:
    """A part of a board's text and its class in the style sheet; "" where it has no colour."""

    text: str
    colour: str = ""


@dataclass(frozen=True)
class Board:
    """A position: its text with colours, and its ply."""

    pieces: Sequence[Piece]
    caption: str


@dataclass(frozen=True)
class DrawnGame:
    """A game for the page, as plain text.

    Attributes:
        when: as in `SampleGame`.
        problem: why it cannot be replayed; "" where it can, and then the rest is filled in.
        result: who won, and whether by the rules.
        origin: the network that played it, its length and opening.
        moves: in the game's notation.
        boards: some of its positions.
    """

    when: str
    problem: str = ""
    result: str = ""
    origin: str = ""
    moves: str = ""
    boards: Sequence[Board] = ()


def draw_game(game: Game, sample: SampleGame) -> DrawnGame:
    """Replay a game as far as its moves are legal, and describe it."""
    try:
        start = read_start(game, sample.start)
    except GameError as error:
        return DrawnGame(sample.when, problem=str(error))
    states, keys = [start], np.zeros(len(sample.moves) + 1, np.uint64)
    for number, action in enumerate(sample.moves, start=1):
        if not 0 <= action < game.num_actions or not game.legal_mask(states[-1])[action]:
            why = f"move {number} is action {action}, which is not legal there"
            return DrawnGame(sample.when, problem=why)
        states.append(states[-1].copy())
        advance(states[-1], keys, number - 1, action)
    ended = "" if game.rules.is_terminal(states[-1]) else ", decided before its end"
    return DrawnGame(
        sample.when,
        result=_result(game, sample.outcome) + ended,
        origin=(
            f"By the network of step {sample.network_step:,}; {_plies(len(sample.moves))}, "
            f"{sample.opening_plies or 'none'} of them an opening"
            f"{f', from the position {sample.start}' if sample.start else ''}."
        ),
        moves=game.move_separator.join(game.words(start, sample.moves)),
        boards=[
            Board(coloured_pieces(game.render(states[plies])), _plies(plies))
            for plies in _plies_drawn(sample)
        ],
    )


def _plies_drawn(sample: SampleGame) -> Iterator[int]:
    """Choose the plies to draw: the opening's end, the game's end, and evenly between."""
    ends = np.linspace(sample.opening_plies, len(sample.moves), BOARDS)
    yield from sorted({int(plies) for plies in np.rint(ends)})


def _plies(count: int) -> str:
    return f"{count} {'ply' if count == 1 else 'plies'}"


def _result(game: Game, outcome: float) -> str:
    if outcome == 0:
        return "a draw"
    return f"{game.player_names[0 if outcome > 0 else 1]} wins"


def coloured_pieces(text: str) -> list[Piece]:
    """Cut a board's text where its terminal colours change; other codes are left out."""
    pieces, colour, end = [], "", 0
    for code in _ANSI.finditer(text):
        pieces.append(Piece(text[end : code.start()], colour))
        colour, end = _COLOURS.get(code[1], ""), code.end()
    pieces.append(Piece(text[end:], colour))
    return [piece for piece in pieces if piece.text]
