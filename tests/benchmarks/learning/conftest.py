from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def _own_threads() -> Iterator[None]:
    """A run, and a measurement of acting, set torch's threads."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
