"""DQN with a learner and two writers in processes of their own, any of which is killed.

The classes are those of a cluster (`Worker`, `Trainer`), without Ray between them: writers note the
keys that they committed in a file, from where the learner takes them. A process that has imported
everything forks three children a trial. Run as a program it serves `Kennel`, a line a request.

Frames of the environment say what they are, so a row of the ring can be asked for its key.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box, Discrete

from agents.dqn.config import DQNConfig
from agents.progress import Elapsed
from agents.random_state import rng_state
from configs.loader import load_config_of
from selfplay.cluster.worker import Worker
from selfplay.trainer import Trainer
from store.run import Run, resume_or_create_run
from tests.selfplay.forking import ForkingProgram

RUN = "run"
WRITERS = 2
ENVIRONMENTS = 3
STEPS = 3
STACK = 2
AHEAD = 10  # names that the learner has not read, at which writers wait


class Numbered(gymnasium.Env[Any, Any]):
    """Its frames are (number of the environment, episode, step), and a reward follows from them."""

    observation_space = Box(-np.inf, np.inf, (3,), np.float32)
    action_space = Discrete(4)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        if seed is not None:
            self.number, self.episode = int(self.np_random.integers(1 << 24)), -1
        self.episode, self.at = self.episode + 1, 0
        self.length = int(self.np_random.integers(3, 40))
        self.is_cut = bool(self.np_random.random() < 0.3)
        return self._frame(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = reward_of(self.at, int(action))
        self.at += 1
        ends = self.at == self.length
        return self._frame(), reward, ends and not self.is_cut, ends and self.is_cut, {}

    def _frame(self) -> Any:
        return np.array([self.number, self.episode, self.at], np.float32)


def reward_of(step: int, action: int) -> float:
    return step / 64 + action / 4  # exact in float32


CONFIG = load_config_of(
    DQNConfig,
    "dqn",
    {
        "game": f"{__name__}:Numbered",
        "minutes": "0",
        "workers": str(WRITERS),
        "checkpoint_rows": "300",
        "keep_all": "true",
        "network.hidden": "8",
        "target.n_steps": str(STEPS),
        "learner.batch_size": "16",
        "learner.passes": "2",
        "learner.start_rows": "200",
        "exploration.decay_rows": "20000",
        "exploration.ladder": "7",
        "replay.rows": "900",
        "replay.priority_exponent": "0.6",
        "replay.first_priority": "actors",
        "environment.environments": str(ENVIRONMENTS),
        "environment.stack": str(STACK),
        "device": "cpu",
    },
)


def opened(store: Path) -> Run:
    return resume_or_create_run(
        str(store),
        RUN,
        algorithm="dqn",
        game=CONFIG.game,
        config=asdict(CONFIG),
        seed=0,
        versions={},
    )


def portrait(trainer: Trainer) -> dict[str, str]:
    """Digest what a resumed trainer has to have in common with the one that was lost."""
    learner: Any = trainer.learner
    ring = learner.ring
    rows = np.arange(ring.ring.oldest, ring.ring.total_added)
    arrays = {f"rows.{name}": a for name, a in ring.ring.gather(rows).items()}
    arrays |= {f"ring.{name}": a for name, a in ring.state().items()}
    arrays |= {
        f"network.{name}": tensor.numpy() for name, tensor in learner.network.state_dict().items()
    }
    arrays["can_sample"] = ring.can_sample(rows)
    arrays["generator"] = learner.generator.get_state().numpy()
    digests = {
        name: hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest()
        for name, a in arrays.items()
    }
    plain = {
        "rng": rng_state(learner.rng),
        "steps": learner.steps,
        "rows": learner.rows_added,
        "credit": trainer.limiter.credit,
    }
    return {**digests, **{name: json.dumps(value) for name, value in plain.items()}}


# --- the processes of a trial ---------------------------------------------------------------------


@dataclass(frozen=True)
class Trial:
    """When what is killed: `victim` at the first moment, and all others too at the second.

    A moment is a number of commits after the one before, and some seconds after that. So it hardly
    depends on how fast the machine is. Victims are "learner", a writer's number, or "all".
    What was killed alone is started again.
    """

    victim: str
    named: tuple[int, int]
    seconds: tuple[float, float] = (0.0, 0.0)


def _write(store: Path, number: int) -> None:
    """Make rows and note what was committed, until it is killed."""
    worker = Worker(str(store), RUN, CONFIG)
    noted_file = Path(f"{store}.noted")
    noted = os.open(noted_file, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    read, rows = Path(f"{store}.read"), 0
    while True:
        while _lines(noted_file) > AHEAD + _size(read):
            time.sleep(0.002)
        elapsed = Elapsed(rows=rows, actor=number, actors=WRITERS)
        report = worker.play_round(30, -1, [], elapsed)
        rows += int(report.counters["rows"])
        os.write(noted, "".join(f"{key}\n" for key in report.segments).encode())


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _learn(store: Path) -> None:
    """Train on what is noted and save checkpoints, each after its portrait, until it is killed."""
    run = opened(store)
    while True:
        try:
            lock = run.lock_trainer()
            break
        except Exception:  # of the one before, which the system has not yet ended
            time.sleep(0.01)
    with lock:
        trainer = Trainer(run, CONFIG)
        counters = trainer_counters(trainer)
        noted, begun = Path(f"{store}.noted"), trainer.learner.rows_added
        read = 0
        while True:
            lines = noted.read_text().splitlines() if noted.exists() else []
            trainer.announce(lines[read:])
            read = len(lines)
            Path(f"{store}.read").write_bytes(b"." * read)  # writers wait for it
            trainer.read_some(wait=False)
            trainer.learn(0.0, 8)
            if trainer.checkpoint_due(0.0) and not trainer.is_saved():
                trainer.read()
                rows = counters["rows"] + trainer.learner.rows_added - begun
                drawn = json.dumps({**portrait(trainer), "counted": rows})
                Path(f"{store}.portrait-{trainer.learner.steps}").write_text(drawn)
                trainer.save({}, {"elapsed_s": 0.0, "counters": {"rows": rows}})
            time.sleep(0.001)


def trainer_counters(trainer: Trainer) -> dict[str, int]:
    """Read all that is in the store, and return the counters of the run with it."""
    trainer.find()
    return {"rows": 0, **trainer.counters_on()}


def _fork(work: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def _run(store: Path, trial: Trial) -> None:
    opened(store)
    works: dict[str, Callable[[], None]] = {
        "learner": lambda: _learn(store),
        **{str(i): (lambda i=i: _write(store, i)) for i in range(WRITERS)},  # type: ignore[misc]
    }
    alive = {name: _fork(work) for name, work in works.items()}
    try:
        _wait(store, trial.named[0], trial.seconds[0])
        if trial.victim != "all":
            _kill(alive.pop(trial.victim))
            alive[trial.victim] = _fork(works[trial.victim])
            _wait(store, trial.named[1], trial.seconds[1])
    finally:
        for child in alive.values():
            os.kill(child, signal.SIGKILL)
        for child in alive.values():
            _kill(child)


def _wait(store: Path, named: int, seconds: float) -> None:
    """Wait for a number of commits, then some seconds."""
    noted = Path(f"{store}.noted")
    wanted, deadline = _lines(noted) + named, time.monotonic() + 60.0
    while _lines(noted) < wanted:
        if time.monotonic() > deadline:
            raise TimeoutError(f"expected {named} names in a minute")
        time.sleep(0.002)
    time.sleep(seconds)


def _kill(child: int) -> None:
    """Kill a child, which has to be alive until then; its trace is printed if it was not."""
    os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if not os.WIFSIGNALED(status):
        raise RuntimeError(f"a process of the run failed with status {status}")


def serve() -> None:
    torch.set_num_threads(1)  # a pool of threads would not survive the fork
    for line in sys.stdin:
        request = json.loads(line)
        _run(Path(request.pop("store")), Trial(**request))
        sys.stdout.write("done\n")
        sys.stdout.flush()


class Kennel:
    """The forking program, as the tests speak to it."""

    def __init__(self) -> None:
        self._program = ForkingProgram(__name__, "serve")

    def run(self, store: Path, trial: Trial) -> None:
        """Let the run go on in children until all of them are killed."""
        self._program.ask({"store": str(store), **asdict(trial)})

    def close(self) -> None:
        """End the program."""
        self._program.close()
