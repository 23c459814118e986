"""Verify every file of a run and list the problems; changes nothing.

The readers of a run move damaged files to quarantine and go on. This reads each file, leaves it
in place, and names every problem.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

from store import checkpoints
from store.checkpoints import MANIFEST_FILE
from store.errors import (
    CheckpointError,
    CheckpointNotFoundError,
    FileTooLargeError,
    ForeignSegmentError,
    RunMismatchError,
    SegmentError,
)
from store.files.opening import open_files
from store.files.protocol import MOST_JSON_BYTES, Files
from store.quarantine import quarantined
from store.replay.dedupe import UuidSet
from store.replay.episodes import EpisodeBatch, EpisodeSchema
from store.replay.log import segment_key
from store.replay.segments import SegmentName, decode_segment, is_writer_name
from store.replay.walk import list_segments, walk
from store.run import CHECKPOINT_FOLDER, REPLAY_FOLDER, RUN_FILE, Run, RunInfo, open_run, read_info

MATCH_FOLDER = "matches"
EVALUATION_FOLDER = "evaluations"
RECORD_FOLDERS = (MATCH_FOLDER, EVALUATION_FOLDER)


@dataclass
class Verification:
    """The result of a verification.

    Attributes:
        run: the run's name.
        segments: number of intact segments.
        episodes: episodes in them, duplicates included.
        duplicates: episodes whose UUID had been met before; readers drop them.
        kinds: the kinds of episodes, sorted.
        checkpoints: steps of the intact checkpoints, rising.
        problems: {key: what is wrong with it}.
        notes: {key: what is worth knowing, and no problem}.
        quarantine: {file in quarantine: why}.
    """

    run: str
    segments: int = 0
    episodes: int = 0
    duplicates: int = 0
    kinds: list[str] = field(default_factory=list)
    checkpoints: list[int] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    quarantine: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether there is no problem; quarantined files are none."""
        return not self.problems


def verify(store_url: str | Path, name: str) -> Verification:
    """Verify a run of a store; raises RunNotFoundError or RunNameError, naming the nearest."""
    try:
        files = open_run(store_url, name).files
    except RunMismatchError:  # reported among the problems
        files = open_files(store_url).within(name)
    return verify_files(files, name)


def verify_files(files: Files, name: str) -> Verification:
    """Verify the run in these files."""
    found = Verification(name)
    _verify_run_file(files, found)
    _verify_checkpoints(Run(name, files, RunInfo("", {}, 0)), found)
    _verify_segments(files, found)
    _verify_strangers(files, found)
    _verify_records(files, found)
    found.quarantine = quarantined(files)
    return found


def _verify_run_file(files: Files, found: Verification) -> None:
    try:
        read_info(files, found.run)
    except RunMismatchError as error:
        found.problems[RUN_FILE] = str(error)


def _verify_checkpoints(run: Run, found: Verification) -> None:
    names: dict[str, set[str]] = {}
    for entry in run.files.tree(CHECKPOINT_FOLDER):
        folder, _, name = entry.key.rpartition("/")
        names.setdefault(folder, set()).add(name)
    for step in checkpoints.steps(run):
        _verify_checkpoint(run, step, names.get(f"{CHECKPOINT_FOLDER}/{step:09d}", set()), found)
    for name in run.files.folders(CHECKPOINT_FOLDER):
        folder = f"{CHECKPOINT_FOLDER}/{name}"
        if not (name.isascii() and name.isdigit()):
            found.problems[folder] = "not a checkpoint's folder"
        elif int(name) in found.checkpoints or folder in found.problems:
            continue
        elif not run.files.exists(f"{folder}/{MANIFEST_FILE}"):  # it may have come since
            found.notes[folder] = "without a manifest: being written, or left by a killed trainer"


def _verify_checkpoint(run: Run, step: int, names: set[str], found: Verification) -> None:
    folder = f"{CHECKPOINT_FOLDER}/{step:09d}"
    try:
        loaded = checkpoints.load(run, step)
    except CheckpointNotFoundError:
        return  # pruned since it was listed
    except CheckpointError as error:
        if run.files.exists(f"{folder}/{MANIFEST_FILE}"):
            found.problems[folder] = str(error)
        return
    found.checkpoints.append(step)
    for extra in sorted(names - {*loaded.files, MANIFEST_FILE}):
        found.problems[f"{folder}/{extra}"] = "a file that the manifest does not list"


def _verify_segments(files: Files, found: Verification) -> None:
    uuids = UuidSet()
    schemas: dict[str, EpisodeSchema] = {}
    for writer, name in list_segments(files):
        key = segment_key(writer, name)
        batch = _read_segment(files, key, name, found)
        if batch is None:
            continue
        first = schemas.setdefault(batch.schema.kind, batch.schema)
        if batch.schema != first:
            found.problems[key] = (
                f"it holds {batch.schema.to_json()}, earlier segments of that kind hold "
                f"{first.to_json()}"
            )
            continue
        found.segments += 1
        found.episodes += len(batch)
        found.duplicates += int((~uuids.add_new(batch.uuids)).sum())
    found.kinds = sorted(schemas)


def _read_segment(
    files: Files, key: str, name: SegmentName, found: Verification
) -> EpisodeBatch | None:
    try:
        return decode_segment(name, files.read(key))
    except FileNotFoundError:
        return None  # pruned since it was listed
    except (SegmentError, ForeignSegmentError, OSError) as error:
        found.problems[key] = str(error)
        return None


def _verify_strangers(files: Files, found: Verification) -> None:
    """Report files in the replay that are no segments, which readers skip."""
    for entry in files.tree(REPLAY_FOLDER):
        writer, _, name = entry.key.removeprefix(f"{REPLAY_FOLDER}/").partition("/")
        if not name:
            found.problems[entry.key] = "not a writer's folder"
        elif not is_writer_name(writer):
            found.problems[f"{REPLAY_FOLDER}/{writer}"] = "not a writer's folder"
        elif SegmentName.parse(name) is None:
            found.problems[entry.key] = "not a segment's name"


def _verify_records(files: Files, found: Verification) -> None:
    for key in (key for folder in RECORD_FOLDERS for key in walk(files, folder)):
        try:
            problem = record_problem(files.read(key, MOST_JSON_BYTES))
        except FileNotFoundError:
            continue
        except (OSError, FileTooLargeError) as error:
            problem = str(error)
        if problem:
            found.problems[key] = problem


def record_problem(data: bytes) -> str | None:
    """Describe a problem of a record of matches or of an evaluation; None without one.

    Both have one JSON object a line.
    """
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            if line.strip() and not isinstance(json.loads(line), dict):
                return f"line {number} is not a JSON object"
        except (ValueError, RecursionError) as error:
            return f"line {number} is not JSON ({error})"
    return None
