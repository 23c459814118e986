"""Train several runs in turns or at once, for an ablation or a sweep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agents.training import TrainConfig
    from arena.monitor.stop_signal import StopSignal
    from configs.ablation import Variant


def train_variants(
    runs: Mapping[str, Variant],
    title: str,
    *,
    store: str,
    minutes: float,
    changed_game: bool = False,
    on_stderr: bool = False,
) -> bool:
    """Train all runs, by their names, to the end, `minutes` a turn; False if interrupted."""
    from contextlib import ExitStack

    from agents.registry import find_metrics
    from arena.rating.ablation_text import TurnsDisplay
    from benchmarks.machine import machine_facts
    from selfplay.interleaved import train_in_turns
    from selfplay.journal import Journal

    specs = find_metrics(next(iter(runs.values())).config.algorithm)
    labels = {run: variant.label for run, variant in runs.items()}
    configs = {run: variant.config for run, variant in runs.items()}
    facts, turn_s = machine_facts(), 60.0 * minutes
    with ExitStack() as opened:
        journals = {run: opened.enter_context(Journal(store, run, facts)) for run in runs}
        display = opened.enter_context(TurnsDisplay(title, labels, specs, on_stderr=on_stderr))
        stop = opened.enter_context(stop_signal(display.notice))
        for run, progress in train_in_turns(
            configs, store_url=store, turn_s=turn_s, stop=stop, changed_game=changed_game
        ):
            display.show(run, progress)
            journals[run].show(progress)
        return not stop()


def train_variants_at_once(
    runs: Mapping[str, Variant],
    title: str,
    *,
    store: str,
    cores: int,
    changed_game: bool = False,
    on_stderr: bool = False,
) -> bool:
    """Train all runs to the end under Ray, each on `cores` cores; False if interrupted."""
    from agents.registry import find_metrics
    from arena.rating.ablation_text import TurnsDisplay
    from benchmarks.machine import machine_facts
    from selfplay.cluster.runs import train_at_once

    specs = find_metrics(next(iter(runs.values())).config.algorithm)
    labels = {run: variant.label for run, variant in runs.items()}
    configs = {run: variant.config for run, variant in runs.items()}
    shown = TurnsDisplay(title, labels, specs, on_stderr=on_stderr)
    with shown as display, stop_signal(display.notice) as stop:
        for run, progress in train_at_once(
            configs,
            store_url=store,
            cores=cores,
            facts=machine_facts,
            changed_game=changed_game,
            say=display.notice,
            stop=stop,
        ):
            display.show(run, progress)
        return not stop()


def stop_signal(say: Callable[[str], None]) -> StopSignal:
    from arena.monitor.stop_signal import StopSignal

    return StopSignal(say)


def budget(config: TrainConfig) -> str:
    """Return what limits a run, in words."""
    from agents.running.budget import limits_of, limits_text

    return limits_text(limits_of(config), "until stopped")
