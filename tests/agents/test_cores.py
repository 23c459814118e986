import ctypes
from pathlib import Path

import pytest

from agents.cores import give_back_memory


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc")
def test_what_was_freed_between_things_that_stay_is_given_back() -> None:
    blocks = [bytes(100_000) for _ in range(2000)]  # small enough to lie in the heap
    for i, block in enumerate(blocks):
        blocks[i] = bytes(block[:-1] + b"x")
    before = resident_bytes()
    stays = blocks[::4]
    del blocks, block
    give_back_memory()
    assert before - resident_bytes() > 100_000_000
    assert len(stays) == 500
