"""Training on Ray: workers play, a learner trains, and this driver supervises both.

    workers -> segments in the store -> learner -> weights -> workers

The actor, the trainer and the store are those of `selfplay.loop`; this file decides where they run,
which call each gets next, and what happens when one fails. All state of the driver is also in the
store: after a kill at any point, the same command continues.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import RayError

from agents.metrics import RecentCounters, metrics_of
from agents.progress import Elapsed, Event, Progress
from agents.registry import algorithm_of
from agents.running.budget import Budget, start_notice
from agents.training import TrainConfig
from selfplay.cluster.announcements import Announcements, must_wait
from selfplay.cluster.inference_server import InferenceError, InferenceServer
from selfplay.cluster.learner_node import LearnerNode, LearnReport
from selfplay.cluster.placement import (
    UNPLACED_S,
    InferenceActors,
    asked_of_nodes,
    check_own_node,
    unplaced_notice,
)
from selfplay.cluster.ray_metrics import Metrics
from selfplay.cluster.ray_session import connected, shared_store
from selfplay.cluster.supervision import (
    CrashLoopError,
    Failure,
    Member,
    Ready,
    Watchdog,
    first_line,
    is_hopeless,
)
from selfplay.cluster.worker import ROUND_S, RoundReport, Worker
from selfplay.resuming import extension_notice
from store.run import Run

POLL_S = 0.5
RATE_WINDOW_S = 30.0
IDLE_S = 2.0  # until a learner without new games is called again
LATE_S = 2 * ROUND_S  # without an answer, until an actor is reported as not working
GOODBYE_S = 60.0  # for the last rounds and the last checkpoint


class ClusterTraining:
    """One run on a cluster: its members, their reports, and the clock."""

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
        self.counts: dict[str, float] = {}
        self.session: dict[str, float] = {}
        self.newest_games = RecentCounters()
        self.recent: deque[tuple[float, RoundReport]] = deque()
        self.notices: list[str] = []
        self.learned: LearnReport | None = None
        self.first_game_s: float | None = None
        self.metrics = Metrics(run.name, algorithm_of(config).metrics)
        self._arguments = (store_url, run.name, config)
        self._own_ray = own_ray
        self._asked = asked_of_nodes(config.cluster, own_ray)
        if own_ray:
            check_own_node(self._asked)
        self.algorithm = algorithm_of(config)
        self.policy = self.algorithm.make_policy(config)
        worker = self.algorithm.worker_config(config)
        self._games_of_worker = self.algorithm.games_at_once(worker)
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
        """Start an inference actor; Ray restarts it by itself, as it holds no state to lose."""
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
            asked = self._asked["worker"]
            options = remote.options(
                num_cpus=asked["CPU"], num_gpus=asked["GPU"], max_concurrency=2
            )
            servers = self.inference.handles
            mine = servers[number % len(servers) :][:1] if servers else []
            return options.remote(*self._arguments, mine)

        return start

    # -- working -----------------------------------------------------------------------------

    def step(self) -> list[Event]:
        """Call every free member, wait for answers up to POLL_S, and return the events."""
        self._ask_learner()
        self._ask_workers()
        members = [self.learner, *self.workers]
        calls = {member.call: member for member in members if member.call is not None}
        if not calls:
            time.sleep(POLL_S)
            return []
        # Wait for one answer, then take all that are ready, so that no finished member waits.
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
        """Start the budget once a worker has compiled and learner and evaluators are ready."""
        is_used = self.learned is None or self.budget.is_used(self.totals())
        ready = any(worker.answered for worker in self.workers) and self.inference.are_up()
        if self.budget.runs or is_used or not ready:
            return []
        self.budget.start()
        return ["started"]

    def is_over(self) -> bool:
        """Return whether the budget is used.

        A session that begins with budget left makes a training step before time can end it.
        """
        if self.learned is None:
            return False
        if not self.budget.runs:
            return self.budget.is_used(self.totals())
        has_learned = self.learned.steps > self.steps_before
        is_up = self.budget.counts_are_up(self.totals())
        return is_up or (has_learned and self.budget.time_is_up())

    def _named(self, member: Member) -> str:
        """Return a member's name, with its host if there are several."""
        known = member.host and not self._own_ray
        return f"{member.name} on {member.host}" if known else member.name

    def _make_room(self) -> None:
        """Stop workers of one host to free the learner's cores; without a learner all are idle."""
        cluster = self.config.cluster
        if cluster.learner_gpus and not cluster.worker_gpus:  # no worker holds the card it needs
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
                share, segments = self.budget.share(self.totals()), self.announced.hand_over()
                self.learner.ask("learn", share, self.metadata(), segments)

    def _ask_workers(self) -> None:
        """Have new workers compile; give every other free worker a round unless it must wait."""
        learned, rows = self.learned, self.config.cluster.segment_rows
        self.notices += self.inference.notices()
        plays = self.inference.are_up() and not must_wait(self.config, self.rows_ahead())
        placed = self.learner.is_placed()
        totals = self.totals()
        elapsed = Elapsed(self.budget.share(totals), int(totals.get("rows", 0)))
        for number, worker in enumerate(self.workers):
            # Where cores are short, the learner is started again before a worker takes them.
            if not (placed or worker.handle is not None) or not worker.is_free():
                continue
            if not worker.answered:
                worker.ask("prepare")
            elif learned is not None and plays:
                now = elapsed._replace(actor=number, actors=len(self.workers))
                worker.ask("play_round", rows, learned.version, learned.weights, now)

    def rows_ahead(self) -> int:
        """Estimate the training rows committed and not yet trained on as the rate limit admits."""
        learned = self.learned
        known = learned.backlog_rows + learned.unread_rows if learned else 0
        return known + self.announced.rows

    def _take(self, member: Member) -> list[Event]:
        """Process the answer of a finished call."""
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
            self.newest_games = RecentCounters()  # from those counts on, not from none
            self.steps_before = report.steps
            self.notices += extension_notice(self.config, self.run.info.config, report.saved)
            start_rows = self.algorithm.start_rows(self.config)
            self.notices += start_notice(self.config.rows, start_rows)
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
        """Show the new weights to observers and pass them to the inference actors."""
        self.inference.load_weights(report.version, report.weights)
        try:
            data = ray.get(report.weights[0], timeout=GOODBYE_S)
        except RayError as error:
            self.notices.append(f"the new weights cannot be shown: {first_line(error)}")
            return
        self.policy.load_weights(data, report.version)

    def _take_round(self, report: RoundReport) -> list[Event]:
        for name, count in report.counters.items():
            self.session[name] = self.session.get(name, 0) + count
        now = self.clock()
        if self.first_game_s is None and report.counters["games"]:
            self.first_game_s = now - self.begun
        self.announced.add(report.segments, int(report.counters["rows"]))
        self.learn_again_at = 0.0
        self.recent.append((now, report))
        while now - self.recent[0][0] > RATE_WINDOW_S:
            self.recent.popleft()
        return ["games"]

    # -- ending ------------------------------------------------------------------------------

    def close(self) -> None:
        """Finish and commit the rounds in progress, train on them, save, release the actors.

        Workers have half of GOODBYE_S, so that one that hangs leaves time for the last checkpoint.
        """
        deadline = self.clock() + GOODBYE_S
        for worker in self.workers:
            if worker.handle is not None and worker.call is not None:
                worker.handle.stop.remote()
        calls = {w.call: w for w in self.workers if w.call is not None and w.answered}
        if calls:
            ready, _ = ray.wait(
                list(calls), num_returns=len(calls), timeout=GOODBYE_S / 2, fetch_local=False
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
            share, segments = self.budget.share(self.totals()), self.announced.hand_over()
            last = self.learner.handle.learn.remote(share, self.metadata(), segments, True)
            self.learned = ray.get(last, timeout=left)
            ray.get(self.learner.handle.close.remote(), timeout=left)
        except RayError as error:
            self.notices.append(f"no last checkpoint: {first_line(error)}")

    # -- reporting ---------------------------------------------------------------------------

    def totals(self) -> dict[str, float]:
        """Return the counters over all sessions."""
        names = {*self.counts, *self.session}
        return {name: self.counts.get(name, 0) + self.session.get(name, 0) for name in names}

    def metadata(self) -> Mapping[str, Any]:
        """Return what a checkpoint stores of the run besides the learner."""
        return self.budget.metadata(self.totals())

    def report(self, event: Event) -> Progress:
        """Return the state of the run; each notice is returned once."""
        totals, learned = self.totals(), self.learned
        notices, self.notices = tuple(self.notices), []
        seconds = max(self.clock() - self.recent[0][0], POLL_S) if self.recent else 1.0
        seconds += self.recent[0][1].seconds if self.recent else 0.0
        steps = [r.step for _, r in self.recent]
        behind = [learned.version - step for step in steps] if learned else []

        made: dict[str, float] = {}
        for _, answer in self.recent:
            for name, count in answer.counters.items():
                made[name] = made.get(name, 0) + count
        rates = {name: count / seconds for name, count in made.items()}
        share = self.budget.share(totals)
        figures = {"learning_rate": self.algorithm.learning_rate(self.config, share)}
        figures |= learned.learned if learned else {}
        progress = Progress(
            event=event,
            policy=self.policy,
            elapsed_s=self.budget.elapsed(),
            budget_s=self.budget.seconds,
            games=int(totals.get("games", 0)),
            games_goal=self.config.games,
            positions=int(totals.get("rows", 0)),
            learner_steps=learned.steps if learned else 0,
            network_version=learned.version if learned else 0,
            games_in_flight=len(self.workers) * self._games_of_worker,
            first_game_s=self.first_game_s,
            metrics=metrics_of(
                self.algorithm.metrics, totals, rates, figures, self.newest_games.add(totals)
            ),
            workers=sum(worker.works for worker in self.workers),
            workers_wanted=len(self.workers),
            staleness=sum(behind) / len(behind) if behind else 0.0,
            notices=notices,
            rows_goal=self.config.rows,
        )
        self.metrics.show(progress, learned, self.rows_ahead())
        return progress


def train_on_cluster(
    run: Run, config: TrainConfig, store_url: str, stop: Callable[[], bool]
) -> Iterator[Progress]:
    """Train as `selfplay.loop.train` with `workers` above 0: same budget, reports and end.

    Raises CrashLoopError when the workers or the learner fail repeatedly, with the reason.
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
