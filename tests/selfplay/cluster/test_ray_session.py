"""Connecting to Ray: what a person is told where it does not start."""

from __future__ import annotations

from typing import Any

import pytest
import ray

from configs.command_line import FAILURE, explain
from selfplay.cluster.ray_session import RayStartError, connected


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (None, "error: a local Ray did not start or answer: The node timed out during startup."),
        ("10.0.0.9:1", "error: Ray at 10.0.0.9:1 did not start or answer: The node timed out"),
    ],
)
def test_a_ray_that_does_not_start_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, address: str | None, told: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise Exception("The node timed out during startup.\nThis could happen because ...")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", fail)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if address:
        monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(RayStartError) as raised, connected(cpus=1):
        pass
    status, line = explain(raised.value)
    assert status == FAILURE
    assert line.startswith(told)
    assert "\n" not in line


def test_a_local_ray_has_no_dashboard_and_listens_to_this_machine_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda *words, **options: given.update(options, words=words))
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    with connected(cpus=1) as is_own:
        assert is_own
    assert (given["words"], given["_node_ip_address"]) == (("local",), "127.0.0.1")
    assert given["include_dashboard"] is False
