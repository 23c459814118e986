"""The checkpoint of a run with the best score, by its recorded evaluations.

Scores of two protocols do not compare, nor those with other shares of random actions. So one way of
evaluating counts: that of the most checkpoints, of equal ones that with the most games.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from arena.evaluation.records import Evaluation, ReadableFiles, read_evaluations
from store import checkpoints
from store.errors import StoreError
from store.files.protocol import Files
from store.run import Run
from store.upkeep.keeps import NotedScore, note_best_score
from store.upkeep.verify import EVALUATION_FOLDER

_logger = logging.getLogger("ludens.arena")


@dataclass(frozen=True)
class BestScore:
    """The checkpoint with the highest mean score.

    `games`, `error` (half of the mean's 95% interval; None for one game), `protocol` ("" for an
    environment without one) and `epsilon` are those of its evaluation.
    """

    step: int
    games: int
    score: float
    error: float | None
    protocol: str
    epsilon: float

    @classmethod
    def noted(cls, note: NotedScore) -> BestScore:
        """Return what a note says."""
        return cls(note.step, note.games, note.score, note.error, note.protocol, note.epsilon)


class ReadOnce:
    """A run's files, each read once: what is recorded of evaluations is never changed."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._read: dict[str, bytes] = {}

    def names(self, folder: str) -> list[str]:
        """List the files directly in a folder, sorted by name."""
        return self._files.names(folder)

    def read(self, key: str, most: int | None = None) -> bytes:
        """Read a file of at most `most` bytes; raises OSError."""
        if key not in self._read:
            self._read[key] = self._files.read(key, most)
        return self._read[key]


def best_score(evaluations: Sequence[Evaluation], steps: Collection[int]) -> BestScore | None:
    """Return the best of these checkpoints; None where none is evaluated.

    Of a step that was evaluated with several seeds, the evaluation with the most games counts; of
    equal scores that of the later step.
    """
    ways: dict[tuple[str, str, float], dict[int, Evaluation]] = {}
    for found in evaluations:
        key = found.key
        if key.step is None or key.step not in steps:
            continue
        by_step = ways.setdefault((key.environment, key.protocol, key.epsilon), {})
        if key.step not in by_step or by_step[key.step].games < found.games:
            by_step[key.step] = found
    if not ways:
        return None
    compared = max(ways.values(), key=lambda by_step: (len(by_step), _games(by_step.values())))
    step, best = max(compared.items(), key=lambda item: (item[1].mean, item[0]))
    return BestScore(step, best.games, best.mean, best.error, best.key.protocol, best.key.epsilon)


def best_score_of_run(run: Run, steps: Collection[int]) -> BestScore | None:
    """Return the best of these checkpoints by the run's recorded evaluations; else None."""
    return best_score(read_evaluations(run.files), steps)


def note_best_scored(run: Run, files: ReadableFiles | None = None) -> None:
    """Note the checkpoint with the best score in the store, so that pruning keeps it.

    Nothing is noted where no checkpoint is evaluated. What fails is logged.

    Args:
        run: the run.
        files: to read evaluations by, such as `ReadOnce`; None for the run's own.
    """
    try:
        count = len(run.files.names(EVALUATION_FOLDER))  # before they are read: more may come
        best = best_score(read_evaluations(files or run.files), checkpoints.steps(run))
        if best is not None:
            note_best_score(run.files, NotedScore(**vars(best), evaluations=count))
    except (OSError, StoreError) as error:
        _logger.warning("the best checkpoint of run %r is not noted: %s", run.name, error)


def _games(evaluations: Collection[Evaluation]) -> int:
    return sum(found.games for found in evaluations)
