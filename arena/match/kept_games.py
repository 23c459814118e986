"""Write the games of a match to a file of game records."""

from __future__ import annotations

from dataclasses import replace

from arena.game_records import RecordFile
from arena.match.openings import Opening
from arena.match.pool import PlannedBatch
from arena.match.records import Batch
from envs.game import Game, GameError, NotationError
from envs.notation.records import GameRecord, MoveNote
from envs.positions import play_from


class KeptGames:
    """Writes each batch of a match that was played; see `arena.match.match.Keep`.

    `left_out` counts games that begin at a position for which the game has no text.
    """

    def __init__(self, game: Game, file: RecordFile) -> None:
        self.file = file
        self.left_out = 0
        self._game = game

    def __call__(self, planned: PlannedBatch, batch: Batch) -> None:
        """Write the games of a batch, those of a pair one after the other."""
        assert batch.moves is not None  # it was not read from a store
        one, other = planned.key.agents
        for pair, opening in enumerate(planned.openings):
            for colour, names in enumerate(((one, other), (other, one))):
                points = float(batch.points[pair, colour]) / 2  # of the first agent
                first_points = 1 - points if colour else points
                number = 2 * pair + colour
                played = GameRecord(
                    opening.state[0],
                    batch.moves[number],
                    names,
                    first_points,
                    batch.notes[number] if batch.notes else (),
                    str(planned.clock) if planned.clock else "",
                    batch.late is not None and bool(batch.late[pair, colour]),
                )
                self._write(_with_opening(self._game, opening, played))

    def _write(self, record: GameRecord) -> None:
        try:
            self.file.write(record)
        except NotationError:
            self.left_out += 1


def _with_opening(game: Game, opening: Opening, played: GameRecord) -> GameRecord:
    """Return a record that begins with the opening's moves, where they are known.

    It begins at the opening's position where that is another game by the rules, since there a
    repetition is not counted from the opening's moves on.
    """
    if opening.moves is None:
        return played
    whole = (*opening.moves, *played.moves)
    try:
        play_from(game, None, whole)
    except GameError:
        return played
    notes = (*(MoveNote() for _ in opening.moves), *played.notes) if played.notes else ()
    return replace(played, start=None, moves=whole, notes=notes)
