"""Evaluations for many workers by one network: requests that come together become one batch."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray
from ray.exceptions import ActorUnavailableError, RayActorError

from agents.inference import NetworkEvaluator, load_state
from agents.network import build_network
from envs.game import Game
from selfplay.config import TrainConfig
from selfplay.origin import check_packages
from selfplay.own_game import game_of
from store import checkpoints
from store.run import open_run

MOST_ROWS = 8192  # of one pass of the network
PATIENCE_S = 300.0  # how long a worker waits for an inference actor that is being replaced

Answer = tuple[NDArray[np.float32], NDArray[np.float32], int]


class InferenceServer:
    """Evaluates for all who ask, with the weights it was given last.

    Requests that arrive while the network computes wait and are answered together: the more there
    are, the larger the batches, and nobody waits for a batch to fill. Started anew, it begins with
    the newest checkpoint.
    """

    def __init__(self, store_url: str, run_name: str, config: TrainConfig) -> None:
        check_packages()
        self.config = config
        self.game = game_of(config)
        run = open_run(store_url, run_name, game=self.game.name)
        found = checkpoints.latest_valid(run, names=[checkpoints.MODEL_FILE])
        if found:
            state, step = load_state(found.files[checkpoints.MODEL_FILE]), found.step
        else:
            state, step = build_network(self.game, config.network, config.seed).state_dict(), 0
        self.evaluator = NetworkEvaluator(
            self.game, config.network, state, step=step, device=config.device
        )
        self._thread = ThreadPoolExecutor(1)  # evaluates and updates, one after the other
        self._waiting: list[tuple[NDArray[np.float32], asyncio.Future[Answer]]] = []
        self._working = False

    async def load_weights(self, step: int, weights: list[Any]) -> int:
        """Go on with version `step`, of which `weights` holds one reference; answers the step."""
        state = load_state(await weights[0])
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self.evaluator.update, state, step)
        return step

    def _evaluate(self, batch: NDArray[np.float32]) -> Answer:
        return *self.evaluator(batch), self.evaluator.step

    async def evaluate(self, planes: NDArray[np.float32]) -> Answer:
        """Logits float32 [n, A], value_to_play float32 [n], and the version that gave them."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((planes, future))
        if not self._working:
            self._working = True
            asyncio.get_running_loop().create_task(self._work())
        return await future

    async def _work(self) -> None:
        """Evaluate what waits, together, until nothing does."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            taken = self._take()
            batch = np.concatenate([planes for planes, _ in taken])
            try:
                answer = await loop.run_in_executor(self._thread, self._evaluate, batch)
            except Exception as error:
                for _, future in taken:
                    future.set_exception(error)
                continue
            logits, values, step = answer
            start = 0
            for planes, future in taken:
                part = slice(start, start + len(planes))
                future.set_result((logits[part], values[part], step))
                start = part.stop
        self._working = False

    def _take(self) -> list[tuple[NDArray[np.float32], asyncio.Future[Answer]]]:
        """The requests of the next batch, the oldest first."""
        rows, count = 0, 0
        for planes, _ in self._waiting:
            if count and rows + len(planes) > MOST_ROWS:
                break
            rows, count = rows + len(planes), count + 1
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken


class RemoteEvaluator:
    """The search's evaluator, answered by an inference actor; waits while that is replaced.

    Attributes:
        step: version of the network that gave the last answer.
    """

    def __init__(self, game: Game, handle: Any) -> None:
        self.game = game
        self.step = 0
        self._handle = handle

    def __call__(
        self, planes: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `mcts.search.Evaluator`. Raises RayActorError when nobody answers for PATIENCE_S."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                logits, values, self.step = ray.get(self._handle.evaluate.remote(planes))
            except (ActorUnavailableError, RayActorError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
            else:
                return logits, values
