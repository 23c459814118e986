"""A file that appears whole, and never in place of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from arena.new_file import new_file


def test_it_appears_at_the_end_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "match.npz"
    with new_file(path) as begun:
        begun.write_text("whole")
        assert not path.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["match.npz"]
    assert path.read_text() == "whole"


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def write_half() -> None:
        with new_file(tmp_path / "match.npz") as begun:
            begun.write_text("h")
            raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        write_half()
    assert not list(tmp_path.iterdir())


def test_another_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "match.npz"
    path.write_text("first")
    with pytest.raises(FileExistsError), new_file(path) as begun:
        begun.write_text("second")
    assert [p.read_text() for p in tmp_path.iterdir()] == ["first"]
