"""Format the runs of a store: their table, and what was verified, pruned, packed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from arena.evaluation.best import BestScore
from arena.evaluation.text import score_text
from arena.monitor.figures import duration
from arena.rating.recorded import Best
from store.progress.summary import RunSummary
from store.upkeep.archive import Exported, Imported
from store.upkeep.retention import PrunePlan
from store.upkeep.verify import Verification

HEADER = (
    "run", "game", "state", "trained", "games", "rows", "step", "checkpoints", "size",
    "last change", "best",
)  # fmt: skip
RIGHT = frozenset({"trained", "games", "rows", "step", "checkpoints", "size"})
UNKNOWN = "-"


def runs_table(
    runs: Sequence[RunSummary], best: Mapping[str, Best | BestScore | None], store_url: str
) -> str:
    """Format a line a run with its best checkpoint, and a line for each unreadable run."""
    if not runs:
        return f"no runs in {store_url!r} yet; `ludens train connect_four` begins one"
    lines = _aligned([HEADER, *(_row(run, best.get(run.name)) for run in runs)])
    if any(isinstance(found, Best) and found.elo is None for found in best.values()):
        lines += ["", "best: by recorded matches or scores; (newest) where there are none"]
    lines += [f"kept in {run.name}: {_kept(run)}" for run in runs if run.kept]
    lines += [f"error: {run.problem}" for run in runs if run.problem]
    return "\n".join(lines)


def _row(run: RunSummary, best: Best | BestScore | None) -> tuple[str, ...]:
    return (
        run.name,
        run.game or UNKNOWN,
        "damaged" if run.problem else run.state,
        _trained(run),
        _of(run.games, run.games_goal),
        _of(run.rows, run.rows_goal),
        _of(run.step, 0),
        str(run.checkpoints),
        size_text(run.size),
        time.strftime("%Y-%m-%d %H:%M", time.localtime(run.changed_ns / 1e9)),
        _best(best),
    )


def _kept(run: RunSummary) -> str:
    by_step = sorted(run.kept.items(), key=lambda item: (item[1], item[0]))
    return ", ".join(f"{name} (step {step})" for name, step in by_step)


def _trained(run: RunSummary) -> str:
    if run.elapsed_s is None:
        return UNKNOWN
    goal = f" of {duration(run.budget_s)}" if run.budget_s else ""
    return duration(run.elapsed_s) + goal


def _of(count: int | None, goal: int) -> str:
    if count is None:
        return UNKNOWN
    return f"{count:,} of {goal:,}" if goal else f"{count:,}"


def _best(best: Best | BestScore | None) -> str:
    if best is None:
        return UNKNOWN
    if isinstance(best, BestScore):
        error = "" if best.error is None else f" +-{score_text(best.error)}"
        protocol = f", {best.protocol}" if best.protocol else ""
        return f"{best.step} ({score_text(best.score)}{error}{protocol}, epsilon {best.epsilon:g})"
    if best.elo is None:
        return f"{best.step} (newest)"
    return f"{best.step} ({best.elo:+.0f} +-{best.error:.0f} Elo)"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = zip(HEADER, row, widths, strict=True)
        padded = [c.rjust(w) if head in RIGHT else c.ljust(w) for head, c, w in cells]
        lines.append("  ".join(padded).rstrip())
    return lines


def size_text(size: int) -> str:
    """Format bytes in three or four digits: 999 B, 12.3 MB (1 MB is 1000^2 bytes)."""
    if size < 1000:
        return f"{size} B"
    scaled = float(size)
    for unit in ("kB", "MB", "GB", "TB"):
        scaled /= 1000
        if scaled < 999.5 or unit == "TB":
            break
    return f"{scaled:.1f} {unit}"


def verification_text(found: Verification) -> str:
    """Format a verification: each problem with its file, and the quarantined files."""
    kinds = f" of {', '.join(found.kinds)}" if found.kinds else ""
    lines = [
        f"run {found.run!r}",
        f"  segments     {found.segments:,} intact, {found.episodes:,} episodes{kinds}, "
        f"{found.duplicates:,} duplicates",
        f"  checkpoints  {len(found.checkpoints):,} intact{_range(found.checkpoints)}",
        f"  quarantine   {len(found.quarantine):,} put aside",
        *_listed("", found.quarantine),
        *_listed("note: ", found.notes),
        *_listed("problem: ", found.problems),
    ]
    verdict = "no problem" if found.ok else _count(len(found.problems), "problem")
    return "\n".join([*lines, verdict])


def _range(steps: Sequence[int]) -> str:
    if len(steps) < 2:
        return f", step {steps[0]:,}" if steps else ""
    return f", steps {steps[0]:,} to {steps[-1]:,}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _listed(word: str, found: Mapping[str, str]) -> list[str]:
    return [f"  {word}{key}: {why}" for key, why in found.items()]


def pruning_text(plan: PrunePlan, *, dry_run: bool) -> str:
    """Format what pruning drops and keeps, and why it does not drop more."""
    verb = "would drop" if dry_run else "dropped"
    steps = [*plan.drop_unfinished, *plan.drop_steps]
    named = f" ({', '.join(map(str, steps))})" if steps else ""
    lines = [
        f"{verb} {_count(len(steps), 'checkpoint')}{named} and "
        f"{_count(len(plan.drop_segments), 'segment')}, "
        f"{size_text(plan.bytes_freed)}",
        f"{'keeps' if dry_run else 'kept'} {_count(len(plan.kept_steps), 'checkpoint')}"
        f"{_range(plan.kept_steps)} and {_count(plan.kept_segments, 'segment')}",
    ]
    if plan.pinned_by is not None:
        lines.append(f"resuming from checkpoint {plan.pinned_by} needs more rows than --keep-rows")
    if plan.all_segments_because:
        lines.append(f"no segment goes: {plan.all_segments_because}")
    for owner in plan.held_by:
        lines.append(
            f"more is held by {owner}: --wait sees whether it still lives, --force ignores it"
        )
    return "\n".join(lines)


def exported_text(exported: Exported) -> str:
    """Format the content of an archive."""
    return (
        f"{exported.path}: run {exported.run!r}, {exported.files:,} files, "
        f"{size_text(exported.size)}"
    )


def imported_text(imported: Imported) -> str:
    """Format the imported run's place."""
    return (
        f"{imported.url}: run {imported.run!r}, {imported.files:,} files, "
        f"{size_text(imported.size)}, all verified"
    )
