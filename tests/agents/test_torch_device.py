import pytest
import torch

from agents.torch_device import choose_device, choose_precision


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"'gpu'.*expected"):
        choose_device("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no CUDA device"):
            choose_device("cuda")
        assert choose_device("auto").type == "cpu"
    assert choose_precision("bfloat16", torch.device("cpu")) is torch.bfloat16
