"""The doctor sees what is wrong, and says nothing where nothing is."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents import findings
from agents.alphazero.config import AlphaZeroConfig, LearnerConfig, NetworkConfig, SelfPlayConfig
from agents.alphazero.speed import (
    Speeds,
    cost_shares,
    games_an_hour,
    interpret,
    measure_speeds,
    play_sizes,
    smallest_near_best,
)
from agents.training import ClusterConfig
from mcts.config import SearchConfig
from selfplay import doctor
from store.files.local import LocalFiles

SMALL = AlphaZeroConfig(
    game="tic_tac_toe",
    device="cpu",
    search=SearchConfig(simulations=8, cache_size=256),
    network=NetworkConfig(blocks=1, filters=4),
    learner=LearnerConfig(batch_size=16, passes=2.0),
    selfplay=SelfPlayConfig(games=8, shards=2, full_share=0.5),
)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Pretends to be a machine of so many cores and such a load."""

    def pretend(count: float, load: float = 0.0) -> None:
        monkeypatch.setattr(doctor, "usable_cores", lambda: count)
        monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load))

    return pretend


@pytest.mark.parametrize(
    ("count", "load", "workers", "environment", "status", "advice"),
    [
        (2, 0.1, 0, {}, "ok", ""),
        (2, 1.5, 0, {}, "warning", "end other work"),
        (1, 0.0, 0, {}, "warning", "--selfplay.shards 1"),
        (8, 0.0, 0, {}, "warning", "--selfplay.shards 8"),
        (2, 0.0, 4, {}, "warning", "fewer --workers"),
        (2, 0.0, 400, {"RAY_ADDRESS": "auto"}, "ok", ""),
        (8, 0.0, 4, {}, "ok", ""),
    ],
)
def test_threads_and_workers_should_fit_the_cores(
    machine: Any,
    count: float,
    load: float,
    workers: int,
    environment: Any,
    status: str,
    advice: str,
) -> None:
    machine(count, load)
    found = doctor.cores(replace(SMALL, workers=workers), environment)
    assert found.status == status, found
    assert advice in found.advice


def test_a_container_may_have_fewer_cores_than_its_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(findings, "first_line", lambda _: "150000 100000")
    assert findings.usable_cores() == 1.5
    monkeypatch.setattr(findings, "first_line", lambda _: "max 100000")
    assert findings.usable_cores() == 64


@pytest.mark.parametrize(
    ("free_gib", "limit", "status"),
    [(8, "max", "ok"), (2, "max", "warning"), (8, "900", "problem")],
)
def test_memory_is_that_of_the_machine_or_of_the_container(
    monkeypatch: pytest.MonkeyPatch, free_gib: int, limit: str, status: str
) -> None:
    kib = free_gib << 20
    monkeypatch.setattr(
        doctor, "_text", lambda _: f"MemTotal: {9 << 20} kB\nMemAvailable: {kib} kB"
    )
    lines = {
        "memory.max": str(int(limit) << 20) if limit != "max" else limit,
        "memory.current": "0",
    }
    monkeypatch.setattr(doctor, "first_line", lambda path: lines[path.name])
    assert doctor.memory("settings").status == status


def test_files_that_a_container_read_do_not_use_up_its_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of_the_machine = f"MemTotal: {64 << 20} kB\nMemAvailable: {60 << 20} kB"
    texts = {"meminfo": of_the_machine, "memory.stat": f"anon {1 << 30}\ninactive_file {6 << 30}"}
    monkeypatch.setattr(doctor, "_text", lambda path: texts[path.name])
    lines = {"memory.max": str(8 << 30), "memory.current": str(7 << 30)}
    monkeypatch.setattr(doctor, "first_line", lambda path: lines[path.name])
    found = doctor.memory("settings")
    assert found.text == "7.0 of 8.0 GiB free"
    assert found.status == "ok"


def test_a_card_that_is_wanted_and_missing_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert doctor.graphics_card(replace(SMALL, device="auto")).status == "ok"
    assert doctor.graphics_card(replace(SMALL, device="cuda")).status == "problem"


