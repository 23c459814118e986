"""The benchmark of the hosts: its judgement, and its first stage on hosts that are there."""

import subprocess
from types import SimpleNamespace

import pytest

from benchmarks.hosts import failures
from benchmarks.hosts.checks import STEADY_S, Stage
from benchmarks.hosts.cluster import Driver, Round, Said
from benchmarks.hosts.namespaces import missing

NOW = 1000.0


class FakeCluster:
    """A driver that has said and heard something, and ended."""

    def __init__(self, said=(), rounds=()):
        with subprocess.Popen(["true"], stdout=subprocess.PIPE, text=True) as process:
            self.drivers = [Driver(process, rounds=list(rounds), said=list(said))]
            self.drivers[0].ended()


def _said(at_s, workers, event="games", steps=0, notices=()):
    return Said(at_s, event, 0, workers, 2, steps, steps, list(notices))


@pytest.fixture
def stage(monkeypatch):
    clock = SimpleNamespace(monotonic=lambda: NOW)
    monkeypatch.setattr("benchmarks.hosts.checks.time", clock)

    def made(**what):
        return Stage("stage", FakeCluster(**what), begun_s=0.0)

    return made


@pytest.mark.parametrize(
    ("said", "steady"),
    [
        ([(NOW - STEADY_S - 1, 2), (NOW - 1, 2)], True),
        ([(NOW - STEADY_S - 1, 1), (NOW - 1, 2)], False),  # one was missing until lately
        ([(NOW - STEADY_S - 1, 2), (NOW - 9, 1), (NOW - 1, 2)], False),
        ([(NOW - 1, 2)], False),  # for how long is not known
        ([], False),
    ],
)
def test_all_play_when_it_was_said_for_a_while(stage, said, steady):
    assert stage(said=[_said(*each) for each in said]).all_have_played() is steady


def test_a_host_has_to_be_named_in_time(stage):
    late = "worker 1 on two has not answered for 40 s"
    judged = stage(said=[_said(60.0, 1, notices=["worker 0 on one", late])])
    judged.check_naming("two", since_s=20.0)
    judged.check_naming("two", since_s=5.0)
    judged.check_naming("three", since_s=20.0)
    assert [check.right for check in judged.checks] == [True, False, False]


def test_a_pause_counts_up_to_now(stage):
    answers = [Round(NOW - at, "writer", "one", 9) for at in (100.0, 70.0, 46.0)]
    judged = stage(rounds=answers)
    judged.check_playing("one", since_s=NOW - 110.0)
    assert not judged.checks[0].right
    assert judged.checks[0].found == 46.0


def test_learning_again_takes_published_weights_first(stage):
    said = [_said(10.0, 2, "learned"), _said(20.0, 2, "published"), _said(30.0, 2, "learned")]
    assert stage(said=said).learns_again(since_s=5.0)
    assert not stage(said=said).learns_again(since_s=25.0)


@pytest.mark.slow
@pytest.mark.skipif(bool(missing()), reason=f"no hosts can be made: {missing()}")
def test_a_training_on_three_hosts_keeps_all_that_was_acknowledged():
    result = failures.measure(2.0, (failures.undisturbed, failures.ended))
    wrong = [
        (name, check)
        for name, stage in result["stages"].items()
        for check in stage["checks"]
        if not check["right"]
    ]
    assert result["checks"] > 10
    assert wrong == []
