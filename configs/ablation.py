"""The variants of a preset that an ablation trains: all of it, and each time without one thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from configs.fields import ConfigError, did_you_mean, train_fields
from configs.loader import load_config
from selfplay.config import TrainConfig

FULL, CONTROL = "full", "control"

# What a preset without each technique has instead.
TECHNIQUES: dict[str, dict[str, str]] = {
    "playout_cap": {"selfplay.full_share": "1"},
    "forced_playouts": {"search.forced_playouts": "0"},
    "noise": {"search.dirichlet_fraction": "0"},
    "cache": {"search.cache_size": "0"},
    "proofs": {"search.solve": "false"},
    "lookahead": {"search.lookahead": "0"},
    "tree_reuse": {"search.tree_reuse": "false"},
    "openings": {"selfplay.opening_share": "0"},
    "search_value": {"learner.search_value_share": "0"},
    "averaging": {"learner.averaging": "0"},
    "rate_decay": {"learner.decay_start": "1"},
    "global_pooling": {"network.global_pooling": "false"},
}


@dataclass(frozen=True)
class Variant:
    """One training of an ablation: its label, and the end of its run's name."""

    label: str
    suffix: str
    config: TrainConfig


def plan_ablation(
    preset: str,
    options: Mapping[str, str],
    without: Sequence[str],
    settings: Sequence[str] = (),
    *,
    control: bool = True,
) -> list[Variant]:
    """The preset itself, the same with another seed, and the preset without each technique.

    The control shows how far two trainings differ that are told the same: by chance alone.

    Args:
        preset: as `load_config` takes it.
        options: settings of all variants, texts by dotted name.
        without: techniques to leave out, one at a time.
        settings: further variants, `FIELD=VALUE` each.
        control: train the control too.

    Raises:
        ConfigError: an unknown technique, field or value, or one that the preset has anyway.
    """
    full = load_config(preset, options)
    if not without and not settings:
        raise ConfigError(f"nothing to leave out: expected some of {', '.join(TECHNIQUES)}")
    if not (full.minutes or full.games):
        raise ConfigError("minutes = 0: expected a time for each variant (--minutes 20)")
    changes: dict[str, tuple[str, dict[str, str]]] = {FULL: (FULL, {})}
    if control:
        changes[CONTROL] = (CONTROL, {"seed": str(full.seed + 1)})
    for name in without:
        changes[f"without {name}"] = f"without-{name}", _technique(name)
    for setting in settings:
        changes[setting] = "with-" + setting.replace("=", "-"), _setting(setting)
    variants = []
    for label, (suffix, changed) in changes.items():
        config = load_config(preset, {**options, **changed})
        if label != FULL and config == full:
            had = ", ".join(f"{name} = {value}" for name, value in changed.items())
            raise ConfigError(f"{label}: {preset!r} has {had} anyway, there is nothing to compare")
        variants.append(Variant(label, suffix, config))
    return variants


def _technique(name: str) -> dict[str, str]:
    if name not in TECHNIQUES:
        near = did_you_mean(name, TECHNIQUES)
        raise ConfigError(f"no technique {name!r}{near} (there are {', '.join(TECHNIQUES)})")
    return TECHNIQUES[name]


def _setting(text: str) -> dict[str, str]:
    name, equals, value = text.partition("=")
    if not (equals and value):
        raise ConfigError(f"{text!r}: expected FIELD=VALUE, such as search.c_init=2")
    name = name.strip().replace("-", "_")
    if name == "seed" or name not in train_fields():
        raise ConfigError(f"{text!r}: no such setting{did_you_mean(name, train_fields())}")
    return {name: value.strip()}
