"""What Linux has and macOS lacks, taken away here: the code that replaces it runs, on Linux too."""

import fcntl
import os
import sys
import time
from pathlib import Path

import pytest

import benchmarks.__main__ as every_benchmark
from agents.cores import allowed_cores
from benchmarks import machine
from selfplay import doctor
from store.files import commit, lease


def test_without_affinity_every_core_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5})
    assert allowed_cores() == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert allowed_cores() == 7
    assert machine.machine_facts()["cores"] == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert allowed_cores() == 1


def test_without_the_clock_of_linux_the_lease_takes_that_of_macos(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = []
    monkeypatch.setattr(time, "clock_gettime", lambda clock: read.append(clock) or 5.0)
    assert lease.Timing().holder_clock() == 5.0
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    assert lease.Timing().holder_clock() == 5.0
    assert read == [7, time.CLOCK_MONOTONIC_RAW]  # 7: CLOCK_BOOTTIME in Linux's time.h


@pytest.mark.parametrize("is_known", [True, False])
def test_a_commit_empties_the_cache_of_the_drive_where_fsync_does_not(
    is_known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, plain = [], []

    def control(descriptor: int, command: int) -> None:
        full.append(command)
        if not is_known:
            raise OSError

    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", control)
    monkeypatch.setattr(os, "fsync", plain.append)
    commit.commit_new(tmp_path / "file", b"data")
    assert (tmp_path / "file").read_bytes() == b"data"
    assert full == [51, 51]  # the file, then its folder
    assert len(plain) == (0 if is_known else 2)


def _unknown_name(name: str) -> int:
    raise ValueError("unrecognized configuration name")


def test_without_proc_the_facts_of_the_machine_are_fewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "Path", lambda _: tmp_path / "none")
    monkeypatch.setattr(os, "sysconf", _unknown_name)
    monkeypatch.setattr(machine.platform, "processor", lambda: "arm")
    found = machine.machine_facts()
    assert (found["cpu"], found["cpu_flags"], found["memory_gib"]) == ("arm", [], None)
    monkeypatch.setattr(doctor, "Path", lambda _: tmp_path / "none")
    assert doctor.memory("settings").status == "ok"
    assert doctor.usable_cores() == allowed_cores()


def test_benchmarks_that_need_linux_say_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = []
    benchmarks = {name: lambda *_, name=name: ran.append(name) for name in ("search", "soak")}
    monkeypatch.setattr(every_benchmark, "BENCHMARKS", benchmarks)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(sys, "argv", ["benchmarks", "soak"])
    with pytest.raises(SystemExit):
        every_benchmark.main()
    assert "benchmark 'soak' reads /proc: it needs Linux, not darwin" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["benchmarks"])
    every_benchmark.main()
    assert ran == ["search"]
    assert "need Linux: cluster, hosts" in capsys.readouterr().out
