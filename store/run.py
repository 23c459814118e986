"""Create, open and lock runs: one training of one game, in a folder of the store."""

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from store.errors import (
    AlreadyStoredError,
    RunExistsError,
    RunMismatchError,
    RunNameError,
    RunNotFoundError,
    StoreError,
    StoreWriteError,
)
from store.files.lock import TrainerLock
from store.files.opening import open_files
from store.files.protocol import MOST_JSON_BYTES, Files
from store.seals import seal_of
from store.upgrades import RUN, UNKNOWN_SOURCE, VersionError

RUN_SCHEMA_VERSION = RUN.current
RUN_FILE = "run.json"
LOCK_FILE = "trainer.lock"
CHECKPOINT_FOLDER = "checkpoints"
REPLAY_FOLDER = "replay"
UNSEALED_VERSION = 1  # of a run.json that has no digest of itself

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class RunInfo:
    """The content of `run.json`, written once, when the run is created.

    Attributes:
        algorithm: name of the algorithm that trains it; empty in runs from before there was a
            choice.
        game: name of the game or environment; never a path.
        game_source: SHA-256 of the file of a user's own game, hexadecimal; empty where the game
            comes with the program, and `upgrades.UNKNOWN_SOURCE` for older runs of a user's game.
        config: the resolved configuration, JSON types only.
        seed: the seed everything random comes from.
        versions: version of each program that made the run ("python", "numpy", "ludens", ...).
        created: time of creation, ISO 8601 in UTC.
        schema_version: version of this file's layout.
    """

    game: str
    config: dict[str, Any]
    seed: int
    versions: dict[str, str] = field(default_factory=dict)
    created: str = ""
    game_source: str = ""
    algorithm: str = ""
    schema_version: int = RUN_SCHEMA_VERSION


@dataclass(frozen=True)
class Run:
    """An open run; `files` is rooted in its folder, `is_new` tells whether this call made it."""

    name: str
    files: Files
    info: RunInfo
    is_new: bool = False

    def lock_trainer(self) -> TrainerLock:
        """Become the run's only trainer until released, or until the process ends in any way.

        Use it in a `with`. Reading a run needs no lock. On an object store the lock is a lease: it
        outlives a killed process for a while (`store.files.lease`), and can be lost: then every
        change through this run's files raises RunLostError.

        Raises:
            RunLockedError: another process trains this run; names its process id.
            StoreWriteError: the store cannot be written.
        """
        lock = self.files.lock(LOCK_FILE)
        # Files that killed trainers left. Writers and the arena own the other folders.
        self.files.remove_leftovers("")
        for step in self.files.folders(CHECKPOINT_FOLDER):
            self.files.remove_leftovers(f"{CHECKPOINT_FOLDER}/{step}")
        return lock


def create_run(
    store_url: str | Path,
    name: str,
    *,
    game: str,
    game_source: str = "",
    algorithm: str = "",
    config: Mapping[str, Any],
    seed: int,
    versions: Mapping[str, str],
    has_begun: bool = False,
) -> Run:
    """Create a run that must not exist yet.

    `has_begun` is for a caller that wrote the run's first files itself. Else the run would begin
    with checkpoints and replay of another one, which an import left that was cut off.

    Raises:
        RunNameError, StoreUrlError: the name or the address is not allowed.
        RunExistsError: there is a run of that name, or a part of one.
        StoreError: the configuration cannot be written as JSON, or the game's name not be kept.
        StoreWriteError: the store cannot be written.
    """
    files = open_files(store_url).within(check_run_name(name))
    created = datetime.now(UTC).isoformat(timespec="seconds")
    info = RunInfo(game, dict(config), seed, dict(versions), created, game_source, algorithm)
    if problem := _game_problem(info):
        raise StoreError(f"run {name!r} cannot be kept: {problem}")
    if not has_begun and not files.exists(RUN_FILE):
        _refuse_leftovers(files, name)
    try:
        files.create(RUN_FILE, _encode_info(info))
    except (AlreadyStoredError, StoreWriteError) as error:
        # A process that created it first may have removed our unfinished file.
        if isinstance(error, StoreWriteError) and not files.exists(RUN_FILE):
            raise
        raise RunExistsError(
            f"run {name!r} exists already in {str(store_url)!r}; resume it or choose another name"
        ) from None
    # Read back what was written, so that a new run and a resumed one see the same values.
    return Run(name, files, read_info(files, name), is_new=True)


