"""Train several runs in turns or at once, for an ablation or a sweep."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents.progress import Progress
    from agents.training import TrainConfig
    from arena.monitor.stop_signal import StopSignal
    from configs.ablation import Variant


def train_variants(
    runs: Mapping[str, Variant],
    title: str,
    *,
    store: str,
    minutes: float,
    cores: int | None,
    changed_game: bool = False,
    on_stderr: bool = False,
) -> bool:
    """Train all runs, by their names, to the end; False if interrupted.

    `minutes` a turn, or with `cores` at once under Ray, each on that many.
    """
    from contextlib import ExitStack, closing

    from agents.registry import find_metrics
    from arena.rating.ablation_text import TurnsDisplay
    from benchmarks.machine import machine_facts

    specs = find_metrics(next(iter(runs.values())).config.algorithm)
    labels = {run: variant.label for run, variant in runs.items()}
    configs = {run: variant.config for run, variant in runs.items()}
    with ExitStack() as opened:
        display = opened.enter_context(TurnsDisplay(title, labels, specs, on_stderr=on_stderr))
        stop = opened.enter_context(stop_signal(display.notice))
        how: dict[str, Any] = {"store_url": store, "stop": stop, "changed_game": changed_game}
        if cores is None:
            stages = _in_turns(configs, minutes, **how)
        else:
            from selfplay.cluster.runs import train_at_once  # Ray takes a second to import

            stages = train_at_once(
                configs, cores=cores, facts=machine_facts, say=display.notice, **how
            )
        for run, progress in opened.enter_context(closing(stages)):
            display.show(run, progress)
        return not stop()


def _in_turns(
    configs: Mapping[str, TrainConfig], minutes: float, *, store_url: str, **how: Any
) -> Generator[tuple[str, Progress]]:
    """Train in turns, and keep the journal of each run."""
    from contextlib import ExitStack

    from benchmarks.machine import machine_facts
    from selfplay.interleaved import train_in_turns
    from selfplay.journal import Journal

    facts = machine_facts()
    with ExitStack() as opened:
        journals = {run: opened.enter_context(Journal(store_url, run, facts)) for run in configs}
        stages = train_in_turns(configs, store_url=store_url, turn_s=60.0 * minutes, **how)
        for run, progress in stages:
            journals[run].show(progress)
            yield run, progress


def stop_signal(say: Callable[[str], None]) -> StopSignal:
    from arena.monitor.stop_signal import StopSignal

    return StopSignal(say)


def budget(config: TrainConfig) -> str:
    """Return what limits a run, in words."""
    from agents.running.budget import limits_of, limits_text

    return limits_text(limits_of(config), "until stopped")
