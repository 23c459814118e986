"""Save and load checkpoints: a few files a step, complete once their manifest exists."""

import hashlib
import json
import logging
import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from store.errors import (
    AlreadyStoredError,
    CheckpointError,
    CheckpointNotFoundError,
    FileTooLargeError,
    StoreError,
    StoreWriteError,
)
from store.files.protocol import MOST_JSON_BYTES, FileEntry
from store.quarantine import quarantine_folder
from store.run import CHECKPOINT_FOLDER, Run
from store.seals import seal_of
from store.upgrades import MANIFEST, VersionError

CHECKPOINT_SCHEMA_VERSION = MANIFEST.current
MANIFEST_FILE = "MANIFEST.json"
MODEL_FILE = "model.safetensors"

MOST_STEP_DIGITS = 18
_STEP = re.compile(rf"\d{{9,{MOST_STEP_DIGITS}}}")
_MANIFEST_KEY = re.compile(rf"{CHECKPOINT_FOLDER}/(\d{{9,18}})/{re.escape(MANIFEST_FILE)}")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_logger = logging.getLogger("ludens.store")


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint: its `step`, the bytes of its `files`, and JSON `metadata`."""

    step: int
    files: Mapping[str, bytes]
    metadata: dict[str, Any] = field(default_factory=dict)


def save(
    run: Run, step: int, files: Mapping[str, bytes], metadata: Mapping[str, Any] | None = None
) -> None:
    """Save a checkpoint atomically: it exists once its manifest is written.

    Saving the same checkpoint again is harmless; files that a killed trainer left are removed, and
    a damaged checkpoint of the step is moved to quarantine first. Only the run's trainer saves. It
    costs one listing of the step's folder, and a request for each file.

    Args:
        run: the run, locked by the caller.
        step: the learner's step, not negative.
        files: content of each file by name.
        metadata: anything JSON can hold (schedules, generator states, a replay cursor).

    Raises:
        AlreadyStoredError: the step has an intact checkpoint with other content.
        StoreError: a file name is not allowed, or the metadata cannot be written as JSON.
        StoreWriteError: disk full, permission denied, ...; earlier checkpoints are untouched.
    """
    _check_arguments(step, files)
    manifest = _encode_manifest(step, files, dict(metadata or {}))
    folder = _folder(step)
    found = _list_folder(run, step)
    if any(entry.key == _manifest_key(step) for entry in found):
        if _is_saved_already(run, step, manifest):
            return
        found = _list_folder(run, step)
    try:
        _remove_entries(run, folder, found)
        for name, data in files.items():
            run.files.create(f"{folder}/{name}", data)
        run.files.create(_manifest_key(step), manifest)
    except (StoreWriteError, OSError) as error:
        _remove_unfinished(run, folder)
        raise _not_saved(run, step, error) from error


def load(
    run: Run,
    step: int,
    names: Collection[str] | None = None,
    *,
    if_there: Collection[str] = (),
) -> Checkpoint:
    """Read a checkpoint and verify it against its manifest.

    Args:
        run: the run, which needs no lock.
        step: one of `steps(run)`.
        names: files to read and verify; all of them if None.
        if_there: files to read and verify besides, of those that the checkpoint has.

    Raises:
        CheckpointNotFoundError: there is no complete checkpoint of that step.
        CheckpointError: it is damaged; the error names the file.
    """
    manifest = _read_manifest(run, step)
    listed = manifest["files"]
    wanted = listed if names is None else [*names, *(n for n in if_there if n in listed)]
    files: dict[str, bytes] = {}
    for name in wanted:
        if name not in listed:
            raise CheckpointError(
                f"{_label(run, step)} has no file {name!r}; it has {sorted(listed)}"
            )
        files[name] = _read_verified(run, step, name, listed[name])
    return Checkpoint(step, files, manifest["metadata"])


def read_metadata(run: Run, step: int) -> dict[str, Any]:
    """Read only the metadata of a checkpoint; raises as `load` does."""
    metadata: dict[str, Any] = _read_manifest(run, step)["metadata"]
    return metadata


def newest_metadata(run: Run, known: Collection[int] | None = None) -> dict[str, Any]:
    """Read the metadata of the newest checkpoint with an intact manifest; {} without one.

    `known` are the run's steps, if the caller has listed them.
    """
    for step in sorted(steps(run) if known is None else known, reverse=True):
        try:
            return read_metadata(run, step)
        except (CheckpointError, CheckpointNotFoundError):
            continue
    return {}


def steps(run: Run) -> list[int]:
    """List the steps that have a complete checkpoint, rising, by one listing of files."""
    listed: list[str] | None = None
    while True:
        complete = complete_steps(run.files.tree(CHECKPOINT_FOLDER))
        if complete:
            return complete
        # All listed checkpoints may have been pruned meanwhile; then there are newer ones.
        found = [name for name in run.files.folders(CHECKPOINT_FOLDER) if _STEP.fullmatch(name)]
        if not found or found == listed:
            return []
        listed = found


def complete_steps(entries: Iterable[FileEntry]) -> list[int]:
    """List the steps, rising, whose manifest is among the files of a run."""
    return sorted(int(m[1]) for entry in entries if (m := _MANIFEST_KEY.fullmatch(entry.key)))


def latest(run: Run) -> int | None:
    """Return the newest step with a complete checkpoint, unverified; None without one."""
    return max(steps(run), default=None)


def latest_valid(run: Run, names: Collection[str] | None = None) -> Checkpoint | None:
    """Load the newest valid checkpoint, with a warning for each damaged one skipped.

    None when the run has no checkpoint at all.

    Raises:
        CheckpointError: there are checkpoints, but all are damaged.
    """
    problems: dict[int, str] = {}
    # Listed again after each failure: while old checkpoints are pruned, newer ones are saved.
    while (step := _newest_besides(run, problems)) is not None:
        try:
            return load(run, step, names)
        except (CheckpointError, CheckpointNotFoundError) as error:
            problems[step] = str(error)
            _logger.warning("%s; trying the checkpoint before it", error)
    if problems:
        raise CheckpointError(
            f"none of the {len(problems)} checkpoints of run {run.name!r} is intact: "
            + "; ".join(problems.values())
        )
    return None


def _newest_besides(run: Run, passed_over: Collection[int]) -> int | None:
    return max((step for step in steps(run) if step not in passed_over), default=None)


def delete(run: Run, deleted: Collection[int]) -> None:
    """Delete checkpoints: manifests first, so that no partial checkpoint is visible.

    It costs a listing and a few bulk requests. Files already gone are skipped.
    Raises OSError.
    """
    folders = {_folder(step) for step in deleted}
    if len(folders) == 1:
        entries = run.files.tree(*folders)
    else:
        entries = run.files.tree(CHECKPOINT_FOLDER) if folders else []
    keys = [entry.key for entry in entries if entry.key.rpartition("/")[0] in folders]
    _remove_keys(run, keys)
    for folder in sorted(folders):
        run.files.remove_leftovers(folder)
        with suppress(FileNotFoundError):  # another pruner removed it
            run.files.remove_folder(folder)


def steps_to_keep(all_steps: Collection[int], keep_last: int, keep_every: int = 0) -> list[int]:
    """Select the newest `keep_last` steps and multiples of `keep_every` (0: none), rising.

    Raises:
        ValueError: `keep_last` is below 1 or `keep_every` below 0.
    """
    if keep_last < 1 or keep_every < 0:
        raise ValueError(f"expected keep_last >= 1, keep_every >= 0; got {keep_last}, {keep_every}")
    rising = sorted(all_steps)
    milestones = {step for step in rising if keep_every and step % keep_every == 0}
    return sorted(milestones.union(rising[-keep_last:]))


def tensors_to_bytes(tensors: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Encode named arrays as a safetensors file; equal arrays make equal bytes."""
    # safetensors writes an array's memory as it is, so transposed arrays are copied to C order
    rows_first = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    encoded: bytes = safetensors.numpy.save(rows_first)
    return encoded