@pytest.mark.parametrize(
    ("environment", "status", "told"),
    [
        ({}, "ok", "nothing"),
        ({"OMP_NUM_THREADS": "2"}, "ok", "OMP_NUM_THREADS=2"),
        ({"OMP_NUM_THREADS": "64"}, "warning", "more than 2 cores"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "warning", "waiting threads"),
        ({"NUMBA_DISABLE_JIT": "1"}, "problem", "interpreted"),
    ],
)
def test_settings_that_hurt_threads(
    machine: Any, environment: dict[str, str], status: str, told: str
) -> None:
    machine(2)
    found = doctor.threads(environment)
    assert found.status == status
    assert told in found.text


def test_packages_are_compared_with_what_is_tested(tmp_path: Path) -> None:
    import numpy

    constraints = tmp_path / "constraints.txt"
    constraints.write_text(f"# a comment\nNumPy=={numpy.__version__}\nno_such-thing==1.0\n")
    assert doctor.packages(constraints).status == "ok"
    constraints.write_text("numpy==0.1  # old\n")
    found = doctor.packages(constraints)
    assert (found.status, found.text) == ("warning", f"numpy {numpy.__version__}, not 0.1")
    assert doctor.packages(tmp_path / "none.txt").status == "warning"


def test_a_missing_package_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "REQUIRED", ("numpy", "no-such-thing"))
    found = doctor.packages(doctor.ROOT / "constraints.txt")
    assert (found.status, found.text) == ("problem", "missing: no-such-thing")


def test_the_kernel_cache_is_cold_until_something_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUDENS_CACHE_DIR", str(tmp_path / "new"))
    assert doctor.kernel_cache().text.startswith("cold")
    folder = tmp_path / "new" / doctor.source_hash() / "mcts"
    folder.mkdir(parents=True)
    (folder / "search.nbc").touch()
    assert doctor.kernel_cache().text.startswith("warm: 1 kernels")


@pytest.mark.parametrize(
    ("workers", "environment", "status"),
    [
        (0, {}, "ok"),
        (2, {}, "ok"),
        (2, {"RAY_AUTH_MODE": "token"}, "ok"),
        (2, {"RAY_AUTH_MODE": "disabled"}, "warning"),
        (2, {"RAY_ADDRESS": "ray://x:1"}, "problem"),
        (0, {"RAY_ADDRESS": "ray://x:1"}, "warning"),
        (2, {"RAY_ADDRESS": "ray://x:1", "RAY_AUTH_MODE": "token"}, "ok"),
    ],
)
def test_an_open_cluster_is_a_problem(
    workers: int, environment: dict[str, str], status: str
) -> None:
    assert doctor.ray(replace(SMALL, workers=workers), environment).status == status


def test_packages_that_only_some_commands_need_may_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy

    constraints = tmp_path / "constraints.txt"
    constraints.write_text(f"numpy=={numpy.__version__}\n")
    monkeypatch.setattr(doctor, "OPTIONAL", {"no-such-thing": "`fly`", "numpy": "all"})
    found = doctor.packages(constraints)
    assert (found.status, found.text) == ("warning", "not installed: no-such-thing (`fly`)")


def test_ray_is_needed_by_workers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise ImportError(f"no {name}")

    monkeypatch.setattr(doctor.importlib, "import_module", refuse)
    assert doctor.ray(SMALL, {}).status == "warning"
    assert doctor.ray(replace(SMALL, workers=1), {}).status == "problem"


def test_trying_a_store_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    for url in (str(tmp_path / "old"), str(tmp_path / "new"), "memory://doctor"):
        assert doctor.store(url).status != "problem", url
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert list((tmp_path / "old").iterdir()) == []


def test_a_store_that_cannot_be_written_or_replaces_files_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    assert doctor.store(str(tmp_path / "file" / "store")).status == "problem"
    assert doctor.store("no-such://place").status == "problem"

    def replacing(self: LocalFiles, key: str, data: bytes) -> None:
        (self.root / key).write_bytes(data)

    monkeypatch.setattr(LocalFiles, "create", replacing)
    assert "replaced the first" in doctor.store(str(tmp_path)).text
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, status in ((100 << 20, "problem"), (2 << 30, "warning"), (90 << 30, "ok")):
        usage = type("Usage", (), {"free": free})
        monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _, usage=usage: usage)
        assert doctor.disk(str(tmp_path / "not" / "there")).status == status
    assert doctor.disk("memory://doctor").status == "ok"


