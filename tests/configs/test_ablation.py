from dataclasses import replace

import pytest

from agents.registry import BUILT_IN, find_techniques
from configs.ablation import plan_ablation
from configs.fields import ConfigError
from configs.loader import load_config


def test_each_variant_differs_in_its_technique_alone() -> None:
    full, control, cap, cache, wide = plan_ablation(
        "connect_four",
        {"minutes": "20", "seed": "7"},
        ["playout_cap", "cache"],
        ["network.filters=64"],
    )
    assert full.config == load_config("connect_four", {"minutes": "20", "seed": "7"})
    assert control.config == replace(full.config, seed=8)
    assert cap.config == replace(
        full.config, selfplay=replace(full.config.selfplay, full_share=1.0)
    )
    assert cache.config.search == replace(full.config.search, cache_size=0)
    assert wide.config.network == replace(full.config.network, filters=64)
    assert [v.suffix for v in (full, cap, wide)] == [
        "full",
        "without-playout_cap",
        "with-network.filters-64",
    ]
    assert [v.label for v in (control, cache, wide)] == [
        "control",
        "without cache",
        "network.filters=64",
    ]


PRESETS = {  # each technique is in one of its algorithm's
    "alphazero": ["go9", "connect_four"],
    "dqn": ["breakout", "rainbow", "dqn"],
    "ppo": ["lanes_5v5"],
}
ADDED = {  # what no preset has
    "spectral_norm": {"network.encoder": "impala", "network.spectral_norm": "true"},
    "munchausen": {"target.munchausen": "true"},
    "sample_reuse": {"learner.epochs": "2"},
}


def _lacks(preset: str, options: dict[str, str], changes: dict[str, str]) -> bool:
    return load_config(preset, options | changes) == load_config(preset, options)


@pytest.mark.parametrize(
    ("algorithm", "name"), [(a, name) for a in BUILT_IN for name in find_techniques(a)]
)
def test_every_technique_can_be_left_out(algorithm: str, name: str) -> None:
    """Of a preset that has it, which one of each algorithm's here does."""
    options = {"minutes": "1", **ADDED.get(name, {})}
    changes = find_techniques(algorithm)[name]
    preset = next(p for p in PRESETS[algorithm] if not _lacks(p, options, changes))
    full, without = plan_ablation(preset, options, [name], control=False)
    assert without.config != full.config
    assert without.label == f"without {name}"


@pytest.mark.parametrize(
    ("without", "settings", "told"),
    [
        (["playout-cup"], [], "no technique 'playout-cup'; did you mean 'playout_cap'?"),
        ([], [], "nothing to leave out: expected some of playout_cap"),
        (["global_pooling"], [], "has network.global_pooling = false anyway"),
        ([], ["search.c_init"], "expected FIELD=VALUE"),
        ([], ["search.c_int=2"], "no such setting; did you mean 'search.c_init'?"),
        ([], ["search.c_init=two"], "search.c_init = 'two': expected a number"),
        ([], ["seed=3"], "'seed=3': no such setting"),
        (
            [],
            ["minutes=3"],
            "all variants have the same minutes; give it as --minutes",
        ),
        ([], ["game=othello"], "all variants have the same game"),
        ([], ["learner.passes=8"], "has learner.passes = 8 anyway"),
    ],
)
def test_what_cannot_be_compared_is_told(
    without: list[str], settings: list[str], told: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        plan_ablation("connect_four", {}, without, settings)
    assert told in str(raised.value)


def test_an_ablation_needs_an_end() -> None:
    with pytest.raises(ConfigError, match="expected a time for each variant"):
        plan_ablation("connect_four", {"minutes": "0"}, ["cache"])


def test_variants_with_scores_have_one_protocol() -> None:
    with pytest.raises(ConfigError, match=r"all variants have the same environment\.protocol"):
        plan_ablation("breakout", {"minutes": "1"}, [], ["environment.protocol=sticky"])
