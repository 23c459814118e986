"""Inference for many workers by one policy; simultaneous requests form one batch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray
from ray.exceptions import ActorUnavailableError, GetTimeoutError, RayActorError

from agents.registry import algorithm_of
from agents.training import TrainConfig
from selfplay.own_game import game_of
from selfplay.package_check import check_packages
from store import checkpoints
from store.run import open_run

MOST_ROWS = 8192  # of one pass of the policy
RETRY_S = 0.5  # between two questions to an inference actor that is being replaced

Answer = tuple[NDArray[np.float32], NDArray[np.float32], int]


def rows_of(observations: Any) -> int:
    """Return the number of observations: an array [n, ...], or a named tuple of such arrays."""
    return len(observations[0] if isinstance(observations, tuple) else observations)


def joined(requests: Sequence[Any]) -> Any:
    """Return the observations of some requests as those of one."""
    if not isinstance(requests[0], tuple):
        return np.concatenate(requests)
    return type(requests[0])(*(np.concatenate(part) for part in zip(*requests, strict=True)))


class InferenceServer:
    """Evaluates requests from any worker with the weights it received last.

    Requests that arrive during an evaluation form the next batch, so batches grow with the load
    and no request waits for a batch to fill. After a restart it loads the newest checkpoint.
    """

    def __init__(self, store_url: str, run_name: str, config: TrainConfig) -> None:
        check_packages()
        run = open_run(store_url, run_name, game=game_of(config).name)
        self.policy = algorithm_of(config).make_policy(config)
        found = checkpoints.latest_valid(run, names=[checkpoints.MODEL_FILE])
        if found:
            self.policy.load_weights(found.files[checkpoints.MODEL_FILE], found.step)
        self._thread = ThreadPoolExecutor(1)  # evaluates and updates, one after the other
        self._waiting: list[tuple[Any, asyncio.Future[Answer]]] = []
        self._working = False

    async def ready(self) -> None:
        """Answer once the actor is placed and has its weights."""

    async def load_weights(self, step: int, weights: list[Any]) -> int:
        """Switch to version `step`, of which `weights` holds one reference; return the step."""
        data = await weights[0]
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self.policy.load_weights, data, step)
        return step

    def _evaluate(self, batch: Any) -> Answer:
        return *self.policy(batch), self.policy.step

    async def evaluate(self, observations: Any) -> Answer:
        """Return the policy's two answers [n, ...] to n observations, and their version.

        They are an array [n, ...], or a named tuple of such arrays.
        """
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((observations, future))
        if not self._working:
            self._working = True
            asyncio.get_running_loop().create_task(self._work())
        return await future

    async def _work(self) -> None:
        """Evaluate waiting requests in batches until none is left."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            taken = self._take()
            batch = joined([observations for observations, _ in taken])
            try:
                answer = await loop.run_in_executor(self._thread, self._evaluate, batch)
            except Exception as error:
                for _, future in taken:
                    future.set_exception(error)
                continue
            logits, values, step = answer
            start = 0
            for observations, future in taken:
                part = slice(start, start + rows_of(observations))
                future.set_result((logits[part], values[part], step))
                start = part.stop
        self._working = False

    def _take(self) -> list[tuple[Any, asyncio.Future[Answer]]]:
        """Take the requests of the next batch, the oldest first."""
        rows, count = 0, 0
        for observations, _ in self._waiting:
            added = rows_of(observations)
            if count and rows + added > MOST_ROWS:
                break
            rows, count = rows + added, count + 1
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken


class InferenceError(RuntimeError):
    """Inference timed out; the message gives the waiting time."""


class RemoteEvaluator:
    """The evaluator of one thread of an actor, answered by an inference actor.

    It waits while Ray replaces that actor, at most `timeout_s`.

    Args:
        handle: the inference actor.
        timeout_s: an evaluation that takes longer has failed.
        renewed: called with an answer's version, before the answer is returned, if the version
            has changed.

    Attributes:
        step: version of the network that gave the last answer.
    """

    def __init__(self, handle: Any, timeout_s: float, renewed: Callable[[int], None]) -> None:
        self.step = 0
        self._handle = handle
        self._timeout_s = timeout_s
        self._renewed = renewed

    def __call__(self, observations: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `agents.algorithm.Evaluate`. Raises InferenceError after the timeout."""
        logits, values, step = self._answer(observations)
        if step != self.step:
            self._renewed(step)
            self.step = step
        return logits, values

    def _answer(self, observations: Any) -> Answer:
        deadline = time.monotonic() + self._timeout_s
        reason = "it may be busy, stuck, or without a place on the cluster"
        while (left := deadline - time.monotonic()) > 0:
            try:
                answer: Answer = ray.get(self._handle.evaluate.remote(observations), timeout=left)
            except (ActorUnavailableError, RayActorError) as error:
                reason = f"{type(error).__name__}, and it was not replaced in that time"
                time.sleep(min(RETRY_S, max(left, 0.0)))
            except GetTimeoutError:
                break
            else:
                return answer
        raise InferenceError(
            f"no answer of the inference actor for {self._timeout_s:g} s "
            f"(cluster.inference_timeout_s): {reason}"
        )
