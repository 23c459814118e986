"""A check that our packages, whose names are generic, are imported from this checkout."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (
    "envs", "store", "mcts", "agents", "selfplay", "arena", "configs", "benchmarks", "commands",
)  # fmt: skip


def check_packages(root: Path = ROOT) -> None:
    """Raise RuntimeError with the other package's path unless all our packages are in `root`."""
    for name in PACKAGES:
        spec = find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None or origin.parent.parent != root:
            raise RuntimeError(
                f"the package {name!r} would be imported from {origin or 'nowhere'}, and not from "
                f"{root}: run ludens from its checkout, in an environment of its own"
            )
