"""What is missing has its default, what is unknown is left out, the rest is as it was stored."""

import logging
from dataclasses import dataclass, field

import pytest

from store import settings
from store.errors import RunMismatchError
from store.run import create_run
from store.settings import LIMITS, newest_budget, read_settings, run_settings


@dataclass(frozen=True)
class Inner:
    width: int = 32
    rate: float = 0.5
    way: str = "auto"

    def __post_init__(self):
        if self.width < 1:
            raise ValueError(f"inner.width = {self.width}: expected at least 1")


@dataclass(frozen=True)
class Outer:
    minutes: float = 10.0
    solve: bool = True
    inner: Inner = field(default_factory=Inner)


@pytest.fixture(autouse=True)
def _nothing_told(monkeypatch):
    monkeypatch.setattr(settings, "_told", set())


def test_what_is_missing_has_its_default_and_the_rest_is_as_stored():
    assert read_settings(Outer, {}, "run 'r'") == Outer()
    found = read_settings(Outer, {"solve": False, "inner": {"width": 8}}, "run 'r'")
    assert found == Outer(solve=False, inner=Inner(width=8))


def test_what_is_unknown_is_left_out_and_told_once(caplog):
    stored = {"gone": 1, "inner": {"rate": 2.0, "lost": [1], "old": {"x": 3}}}
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert read_settings(Outer, stored, "run 'r'") == Outer(inner=Inner(rate=2.0))
    assert [record.getMessage() for record in caplog.records] == [
        "run 'r' has settings that this version does not know; left out: gone",
        "run 'r' has settings that this version does not know; left out: inner.lost, inner.old",
    ]


def test_a_whole_number_is_a_number_of_either_kind():
    found = read_settings(Outer, {"minutes": 3, "inner": {"width": 4e5}}, "run 'r'")
    assert (found.minutes, type(found.minutes)) == (3.0, float)
    assert (found.inner.width, type(found.inner.width)) == (400_000, int)


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ({"minutes": "3"}, r"run 'r' was stored with minutes = '3': expected a value like 10\.0"),
        ({"minutes": True}, "minutes = True: expected"),
        ({"minutes": 10**400}, "minutes = 1000.*: expected"),
        ({"minutes": None}, "minutes = None: expected"),
        ({"solve": 1}, "solve = 1: expected a value like True"),
        ({"inner": {"width": 1.5}}, r"inner\.width = 1\.5: expected a value like 32"),
        ({"inner": {"width": float("inf")}}, r"inner\.width = inf: expected"),
        ({"inner": {"way": ["auto"]}}, r"inner\.way = \['auto'\]: expected a value like 'auto'"),
        ({"inner": 3}, "inner = 3: expected a table of settings"),
        ({"inner": {"width": 0}}, r"run 'r' was stored with inner\.width = 0: expected at least 1"),
    ],
)
def test_what_no_setting_can_be_is_refused_by_name(stored, told):
    with pytest.raises(RunMismatchError, match=told):
        read_settings(Outer, stored, "run 'r'")


def test_one_table_of_a_run(tmp_path, caplog):
    config = {"inner": {"width": 4, "lost": 1}}
    run = create_run(tmp_path, "r", game="g", config=config, seed=0, versions={})
    assert run_settings(run, "inner", Inner) == Inner(width=4)
    assert "run 'r' has settings" in caplog.text
    assert "inner.lost" in caplog.text
    assert run_settings(run, "other", Inner) == Inner()


def test_the_newest_budget_is_the_checkpoints():
    first = {"minutes": 10, "games": 0}
    ten, none = {"minutes": 10.0, "games": 0.0, "rows": 0.0}, dict.fromkeys(LIMITS, 0.0)
    assert newest_budget(first, {}) == ten
    assert newest_budget(first, {"budget": {"minutes": 60.0}}) == {**ten, "minutes": 60.0}
    assert newest_budget(first, {"budget": {"rows": 9}}) == {**ten, "rows": 9.0}
    assert newest_budget(first, {"budget": 3}) == ten
    assert newest_budget({"minutes": "x", "games": 10**400}, {}) == none