def tensors_from_bytes(data: bytes) -> dict[str, npt.NDArray[Any]]:
    """Decode the named arrays of a safetensors file, writable.

    Raises:
        CheckpointError: the bytes are not a safetensors file.
    """
    try:
        return {name: array.copy() for name, array in safetensors.numpy.load(data).items()}
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"not a safetensors file of {len(data)} bytes: {error}") from error


def _folder(step: int) -> str:
    return f"{CHECKPOINT_FOLDER}/{step:09d}"


def _manifest_key(step: int) -> str:
    return f"{_folder(step)}/{MANIFEST_FILE}"


def _label(run: Run, step: int) -> str:
    return f"checkpoint {step} of run {run.name!r}"


def _check_arguments(step: int, files: Mapping[str, bytes]) -> None:
    if step < 0:
        raise StoreError(f"a checkpoint's step must not be negative; got {step}")
    for name in files:
        if not _FILE_NAME.fullmatch(name) or name == MANIFEST_FILE:
            raise StoreError(f"a checkpoint's file cannot be named {name!r}")


def _encode_manifest(step: int, files: Mapping[str, bytes], metadata: dict[str, Any]) -> bytes:
    document = {
        "schema_version": CHECKPOINT_SCHEMA_VERSION,
        "step": step,
        "files": {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
            for name, data in files.items()
        },
        "metadata": metadata,
    }
    try:
        sealed = {**document, "seal": seal_of(document)}
        return json.dumps(sealed, indent=2, sort_keys=True, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"the metadata of checkpoint {step} cannot be written as JSON: {error}"
        ) from error


