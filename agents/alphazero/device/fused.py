"""A folded network on a card with cuDNN's kernels that add bias, skip and ReLU to a convolution.

PyTorch launches three kernels for what these do in one, and small networks spend most of their time
in reading and writing activations.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import Conv2d, functional

from agents.alphazero.network import ConvBlock, PolicyValueNetwork

ROWS = 512  # of the batch that decides which is faster
TURNS = 20
TOLERANCE = 0.1  # between the two in bfloat16, of logits of about one


def _convolved(block: ConvBlock, x: Tensor, skip: Tensor | None = None) -> Tensor:
    """Return ReLU of a folded block's output [N, F, H, W], plus `skip`."""
    conv: Conv2d = block.conv
    rest = conv.bias, conv.stride, conv.padding, conv.dilation, conv.groups
    if skip is None:
        return torch.cudnn_convolution_relu(x, conv.weight, *rest)  # type: ignore[arg-type]
    return torch.cudnn_convolution_add_relu(x, conv.weight, skip, 1.0, *rest)  # type: ignore[arg-type]


def fused_forward(network: PolicyValueNetwork, planes: Tensor) -> tuple[Tensor, Tensor]:
    """Return what `network(planes)` does, to rounding; the network is folded and on a card."""
    x = _convolved(network.stem, planes)
    for block in network.blocks:
        hidden = _convolved(block.first, x)  # type: ignore[arg-type]
        if block.pool is not None:
            hidden = block.pool(hidden)  # type: ignore[operator]
        x = _convolved(block.second, hidden, x)  # type: ignore[arg-type]
    policy = _convolved(network.policy_conv, x)
    if isinstance(network.policy_out, Conv2d):  # by planes
        policy = network.policy_out(policy).flatten(1)
    else:
        policy = network.policy_out(policy.flatten(1))
    hidden = _convolved(network.value_conv, x).flatten(1)
    value = network.value_out(functional.relu(network.value_hidden(hidden)))
    return policy, value


@torch.inference_mode()
def fusing_is_faster(network: PolicyValueNetwork, planes_shape: tuple[int, int, int]) -> bool:
    """Whether `fused_forward` gives the network's answers in less time, measured on its card."""
    weight = network.stem.conv.weight
    if weight.device.type != "cuda" or network.board_plane is not None:  # masks are kernels too
        return False
    generator = torch.Generator(weight.device).manual_seed(0)
    planes = torch.rand(ROWS, *planes_shape, device=weight.device, generator=generator)
    planes = planes.to(weight.dtype).contiguous(memory_format=torch.channels_last)
    try:
        found = fused_forward(network, planes)
    except (RuntimeError, NotImplementedError):  # cuDNN has no such kernel for this
        return False
    for fused, plain in zip(found, network(planes), strict=True):
        if not torch.allclose(fused.float(), plain.float(), rtol=TOLERANCE, atol=TOLERANCE):
            return False
    plain_ms = _milliseconds(network, planes)
    return _milliseconds(lambda batch: fused_forward(network, batch), planes) < plain_ms


def _milliseconds(call, planes: Tensor) -> float:  # type: ignore[no-untyped-def]
    """Return a call's time as a graph, without what Python takes to launch it."""
    for _ in range(3):
        call(planes)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        kept = call(planes)
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    graph.replay()
    begin.record()
    for _ in range(TURNS):
        graph.replay()
    end.record()
    end.synchronize()
    del kept
    return float(begin.elapsed_time(end))