def _refuse_leftovers(files: Files, name: str) -> None:
    left = [folder for folder in (CHECKPOINT_FOLDER, REPLAY_FOLDER) if any(files.tree(folder))]
    if left:
        raise RunExistsError(
            f"{files.url!r} has {' and '.join(left)} but no {RUN_FILE}: an import or surgery of "
            f"{name!r} was cut off, or is under way. Repeat it, remove that folder, or choose "
            "another name"
        )


def open_run(store_url: str | Path, name: str, *, game: str | None = None) -> Run:
    """Open an existing run; writes nothing, so a read-only store is fine.

    Args:
        store_url: the store's address, as for `open_files`.
        name: the run's name.
        game: when given, the run must be of a game of this name, if it knows that name.

    Raises:
        RunNameError, StoreUrlError: the name or the address is not allowed.
        RunNotFoundError: no such run; the error names the nearest ones.
        RunMismatchError: the run is of another game, or of a schema this version cannot read.
    """
    files = open_files(store_url).within(check_run_name(name))
    if not files.exists(RUN_FILE):
        raise _not_found(store_url, name)
    info = read_info(files, name)
    if game is not None and info.game != game and info.game_source != UNKNOWN_SOURCE:
        raise RunMismatchError(
            f"run {name!r} in {str(store_url)!r} is of game {info.game!r}, not {game!r}; "
            "choose another run name"
        )
    return Run(name, files, info)


def resume_or_create_run(
    store_url: str | Path,
    name: str,
    *,
    game: str,
    game_source: str = "",
    algorithm: str = "",
    config: Mapping[str, Any],
    seed: int,
    versions: Mapping[str, str],
) -> Run:
    """Open the run if it exists, else create it; `Run.is_new` tells which.

    A resumed run keeps its own configuration, seed and versions: see `Run.info` and
    `config_differences`. Raises as `open_run` and `create_run` do.
    """
    try:
        return open_run(store_url, name, game=game)
    except RunNotFoundError:
        pass
    try:
        return create_run(
            store_url,
            name,
            game=game,
            game_source=game_source,
            algorithm=algorithm,
            config=config,
            seed=seed,
            versions=versions,
        )
    except RunExistsError as exists:
        try:  # another process created it in between
            return open_run(store_url, name, game=game)
        except RunNotFoundError:  # only a part of one is there
            raise exists from None


def list_runs(store_url: str | Path) -> list[str]:
    """List the runs in a store, sorted by name; none when the store does not exist yet."""
    return runs_in(open_files(store_url))


def runs_in(files: Files) -> list[str]:
    """List the runs of a store with these files: a listing, and a request for each run."""
    return [
        name
        for name in files.folders("")
        if _NAME.fullmatch(name) and files.exists(f"{name}/{RUN_FILE}")
    ]


def config_differences(
    stored: Mapping[str, Any], asked: Mapping[str, Any], prefix: str = ""
) -> dict[str, tuple[Any, Any]]:
    """List the dotted names of settings that differ, each with its (stored, asked) values.

    A setting that one side lacks counts as None there. Tuples equal lists, as JSON has it.
    """
    differences: dict[str, tuple[Any, Any]] = {}
    for key in sorted({*stored, *asked}):
        ours, theirs = _as_json(stored.get(key)), _as_json(asked.get(key))
        if isinstance(ours, dict) and isinstance(theirs, dict):
            differences |= config_differences(ours, theirs, f"{prefix}{key}.")
        elif ours != theirs:
            differences[f"{prefix}{key}"] = (ours, theirs)
    return differences


