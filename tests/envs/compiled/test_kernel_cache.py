import os
import subprocess
import sys

import pytest

from agents.running.compiling import one_at_a_time
from envs.compiled import kernel_cache


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A small tree of sources in place of ours, and a cache of its own."""
    for folder in ("envs", "mcts", "agents/one"):
        (tmp_path / "root" / folder).mkdir(parents=True)
    (tmp_path / "root/envs/rules.py").write_text("A = 1\n")
    (tmp_path / "root/mcts/search.py").write_text("B = 1\n")
    (tmp_path / "root/agents/one/kernel.py").write_text("from numba import njit\n")
    (tmp_path / "root/agents/network.py").write_text("C = 1\n")
    monkeypatch.setattr(kernel_cache, "ROOT", tmp_path / "root")
    monkeypatch.setenv("LUDENS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "as it was")
    numba = sys.modules.get("numba")
    if numba is not None:
        monkeypatch.setattr(numba.config, "CACHE_DIR", numba.config.CACHE_DIR)
    return tmp_path


@pytest.mark.parametrize("file", ["envs/rules.py", "mcts/search.py", "agents/one/kernel.py"])
def test_an_edit_of_a_compiled_source_changes_the_directory(checkout, file):
    before = kernel_cache.activate()
    path = checkout / "root" / file
    path.write_text(path.read_text() + "# njit, edited\n")
    after = kernel_cache.activate()
    assert before != after
    assert before.parent == after.parent == checkout / "cache"
    assert after.is_dir()


def test_an_edit_elsewhere_keeps_the_directory(checkout):
    before = kernel_cache.activate()
    (checkout / "root/agents/network.py").write_text("C = 2\n")
    assert kernel_cache.activate() == before


def test_a_new_or_renamed_source_changes_the_directory(checkout):
    before = kernel_cache.source_hash()
    (checkout / "root/envs/rules.py").rename(checkout / "root/envs/laws.py")
    renamed = kernel_cache.source_hash()
    (checkout / "root/envs/more.py").write_text("")
    added = kernel_cache.source_hash()
    (checkout / "root/envs/more.py").rename(checkout / "root/mcts/more.py")
    assert len({before, renamed, added, kernel_cache.source_hash()}) == 4


def test_numba_is_pointed_at_the_directory(checkout, monkeypatch):
    folder = kernel_cache.activate()
    assert os.environ["NUMBA_CACHE_DIR"] == str(folder)
    if "numba" in sys.modules:
        assert str(folder) == sys.modules["numba"].config.CACHE_DIR


def test_a_directory_that_cannot_be_written_falls_back_with_a_warning(checkout, monkeypatch):
    (checkout / "file").write_text("in the way")
    monkeypatch.setenv("LUDENS_CACHE_DIR", str(checkout / "file"))
    (checkout / "temporary").mkdir()
    monkeypatch.setattr(kernel_cache.tempfile, "gettempdir", lambda: str(checkout / "temporary"))
    with pytest.warns(UserWarning, match=r"file/\w+ cannot be written .*Set LUDENS_CACHE_DIR"):
        folder = kernel_cache.activate()
    assert folder.is_dir()
    assert folder.is_relative_to(checkout / "temporary")
    assert folder.name == kernel_cache.source_hash()


def test_a_directory_of_somebody_else_falls_back_too(checkout, monkeypatch):
    kernel_cache.activate()
    monkeypatch.setattr(kernel_cache.os, "access", lambda path, mode: False)
    (checkout / "temporary").mkdir()
    monkeypatch.setattr(kernel_cache.tempfile, "gettempdir", lambda: str(checkout / "temporary"))
    with pytest.warns(UserWarning, match=r"cannot be written \(permission denied\)"):
        folder = kernel_cache.activate()
    assert folder.is_relative_to(checkout / "temporary")


def test_a_temporary_folder_that_others_can_write_is_not_used(checkout, monkeypatch):
    monkeypatch.setattr(kernel_cache.os, "access", lambda path, mode: False)
    temporary = checkout / "temporary"
    trap = temporary / f"ludens-kernels-{os.getuid()}"
    trap.mkdir(parents=True)
    trap.chmod(0o777)
    monkeypatch.setattr(kernel_cache.tempfile, "gettempdir", lambda: str(temporary))
    monkeypatch.setattr(kernel_cache.tempfile, "tempdir", str(temporary))
    with pytest.warns(UserWarning, match="cannot be written"):
        folder = kernel_cache.activate()
    assert folder.is_relative_to(temporary)
    assert not folder.is_relative_to(trap)
    assert folder.parent.stat().st_mode & 0o777 == 0o700


def test_only_the_generations_used_last_are_kept(checkout):
    folders = []
    for edit in range(6):
        (checkout / "root/envs/rules.py").write_text(f"A = {edit}\n")
        folders.append(kernel_cache.activate())
        os.utime(folders[-1], (edit, edit))
    last = kernel_cache.activate()
    assert last == folders[-1]
    kept = {path.name for path in (checkout / "cache").iterdir()}
    assert kept == {path.name for path in folders[-kernel_cache.KEPT_GENERATIONS :]}


def test_the_users_cache_folder_is_the_default(monkeypatch, tmp_path):
    monkeypatch.delenv("LUDENS_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert kernel_cache.cache_root() == tmp_path / "ludens" / "kernels"


def test_the_module_does_not_import_numba():
    code = (
        "import sys, envs.compiled.kernel_cache\n"
        "sys.exit('numba' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=kernel_cache.ROOT).returncode == 0


CALLER = """
import sys
sys.path[:0] = [{root!r}, {tree!r}]
from pathlib import Path
from envs.compiled import kernel_cache
kernel_cache.ROOT = Path({tree!r})
if {fixed!r}:
    kernel_cache.source_hash = lambda: "fixed"