def _read_manifest(run: Run, step: int) -> dict[str, Any]:
    try:
        data = run.files.read(_manifest_key(step), MOST_JSON_BYTES)
    except FileNotFoundError:
        known = steps(run)
        hint = f"it has {', '.join(map(str, known[-8:]))}" if known else "it has none yet"
        raise CheckpointNotFoundError(f"no {_label(run, step)}; {hint}") from None
    except (OSError, FileTooLargeError) as error:
        raise CheckpointError(f"{_label(run, step)}: cannot read its manifest: {error}") from error
    try:
        document: dict[str, Any] = json.loads(data)
        intact = document.pop("seal") == seal_of(document)
        version = document["schema_version"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{_label(run, step)} is damaged: {MANIFEST_FILE} is not a manifest ({error})"
        ) from error
    if not intact:
        raise CheckpointError(f"{_label(run, step)} is damaged: {MANIFEST_FILE} was altered")
    if document.get("step") != step:
        raise CheckpointError(
            f"{_label(run, step)} is damaged: its {MANIFEST_FILE} is that of checkpoint "
            f"{document.get('step')!r}"
        )
    try:
        document = MANIFEST.upgrade(document, version)
    except VersionError as error:
        raise CheckpointError(f"{_label(run, step)} has {error}") from error
    if not _lists_files(document):
        raise CheckpointError(
            f"{_label(run, step)} is damaged: {MANIFEST_FILE} does not list files by name, with "
            "the size and SHA-256 of each, and metadata"
        )
    return document


def _lists_files(document: Mapping[str, Any]) -> bool:
    files, metadata = document.get("files"), document.get("metadata")
    return (isinstance(files, dict) and isinstance(metadata, dict)) and all(
        _FILE_NAME.fullmatch(name)
        and isinstance(entry, dict)
        and isinstance(entry.get("size"), int)
        and isinstance(entry.get("sha256"), str)
        for name, entry in files.items()
    )


def _read_verified(run: Run, step: int, name: str, entry: Mapping[str, Any]) -> bytes:
    try:
        data = run.files.read(f"{_folder(step)}/{name}")
    except OSError as error:
        raise CheckpointError(
            f"{_label(run, step)} is damaged: cannot read {name!r} ({error})"
        ) from error
    if len(data) != entry["size"]:
        raise CheckpointError(
            f"{_label(run, step)} is damaged: {name!r} has {len(data)} bytes, its manifest says "
            f"{entry['size']}"
        )
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise CheckpointError(
            f"{_label(run, step)} is damaged: {name!r} differs from its manifest's SHA-256"
        )
    return data


def _list_folder(run: Run, step: int) -> list[FileEntry]:
    try:
        return run.files.tree(_folder(step))
    except OSError as error:
        raise _not_saved(run, step, error) from error


def _not_saved(run: Run, step: int, error: OSError | StoreWriteError) -> StoreWriteError:
    try:
        before = latest(run)
        newest = "there is none before it" if before is None else f"the newest one is {before}"
    except OSError as why:
        newest = f"the others cannot be listed ({why})"
    return StoreWriteError(f"{error} {_label(run, step)} was not saved; {newest}.", error.errno)


def _is_saved_already(run: Run, step: int, manifest: bytes) -> bool:
    try:
        load(run, step)
    except CheckpointNotFoundError:
        return False
    except CheckpointError as error:
        _logger.warning("%s; it is moved to quarantine and saved again", error)
        place, what = f"checkpoint-{step:09d}", _label(run, step)
        quarantine_folder(run.files, _folder(step), place, what, first=MANIFEST_FILE)
        return False
    if run.files.read(_manifest_key(step)) == manifest:
        return True
    raise AlreadyStoredError(f"{_label(run, step)} exists already with other content")


def _remove_entries(run: Run, folder: str, entries: Iterable[FileEntry]) -> None:
    _remove_keys(run, [entry.key for entry in entries])
    run.files.remove_leftovers(folder)


def _remove_keys(run: Run, keys: Collection[str]) -> None:
    for manifests in (True, False):
        part = [key for key in keys if key.endswith(f"/{MANIFEST_FILE}") is manifests]
        if part:
            run.files.remove_many(part)


def _remove_unfinished(run: Run, folder: str) -> None:
    """Remove the files of a checkpoint that could not be finished, if possible."""
    try:
        _remove_entries(run, folder, run.files.tree(folder))
        run.files.remove_folder(folder)
    except OSError as error:
        _logger.warning("could not remove what was written of %s: %s", folder, error)
