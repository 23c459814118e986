"""A short deterministic training, run in forked children that are killed at any moment.

A process that has imported and compiled everything, but has not yet trained (autograd does not
survive a fork once it has run), forks one child a training. A trial then costs a training, not
the seconds of a start. Run as a program it serves `Nursery`, one JSON line a request and a reply.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from agents.alphazero.config import AlphaZeroConfig, LearnerConfig, NetworkConfig, SelfPlayConfig
from agents.alphazero.episodes import SCHEMA
from mcts.config import SearchConfig
from selfplay.loop import train
from store import checkpoints
from store.files.commit import TEMPORARY_PREFIX
from store.replay.log import ReplayLog
from store.replay.segments import SegmentWriter
from store.run import open_run
from tests.selfplay.forking import ForkingProgram
from tests.store.faulty_files import SystemCalls

RUN = "run"
CONFIG = AlphaZeroConfig(
    game="tic_tac_toe",
    minutes=0,
    games=90,
    publish_rows=32,
    checkpoint_rows=64,  # so that segments are acknowledged that no checkpoint knows yet
    keep_all=True,  # so that what was acknowledged can be found at the end
    device="cpu",
    search=SearchConfig(simulations=8, lookahead=1, cache_size=256),
    network=NetworkConfig(1, 8, 4, 8, precision="float32"),
    learner=LearnerConfig(batch_size=32, window_rows=150, window_start_rows=100),
    selfplay=SelfPlayConfig(
        games=8, shards=1, fast_simulations=4, opening_plies=3, resign_value=-0.9
    ),
)

TIDIED = replace(  # drops checkpoints and replay as it goes
    CONFIG,
    games=150,
    publish_rows=16,
    checkpoint_rows=16,
    keep_all=False,
    learner=LearnerConfig(batch_size=32, window_rows=60, window_start_rows=60),
)

TIDIED_KEEPS = 2


def finish(store: Path, config: AlphaZeroConfig = CONFIG) -> None:
    """Train, or go on, until the budget is used."""
    for _ in train(config, store_url=str(store), run_name=RUN):
        pass


def contents(store: Path) -> dict[str, str]:
    """Digest of every segment and checkpoint file of the run; of a manifest, what is not time."""
    found = {}
    root = store / RUN
    for path in sorted([*root.glob("replay/*/*"), *root.glob("checkpoints/*/*")]):
        data = path.read_bytes()
        if path.name == checkpoints.MANIFEST_FILE:
            document = json.loads(data)
            del document["metadata"]["elapsed_s"], document["seal"]
            data = json.dumps(document, sort_keys=True).encode()
        found[str(path.relative_to(root))] = hashlib.sha256(data).hexdigest()
    return found


def assert_sound(store: Path) -> None:
    """Everything in the store can be read, each episode is there once, and nothing lies about."""
    assert_readable(store)
    assert not (store / RUN / "quarantine").exists()


def assert_readable(store: Path) -> None:
    """As `assert_sound`, but something may be in quarantine."""
    run = open_run(store, RUN)
    log = ReplayLog(run, SCHEMA)
    log.poll()
    assert log.duplicates_dropped == 0
    for step in checkpoints.steps(run):
        checkpoints.load(run, step)
    assert [p for p in store.rglob("*") if p.name.startswith(TEMPORARY_PREFIX)] == []


def assert_acknowledged(store: Path, acknowledged: list[str]) -> None:
    """What was acknowledged is there and intact."""
    root = store / RUN
    for what in acknowledged:
        if what.startswith("checkpoints/"):
            checkpoints.load(open_run(store, RUN), int(Path(what).name))
        else:
            assert (root / what).is_file(), f"lost: {what}"
    log = ReplayLog(open_run(store, RUN), SCHEMA) if (root / "run.json").exists() else None
    if log is None:
        assert acknowledged == []
        return
    episodes = sum(len(batch) for batch in log.poll())
    assert episodes >= sum(int(Path(a).name.split("-")[1]) for a in acknowledged if "-" in a)
    assert not (root / "quarantine").exists()


@contextmanager
def acknowledging(note: Callable[[str], None]) -> Iterator[None]:
    """Call `note` with each segment and checkpoint that is reported as saved."""
    commit, save = SegmentWriter.commit, checkpoints.save

    def noted_commit(writer: SegmentWriter) -> str | None:
        key = commit(writer)
        if key is not None:
            note(key)
        return key

    def noted_save(run: Any, step: int, *rest: Any) -> None:
        save(run, step, *rest)
        note(f"checkpoints/{step:09d}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SegmentWriter, "commit", noted_commit)
        patch.setattr(checkpoints, "save", noted_save)
        yield


@contextmanager
def dropping_more() -> Iterator[None]:
    """Keep TIDIED_KEEPS checkpoints and few milestones, so that a short training drops some."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("store.upkeep.tidy.KEEP_LAST", TIDIED_KEEPS)
        patch.setattr("store.upkeep.tidy.EACH", 1)
        yield