# --- speed --------------------------------------------------------------------------------------


def speeds(**changes: Any) -> Speeds:
    """Self-play at 1000 simulations/s that evaluate 600 positions; a game has 10 moves."""
    played = {"simulations": 1000.0, "evaluations": 600.0, "plies": 20.0}
    found = Speeds(
        search=5000.0,
        inference={32: 500.0, 64: 1000.0, 128: 990.0},
        play={4: {**played, "simulations": 700.0}, 8: played, 16: {**played, "simulations": 990.0}},
        learner={8: 90.0, 16: 100.0, 32: 101.0},
        game_plies=10.0,
    )
    return replace(found, **changes)


def test_a_game_costs_what_its_parts_cost() -> None:
    """2 games/s of self-play; a game's 5 rows, twice learned from, take 0.1 s of the learner."""
    assert games_an_hour(SMALL, speeds(), 2) == pytest.approx(3600 / (0.5 + 0.1))
    shares = cost_shares(SMALL, speeds())
    assert math.fsum(shares.values()) == pytest.approx(1.0)
    assert shares["the network"] == pytest.approx(0.6 / 1.2)
    assert shares["the search"] == pytest.approx(0.2 / 1.2)
    assert shares["the learner"] == pytest.approx(0.2 / 1.2)


def test_workers_play_each_with_a_thread_until_the_learner_cannot_follow() -> None:
    few = replace(SMALL, workers=3, cluster=ClusterConfig(worker_cpus=1))
    assert games_an_hour(few, speeds(), 16) == pytest.approx(3600 * 3)
    assert games_an_hour(few, speeds(), 2) == pytest.approx(3600 * 2)
    assert games_an_hour(replace(few, workers=99), speeds(), 99) == pytest.approx(3600 / 0.1)
    assert "the learner" not in cost_shares(few, speeds())


def test_the_smallest_size_that_is_as_good_is_recommended() -> None:
    assert smallest_near_best({4: 50.0, 8: 96.0, 16: 100.0}) == 8
    findings = {f.name: f for f in interpret(SMALL, speeds())}
    assert findings["self-play"].status == "ok"
    assert findings["bottleneck"].text.startswith("the network")
    assert findings["prediction"].text.startswith("about 6,000 games an hour")
    slow = {"simulations": 500.0, "evaluations": 300.0, "plies": 10.0}
    fast = {"simulations": 1000.0, "evaluations": 600.0, "plies": 20.0}
    found = {f.name: f for f in interpret(SMALL, speeds(play={8: slow, 16: fast}))}["self-play"]
    assert (found.status, found.advice) == (
        "warning",
        "--selfplay.games 16 is 2.00 times as fast as 8",
    )


def test_the_bottleneck_is_what_costs_most() -> None:
    def named(found: Speeds) -> str:
        return next(f.text for f in interpret(SMALL, found) if f.name == "bottleneck")

    assert named(speeds(search=1100.0)).startswith("the search")
    assert named(speeds(learner={16: 2.0})).startswith("the learner")
    assert named(speeds(inference={64: 1e6}, search=1e6)).startswith("waiting")


def test_sizes_are_those_that_the_shards_divide() -> None:
    assert play_sizes(SMALL) == [2, 4, 8, 16]
    one = replace(SMALL, selfplay=SelfPlayConfig(games=3, shards=3))
    assert play_sizes(one) == [3, 6]


def test_measuring_fills_in_everything() -> None:
    found = measure_speeds(SMALL, 0.2)
    assert list(found.play) == [2, 4, 8, 16]
    assert list(found.learner) == [8, 16, 32]
    positive = [found.search, found.game_plies, *found.inference.values(), *found.learner.values()]
    assert min(positive) > 0
    assert 1 <= found.game_plies <= 9
    assert len(list(interpret(SMALL, found))) == 6


@pytest.mark.slow
def test_the_way_to_another_process_is_measured_for_workers() -> None:
    assert doctor.transfer_speed((4, 3, 3, 3), 0.1) > 0