def nearest_names(name: str, known: list[str]) -> list[str]:
    """Suggest up to three known names that resemble a mistyped one, best first."""
    folded = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(name.casefold(), list(folded), n=3, cutoff=0.5)
    return [folded[candidate] for candidate in close]


def _as_json(setting: Any) -> Any:
    return list(setting) if isinstance(setting, tuple) else setting


def check_run_name(name: str) -> str:
    """Return a run's name if it is allowed; raises RunNameError."""
    if not _NAME.fullmatch(name):
        raise RunNameError(
            f"run name {name!r} is not allowed: expected 1 to 100 letters, digits, '.', '_' or "
            "'-', the first a letter or digit"
        )
    return name


def _not_found(store_url: str | Path, name: str) -> RunNotFoundError:
    known = list_runs(store_url)
    near = nearest_names(name, known)
    if near:
        hint = "; did you mean " + " or ".join(map(repr, near)) + "?"
    elif known:
        hint = f"; it has {', '.join(map(repr, known[:8]))}" + (", ..." if known[8:] else "")
    else:
        hint = ", which has no runs yet"
    return RunNotFoundError(f"no run {name!r} in {open_files(store_url).url!r}{hint}")


def _encode_info(info: RunInfo) -> bytes:
    try:
        sealed = {**vars(info), "seal": seal_of(vars(info))}
        text = json.dumps(sealed, indent=2, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"the run's configuration cannot be written as JSON: {error}; "
            "expected numbers, strings, booleans, None, lists and dicts of them"
        ) from error
    return (text + "\n").encode()


def read_info(files: Files, name: str) -> RunInfo:
    """Read the `run.json` in a run's folder; raises RunMismatchError, naming the run."""
    where = f"{files.url}/{RUN_FILE}"
    try:
        document = json.loads(files.read(RUN_FILE, MOST_JSON_BYTES))
        version = document["schema_version"]
        intact = document.pop("seal", None) == seal_of(document) or version == UNSEALED_VERSION
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunMismatchError(
            f"run {name!r}: cannot read {where!r} ({type(error).__name__}: {error})"
        ) from error
    try:
        upgraded = RUN.upgrade(document, version)
        info = RunInfo(**{**upgraded, "schema_version": RUN_SCHEMA_VERSION})
    except VersionError as error:
        raise RunMismatchError(
            f"run {name!r} has {error}: use the version that made it, or choose another run name"
        ) from error
    except (TypeError, KeyError, ValueError) as error:
        raise RunMismatchError(f"run {name!r}: {where!r} is not a run's file: {error}") from error
    if not intact:
        raise RunMismatchError(
            f"run {name!r}: {where!r} was altered after it was written; what it says cannot be "
            "trusted. Put it back as it was, or choose another run name"
        )
    expected = {"game": str, "game_source": str, "config": dict, "seed": int}
    expected |= {"versions": dict, "created": str, "algorithm": str}
    for attribute, kind in expected.items():
        if not isinstance(found := getattr(info, attribute), kind):
            raise RunMismatchError(
                f"run {name!r}: {attribute} in {where!r} is {found!r}, expected a {kind.__name__}"
            )
    if problem := _game_problem(info):
        raise RunMismatchError(f"run {name!r}: {where!r} is not a run's file: {problem}")
    return info


def _game_problem(info: RunInfo) -> str | None:
    """Describe a problem of the game's name or its source's hash; None if there is none."""
    game, source = info.game, info.game_source
    if not 0 < len(game) <= 100 or not game.isprintable() or game.endswith(".py"):
        return f"game = {game!r}: expected a name of 1 to 100 characters, and no path of code"
    if source not in ("", UNKNOWN_SOURCE) and not _SHA256.fullmatch(source):
        return f"game_source = {source!r}: expected a SHA-256 in hexadecimal, or nothing"
    return None
