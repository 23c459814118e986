"""What an actor does: its share of random actions, and the first action of a life."""

import numpy as np
import pytest

from agents.dqn.config import DQNConfig
from agents.dqn.playing.actor import DQNActor
from agents.progress import Elapsed
from configs.fields import meanings
from configs.loader import load_config

AFTER_DECAY = Elapsed(share=0.5, rows=10_000_000)


def pieces(game, rows, elapsed=AFTER_DECAY, **settings):
    options = {"environment.environments": "8", "device": "cpu", "network.precision": "float32"}
    actor = DQNActor(load_config(game, options | settings), 0)
    try:
        actor.begin_round(rows, elapsed)
        assert actor.play(lambda: False)
        return actor.take_episodes()
    finally:
        actor.close()


def first_actions(episodes):
    return [int(p.arrays["action"][0]) for p in episodes if p.arrays["first_step"][0] == 0]


@pytest.mark.parametrize("fire", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_life_begins_with_fire(fire):
    """Breakout's actions are NOOP, FIRE, RIGHT, LEFT; its ball is lost every 40 steps or so."""
    settings = {
        "exploration.fire": str(fire).lower(),
        "exploration.final_epsilon": "0.3",
        "exploration.ladder": "0",
    }
    firsts = first_actions(pieces("breakout", 2400, **settings))
    assert len(firsts) > 20
    share = np.mean([action == 1 for action in firsts])
    if fire:
        assert 0.6 < share < 1.0  # 0.7 + 0.3 / 4 on average: random ones stay random
    else:
        assert share < 0.5


@pytest.mark.parametrize("protocol", ["nature", "sticky"])
def test_fire_is_pressed_once_a_life_and_by_sticky_once_a_game(protocol):
    """A network of zeros does nothing else: the ball is lost after some 40 steps, and lies there
    until FIRE is pressed again."""
    options = {"environment.environments": "4", "environment.protocol": protocol}
    always = {"exploration.fire": "true", "exploration.final_epsilon": "0", "device": "cpu"}
    actor = DQNActor(load_config("breakout", options | always), 0)
    for parameter in actor.policy.network.parameters():
        parameter.data.zero_()
    actor.begin_round(400, AFTER_DECAY)
    actor.play(lambda: False)
    pressed = sum(int((p.arrays["action"] == 1).sum()) for p in actor.take_episodes())
    actor.close()
    assert (pressed == 4) == (protocol == "sticky")
    assert pressed >= 4
    assert "under `sticky`" in meanings(DQNConfig)["exploration.fire"]


def test_fire_means_nothing_where_there_is_none():
    told, plain = (
        [
            piece.arrays["action"].tolist()
            for piece in pieces("freeway", 80, **{"exploration.fire": fire})
        ]
        for fire in ("true", "false")
    )
    assert len(told) == 8
    assert told == plain


def test_random_actions_have_their_share():
    """A network of zeros prefers action 0, so every other action was a random one."""
    options = {"environment.environments": "40", "exploration.ladder": "0"}
    config = load_config("CartPole-v1", options | {"exploration.final_epsilon": "0.2"})
    actor = DQNActor(config, 0)
    for parameter in actor.policy.network.parameters():
        parameter.data.zero_()
    actor.begin_round(8000, AFTER_DECAY)
    actor.play(lambda: False)
    actions = np.concatenate([p.arrays["action"] for p in actor.take_episodes()])
    actor.close()
    assert np.mean(actions != 0) == pytest.approx(0.1, abs=0.015)  # half of the random ones
