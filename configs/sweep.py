"""The runs of a sweep: one preset in several environments, with several seeds each."""

from __future__ import annotations

from collections.abc import Mapping

from configs.ablation import Variant
from configs.fields import ConfigError
from configs.loader import load_config
from envs.vector import part_of_a_name


def plan_sweep(preset: str, options: Mapping[str, str], seeds: int) -> list[Variant]:
    """Return a variant for each seed of each environment, all environments of a seed together.

    So a sweep that is cut has some seeds in all environments. A variant's suffix is ENV-SEED.

    Args:
        preset: as `load_config` takes it.
        options: settings of all runs, texts by dotted name; of `game` as many as commas separate.
        seeds: how many, from the setting `seed` on.

    Raises:
        ConfigError: no seeds, an environment that comes twice, runs without a budget, or what
            `load_config` refuses.
    """
    if seeds < 1:
        raise ConfigError(f"--seeds {seeds}: expected 1 or more")
    one = load_config(preset, {name: text for name, text in options.items() if name != "game"})
    if not one.is_limited:
        raise ConfigError("minutes = 0: expected a time for each run (--minutes 60), or its --rows")
    listed = options.get("game", one.game)
    environments = [word.strip() for word in listed.split(",") if word.strip()]
    if not environments:
        raise ConfigError(f"no environment in {listed!r}")
    found: dict[str, Variant] = {}
    for seed in range(one.seed, one.seed + seeds):
        for environment in environments:
            suffix = f"{part_of_a_name(environment)}-{seed}"
            if suffix in found:
                raise ConfigError(f"environment {environment!r} comes twice in {listed!r}")
            changed = {"game": environment, "seed": str(seed)}
            config = load_config(preset, {**options, **changed})
            found[suffix] = Variant(f"{environment}, seed {seed}", suffix, config)
    return list(found.values())