# --- the program that forks -----------------------------------------------------------------


@dataclass(frozen=True)
class Kill:
    """When to kill: after some seconds, or at the n-th changing system call; None is never."""

    seconds: float | None = None
    call: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one training.

    Attributes:
        killed: whether it ended by SIGKILL.
        seconds: how long it ran.
        acknowledged: segments (keys) and checkpoints that it reported as saved.
        calls: the changing system calls that it made in the store, if it was not killed.
    """

    killed: bool
    seconds: float
    acknowledged: list[str]
    calls: int


def _child(store: Path, acks: int, kill: Kill, config: AlphaZeroConfig) -> None:
    def act(number: int, name: str, path: str) -> None:
        if number == kill.call:
            os.kill(os.getpid(), signal.SIGKILL)

    def note(what: str) -> None:
        os.write(acks, f"{what}\n".encode())

    with acknowledging(note), dropping_more(), SystemCalls(store, act).watched() as watched:
        finish(store, config)
    note(f"calls {len(watched.calls)}")


def _fork(store: Path, kill: Kill, config: AlphaZeroConfig) -> int:
    child = os.fork()
    if child:
        return child
    try:
        acks = os.open(f"{store}.acks", os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        _child(store, acks, kill, config)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _trial(store: Path, kill: Kill, config: AlphaZeroConfig) -> Outcome:
    begun = time.monotonic()
    child = _fork(store, kill, config)
    ended = os.pidfd_open(child)
    if not select.select([ended], [], [], kill.seconds)[0]:
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    os.close(ended)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    if status and not killed:
        raise RuntimeError(f"the training failed with status {status}; its trace is above")
    acks = Path(f"{store}.acks")
    lines = acks.read_text().splitlines() if acks.exists() else []
    calls = [int(line.split()[1]) for line in lines if line.startswith("calls")]
    acknowledged = [line for line in lines if not line.startswith("calls")]
    return Outcome(killed, time.monotonic() - begun, acknowledged, sum(calls))


def _serve() -> None:
    torch.set_num_threads(1)  # a pool of threads would not survive the fork
    with tempfile.TemporaryDirectory() as folder:
        # Compile all but the backward pass: play a little, then stop before anything is learned.
        training = train(CONFIG, store_url=folder, run_name=RUN)
        while next(training).event != "games":
            pass
        training.close()
    for line in sys.stdin:
        request = json.loads(line)
        config = TIDIED if request["tidied"] else CONFIG
        outcome = _trial(Path(request["store"]), Kill(**request["kill"]), config)
        sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
        sys.stdout.flush()


class Nursery:
    """The forking program, as the tests speak to it."""

    def __init__(self) -> None:
        self._program = ForkingProgram(__name__, "_serve")

    def train(self, store: Path, kill: Kill | None = None, *, tidied: bool = False) -> Outcome:
        """Train in a child until the end or until it is killed."""
        request = {"store": str(store), "kill": asdict(kill or Kill()), "tidied": tidied}
        return Outcome(**json.loads(self._program.ask(request)))

    def close(self) -> None:
        """End the program."""
        self._program.close()