kernel_cache.activate()
from caller import call
print(call(1), sum(call.stats.cache_hits.values()))
"""


def answers_after_edits(tree, factors, fixed):
    """What a cached kernel returns, and its cache hits, as a rule in another file is edited."""
    (tree / "envs").mkdir(parents=True)
    (tree / "envs" / "rule.py").touch()
    (tree / "callee.py").symlink_to(tree / "envs" / "rule.py")
    (tree / "caller.py").write_text(
        "from numba import njit\nfrom callee import rule\n"
        "@njit(cache=True)\ndef call(x):\n    return rule(x)\n"
    )
    code = CALLER.format(root=str(kernel_cache.ROOT), tree=str(tree), fixed=fixed)
    answers = []
    for factor in factors:
        source = f"from numba import njit\n@njit\ndef rule(x):\n    return x * {factor}\n"
        (tree / "envs" / "rule.py").write_text(source)
        command = [sys.executable, "-B", "-c", code]
        environment = {**os.environ, "LUDENS_CACHE_DIR": str(tree / "cache")}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        answers.append(tuple(int(word) for word in done.stdout.split()))
    return answers


def test_a_kernel_of_an_older_callee_is_never_loaded(tmp_path):
    answers = answers_after_edits(tmp_path / "tree", (10, 20, 10), fixed=False)
    assert answers == [(10, 0), (20, 0), (10, 1)]


@pytest.mark.slow
def test_without_the_hash_it_would_be(tmp_path):
    """The trap itself, so that the test above is known to see it."""
    assert answers_after_edits(tmp_path / "tree", (10, 20), fixed=True) == [(10, 0), (10, 1)]


TRACING = """
import sys
import numpy as np
from envs.checks.trial import make_trial
from envs.registry import find_game

for name in sys.argv[1:]:
    trial = make_trial(find_game(name), 3, seed=1)
    for plain, fast in zip(trial.traces, trial.compiled, strict=True):
        assert np.array_equal(plain.legal, fast.legal), name
        assert plain.states.tobytes() == fast.states.tobytes(), name
"""


@pytest.mark.slow
def test_kernels_of_two_boards_that_two_processes_compiled_meet_in_a_third(tmp_path):
    """Their helpers are closures of one function, compiled as the same number of each process."""
    environment = os.environ | {
        "LUDENS_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": str(kernel_cache.ROOT),
    }
    for names in (["othello"], ["othello6"], ["othello", "othello6"]):
        command = [sys.executable, "-c", TRACING, *names]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_a_cache_that_other_versions_deleted_is_made_again(tmp_path, monkeypatch):
    """A run in turns enters again, long after it began."""
    folder = tmp_path / "cache" / "0123"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(folder))
    with one_at_a_time():
        assert folder.is_dir()
    os.utime(folder, (1.0, 1.0))
    with one_at_a_time():
        assert folder.stat().st_mtime > 1.0  # it counts as used, which keeps it
