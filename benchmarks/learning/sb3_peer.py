"""Stable-Baselines3's DQN, learning as in `training`, in a process of its own.

Runs as a script and imports nothing of ours, so that the peer can live in another environment.
Reads one JSON object on standard input, the settings (`training.peer_settings`), then one
{"threads", "seconds"} a line; answers each with one line.

Its environment is a game of ale-py with gymnasium's `AtariPreprocessing`. That would begin a whole
new game at a lost life, so a life ends an episode by the peer's own `EpisodicLifeEnv`, which plays
on; rewards are clipped and frames are stacked by the peer's own wrappers too.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from typing import Any

import torch
from ale_py.env import AtariEnv
from gymnasium import Env
from gymnasium.wrappers import AtariPreprocessing
from stable_baselines3 import DQN
from stable_baselines3.common.atari_wrappers import ClipRewardEnv, EpisodicLifeEnv
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack

FIRST_UPDATES = 10  # beyond the start, before anything is measured
UPDATES_A_CALL = 10  # of `learn`, which only whole calls end after an update


def environment_of(settings: dict[str, Any]) -> Env[Any, Any]:
    """Return a game that is observed and played as ours are."""
    game = AtariEnv(
        game=settings["game"],
        frameskip=1,
        repeat_action_probability=0.0,
        full_action_space=False,
        max_num_frames_per_episode=settings["max_frames"],
    )
    frames = AtariPreprocessing(
        game, noop_max=settings["noop_max"], frame_skip=4, screen_size=84, grayscale_newaxis=True
    )
    played: Env[Any, Any] = ClipRewardEnv(EpisodicLifeEnv(frames))
    return played


def model_of(settings: dict[str, Any]) -> DQN:
    """Return a model before its first step."""
    environments = DummyVecEnv([lambda: environment_of(settings)])
    epsilon = settings["epsilon"]
    return DQN(
        "CnnPolicy",
        VecFrameStack(environments, settings["stack"]),
        learning_rate=settings["learning_rate"],
        buffer_size=settings["rows"],
        learning_starts=settings["filled"],
        batch_size=settings["batch_size"],
        gamma=settings["gamma"],
        train_freq=settings["steps_per_update"],
        gradient_steps=1,
        optimize_memory_usage=True,
        replay_buffer_kwargs={"handle_timeout_termination": False},  # which the above needs
        target_update_interval=settings["target_period"] * settings["steps_per_update"],
        exploration_initial_eps=epsilon,
        exploration_final_eps=epsilon,
        policy_kwargs={
            "features_extractor_kwargs": {"features_dim": settings["hidden"]},
            "optimizer_class": torch.optim.RMSprop,
            "optimizer_kwargs": {"alpha": 0.95, "eps": 0.01, "centered": True},
        },
        seed=settings["seed"],
        device=settings["device"],
    )


def learn(model: DQN, seconds: float) -> dict[str, float]:
    """Let the model learn for about `seconds`; return agent steps, updates and their rates."""
    steps, updates = model.num_timesteps, model._n_updates
    begun, used = time.perf_counter(), time.process_time()
    while (elapsed := time.perf_counter() - begun) < seconds:
        model.learn(UPDATES_A_CALL * model.train_freq.frequency, reset_num_timesteps=False)
    used = time.process_time() - used
    done = model.num_timesteps - steps
    return {
        "agent_steps": done,
        "updates": model._n_updates - updates,
        "agent_steps_per_second": done / elapsed,
        "agent_steps_per_core_second": done / used,
    }


def main() -> None:
    """Answer questions until standard input ends."""
    settings = json.loads(sys.stdin.readline())
    model = model_of(settings)
    model.learn(settings["filled"] + FIRST_UPDATES * settings["steps_per_update"])
    buffer = model.replay_buffer
    stored = (buffer.observations, buffer.actions, buffer.rewards, buffer.dones)
    names = ("stable-baselines3", "gymnasium", "ale-py", "torch", "numpy")
    facts = {
        "packages": {name: version(name) for name in names},
        "threads_by_default": torch.get_num_threads(),
        "bytes_a_transition": round(sum(array.nbytes for array in stored) / settings["rows"], 1),
    }
    print(json.dumps(facts), flush=True)
    for line in sys.stdin:
        question = json.loads(line)
        torch.set_num_threads(question["threads"])
        print(json.dumps(learn(model, question["seconds"])), flush=True)


if __name__ == "__main__":
    main()
