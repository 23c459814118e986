"""Create a run that begins with a checkpoint which was made elsewhere."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from store import checkpoints
from store.checkpoints import Checkpoint
from store.errors import RunExistsError
from store.files.opening import open_files
from store.files.protocol import Files
from store.run import LOCK_FILE, RUN_FILE, Run, RunInfo, check_run_name, create_run


def begin_run(
    store_url: str | Path,
    name: str,
    checkpoint: Checkpoint,
    *,
    game: str,
    game_source: str = "",
    algorithm: str = "",
    config: Mapping[str, Any],
    seed: int,
    versions: Mapping[str, str],
) -> Run:
    """Create a run that must not exist yet, with its first checkpoint.

    The checkpoint comes first: until the run's own file is written there is no run, and what an
    interrupted call left is removed, at once or by the next call.

    Raises as `store.run.create_run`, `store.checkpoints.save`, and RunLockedError where another
    process is about to make a run of that name.
    """
    files = open_files(store_url).within(check_run_name(name))
    _refuse_existing(files, store_url, name)
    with files.lock(LOCK_FILE):
        _refuse_existing(files, store_url, name)
        unborn = Run(name, files, RunInfo(game, dict(config), seed))
        checkpoints.delete(unborn, checkpoints.steps(unborn))
        try:
            checkpoints.save(unborn, checkpoint.step, checkpoint.files, checkpoint.metadata)
            return create_run(
                store_url,
                name,
                game=game,
                game_source=game_source,
                algorithm=algorithm,
                config=config,
                seed=seed,
                versions=versions,
                has_begun=True,
            )
        except BaseException:
            if not files.exists(RUN_FILE):
                checkpoints.delete(unborn, [checkpoint.step])
            raise


def _refuse_existing(files: Files, store_url: str | Path, name: str) -> None:
    if files.exists(RUN_FILE):
        raise RunExistsError(
            f"run {name!r} exists already in {str(store_url)!r}; choose another name"
        )
