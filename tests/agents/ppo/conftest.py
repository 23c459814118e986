import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread():
    """Steps this small lose more to two threads' waiting than they gain."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
