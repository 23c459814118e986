"""Sample games of a training from its replay log, drawn for the report."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

import numpy as np

from agents.alphazero.episodes import SCHEMA
from envs.game import Game
from store.errors import ForeignSegmentError, SegmentError
from store.files.protocol import Files
from store.replay.episodes import Episode, EpisodeBatch
from store.replay.log import segment_key
from store.replay.segments import SegmentName, decode_segment
from store.replay.walk import StoredSegment, stored_segments

MOST_WRITERS = 32  # that are looked at; a cluster has had hundreds
BOARDS = 4  # drawn of a game

_ANSI = re.compile(r"\x1b\[([0-9;]*)m")
_COLOURS = {"91": "first", "93": "second", "90": "empty"}  # of envs.board_text


@dataclass(frozen=True)
class SampleGame:
    """A game of self-play.

    Attributes:
        when: which of the log's games it is: "first", "middle" or "newest".
        moves: actions from the initial position.
        opening_plies: how many of them were random.
        outcome: for the first player: 1, 0 or -1.
        network_step: version of the network at its end.
    """

    when: str
    moves: tuple[int, ...]
    opening_plies: int
    outcome: float
    network_step: int


def sample_games(files: Files) -> list[SampleGame]:
    """The first game of the log, one from its middle and the newest; fewer where it is short."""
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
    """The first, the middle and the last segment of each writer, by the time of their commit."""
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
    """A segment, if it is intact and of games that this version knows."""
    try:
        batch = decode_segment(name, files.read(segment_key(writer, name)))
    except (OSError, SegmentError, ForeignSegmentError):
        return None
    return batch if batch.schema == SCHEMA else None


def _game(when: str, episode: Episode) -> SampleGame:
    arrays = episode.arrays
    return SampleGame(
        when,
        tuple(map(int, arrays["move"])),
        int(arrays["opening_plies"][0]),
        float(arrays["outcome"][0]),
        int(arrays["network_step"][0]),
    )


def game_html(game: Game, sample: SampleGame) -> str:
    """A game's result, moves and boards; what is wrong with it, where its moves are not legal."""
    states = [game.new_state()]
    for number, action in enumerate(sample.moves, start=1):
        if not 0 <= action < game.num_actions or not game.legal_mask(states[-1])[action]:
            why = f"move {number} is action {action}, which is not legal there"
            return f"<p>The {sample.when} game cannot be replayed: {why}.</p>"
        states.append(states[-1].copy())
        game.rules.step(states[-1], action)
    boards = [(plies, states[plies]) for plies in _plies_drawn(sample)]
    last = states[-1]
    ended = "" if game.rules.is_terminal(last) else ", decided before its end"
    drawn = "".join(
        f"<figure class='board'><pre>{ansi_html(game.render(state))}</pre>"
        f"<figcaption>{_plies(plies)}</figcaption></figure>"
        for plies, state in boards
    )
    return (
        f"<article><h3>The {sample.when} game: {escape(_result(game, sample.outcome))}{ended}</h3>"
        f"<p>By the network of step {sample.network_step:,}; {_plies(len(sample.moves))}, "
        f"{sample.opening_plies or 'none'} of them a random opening.</p><p class='moves'>"
        f"{escape(game.format_moves(sample.moves))}</p><div class='boards'>{drawn}</div></article>"
    )


def _plies_drawn(sample: SampleGame) -> Iterator[int]:
    """The end of the opening, the end of the game, and what lies evenly between."""
    ends = np.linspace(sample.opening_plies, len(sample.moves), BOARDS)
    yield from sorted({int(plies) for plies in np.rint(ends)})


def _plies(count: int) -> str:
    return f"{count} {'ply' if count == 1 else 'plies'}"


def _result(game: Game, outcome: float) -> str:
    if outcome == 0:
        return "a draw"
    return f"{game.player_names[0 if outcome > 0 else 1]} wins"


def ansi_html(text: str) -> str:
    """A board with the colours of a terminal as HTML; other codes are left out."""
    parts, is_open, end = [], False, 0
    for code in _ANSI.finditer(text):
        parts.append(escape(text[end : code.start()]))
        end = code.end()
        if is_open:
            parts.append("</span>")
        colour = _COLOURS.get(code[1])
        is_open = colour is not None
        if is_open:
            parts.append(f"<span class='{colour}'>")
    return "".join([*parts, escape(text[end:]), "</span>" if is_open else ""])
