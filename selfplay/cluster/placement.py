"""Placement of actors: the resources they request, compared with those of the nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import RayError

from agents.training import ClusterConfig

UNPLACED_S = 60.0  # until a new actor without an answer is reported as not placed


class PlacementError(RuntimeError):
    """An actor that a run needs cannot be placed; the message names the missing resource."""


def lacking(asked: Mapping[str, float], nodes: Sequence[Mapping[str, Any]]) -> str:
    """Explain why no node can ever take an actor; empty if one can.

    Args:
        asked: amounts by Ray's names of resources.
        nodes: as `ray.nodes()` returns them.
    """
    offered = [node["Resources"] for node in nodes if node["Alive"]]
    if any(all(o.get(name, 0.0) >= n for name, n in asked.items()) for o in offered):
        return ""
    for name, amount in asked.items():
        most = max((o.get(name, 0.0) for o in offered), default=0.0)
        if amount > most:
            return f"no node of the cluster has {amount:g} {name}, the most is {most:g}"
    together = " and ".join(f"{amount:g} {name}" for name, amount in asked.items() if amount)
    return f"no node of the cluster has {together} together"


def all_nodes() -> list[dict[str, Any]]:
    """Return the nodes of the cluster, dead ones too, as Ray describes them."""
    found: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return found


def asked_of_nodes(cluster: ClusterConfig, own_ray: bool) -> dict[str, dict[str, float]]:
    """Return the resources that each kind of actor requests, by Ray's names.

    On a local cluster only workers request cores: the learner and inference actors share them.
    """
    shared = 0.0 if own_ray else 1.0
    return {
        "learner": {"CPU": shared * cluster.learner_cpus, "GPU": cluster.learner_gpus},
        "worker": {"CPU": float(cluster.worker_cpus), "GPU": cluster.worker_gpus},
        "inference": {
            "CPU": shared,
            "GPU": cluster.inference_gpus if cluster.inference_actors else 0.0,
        },
    }


def check_own_node(asked: Mapping[str, Mapping[str, float]]) -> None:
    """Raise PlacementError for what a local Ray cluster lacks, as no node can join it."""
    kinds = (
        ("learner", "inference", "worker") if asked["worker"]["GPU"] else ("learner", "inference")
    )
    for kind in kinds:
        if cause := lacking(asked[kind], all_nodes()):
            raise PlacementError(
                f"{cause}, and cluster.{kind}_gpus asks for it: "
                f"--cluster.{kind}-gpus 0 runs it on the processor"
            )


def unplaced_notice(name: str, asked: Mapping[str, float]) -> str:
    """Return the notice that an actor is not placed, with the reason if no node can take it."""
    cause = lacking(asked, all_nodes())
    return f"{name} has found no place on the cluster yet" + (f": {cause}" if cause else "")


class InferenceActors:
    """The inference actors of a run, from their start until all are ready.

    Ray restarts one that died, so they are not supervised here.

    Args:
        start: makes one; returns its handle at once, as Ray does.
        count: how many.
        asked: the resources of each, by Ray's names.
        timeout_s: of `cluster.inference_timeout_s`.
        clock: monotonic seconds.

    Attributes:
        handles: one of each.
    """

    def __init__(
        self,
        start: Callable[[], Any],
        count: int,
        asked: Mapping[str, float],
        timeout_s: float,
        clock: Callable[[], float],
    ) -> None:
        self.handles = [start() for _ in range(count)]
        self._asked = asked
        self._timeout_s = timeout_s
        self._clock = clock
        self._begun = clock()
        self._coming = {handle.ready.remote(): i for i, handle in enumerate(self.handles)}
        self._told: set[int] = set()

    def are_up(self) -> bool:
        """Return whether all are ready; raises PlacementError for one that cannot start."""
        if self._coming:
            found, _ = ray.wait(list(self._coming), num_returns=len(self._coming), timeout=0)
            for call in found:
                number = self._coming.pop(call)
                try:
                    ray.get(call)
                except RayError as error:
                    reason = str(error).strip().splitlines()[-1]
                    raise PlacementError(
                        f"inference actor {number} cannot start: {reason}"
                    ) from error
        return not self._coming

    def notices(self) -> list[str]:
        """Return notices for actors that are not placed, once each.

        Raises PlacementError after the timeout, if no node could take one.
        """
        waited = self._clock() - self._begun
        if waited < UNPLACED_S or self.are_up():
            return []
        missing = [number for number in self._coming.values() if number not in self._told]
        self._told.update(missing)
        if waited > self._timeout_s and (cause := self.cause()):
            raise PlacementError(
                f"an inference actor has found no place in {waited:.0f} s: {cause} "
                "(cluster.inference_gpus, cluster.inference_actors)"
            )
        return [unplaced_notice(f"inference actor {n}", self._asked) for n in missing]

    def cause(self) -> str:
        """Explain why no node can take one now; empty if one can."""
        return lacking(self._asked, all_nodes())

    def load_weights(self, step: int, weights: Sequence[Any]) -> None:
        """Send new weights to all, a reference in a list, without waiting."""
        for handle in self.handles:
            handle.load_weights.remote(step, weights)

    def close(self) -> None:
        """Kill them all."""
        for handle in self.handles:
            ray.kill(handle)
