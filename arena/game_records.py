"""Files of games: PGN, SGF, KIF, CSA by what the game writes, and lines of text for every game.

A line of text is a position, moves, or both, as `Game.read_position` reads it; # begins a comment.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from envs.game import Game, GameError, NotationError
from envs.notation.records import GameRecord, RecordFormat
from envs.positions import play_from

MOST_BYTES = 1 << 26  # of a file to read
TEXT_SUFFIX = ".txt"
RESULTS = {1.0: "1-0", 0.5: "1/2-1/2", 0.0: "0-1"}


class FoundGame(NamedTuple):
    """A game of a file, and where it is there."""

    where: str
    text: str  # its line; empty in a format of its own
    record: GameRecord


def formats_of(game: Game) -> list[RecordFormat]:
    """Return the formats of a game's records, those of its own first."""

    def write(record: GameRecord) -> str:
        names = "; ".join(
            f"{side}: {' '.join(name.split()) or '?'}" for side, name in sides(record)
        )
        result = "*" if record.points is None else RESULTS[record.points]
        line = game.write_position(record.start, record.moves) or "startpos"
        return f"# {names}; result {result}\n{line}\n"

    def sides(record: GameRecord) -> Iterator[tuple[str, str]]:
        return zip(game.player_names, record.names, strict=True)

    return [*game.record_formats, RecordFormat("text", TEXT_SUFFIX, write)]


def format_of(game: Game, path: Path) -> RecordFormat:
    """Return the format that a file's ending names. Raises GameError for another ending."""
    formats = {found.suffix: found for found in formats_of(game)}
    if path.suffix.lower() in formats:
        return formats[path.suffix.lower()]
    near = get_close_matches(path.suffix.lower(), formats, n=1, cutoff=0.5)
    hint = f"; did you mean {path.with_suffix(near[0]).name!r}?" if near else ""
    known = ", ".join(f"{suffix} ({found.name})" for suffix, found in formats.items())
    raise GameError(f"{str(path)!r}: records of {game.name} end in {known}{hint}")


class RecordFile:
    """A new file to which games are written one after the other; it is made with the first.

    A format that has one game a file gets a numbered file for each after the first.

    Raises GameError for an ending that is no format of the game, FileExistsError where there is
    such a file, and FileNotFoundError where there is no such folder.
    """

    def __init__(self, game: Game, path: Path) -> None:
        self.game = game
        self.path = path
        self.count = 0
        self._format = format_of(game, path)
        for there in (path, *self._numbered_files()):
            if there.exists():
                raise FileExistsError(errno.EEXIST, "expected a new file, and there is", str(there))
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "no such folder", path.parent)

    def _numbered_files(self) -> list[Path]:
        """List the files that further games of a format with one game a file might meet."""
        if self._format.between is not None or not self.path.parent.is_dir():
            return []
        name = re.compile(rf"{re.escape(self.path.stem)}-[0-9]+{re.escape(self.path.suffix)}")
        return sorted(found for found in self.path.parent.iterdir() if name.fullmatch(found.name))

    def write(self, record: GameRecord) -> None:
        """Write a game. Raises OSError, and NotationError for a start without a text."""
        text = self._format.write(record)
        path, joined = self.path, self.count > 0 and self._format.between is not None
        if self.count and not joined:
            path = path.with_stem(f"{path.stem}-{self.count + 1}")
        with path.open("a" if joined else "x", encoding="utf-8") as file:
            file.write((self._format.between or "") + text if joined else text)
        self.count += 1


def has_reader(game: Game, path: Path) -> bool:
    """Return whether a file's ending names a format of the game's that can be read."""
    readable = [f.suffix for f in game.record_formats if f.read]
    return path.suffix.lower() in [*readable, *(f.suffix for f in game.book_formats)]


def read_games(game: Game, path: Path, plies: int | None = None) -> list[FoundGame]:
    """Read the games of a file: by its ending, or else as lines of text.

    Of each game in a format at most the first `plies` moves are taken, of a line of text all.
    Raises NotationError with the file, and the game's line or number, for what the rules do not
    allow and for a file without games; OSError for one that cannot be read.
    """
    book = {found.suffix: found for found in game.book_formats}.get(path.suffix.lower())
    if book is not None:
        _check_size(path)
        return _some(game, path, _read_format(game, path, book.read(path, plies), plies))
    text = _read(path)
    known = {found.suffix: found for found in game.record_formats}.get(path.suffix.lower())
    if known is not None and known.read is None:
        raise NotationError(f"{path}: {known.name} is only written, not read")
    games = _read_lines(game, path, text)
    if known is not None and known.read is not None:
        games = _read_format(game, path, known.read(text), plies)
    return _some(game, path, games)


def _some(game: Game, path: Path, games: Iterator[FoundGame]) -> list[FoundGame]:
    """Return the games as a list. Raises NotationError where there are none."""
    found = [*games]
    if not found:
        formats = [(f.name, f.suffix) for f in game.record_formats if f.read]
        formats += [(f.name, f.suffix) for f in game.book_formats]
        others = [f", or {name} in a {suffix} file" for name, suffix in formats]
        what = f"the moves of one in each line{''.join(others)}"
        raise NotationError(f"{path}: no games; expected {what}")
    return found


def _check_size(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, "no such file", path)
    if path.stat().st_size > MOST_BYTES:
        raise NotationError(f"{path}: it has over {MOST_BYTES:,} bytes")


def _read(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise NotationError(f"{path}: it has over {MOST_BYTES:,} bytes")
    return data.decode("utf-8", errors="replace").removeprefix("\ufeff")


def _read_lines(game: Game, path: Path, text: str) -> Iterator[FoundGame]:
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].strip()
        if not words:
            continue
        try:
            start, moves = game.read_position(words)
        except NotationError as error:
            raise NotationError(f"{path}:{number}: {error}") from None
        yield FoundGame(f"{path}:{number}", words, GameRecord(start, tuple(moves)))


def _read_format(
    game: Game, path: Path, records: list[GameRecord], plies: int | None
) -> Iterator[FoundGame]:
    for number, record in enumerate(records, start=1):
        where = f"{path}, game {number}"
        cut = replace(record, moves=record.moves[:plies])
        try:
            play_from(game, cut.start, cut.moves)
        except GameError as error:
            raise NotationError(f"{where}: {error}") from None
        yield FoundGame(where, "", cut)
