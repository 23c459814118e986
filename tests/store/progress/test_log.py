"""The progress of a training in files: merged with age, read while it is merged, never fatal."""

from __future__ import annotations

import json
import logging
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from store.errors import StoreWriteError
from store.files.opening import open_files
from store.files.protocol import FileEntry, Files
from store.progress.log import (
    FAN_IN,
    MOST_WAITING,
    PROGRESS_FOLDER,
    FileName,
    ProgressReader,
    ProgressWriter,
    kept_records,
)
from store.progress.summary import summarize_run
from store.replay.walk import walk
from store.upkeep.archive import export_run, import_run
from store.upkeep.retention import Retention, plan_pruning
from store.upkeep.verify import verify
from tests.store.s3_server import BUCKET, running_s3
from tests.store.small_runs import SmallRun

DAY = 8640  # flushes at one every ten seconds


@pytest.fixture(params=["local", "memory"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    url = str(tmp_path) if request.param == "local" else f"memory://{tmp_path.name}"
    return open_files(url).within("r")


@pytest.mark.slow
def test_an_object_store_keeps_it_too() -> None:
    with running_s3():
        files = open_files(f"s3://{BUCKET}/progress").within("r")
        write(files, FAN_IN + 2).close()
        assert games_read(files) == list(range(FAN_IN + 2))


def write(files: Files, count: int, **options: Any) -> ProgressWriter:
    writer = ProgressWriter(files, {"cores": 2}, **options)
    for games in range(count):
        writer.append({"games": games, "notices": []})
        writer.flush()
    return writer


def games_read(files: Files) -> list[int]:
    reader = ProgressReader(files)
    reader.poll()
    return [record["games"] for session in reader.sessions for record in session.records]


def test_what_was_written_is_read_with_its_facts(files: Files) -> None:
    write(files, 5)
    reader = ProgressReader(files)
    assert reader.poll() == 5
    assert reader.poll() == 0
    (session,) = reader.sessions
    assert session.about == {"cores": 2}
    assert session.records == [{"games": games, "notices": []} for games in range(5)]


def test_a_run_without_progress_has_no_sessions(files: Files) -> None:
    reader = ProgressReader(files)
    assert reader.poll() == 0
    assert reader.sessions == []


def test_the_recent_past_is_complete_and_the_end_is_kept(files: Files) -> None:
    count = 5 * FAN_IN**2 + 3 * FAN_IN + 7
    write(files, count)
    found = games_read(files)
    newest = 3 * FAN_IN + 7
    assert found[-newest:] == list(range(count - newest, count))
    assert len(found) == 5 * kept_records(2) + newest
    steps = [b - a for a, b in pairwise(found)]
    assert set(steps) == {1, 2}  # evenly thinned: no gap is wider than the rest


def test_a_day_is_some_fifty_files_and_a_megabyte() -> None:
    files = open_files("memory://a-day").within("r")
    writer = ProgressWriter(files, {})
    for number in range(DAY):
        errors = {f"set {i} of the positions": 0.123 for i in range(6)}
        figures = {f"a figure's name {i}": 123456 + number for i in range(30)}
        writer.append({**figures, "truth": {"raw": errors, "searched": errors}})
        writer.flush()
    keys = list(walk(files))
    assert len(keys) < 64
    assert sum(entry.size for entry in files.tree("")) < 2_000_000


def test_closing_merges_what_is_small(files: Files) -> None:
    write(files, 9).close()
    names = files.names(f"{PROGRESS_FOLDER}/{files.folders(PROGRESS_FOLDER)[0]}")
    assert len(names) == 2  # the facts and the records
    assert games_read(files) == list(range(9))


def test_one_that_stands_for_others_is_made_of_them(files: Files) -> None:
    def joined(records: Any) -> Any:
        return {**records[-1], "notices": [n for r in records for n in r["notices"]]}

    writer = ProgressWriter(files, {}, joined)
    for games in range(FAN_IN**2):
        writer.append({"games": games, "notices": [str(games)] if games % 50 == 0 else []})
        writer.flush()
    reader = ProgressReader(files)
    reader.poll()
    records = reader.sessions[0].records
    assert len(records) == kept_records(2)
    assert [n for r in records for n in r["notices"]] == ["0", "50", "100", "150", "200", "250"]


def test_a_reader_sees_everything_while_files_are_merged(files: Files) -> None:
    """The listing is old: what it names has been merged into a file that it does not name."""
    writer = write(files, FAN_IN - 1)
    reader = ProgressReader(files)
    listed = files.tree

    def merged_meanwhile(folder: str) -> list[FileEntry]:
        names = listed(folder)
        if writer is not None and len(names) == FAN_IN:  # the first time, with the facts
            writer.append({"games": FAN_IN - 1, "notices": []})
            writer.flush()
        return names

    reader._files = type("Wrapped", (), {"__getattr__": lambda _, name: getattr(files, name)})()
    reader._files.tree = merged_meanwhile  # type: ignore[method-assign]
    reader.poll()
    assert [record["games"] for record in reader.sessions[0].records] == list(range(FAN_IN))


def test_parts_left_by_a_killed_writer_count_once(files: Files) -> None:
    removed: list[str] = []
    keep = type("Keeps", (), {"__getattr__": lambda _, name: getattr(files, name)})()
    keep.remove_many = removed.extend  # as if it were killed before the parts go
    write(keep, FAN_IN)
    assert len(removed) == FAN_IN
    assert games_read(files) == list(range(FAN_IN))


def test_damage_costs_a_file_and_is_told(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    writer = write(files, 2)
    folder = f"{PROGRESS_FOLDER}/{writer.session}"
    bad = [b"not json", b"[1]", b'{"format": "ludens-progress/9"}', b'{"format": "ludens-progr']
    for number, data in enumerate(bad):
        files.create(f"{folder}/{FileName(0, 90 + number, 90 + number)}", data)
    files.create(f"{folder}/strange", b"")
    files.create(f"{PROGRESS_FOLDER}/strangers/0-000000000-000000000.json", b"")
    with caplog.at_level(logging.WARNING):
        assert games_read(files) == [0, 1]
    assert len(caplog.records) == len(bad)
    assert "ludens-progress/9" in caplog.text


def test_what_could_not_be_written_is_written_later(files: Files) -> None:
    full = type("Full", (), {"__getattr__": lambda _, name: getattr(files, name)})()
    full.create_same = lambda key, data: (_ for _ in ()).throw(StoreWriteError("disk full"))
    writer = ProgressWriter(full, {})
    for games in range(2 * MOST_WAITING):
        writer.append({"games": games})
        with pytest.raises(StoreWriteError):
            writer.flush()
    del full.create_same
    writer.flush()
    found = games_read(files)
    assert len(found) <= MOST_WAITING
    assert (found[-1], found[0]) == (2 * MOST_WAITING - 1, 3)


def test_a_session_comes_after_those_before_it_whatever_the_clock_says(files: Files) -> None:
    """A clock may be set back, or be that of another host."""
    for number, begun in enumerate((2e9, 1e9, 2e9, 3e9)):
        writer = ProgressWriter(files, {}, now=lambda begun=begun: begun)
        writer.append({"games": number})
        writer.flush()
    assert games_read(files) == [0, 1, 2, 3]
    files.create(f"{PROGRESS_FOLDER}/99991231T235959-00000000/about.json", b"{}")  # a damaged name
    assert ProgressWriter(files, {}).session.startswith("99991231T235959-")
    names = files.folders(PROGRESS_FOLDER)[:-1]
    assert [name[:15] for name in names][-1] == "20650124T052000"


def test_nothing_that_looks_after_runs_trips_over_it(tmp_path: Path) -> None:
    small = SmallRun(tmp_path / "store")
    small.segment()
    small.checkpoint(1)
    write(small.run.files, 20)
    assert verify(tmp_path / "store", "r").ok
    assert plan_pruning(small.run, Retention(keep_last=1)).drop_segments == []
    assert summarize_run(small.run.files, "r").problem == ""
    exported = export_run(small.run, tmp_path / "r.tar")
    assert exported.left_out == {}
    import_run(tmp_path / "store", tmp_path / "r.tar", "copy")
    assert games_read(open_files(tmp_path / "store").within("copy")) == list(range(20))


def test_files_are_plain_tables(files: Files) -> None:
    writer = write(files, 1)
    data = files.read(f"{PROGRESS_FOLDER}/{writer.session}/{FileName(0, 0, 0)}")
    assert json.loads(data) == {
        "format": "ludens-progress/1",
        "names": ["games", "notices"],
        "rows": [[0, 0, []]],
    }
