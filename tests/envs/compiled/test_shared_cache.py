import threading
from pathlib import Path

import pytest
from numba.core.caching import IndexDataCacheFile

from envs.compiled.shared_cache import LOCK_FILE, save_one_at_a_time

save_one_at_a_time()
WAIT_S = 60.0


class SlowFile(IndexDataCacheFile):
    """Waits between the choice of a number and the file of that number."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), "kernel", "stamp")
        self.chose, self.may_go_on = threading.Event(), threading.Event()

    def _save_index(self, overloads: dict[str, str]) -> None:
        self.chose.set()
        assert self.may_go_on.wait(WAIT_S)
        super()._save_index(overloads)


def kernels_of(folder: Path) -> IndexDataCacheFile:
    return IndexDataCacheFile(str(folder), "kernel", "stamp")


def test_two_that_save_at_once_keep_their_kernels(tmp_path: Path) -> None:
    slow, quick = SlowFile(tmp_path), SlowFile(tmp_path)
    quick.may_go_on.set()
    first = threading.Thread(target=slow.save, args=("first's types", "first"))
    first.start()
    assert slow.chose.wait(WAIT_S)
    second = threading.Thread(target=quick.save, args=("second's types", "second"))
    second.start()
    assert not quick.chose.wait(0.2)  # it waits for the first
    slow.may_go_on.set()
    first.join(WAIT_S)
    second.join(WAIT_S)
    found = kernels_of(tmp_path)
    assert (found.load("first's types"), found.load("second's types")) == ("first", "second")


def test_a_save_that_failed_lets_others_go_on(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        kernels_of(tmp_path).save("types", threading.Lock())  # it cannot be pickled
    found = kernels_of(tmp_path)
    found.save("types", "kernel")
    assert found.load("types") == "kernel"


def test_a_folder_that_cannot_be_locked_is_used_all_the_same(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).mkdir()
    found = kernels_of(tmp_path)
    found.save("types", "kernel")
    assert found.load("types") == "kernel"


def test_the_lock_is_put_in_front_once() -> None:
    before = IndexDataCacheFile.save
    save_one_at_a_time()
    assert IndexDataCacheFile.save is before
    assert not hasattr(before.__wrapped__, "__wrapped__")
