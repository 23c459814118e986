"""TensorBoard logs of a run: curves over the learner's steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from agents.metrics import MetricSpec
from agents.progress import Progress
from store.files.local import LocalFiles
from store.files.opening import open_files

FOLDER = "tensorboard"
INTERVAL_S = 5.0  # between two points of a curve: rounds may be as short as a few milliseconds


class TensorBoardLog:
    """Writes scalars into a run's folder, for `tensorboard --logdir STORE`.

    A curve has a point every INTERVAL_S at most, and one at the end. The files are made at the
    first stage with values, when the run exists. TensorBoard appends to its files, which an object
    store does not support: there nothing is written.
    """

    def __init__(
        self,
        store_url: str,
        run_name: str,
        specs: Sequence[MetricSpec],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        files = open_files(store_url)
        folder = files.root / run_name / FOLDER if isinstance(files, LocalFiles) else None
        self._folder = None if folder is None else str(folder)
        self._specs = specs
        self._clock = clock
        self._due = -math.inf
        self._opened: Any = None
        self._measured_at: dict[str, float] = {}

    def show(self, progress: Progress) -> None:
        """Write a stage, and new measurements."""
        if self._folder is None:
            return
        is_due = progress.event == "learned" and self._clock() >= self._due
        if is_due or progress.event == "finished":
            self._due = self._clock() + INTERVAL_S
            for name, number in scalars(progress, self._specs):
                self._writer.add_scalar(name, number, progress.learner_steps)
        for found in progress.measured:
            if self._measured_at.get(found.name) != found.at_s:
                self._measured_at[found.name] = found.at_s
                table = "errors_" + found.name.replace(" ", "_")
                for name, share in found.shares.items():
                    self._writer.add_scalar(f"{table}/{name}", share, progress.learner_steps)

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


def scalars(progress: Progress, specs: Sequence[MetricSpec]) -> Iterator[tuple[str, float]]:
    """Return the scalars of a stage by name; omits unknown ones."""
    curves: dict[str, float | None] = {
        "learner/minutes": progress.elapsed_s / 60,
        "selfplay/games": progress.games,
        "selfplay/positions": progress.positions,
    }
    for spec in specs:
        own = "learner" if spec.source == "learner" else "selfplay"
        table = "loss" if spec.look == "loss" else own
        name = spec.name.removesuffix("_loss") if spec.look == "loss" else spec.name
        curves[f"{table}/{name}"] = progress.metrics.get(spec.name)
    for name, number in curves.items():
        if number is not None and not math.isnan(number):
            yield name, float(number)
