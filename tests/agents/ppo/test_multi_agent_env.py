"""Lanes as RLlib's `MultiAgentEnv`."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ray.rllib.env.multi_agent_env import MultiAgentEnv
from ray.rllib.utils.pre_checks.env import check_multiagent_environments

from agents.ppo.multi_agent_env import LanesMultiAgentEnv
from envs.lanes import rules as r
from envs.lanes.batch import LanesVector
from envs.lanes.state import MASK, OBSERVATION
from tests.envs.lanes.playing import MixedPlay

# RLlib warns of settings that it reads itself; it is not ours to mend.
pytestmark = [
    pytest.mark.slow,  # Lanes compiles once more, for RLlib's face of it
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning",
        "ignore::FutureWarning",
        "ignore:.*Overriding environment:UserWarning",
    ),
]

DOC = Path(__file__).resolve().parents[3] / "docs" / "lanes.md"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", list(r.MODES))
def test_passes_rllibs_checks(name: str, packed: bool) -> None:
    check_multiagent_environments(LanesMultiAgentEnv({"game": name, "packed": packed}))


def test_rllibs_checks_can_fail() -> None:
    class Nameless(LanesMultiAgentEnv):
        def step(self, action_dict: Any) -> Any:
            observed, _, *rest = super().step(action_dict)
            return (observed, {"nobody": 1.0}, *rest)

    with pytest.raises(ValueError, match="nobody"):
        check_multiagent_environments(Nameless({"game": "lanes_1v1"}))


def test_plays_the_match_of_the_vector_to_its_end() -> None:
    match = LanesMultiAgentEnv({"game": "lanes_3v3"})
    observations, infos = match.reset(seed=4)
    seed = int(np.random.Generator(np.random.PCG64(4)).integers(1 << 62))
    vector = LanesVector("lanes_3v3", 1, seed=seed)
    steps, mixed, ended = vector._steps(), MixedPlay(np.random.default_rng(4)), False
    assert infos == {}
    while not ended:
        for index, agent in enumerate(match.agents):
            seen = observations[agent]
            assert match.get_observation_space(agent).contains(seen)
            assert np.array_equal(seen["observations"], steps.observations[0, index])
            assert np.array_equal(seen["action_mask"], steps.masks[0, index])
            assert np.array_equal(seen["state"], steps.states[0, index])
        actions = mixed.actions(vector)
        answer = match.step(dict(zip(match.agents, actions[0], strict=True)))
        steps = vector.step(actions)
        observations, rewards, terminated, truncated, infos = answer
        ended = bool(steps.terminated[0])
        assert list(rewards.values()) == steps.rewards[0].tolist()
        assert list(terminated) == list(truncated) == [*match.agents, "__all__"]
        assert set(terminated.values()) == {ended}
        assert set(truncated.values()) == {False}
    assert infos["team_1_hero_2"] == {"winner": vector.winners[0]}
    assert observations["team_0_hero_0"]["observations"][32] > 0  # the time: of the end
    with pytest.raises(ValueError, match="not one of the agents"):
        match.step({"team_0_hero_0": (0, 0, 0)})


def test_a_packed_observation_is_the_three_parts_one_after_another() -> None:
    parts = LanesMultiAgentEnv({"game": "lanes_1v1"})
    packed = LanesMultiAgentEnv({"game": "lanes_1v1", "packed": True})
    rows, _ = packed.reset(seed=1)
    for agent, seen in parts.reset(seed=1)[0].items():
        assert packed.get_observation_space(agent).contains(rows[agent])
        assert np.array_equal(rows[agent], np.concatenate([*seen.values()]))
        assert np.array_equal(rows[agent][OBSERVATION : OBSERVATION + MASK], seen["action_mask"])


def test_observations_are_not_written_into_again() -> None:
    match = LanesMultiAgentEnv({"game": "lanes_1v1", "packed": True})
    observations, _ = match.reset(seed=1)
    kept = observations["team_0_hero_0"].copy()
    for _ in range(5):
        match.step(dict.fromkeys(match.agents, (r.MOVE, 0, 0)))
    assert np.array_equal(observations["team_0_hero_0"], kept)


def test_a_seed_decides_the_matches_and_no_seed_gives_others() -> None:
    def starts(match: MultiAgentEnv, seed: int | None) -> list[bytes]:
        seeds = (seed, None, None)
        return [match.reset(seed=one)[0]["team_0_hero_0"].tobytes() for one in seeds]

    def made() -> LanesMultiAgentEnv:
        return LanesMultiAgentEnv({"game": "lanes_3v3", "packed": True})

    assert starts(made(), 3) == starts(made(), 3)
    assert len({*starts(made(), 3)}) > 1
    assert starts(made(), None) != starts(made(), None)  # 3 draws of 60 line-ups


def test_a_wrong_setting_is_refused() -> None:
    with pytest.raises(ValueError, match="env_config has 'gmae': expected game, rewards"):
        LanesMultiAgentEnv({"gmae": "lanes_1v1"})
    with pytest.raises(ValueError, match="did you mean 'lanes_5v5'"):
        LanesMultiAgentEnv({"game": "lanes_5x5"})


def test_the_docs_example_samples() -> None:
    example = next(
        block
        for block in re.findall(r"```python\n(.*?)```", DOC.read_text(), re.DOTALL)
        if "LanesMultiAgentEnv" in block
    )
    found: dict[str, Any] = {}
    exec(compile(example, "docs/lanes.md", "exec"), found)
    assert len(found["episodes"][0].agent_ids) == 6
