"""The variants of a preset in an ablation: all techniques, and all but one in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents.registry import find_techniques
from agents.training import TrainConfig
from configs.fields import ConfigError, did_you_mean, train_fields
from configs.loader import load_config

FULL, CONTROL = "full", "control"
SHARED = ("game", "minutes", "games", "rows", "workers", "environment.protocol")
"""Settings in which variants cannot differ, or their strengths would not compare."""


@dataclass(frozen=True)
class Variant:
    """One run of an ablation: its label, and the end of its run's name."""

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
    """Return the preset, the same with another seed, and the preset without each technique.

    The control shows how far two runs with the same settings differ by chance.

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
    known = find_techniques(full.algorithm)
    if not without and not settings:
        raise ConfigError(f"nothing to leave out: expected some of {', '.join(known)}")
    if not full.is_limited:
        raise ConfigError(
            "minutes = 0: expected a time for each variant (--minutes 20), or its --rows"
        )
    changes: dict[str, tuple[str, dict[str, str]]] = {FULL: (FULL, {})}
    if control:
        changes[CONTROL] = (CONTROL, {"seed": str(full.seed + 1)})
    for name in without:
        changes[f"without {name}"] = f"without-{name}", _technique(known, name)
    for setting in settings:
        changes[setting] = "with-" + setting.replace("=", "-"), _setting(type(full), setting)
    variants = []
    for label, (suffix, changed) in changes.items():
        config = load_config(preset, {**options, **changed})
        if label != FULL and config == full:
            had = ", ".join(f"{name} = {value}" for name, value in changed.items())
            raise ConfigError(f"{label}: {preset!r} has {had} anyway, there is nothing to compare")
        variants.append(Variant(label, suffix, config))
    return variants


def _technique(known: Mapping[str, dict[str, str]], name: str) -> dict[str, str]:
    if name not in known:
        near = did_you_mean(name, known)
        raise ConfigError(f"no technique {name!r}{near} (there are {', '.join(known)})")
    return known[name]


def _setting(config: type[TrainConfig], text: str) -> dict[str, str]:
    name, equals, value = text.partition("=")
    if not (equals and value):
        raise ConfigError(f"{text!r}: expected FIELD=VALUE, such as search.c_init=2")
    name = name.strip().replace("-", "_")
    known = train_fields(config)
    if name == "seed" or name not in known:
        raise ConfigError(f"{text!r}: no such setting{did_you_mean(name, known)}")
    if name in SHARED:
        option = "--" + name.replace("_", "-")
        raise ConfigError(f"{text!r}: all variants have the same {name}; give it as {option}")
    return {name: value.strip()}
