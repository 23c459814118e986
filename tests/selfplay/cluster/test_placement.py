"""Actors without a place: what no node has is named, and waited for only as long as is sensible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import RayActorError

from agents.alphazero.algorithm import ALPHAZERO
from agents.alphazero.config import AlphaZeroConfig
from agents.training import ClusterConfig
from configs.loader import load_config_of
from selfplay.cluster import placement
from selfplay.cluster.placement import (
    InferenceActors,
    PlacementError,
    asked_of_nodes,
    check_own_node,
    lacking,
    unplaced_notice,
)


def node(alive: bool = True, **resources: float) -> dict[str, Any]:
    return {"Alive": alive, "Resources": {"memory": 1e9, **resources}}


SMALL, LARGE = node(CPU=4.0), node(CPU=16.0)
CARD = node(CPU=2.0, GPU=1.0)


def test_what_one_node_has_is_not_lacking() -> None:
    assert lacking({"CPU": 1.0, "GPU": 0.5}, [SMALL, CARD]) == ""
    assert lacking({"CPU": 1.0, "GPU": 0.0}, [SMALL]) == ""


def test_what_no_node_has_is_named_with_the_most_there_is() -> None:
    assert lacking({"CPU": 1.0, "GPU": 1.0}, [SMALL, LARGE]) == (
        "no node of the cluster has 1 GPU, the most is 0"
    )
    assert "no node of the cluster has 32 CPU, the most is 16" in lacking(
        {"CPU": 32.0}, [SMALL, LARGE]
    )
    assert "1 GPU" in lacking({"GPU": 1.0}, [SMALL, {**CARD, "Alive": False}])
    assert "1 CPU" in lacking({"CPU": 1.0}, [])


def test_what_only_two_nodes_have_is_lacking_too() -> None:
    assert lacking({"CPU": 8.0, "GPU": 1.0}, [LARGE, CARD]) == (
        "no node of the cluster has 8 CPU and 1 GPU together"
    )


def test_actors_ask_for_what_is_configured_and_inference_for_nothing_where_there_is_none() -> None:
    cluster = ClusterConfig(worker_cpus=2, learner_cpus=4, learner_gpus=0.5)
    assert asked_of_nodes(cluster, own_ray=False) == {
        "learner": {"CPU": 4.0, "GPU": 0.5},
        "worker": {"CPU": 2.0, "GPU": 0.0},
        "inference": {"CPU": 1.0, "GPU": 0.0},
    }
    shared = asked_of_nodes(ClusterConfig(inference_actors=1), own_ray=True)
    assert shared["learner"]["CPU"] == shared["inference"]["CPU"] == 0.0
    assert shared["inference"]["GPU"] == 1.0


def test_workers_ask_for_a_share_of_a_card_and_have_two_threads_a_core_then() -> None:
    cluster = ClusterConfig(worker_cpus=2, worker_gpus=0.1)
    assert asked_of_nodes(cluster, own_ray=True)["worker"] == {"CPU": 2.0, "GPU": 0.1}
    config = load_config_of(AlphaZeroConfig, "connect_four")
    for shared, threads in ((cluster, 4), (replace(cluster, worker_gpus=0.0), 2)):
        worker = ALPHAZERO.worker_config(replace(config, cluster=shared))
        assert worker.selfplay.shards == threads
        assert worker.selfplay.games == threads * config.selfplay.games // config.selfplay.shards


def test_our_own_ray_without_a_card_refuses_workers_on_one(nodes: list[dict[str, Any]]) -> None:
    asked = asked_of_nodes(ClusterConfig(worker_gpus=0.1), own_ray=True)
    with pytest.raises(PlacementError, match=r"0\.1 GPU, .* --cluster\.worker-gpus 0 runs it"):
        check_own_node(asked)


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The nodes of a cluster, to be changed."""
    found = [SMALL]
    monkeypatch.setattr(placement.ray, "nodes", lambda: found)
    return found


def test_our_own_ray_refuses_at_once_what_it_will_never_have(nodes: list[dict[str, Any]]) -> None:
    asked = asked_of_nodes(ClusterConfig(inference_actors=1), own_ray=True)
    with pytest.raises(PlacementError, match=r"1 GPU.*--cluster\.inference-gpus 0"):
        check_own_node(asked)
    nodes.append(CARD)
    check_own_node(asked)


def test_a_notice_names_the_cause_only_where_no_node_could(nodes: list[dict[str, Any]]) -> None:
    busy = unplaced_notice("worker 3", {"CPU": 1.0})
    assert busy == "worker 3 has found no place on the cluster yet"
    assert unplaced_notice("the learner", {"GPU": 1.0}) == (
        "the learner has found no place on the cluster yet: "
        "no node of the cluster has 1 GPU, the most is 0"
    )


class Actors:
    """Inference actors that come up when told, with a clock to turn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.answers: dict[int, BaseException | None] = {}
        self._count = 0
        monkeypatch.setattr(placement.ray, "wait", self._wait)
        monkeypatch.setattr(placement.ray, "get", self._get)
        asked = {"CPU": 1.0, "GPU": 1.0}
        self.made = InferenceActors(self._start, 2, asked, 300.0, lambda: self.now)

    def _start(self) -> Any:
        number, self._count = self._count, self._count + 1
        call: Callable[[], int] = lambda: number  # noqa: E731
        return SimpleNamespace(ready=SimpleNamespace(remote=call))

    def _wait(self, calls: list[int], num_returns: int, timeout: float) -> Any:
        return [c for c in calls if c in self.answers], [c for c in calls if c not in self.answers]

    def _get(self, call: int) -> None:
        error = self.answers[call]
        if error is not None:
            raise error


@pytest.fixture
def actors(monkeypatch: pytest.MonkeyPatch, nodes: list[dict[str, Any]]) -> Actors:
    return Actors(monkeypatch)


def test_inference_actors_are_up_when_all_of_them_are(actors: Actors) -> None:
    assert not actors.made.are_up()
    actors.answers[0] = None
    assert not actors.made.are_up()
    actors.answers[1] = None
    assert actors.made.are_up()
    actors.now = 1e6
    assert actors.made.notices() == []


def test_one_that_no_node_can_take_is_named_once_and_ends_the_training_in_time(
    actors: Actors, nodes: list[dict[str, Any]]
) -> None:
    actors.answers[0] = None
    assert actors.made.notices() == []
    actors.now = 61.0
    (notice,) = actors.made.notices()
    assert notice.startswith("inference actor 1 has found no place on the cluster yet: no node")
    assert "1 GPU" in notice
    assert actors.made.notices() == []
    actors.now = 301.0
    with pytest.raises(PlacementError, match=r"in 301 s: no node of the cluster has 1 GPU"):
        actors.made.notices()
    nodes.append(CARD)  # a node that is being made busy, or was added: it may still come
    assert actors.made.notices() == []


def test_one_that_cannot_start_says_why(actors: Actors) -> None:
    actors.answers[0] = RayActorError()
    with pytest.raises(PlacementError, match="inference actor 0 cannot start"):
        actors.made.are_up()
