"""What `ludens bench acting` prints, and a benchmark writes."""

import json
from pathlib import Path

import pytest

from benchmarks import machine
from benchmarks.learning import acting


def test_a_result_is_written_beside_the_machines_facts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machine, "RESULTS", tmp_path)
    monkeypatch.setattr(acting, "PRESETS", ("dqn",))
    acting.run(0.1, None)
    found = json.loads((tmp_path / "acting_dqn.json").read_text())
    assert found["environments"] == 8
    assert isinstance(found["agent_steps_per_second"], int)
    assert found["ratio"] > 0.0
    assert "cpu" in found["machine"]
    bare = f"{found['environment_steps_per_second']:,} steps/s of the bare environments"
    assert bare in capsys.readouterr().out
