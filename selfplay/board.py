"""TensorBoard logs of a training: curves over the learner's steps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from agents.progress import Progress
from store.files.local import LocalFiles
from store.files.opening import open_files

FOLDER = "tensorboard"
WRITTEN_EVENTS = frozenset({"learned", "finished"})


class TensorBoardLog:
    """Writes scalars into a run's folder, for `tensorboard --logdir STORE`.

    The files are made with the first stage that has something to write, when the run exists. They
    grow as they are written, which an object store's files cannot: there nothing is written.
    """

    def __init__(self, store_url: str, run_name: str) -> None:
        files = open_files(store_url)
        folder = files.root / run_name / FOLDER if isinstance(files, LocalFiles) else None
        self._folder = None if folder is None else str(folder)
        self._opened: Any = None
        self._measured_at: dict[str, float] = {}

    def show(self, progress: Progress, truth: Any) -> None:
        """Write a stage, and new error rates (`arena.monitor.solver_errors.Truth`)."""
        if self._folder is None:
            return
        if progress.event in WRITTEN_EVENTS:
            for name, number in scalars(progress):
                self._writer.add_scalar(name, number, progress.learner_steps)
        self._errors("errors_without_search", truth.raw, truth.raw_at, progress)
        at = f"errors_at_{truth.simulations}_simulations"
        self._errors(at, truth.searched, truth.searched_at, progress)

    def _errors(
        self, table: str, errors: Mapping[str, float], measured_at: float, progress: Progress
    ) -> None:
        if errors and self._measured_at.get(table) != measured_at:
            self._measured_at[table] = measured_at
            for name, rate in errors.items():
                self._writer.add_scalar(f"{table}/{name}", rate, progress.learner_steps)

    @property
    def _writer(self) -> Any:
        if self._opened is None:
            # tensorboard is seconds to import, and training need not wait for it to begin
            from torch.utils.tensorboard import SummaryWriter

            self._opened = SummaryWriter(self._folder)
        return self._opened

    def __enter__(self) -> TensorBoardLog:
        return self

    def __exit__(self, *_: object) -> None:
        if self._opened is not None:
            self._opened.close()


def scalars(progress: Progress) -> Iterator[tuple[str, float]]:
    """The curves of a stage by name; none for what is not known yet."""
    seen = max(progress.evaluations + progress.cache_hits + progress.proven_leaves, 1)
    curves = {
        "loss/policy": progress.policy_loss,
        "loss/value": progress.value_loss,
        "learner/learning_rate": progress.learning_rate,
        "learner/minutes": progress.elapsed_s / 60,
        "selfplay/games": progress.games,
        "selfplay/positions": progress.positions,
        "selfplay/plies_per_game": progress.mean_plies,
        "selfplay/simulations_per_s": progress.simulations_per_s,
        "selfplay/evaluations_per_s": progress.evaluations_per_s,
        "selfplay/cache_hit_share": progress.cache_hits / seen,
        "selfplay/proven_leaf_share": progress.proven_leaves / seen,
        "selfplay/resign_false_positive": progress.resign_false_positive,
    }
    for name, number in curves.items():
        if number is not None and not math.isnan(number):
            yield name, float(number)
