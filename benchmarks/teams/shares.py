"""Whose time an iteration of training is: ours, PyTorch's or RLlib's, by two ways of looking.

By a clock (`PartClock`) that is switched where a call goes from RLlib's code to ours and back, and
by a profile (`profiled_share`), whose overhead makes what calls much seem slower: the share by the
profile is an upper bound.
"""

from __future__ import annotations

import cProfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import CodeType
from typing import Any, NamedTuple

import torch
from ray.rllib.core import DEFAULT_MODULE_ID

from agents.ppo.rllib_algorithm import TeamPPO

RLLIB = "rllib"
LIBRARY = "/ray/"  # in the path of RLlib's files
OURS = ("/agents/", "/envs/", "/torch/")  # in those of what would run without RLlib too
PASSES = 30  # over the graph of calls: deeper than what is outside RLlib, PyTorch and our code


class PartClock:
    """Seconds of parts; each moment counts for the innermost part that is running.

    Attributes:
        seconds: by part.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._running: list[str] = []
        self._since = 0.0

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count time for this part, and from its end on for the one before again."""
        self._switch()
        self._running.append(name)
        try:
            yield
        finally:
            self._switch()
            self._running.pop()

    def _switch(self) -> None:
        now = time.perf_counter()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        self._since = now

    def share(self, name: str) -> float:
        """Return a part's share of all time."""
        return self.seconds[name] / sum(self.seconds.values())

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the call as this part."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return call(*args, **kwargs)

        return timed

    def around_each(self, name: str, make: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that makes an iterator whose every step is this part."""

        def timed(*args: Any, **kwargs: Any) -> Iterator[Any]:
            steps = iter(make(*args, **kwargs))
            while True:
                with self.part(name):
                    try:
                        step = next(steps)
                    except StopIteration:
                        return
                yield step

        return timed


@contextmanager
def clocked(algorithm: TeamPPO) -> Iterator[PartClock]:
    """Yield a clock of the algorithm's parts: all is RLlib's but what is named here.

    The algorithm learns and plays in this process.
    """
    clock = PartClock()
    runner = algorithm.env_runner_group.local_env_runner
    learner = algorithm.learner_group._learner
    optimiser = learner.get_optimizer()
    parts = [
        (algorithm, "train", RLLIB),
        (runner, "sample", "sampling"),
        (runner, "set_state", "weights"),
        (algorithm, "_learn", "preparing"),
        (algorithm.learner_group, "update", RLLIB),
        (learner, "_make_batch_if_necessary", RLLIB),
        (learner.module[DEFAULT_MODULE_ID].unwrapped(), "_forward", "forward"),
        (learner, "compute_loss_for_module", "loss"),
        (torch.Tensor, "backward", "backward"),
        (learner, "postprocess_gradients", "clipping"),
        (optimiser, "zero_grad", "optimiser"),
        (optimiser, "step", "optimiser"),
    ]
    with ExitStack() as patched:
        for owner, method, part in parts:
            patched.enter_context(_replaced(owner, method, _wrapper(clock, owner, method, part)))
        minibatches = clock.around_each("minibatches", learner._create_iterator_if_necessary)
        patched.enter_context(_replaced(learner, "_create_iterator_if_necessary", minibatches))
        yield clock


def _wrapper(clock: PartClock, owner: Any, method: str, part: str) -> Callable[..., Any]:
    return clock.around(part, getattr(owner, method))


@contextmanager
def _replaced(owner: Any, name: str, new: Any) -> Iterator[None]:
    """Let an object or class have another attribute for a while."""
    own = vars(owner)
    before, was_own = own.get(name), name in own
    setattr(owner, name, new)
    try:
        yield
    finally:
        if was_own:
            setattr(owner, name, before)
        else:
            delattr(owner, name)


def profiled_share(
    call: Callable[[], Any], clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return RLlib's share of a call's time by cProfile: an upper bound.

    The time in a function of RLlib is its own, that in one of ours or of PyTorch is not. What both
    use (NumPy, builtins, copies) is whose the callers are, in proportion to its time under each.
    """
    profile = cProfile.Profile(clock)
    profile.runcall(call)
    entries = profile.getstats()
    shares = {(place := _place(entry.code)): _share_of(place.file) for entry in entries}
    under: dict[_Place, list[tuple[_Place, float]]] = {place: [] for place in shares}
    for entry in entries:
        for called in entry.calls or ():
            under[_place(called.code)].append((_place(entry.code), called.inlinetime))
    found = {place: share or 0.0 for place, share in shares.items()}
    for _ in range(PASSES):
        for place in [place for place, share in shares.items() if share is None]:
            total = sum(seconds for _, seconds in under[place]) or 1.0
            found[place] = sum(found[caller] * seconds for caller, seconds in under[place]) / total
    spent = sum(entry.inlinetime for entry in entries)
    return sum(found[_place(entry.code)] * entry.inlinetime for entry in entries) / spent


class _Place(NamedTuple):
    """Where a function is; a builtin has no file."""

    file: str
    line: int
    name: str


def _place(code: CodeType | str) -> _Place:
    """Return a key of a function: codes of two files can be equal, as Python compares them."""
    if isinstance(code, str):
        return _Place("", 0, code)
    return _Place(code.co_filename.replace("\\", "/"), code.co_firstlineno, code.co_qualname)


def _share_of(file: str) -> float | None:
    """Return 1 for RLlib's files, 0 for ours and PyTorch's, None for what callers decide."""
    if LIBRARY in file:
        return 1.0
    return 0.0 if any(part in file for part in OURS) else None
