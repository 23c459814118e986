"""Games of Atari side by side, on ale-py's `AtariVectorEnv` (0.12.1).

What that class does otherwise than its callers would expect, and what is done here about it:

- Its `episodic_life` restarts the whole game at a lost life, and its `life_loss_info` reports one
  as `terminated`, from which the end of the game cannot be told where both fall on one step. Both
  stay off; lives are counted here.
- It clips rewards unless told not to. Scores here are true.
- At its own cap it stops before it has read the last frame, so the last observation is a mix with
  that of the step before. The cap is held here instead.
- An action that does not exist ends one of its threads and leaves `recv` waiting for ever. Actions
  are checked before they are sent.
- Its default in NEXT_STEP mode inserts a step between two games. SAME_STEP is asked for.
- It cannot clone a state: after a resume, new games start.

A single frame is an observation here; whoever acts stacks them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ale_py.vector_env import AtariVectorEnv
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from envs.atari.protocol import AtariProtocol
from envs.atari.spec import SCREEN, atari_spec
from envs.vector.steps import Steps, VectorBase, seeds_of

NO_CAP = 2_000_000_000  # frames: the library's own cap, out of reach and within 32 bits


class AtariVector(VectorBase):
    """`count` games of one kind, observed as uint8 [count, 84, 84].

    `send` and `receive` are the library's: its threads play while the caller does something else,
    and waiting for them releases the interpreter's lock. The games depend on `seed` and the actions
    alone, not on `threads`.

    The exact state cannot be saved: after a resume, new games start.
    """

    def __init__(
        self,
        game: str,
        count: int,
        *,
        seed: int,
        protocol: AtariProtocol,
        training: bool,
        threads: int,
    ) -> None:
        super().__init__(atari_spec(game, protocol), count)
        if threads < 1:
            raise ValueError(f"threads = {threads}: expected 1 or more")
        self.protocol = protocol
        self._reports_lives = training and protocol.life_loss
        self._seeds: NDArray[np.int64] | None = np.array(seeds_of(seed, count))
        self._lives = np.zeros(count, np.int32)
        self._is_waited_for = False
        self._library: AtariVectorEnv | None = AtariVectorEnv(
            game,
            count,
            num_threads=min(threads, count),
            stack_num=1,
            **self._frames(game),
            frameskip=protocol.frame_skip,
            noop_max=protocol.noop_max + 1,  # it draws from 0 to one less
            use_fire_reset=protocol.fire_at_start,
            repeat_action_probability=protocol.repeat_action_probability,
            full_action_space=protocol.full_action_set,
            max_num_frames_per_episode=NO_CAP,
            reward_clipping=False,
            episodic_life=False,
            life_loss_info=False,
            autoreset_mode=AutoresetMode.SAME_STEP,
        )

    def _frames(self, game: str) -> dict[str, Any]:
        """The library's options for the frames: their size, and gray or in colours."""
        return {"img_height": SCREEN[0], "img_width": SCREEN[1]}

    @property
    def lives(self) -> NDArray[np.int32]:
        """The lives left in each game, [count]; 0 throughout in a game without lives."""
        return self._lives

    @property
    def _games(self) -> AtariVectorEnv:
        if self._library is None:
            raise RuntimeError(f"the environments of {self.name} are closed")
        return self._library

    def reset(self, seed: int | None = None) -> NDArray[np.uint8]:
        """Start a new game in each; the first time from the vector's seed. See the protocol."""
        if seed is not None:
            self._seeds = np.array(seeds_of(seed, self.count))
        if self._is_waited_for:
            self._games.recv()
            self._is_waited_for = False
        frames: NDArray[np.uint8]
        frames, facts = self._games.reset(seed=self._seeds)
        self._seeds = None  # later games go on with the random numbers of the first
        self._lives = facts["lives"]
        self._start_counting()
        return frames[:, 0]

    def send(self, actions: NDArray[np.int64]) -> None:
        """Start a step in each game; `receive` has its result."""
        if self._is_waited_for:
            raise RuntimeError("send() twice: expected receive() in between")
        self._games.send(self._checked_actions(actions))
        self._is_waited_for = True

    def receive(self) -> Steps:
        """Wait for the step that `send` started."""
        if not self._is_waited_for:
            raise RuntimeError("receive() without send(): nothing would come")
        frames, rewards, terminated, _, facts = self._games.recv()
        self._is_waited_for = False
        observations = frames[:, 0]
        self._count_step(rewards)
        truncated = (self._lengths >= self.protocol.max_steps) & ~terminated
        ended = terminated | truncated
        last = observations[ended]
        if terminated.any():
            last[terminated[ended]] = facts["final_obs"][terminated, 0]
        lost = (facts["lives"] < self._lives) & ~ended
        if truncated.any():
            observations, facts = self._begin_again(truncated)
        self._lives = facts["lives"]
        scores, lengths = self._take_counts(ended)
        life_lost = lost if self._reports_lives else np.zeros(self.count, np.bool_)
        return Steps(
            observations,
            rewards.astype(np.float32),
            terminated,
            truncated,
            last,
            life_lost,
            scores,
            lengths,
        )

    def _begin_again(self, which: NDArray[np.bool_]) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Start a new game in some environments, bool [count]; the others stand still."""
        frames: NDArray[np.uint8]
        frames, facts = self._games.reset(options={"reset_mask": which})
        return frames[:, 0], facts

    def close(self) -> None:
        """End the library's threads."""
        if self._library is not None:
            self._library.close()
            self._library = None
