"""A training spread by Ray: workers play, a learner learns, and both are watched from here.

    workers -> segments in the store -> learner -> weights -> workers

The actor, the trainer and the store are those of `selfplay.loop`; this file decides where they run,
what they are asked next, and what happens when one of them fails. The driver itself holds nothing
that is not in the store: killed anywhere, the same command goes on.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import RayError

from agents.inference import NetworkEvaluator, load_state
from agents.network import build_network
from agents.progress import Event, Progress
from selfplay.announcements import Announcements, must_wait
from selfplay.budget import Budget
from selfplay.config import TrainConfig
from selfplay.inference_server import InferenceError, InferenceServer
from selfplay.learner_node import LearnerNode, LearnReport
from selfplay.metrics import Metrics
from selfplay.origin import ROOT, check_packages
from selfplay.own_game import game_of
from selfplay.placement import (
    UNPLACED_S,
    InferenceActors,
    asked_of_nodes,
    check_own_node,
    unplaced_notice,
)
from selfplay.resuming import extension_notice
from selfplay.supervision import (
    CrashLoopError,
    Failure,
    Member,
    Ready,
    Watchdog,
    first_line,
    is_hopeless,
)
from selfplay.warm_up import one_at_a_time
from selfplay.worker import ROUND_S, RoundReport, Worker, worker_config
from store.errors import StoreUrlError
from store.files.opening import open_files
from store.run import Run

POLL_S = 0.5
RATE_WINDOW_S = 30.0
IDLE_S = 2.0  # a learner without new games is asked again after so long
LATE_S = 2 * ROUND_S  # without an answer for so long, an actor is said not to work
GOODBYE_S = 60.0  # for the last rounds and the last checkpoint
LOOPBACK = "127.0.0.1"  # where our own Ray listens: nobody else has business there
OBJECT_STORE_BYTES = 512 << 20  # of our own Ray: weights and planes, nothing that stays
QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
NOT_SHIPPED = [".git", ".venv", "runs", "*.pyc", ".mypy_cache", ".ruff_cache", ".pytest_cache"]


@contextmanager
def connected(cpus: int) -> Iterator[bool]:
    """Ray for this process: the cluster of RAY_ADDRESS or of the job, or one of our own here.

    Yields whether it is our own. Ray's handler of SIGTERM is put away: the caller has its own.
    """
    if ray.is_initialized():  # the caller's, who will shut it down
        yield False
        return
    here = "RAY_ADDRESS" not in os.environ
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    if here:
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")  # no card unless asked for
        ray.init(
            "local",
            _node_ip_address=LOOPBACK,
            num_cpus=cpus,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            runtime_env={"env_vars": worker_environment()},
            **QUIET,
        )
    else:
        ray.init(runtime_env=shipped_environment(), **QUIET)
    _keep_terminal_clean()
    with suppress(ValueError, TypeError):  # not the main thread, or no handler of Python's
        for number, handler in handlers.items():
            signal.signal(number, handler)
    try:
        yield here
    finally:
        ray.shutdown()


def _keep_terminal_clean() -> None:
    """Ray prints into the panel when a process dies, and has no option against it.

    Here every such death becomes a notice of ours.
    """
    from ray._private import worker

    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda *_, **__: None


def worker_environment() -> dict[str, str]:
    """What every process needs: our packages, and the kernel cache of this one."""
    kept = {name: os.environ[name] for name in ("LUDENS_CACHE_DIR",) if name in os.environ}
    return {"PYTHONPATH": str(ROOT), **kept}


def shipped_environment() -> dict[str, Any]:
    """Our sources for a cluster that was not told of them; a job brings them along itself."""
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ or os.environ.get("RAY_JOB_SUBMISSION_ID"):
        return {}
    return {"working_dir": str(ROOT), "excludes": NOT_SHIPPED}


def shared_store(store_url: str, workers: int) -> str:
    """The store's address as other processes understand it: never a relative path.

    Raises StoreUrlError for one that they cannot see.
    """
    url = open_files(store_url).url
    if url.startswith("memory:"):
        raise StoreUrlError(
            f"the store {store_url!r} lives in one process, and {workers} workers cannot "
            "see it: give a folder or an object store's URL, or --workers 0"
        )
    return url


@contextmanager
def settling() -> Iterator[None]:
    """Around the first work of a process of Ray: it uses our packages, and compiles alone.

    Raises RuntimeError where other packages would be imported than ours.
    """
    check_packages()
    with one_at_a_time():
        yield


class ClusterTraining:
    """One training on a cluster: its members, what they reported, and the clock."""

    def __init__(
        self,
        run: Run,
        config: TrainConfig,
        store_url: str,
        *,
        own_ray: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run, self.config, self.clock = run, config, clock
        self.budget = Budget(config, clock=clock)
        self.begun = clock()
        self.steps_before = 0  # of the learner, when this session began
        self.announced = Announcements()
        self.counts: dict[str, int] = {}
        self.session: dict[str, int] = {}
        self.recent: deque[tuple[float, RoundReport]] = deque()
        self.notices: list[str] = []
        self.learned: LearnReport | None = None
        self.first_game_s: float | None = None
        self.metrics = Metrics(run.name)
        self._arguments = (store_url, run.name, config)
        self._own_ray = own_ray
        self._asked = asked_of_nodes(config.cluster, own_ray)
        if own_ray:
            check_own_node(self._asked)
        game = game_of(config)
        fresh = build_network(game, config.network, config.seed).state_dict()
        self.evaluator = NetworkEvaluator(game, config.network, fresh, device=config.device)
        self.inference = InferenceActors(
            self._start_server,
            config.cluster.inference_actors,
            self._asked["inference"],
            config.cluster.inference_timeout_s,
            clock,
        )
        timeout = config.cluster.worker_timeout_s
        self.learner = Member("the learner", self._start_learner, timeout, clock)
        self.workers = [
            Member(f"worker {i}", self._worker_starter(i), timeout, clock)
            for i in range(config.workers)
        ]
        self.learner_watchdog = Watchdog("the learner", 1)
        self.workers_watchdog = Watchdog("the workers", config.workers)
        self.learn_again_at = 0.0

    # -- starting ----------------------------------------------------------------------------

    def _start_server(self) -> Any:
        """An inference actor, which Ray itself starts again: it has nothing to lose."""
        remote: Any = ray.remote(InferenceServer)
        asked = self._asked["inference"]
        options = remote.options(
            num_cpus=asked["CPU"],
            num_gpus=asked["GPU"],
            max_concurrency=1000,
            max_restarts=-1,
            max_task_retries=-1,
        )
        return options.remote(*self._arguments)

    def _start_learner(self) -> Any:
        remote: Any = ray.remote(LearnerNode)
        asked = self._asked["learner"]
        options = remote.options(num_cpus=asked["CPU"], num_gpus=asked["GPU"])
        return options.remote(*self._arguments)

    def _worker_starter(self, number: int) -> Callable[[], Any]:
        def start() -> Any:
            remote: Any = ray.remote(Worker)
            options = remote.options(num_cpus=self._asked["worker"]["CPU"], max_concurrency=2)
            servers = self.inference.handles
            mine = servers[number % len(servers) :][:1] if servers else []
            return options.remote(*self._arguments, mine)

        return start

    # -- working -----------------------------------------------------------------------------

    def step(self) -> list[Event]:
        """Ask everybody who is free, wait for answers for a moment; what has happened."""
        self._ask_learner()
        self._ask_workers()
        members = [self.learner, *self.workers]
        calls = {member.call: member for member in members if member.call is not None}
        if not calls:
            time.sleep(POLL_S)
            return []
        # The first answer, and with it all others that are there: who is done must not wait.
        ray.wait(list(calls), timeout=POLL_S, fetch_local=False)
        ready, _ = ray.wait(list(calls), num_returns=len(calls), timeout=0, fetch_local=False)
        events: list[Event] = []
        for call in ready:
            events += self._take(calls[call])
        for member in members:
            if member.is_silent():
                self._failed(member, member.fail(Failure("silent", "no answer for too long")))
            if member.is_late(LATE_S):
                self.notices.append(f"{self._named(member)} has not answered for {LATE_S:.0f} s")
            if member.is_unplaced(UNPLACED_S):
                asked = self._asked["learner" if member is self.learner else "worker"]
                self.notices.append(unplaced_notice(member.name, asked))
                if member is self.learner:
                    self._make_room()
        return events + self._start_clock()

    def _start_clock(self) -> list[Event]:
        """Let the budget run once a worker has compiled, a network is there, and evaluators are."""
        is_used = self.learned is None or self.budget.is_used(self.games())
        ready = any(worker.answered for worker in self.workers) and self.inference.are_up()
        if self.budget.runs or is_used or not ready:
            return []
        self.budget.start()
        return ["started"]

    def is_over(self) -> bool:
        """Whether the budget is used.

        A session that begins with some of it left learns something: the minutes end none before.
        """
        if self.learned is None:
            return False
        if not self.budget.runs:
            return self.budget.is_used(self.games())
        has_learned = self.learned.steps > self.steps_before
        return self.budget.games_are_up(self.games()) or (has_learned and self.budget.time_is_up())

    def _named(self, member: Member) -> str:
        """A member's name and, where there are several hosts, its own."""
        known = member.host and not self._own_ray
        return f"{member.name} on {member.host}" if known else member.name

    def _make_room(self) -> None:
        """Let as many workers of one host go as the learner needs cores: without it all is idle."""
        cluster = self.config.cluster
        if cluster.learner_gpus:  # it waits for a card, which no worker has
            return
        there = [worker for worker in self.workers if worker.works]
        host, _ = Counter(worker.host for worker in there).most_common(1)[0] if there else ("", 0)
        needed = -(-cluster.learner_cpus // cluster.worker_cpus)
        for worker in [worker for worker in there if worker.host == host][:needed]:
            self.notices.append(f"{self._named(worker)} gives its place to the learner")
            worker.drop()

    def _ask_learner(self) -> None:
        if self.clock() >= self.learn_again_at and self.learner.is_free():
            if self.learned is None or not self.learner.answered:
                self.learner.ask("report")
            else:
                share, segments = self.budget.share(self.games()), self.announced.hand_over()
                self.learner.ask("learn", share, self.metadata(), segments)

    def _ask_workers(self) -> None:
        """Have new workers compile; give every other free one a round, unless they must wait."""
        learned, rows = self.learned, self.config.cluster.segment_rows
        self.notices += self.inference.notices()
        plays = self.inference.are_up() and not must_wait(self.config, self.rows_ahead())
        placed = self.learner.is_placed()
        for worker in self.workers:
            # Where cores are short, the learner is started again before a worker takes them.
            if not (placed or worker.handle is not None) or not worker.is_free():
                continue
            if not worker.answered:
                worker.ask("prepare")
            elif learned is not None and plays:
                worker.ask("play_round", rows, learned.version, learned.weights)

    def rows_ahead(self) -> int:
        """Training rows committed and not trained on as often as the rate limit admits, about."""
        learned = self.learned
        known = learned.backlog_rows + learned.unread_rows if learned else 0
        return known + self.announced.rows

    def _take(self, member: Member) -> list[Event]:
        """The answer of a finished call."""
        late, answer = member.late, member.receive()
        if isinstance(answer, Failure):
            self._failed(member, answer)
            return []
        member.host = answer.host
        if late:
            self.notices.append(f"{self._named(member)} answers again")
        if isinstance(answer, Ready):
            return []
        self._watchdog_of(member).succeeded()
        if member is self.learner:
            return self._take_learned(answer)
        return self._take_round(answer)

    def _watchdog_of(self, member: Member) -> Watchdog:
        return self.learner_watchdog if member is self.learner else self.workers_watchdog

    def _failed(self, member: Member, failure: Failure) -> None:
        if isinstance(failure.error, InferenceError) and (cause := self.inference.cause()):
            failure = replace(failure, reason=f"{failure.reason}; {cause}")
        delay = max(0.0, member.not_before - self.clock())
        what = {
            "died": "died",
            "preempted": "was on a node that was taken back",
            "unavailable": "cannot be reached",
            "raised": "failed",
            "refused": "cannot write to the store",
            "silent": "does not answer",
        }[failure.kind]
        if member is self.learner:
            self.announced.call_failed()
        then = "asked again" if member.handle is not None else "replaced"
        self.notices.append(
            f"{self._named(member)} {what} ({failure.reason}); {then} in {delay:.0f} s"
        )
        self.metrics.failed(failure.kind)
        if is_hopeless(failure) and self.learned is None and failure.error is not None:
            raise failure.error
        self._watchdog_of(member).failed(failure)

    def _take_learned(self, report: LearnReport) -> list[Event]:
        before, self.learned = self.learned, report
        if before is None:  # the first answer of this session
            self.budget.elapsed_before = float(report.saved.get("elapsed_s", 0.0))
            self.counts = dict(report.saved.get("counters", {}))
            self.steps_before = report.steps
            self.notices += extension_notice(self.config, self.run.info.config, report.saved)
        self.announced.taken_over()
        if not report.trained and before is not None and report.rows == before.rows:
            self.learn_again_at = self.clock() + IDLE_S
        events: list[Event] = ["learned"] if report.trained else []
        if before is None or report.version != before.version:
            self._show_weights(report)
            events.append("published")
        if before is not None and report.saved_step > before.saved_step:
            events.append("checkpoint")
        return events

    def _show_weights(self, report: LearnReport) -> None:
        """Take the new weights for those who watch, and hand them to the inference actors."""
        self.inference.load_weights(report.version, report.weights)
        try:
            state = load_state(ray.get(report.weights[0], timeout=GOODBYE_S))
        except RayError as error:
            self.notices.append(f"the new weights cannot be shown: {first_line(error)}")
            return
        self.evaluator.update(state, report.version)

    def _take_round(self, report: RoundReport) -> list[Event]:
        for name, count in report.counters.items():
            self.session[name] = self.session.get(name, 0) + count
        now = self.clock()
        if self.first_game_s is None and report.counters["games"]:
            self.first_game_s = now - self.begun
        self.announced.add(report.segments, report.counters["rows"])
        self.learn_again_at = 0.0
        self.recent.append((now, report))
        while now - self.recent[0][0] > RATE_WINDOW_S:
            self.recent.popleft()
        return ["games"]

    # -- ending ------------------------------------------------------------------------------

    def close(self) -> None:
        """Let the rounds in progress end and be committed, learn from them, save; then let go."""
        deadline = self.clock() + GOODBYE_S
        for worker in self.workers:
            if worker.handle is not None and worker.call is not None:
                worker.handle.stop.remote()
        calls = {w.call: w for w in self.workers if w.call is not None and w.answered}
        if calls:
            ready, _ = ray.wait(
                list(calls), num_returns=len(calls), timeout=GOODBYE_S, fetch_local=False
            )
            for call in ready:
                answer = calls[call].receive()
                if isinstance(answer, RoundReport):
                    self._take_round(answer)
        self._save_last(deadline)
        for member in [self.learner, *self.workers]:
            member.drop()
        self.inference.close()

    def _save_last(self, deadline: float) -> None:
        if self.learner.handle is None or self.learned is None:
            return
        left = max(1.0, deadline - self.clock())
        try:
            if self.learner.call is not None:
                ray.get(self.learner.call, timeout=left)
            share, segments = self.budget.share(self.games()), self.announced.hand_over()
            last = self.learner.handle.learn.remote(share, self.metadata(), segments, True)
            self.learned = ray.get(last, timeout=left)
            ray.get(self.learner.handle.close.remote(), timeout=left)
        except RayError as error:
            self.notices.append(f"no last checkpoint: {first_line(error)}")

    # -- telling -----------------------------------------------------------------------------

    def games(self) -> int:
        """Games finished over all sessions."""
        return self.totals().get("games", 0)

    def totals(self) -> dict[str, int]:
        """Counters over all sessions."""
        names = {*self.counts, *self.session}
        return {name: self.counts.get(name, 0) + self.session.get(name, 0) for name in names}

    def metadata(self) -> Mapping[str, Any]:
        """What a checkpoint keeps of the training beside the learner."""
        return {
            "elapsed_s": self.budget.elapsed(),
            "budget": self.budget.limits(),
            "counters": self.totals(),
        }

    def report(self, event: Event) -> Progress:
        """The training's state as its consumers see it; the notices are handed over once."""
        totals, learned = self.totals(), self.learned
        notices, self.notices = tuple(self.notices), []
        seconds = max(self.clock() - self.recent[0][0], POLL_S) if self.recent else 1.0
        seconds += self.recent[0][1].seconds if self.recent else 0.0
        steps = [r.step for _, r in self.recent]
        behind = [learned.version - step for step in steps] if learned else []

        def total(name: str) -> int:
            return totals.get(name, 0)

        def rate(name: str) -> float:
            return sum(r.counters[name] for _, r in self.recent) / seconds

        played_on = total("played_on")
        progress = Progress(
            event=event,
            evaluator=self.evaluator,
            elapsed_s=self.budget.elapsed(),
            budget_s=self.budget.seconds,
            games=total("games"),
            games_goal=self.config.games,
            positions=total("rows"),
            moves=total("plies"),
            simulations=total("simulations"),
            evaluations=total("evaluations"),
            cache_hits=total("cache_hits"),
            proven_leaves=total("proven_leaves"),
            proven_roots=total("proven_roots"),
            simulations_per_s=rate("simulations"),
            evaluations_per_s=rate("evaluations"),
            learner_steps=learned.steps if learned else 0,
            policy_loss=learned.policy_loss if learned else float("nan"),
            value_loss=learned.value_loss if learned else float("nan"),
            learning_rate=learned.learning_rate if learned else 0.0,
            network_version=learned.version if learned else 0,
            games_in_flight=len(self.workers) * worker_config(self.config).selfplay.games,
            mean_plies=total("plies") / max(total("games"), 1),
            resign_false_positive=total("false_positives") / played_on if played_on else None,
            first_game_s=self.first_game_s,
            workers=sum(worker.works for worker in self.workers),
            workers_wanted=len(self.workers),
            staleness=sum(behind) / len(behind) if behind else 0.0,
            notices=notices,
        )
        self.metrics.show(progress, learned, self.rows_ahead())
        return progress


def train_on_cluster(
    run: Run, config: TrainConfig, store_url: str, stop: Callable[[], bool]
) -> Iterator[Progress]:
    """`selfplay.loop.train` with `workers` above 0: same budget, same reports, same end.

    Raises CrashLoopError when the workers or the learner fail again and again, with the reason.
    """
    shared_url = shared_store(store_url, config.workers)
    with connected(cpus=config.workers * config.cluster.worker_cpus) as own_ray:
        training = ClusterTraining(run, config, shared_url, own_ray=own_ray)
        try:
            yield training.report("compiling")
            while not (stop() or training.is_over()):
                for event in training.step() or ["games"]:
                    yield training.report(event if training.budget.runs else "compiling")
        except CrashLoopError as error:
            training.notices.append(str(error))
            raise
        finally:
            training.close()
        yield training.report("finished")
