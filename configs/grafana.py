"""Write the Grafana dashboard of `configs/cluster`: `python -m configs.grafana`.

It has a panel for each common gauge and for the metrics of every algorithm, as their specs have
them; a dashboard of other metrics is written by running it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from agents.metrics import MetricSpec
from agents.registry import BUILT_IN, find_metrics
from selfplay.cluster.ray_metrics import FAILURES, PREFIX, gauge_name

PATH = Path(__file__).parent / "cluster" / "grafana.json"
WIDTH, HEIGHT, ACROSS = 8, 8, 3
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


class Panel(NamedTuple):
    """A panel: its title, its gauge, and the curves' expressions by legend."""

    title: str
    description: str
    curves: dict[str, str]
    unit: str = "short"


def newest(gauge: str) -> str:
    """Return the PromQL expression of a gauge's newest value for each chosen run."""
    return f'max by (run) (ray_{gauge}{{run=~"$run"}})'


def common(name: str, title: str, description: str) -> Panel:
    """Return a panel of one gauge that every algorithm has."""
    return Panel(title, description, {"{{run}}": newest(PREFIX + name)})


COMMON = (
    common("games", "Games", "Finished since the run began."),
    common("positions", "Positions", "Training rows made since the run began."),
    Panel(
        "Workers",
        "Workers that act, and that were asked for. Fewer for long: the cluster is too small, or "
        "spot nodes are hard to get.",
        {
            "{{run}} act": newest(f"{PREFIX}workers"),
            "{{run}} wanted": newest(f"{PREFIX}workers_wanted"),
        },
    ),
    Panel(
        "Failures",
        "Failed calls of workers and learner in five minutes, by kind.",
        {
            "{{run}} {{kind}}": f"sum by (run, kind) (increase(ray_{FAILURES}_total"
            '{run=~"$run"}[5m]))'
        },
    ),
    common(
        "learner_steps",
        "Learner steps",
        "Training steps made. A line that goes flat: the learner waits for games, or is being "
        "replaced.",
    ),
    common(
        "staleness_steps",
        "Staleness",
        "Learner steps between the weights that act and the newest, mean of the workers.",
    ),
    common(
        "backlog_rows",
        "Backlog",
        "Rows committed and not trained on yet. Above cluster.backlog_rows and a segment of each "
        "worker they wait: the learner is too slow for them.",
    ),
    common("replay_rows", "Replay window", "Rows that the learner samples from."),
)


def panels_of(specs: Sequence[MetricSpec]) -> Iterator[Panel]:
    """Return a panel for each chart of the metrics, and for each metric without one."""
    charts: dict[str, list[MetricSpec]] = {}
    for spec in specs:
        charts.setdefault(spec.chart or spec.label, []).append(spec)
    for title, drawn in charts.items():
        curves = {f"{{{{run}}}} {s.label}": newest(gauge_name(s.name)) for s in drawn}
        unit = {"percent": "percentunit", "count": "short"}.get(drawn[0].look, "short")
        text = ". ".join(spec.description for spec in drawn) + "."
        is_rate = drawn[0].source == "rate"
        yield Panel(title.capitalize(), text, curves, "ops" if is_rate else unit)


def dashboard() -> dict[str, Any]:
    """Return the whole dashboard, as Grafana imports it."""
    panels = list(COMMON)
    for name in BUILT_IN:
        panels += panels_of(find_metrics(name))
    return {
        "uid": "ludens-training",
        "title": "Ludens training",
        "description": "Written by configs/grafana.py; docs/cluster.md says how to get here.",
        "tags": ["ludens", "ray"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": _variables()},
        "annotations": {"list": []},
        "links": [],
        "panels": [_drawn(number, panel) for number, panel in enumerate(panels)],
    }


def _variables() -> list[dict[str, Any]]:
    runs = f"label_values(ray_{PREFIX}games, run)"
    source = {"name": "datasource", "label": "Prometheus", "type": "datasource"}
    run = {"name": "run", "label": "Run", "type": "query", "datasource": SOURCE}
    return [
        {**source, "query": "prometheus", "refresh": 1, "hide": 0, "multi": False}
        | {"includeAll": False},
        {**run, "definition": runs, "query": {"query": runs, "refId": "run"}, "refresh": 2}
        | {"sort": 1, "multi": True, "includeAll": True, "allValue": ".+", "hide": 0},
    ]


def _drawn(number: int, panel: Panel) -> dict[str, Any]:
    down, right = divmod(number, ACROSS)
    style = {"lineWidth": 2, "fillOpacity": 8, "showPoints": "never", "spanNulls": 120000}
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "gridPos": {"h": HEIGHT, "w": WIDTH, "x": right * WIDTH, "y": down * HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "custom": style}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"datasource": SOURCE, "expr": text, "legendFormat": legend, "refId": chr(65 + i)}
            for i, (legend, text) in enumerate(panel.curves.items())
        ],
    }


def written() -> str:
    """Return the dashboard as the text of its file."""
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    PATH.write_text(written())
