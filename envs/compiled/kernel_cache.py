"""The on-disk cache of compiled kernels, keyed so that a stale kernel cannot be loaded.

Numba notices a change in the file of a cached function, but not in the functions of other files
that it calls. The search calls the rules of the games across files, so the cache directory is named
by a hash of all compiled sources: after an edit, the kernels are compiled again. This module does
not import Numba: the directory must be set before Numba is imported.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import sys
import tempfile
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMPILED_FOLDERS = ("envs", "mcts", "agents", "selfplay", "arena")
KEPT_GENERATIONS = 4


def compiled_sources() -> list[Path]:
    """Return the source files that take part in compilation, sub-folders included.

    All of `envs` and `mcts` do; of the other packages the files that compile a function.
    """
    files: list[Path] = []
    for folder in COMPILED_FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if folder in ("envs", "mcts") or b"njit" in path.read_bytes():
                files.append(path)
    return files


def source_hash() -> str:
    """Return a hash of the compiled sources, 16 hex digits."""
    digest = hashlib.sha256()
    for path in compiled_sources():
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def cache_root() -> Path:
    """Return the folder of all caches: `LUDENS_CACHE_DIR`, or one in the user's cache folder."""
    chosen = os.environ.get("LUDENS_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "ludens" / "kernels"


def activate() -> Path:
    """Set Numba's on-disk cache to the directory of the current sources and return it.

    If it cannot be written, a temporary directory is used, with a warning: the kernels may then be
    compiled again in every session, which is slow but correct.
    """
    folder = cache_root() / source_hash()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):  # Numba would raise on its first cached function
            raise PermissionError(errno.EACCES, "permission denied")
        os.utime(folder)
        _prune(folder)
    except OSError as error:
        warnings.warn(
            f"the kernel cache {folder} cannot be written ({error.strerror}); compiled kernels go "
            "to a temporary folder. Set LUDENS_CACHE_DIR to a writable one.",
            stacklevel=2,
        )
        folder = _temporary_root() / source_hash()
        folder.mkdir(parents=True, exist_ok=True)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = str(folder)
    return folder


def _temporary_root() -> Path:
    """Return a temporary folder that no other user can write: what is loaded from it is code."""
    root = Path(tempfile.gettempdir()) / f"ludens-kernels-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        root.mkdir(mode=0o700)
    found = root.lstat()
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if is_ours and not found.st_mode & 0o022:
        return root
    return Path(tempfile.mkdtemp(prefix="ludens-kernels-"))


def _prune(current: Path) -> None:
    """Delete the oldest caches, keeping the current one and those used last."""
    others = [p for p in current.parent.iterdir() if p.is_dir() and p != current]
    others.sort(key=lambda p: p.stat().st_mtime, reverse=True)
    for stale in others[KEPT_GENERATIONS - 1 :]:
        shutil.rmtree(stale, ignore_errors=True)
