"""PPO's interface to runs: it drives itself, on RLlib, and shares all else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from agents.cores import allowed_cores, use_threads
from agents.learning_method import Surgery, saved_checkpoint
from agents.ppo.config import PPOConfig
from agents.ppo.metrics import METRICS
from agents.ppo.schedules import learning_rate_at
from agents.ppo.stored_spec import SPEC, read_spec, spec_document
from agents.progress import Progress
from agents.running.compiling import one_at_a_time
from agents.running.session import Session
from agents.running.trajectories import ROWS, TrajectoryLog, match_schema
from agents.self_driven import SelfDriven
from envs.registry import TEAM_GAMES
from envs.teams import ActionHead, TeamSpec, find_team
from envs.vector import EnvironmentSpec, typed_environment
from store.checkpoints import MODEL_FILE, Checkpoint
from store.errors import RunMismatchError
from store.replay.window import Window
from store.run import Run
from store.settings import read_settings

GREEDY = "greedy"  # an agent's option
ORIGIN = "surgery"  # in a checkpoint's "rest": the run and step that it was made from


class PPOMethod(SelfDriven[PPOConfig]):
    """PPO (Schulman et al. 2017) for teams (OpenAI et al. 2019) and for one agent."""

    name = "ppo"
    config = PPOConfig
    metrics = METRICS
    threads_setting = "environment.threads"
    memory_settings = "--environment.matches or --learner.rollout"
    when_asked = ("environment.threads", "trajectories.matches", "trajectories.steps")
    trajectories_setting = "trajectories.matches"
    learns_teams = True

    def acts_in(self, game: str) -> bool:
        """Return whether it is an environment without opponents, which has scores."""
        return game not in TEAM_GAMES

    def environment(self, config: PPOConfig) -> TeamSpec:
        """Return what is known of the environment; raises ValueError for an unknown name."""
        return find_team(typed_environment(config.game))

    def learning_rate(self, config: PPOConfig, progress: float) -> float:
        """Return the learning rate at a used share of the budget."""
        return learning_rate_at(config.learner, progress)

    def acting_threads(self, config: PPOConfig) -> int:
        """Return the threads of acting and of learning, which take turns."""
        return max(1, min(config.environment.threads, allowed_cores()))

    def games_at_once(self, config: PPOConfig) -> int:
        """Return the matches of a worker."""
        return config.environment.matches

    def kept_replay(self, config: PPOConfig) -> Window:
        """Return the steps of recorded matches that stay, for readers; resuming needs none."""
        return Window(config.trajectories.steps, ROWS)

    def ray_cores(self, config: PPOConfig) -> int:
        """Return the cores of Ray, without which RLlib makes no runner, not even a local one."""
        runners = config.workers * config.cluster.worker_cpus
        return max(1, runners + config.learners * config.cluster.learner_cpus)

    def train(self, run: Run, config: PPOConfig, stop: Callable[[], bool]) -> Iterator[Progress]:
        """See `SelfDriven.train`."""
        from agents.ppo.playing.warm_up import warm_up
        from agents.ppo.training import Training, make_matches  # RLlib takes seconds to import

        session = Session(run, config, self)
        spec = self.environment(config)
        check_spec(spec, session.checkpoint, run.name)
        rest = rest_of(spec, session.checkpoint)
        if not session.begins():
            yield session.report("finished")
            return
        yield session.report("compiling")
        use_threads(self.acting_threads(config))
        with one_at_a_time():
            warm_up(config, make_matches)
        training = Training(config, spec)
        try:
            if session.checkpoint:
                training.load(session.checkpoint)
            session.policy = training
            log = TrajectoryLog(run, session.open_episodes(match_schema(spec)))
            with session.saved_at_end(training.files, lambda: rest):
                session.start()
                yield session.report("started")
                while session.goes_on(stop):
                    done = training.iterate(session.share)
                    log.add(done.trajectories)
                    session.note(training.updates, done.metrics, **done.made)
                    yield session.report("learned", done.notices)
                    if session.checkpoint_due():
                        session.save(training.files(), rest)
                        yield session.report("checkpoint")
            yield session.report("finished")
        finally:
            training.close()

    def surgery(self, run: Run, step: int | None, config: PPOConfig) -> Surgery:
        """Return a checkpoint for a wider network or another environment (`agents.ppo.surgery`).

        The environment of the run is as its checkpoint describes it, or else what it is now.
        """
        from agents.ppo.surgery.blueprint import Blueprint
        from agents.ppo.surgery.checkpoint import transferred_files

        before = read_settings(PPOConfig, run.info.config, f"run {run.name!r}")
        saved = saved_checkpoint(run, step, names=None)
        spec = self.environment(config)
        document = saved.metadata.get("rest", {}).get(SPEC)
        if document is not None:
            learned = read_spec(document, f"run {run.name!r}")
        else:
            learned = spec if run.info.game == spec.name else find_team(run.info.game)
        old = Blueprint(learned, before.network, f"run {run.name!r}")
        new = Blueprint(spec, config.network, "the new settings")
        files, told = transferred_files(saved, old, new, config.pool, config.seed)
        rest = {SPEC: spec_document(spec), ORIGIN: {"run": run.name, "step": saved.step}}
        return Surgery(Checkpoint(saved.step, files, {"rest": rest}), told)

    def team_agent(
        self,
        run: Run,
        step: int | None,
        options: Mapping[str, str],
        *,
        spec: TeamSpec,
        name: str,
        device: str,
    ) -> Any:
        """Return a checkpoint as an agent that plays a team, the newest if `step` is None.

        It draws its actions as in training; with the option `greedy=true` it takes the likeliest.
        Raises ValueError for other options and values, and the store's errors.
        """
        return self._agent(run, step, options, spec, name, device)

    def environment_agent(
        self,
        run: Run,
        step: int | None,
        options: Mapping[str, str],
        *,
        spec: EnvironmentSpec,
        name: str,
        device: str,
    ) -> Any:
        """Return a checkpoint as an agent of an environment of one player; see `team_agent`.

        The environment is that of `spec`, which a person named: a store does not say where code is.
        """
        from agents.ppo.playing.agent import SoloAgent

        team = TeamSpec(
            name=spec.name,
            kind="gymnasium",
            teams=1,
            agents=1,
            observation_shape=spec.observation_shape,
            observation_dtype=spec.observation_dtype,
            heads=(ActionHead("action", spec.num_actions),),
        )
        chosen = {key: value for key, value in options.items() if key != "epsilon"}
        agent = self._agent(run, step, chosen, team, name, device)
        return SoloAgent(agent, spec.num_actions, float(options.get("epsilon", "0")))

    def _agent(
        self,
        run: Run,
        step: int | None,
        options: Mapping[str, str],
        spec: TeamSpec,
        name: str,
        device: str,
    ) -> Any:
        from agents.ppo.network.team_network import build_network
        from agents.ppo.playing.agent import PPOAgent
        from agents.torch_device import choose_device
        from agents.torch_state import load_state

        config = read_settings(PPOConfig, run.info.config, f"run {run.name!r}")
        greedy = _greedy_of(options)
        network = build_network(
            spec, config.network, seed=config.seed, device=choose_device(device)
        )
        saved = saved_checkpoint(run, step)
        try:
            network.load_state_dict(load_state(saved.files[MODEL_FILE]))
        except RuntimeError as error:
            raise ValueError(
                f"run {run.name!r} learned {run.info.game!r}; its network does not fit "
                f"{spec.name!r}, whose observations or actions are others"
            ) from error
        return PPOAgent(network.requires_grad_(False).eval(), greedy=greedy, name=name)


def check_spec(spec: TeamSpec, checkpoint: Checkpoint | None, run_name: str) -> None:
    """Raise RunMismatchError if the environment is another than when a checkpoint was saved.

    Equal sizes could have another meaning, and would train on without a word.
    """
    rest = checkpoint.metadata.get("rest", {}) if checkpoint else {}
    if SPEC not in rest:
        return
    now = spec_document(spec)
    then = spec_document(read_spec(rest[SPEC], f"run {run_name!r}"))
    other = [name for name in now if now[name] != then[name]]
    if other:
        told = "; ".join(f"{name} was {then[name]!r}, is {now[name]!r}" for name in other)
        raise RunMismatchError(
            f"run {run_name!r}: its environment {spec.name!r} has changed ({told}): ludens surgery "
            "makes a run of it that fits, or choose another run name"
        )


def rest_of(spec: TeamSpec, checkpoint: Checkpoint | None) -> dict[str, Any]:
    """Return what each checkpoint of a run has as "rest": its environment, and where it came from.

    `checkpoint` is the one that it continues from.
    """
    before = checkpoint.metadata.get("rest", {}) if checkpoint else {}
    kept = {ORIGIN: before[ORIGIN]} if ORIGIN in before else {}
    return {SPEC: spec_document(spec), **kept}


def _greedy_of(options: Mapping[str, str]) -> bool:
    """Return the option `greedy`; raises ValueError for another option or value."""
    for key, value in options.items():
        if key != GREEDY:
            raise ValueError(f"option {key!r}: expected {GREEDY}=true or {GREEDY}=false")
        if value not in ("true", "false"):
            raise ValueError(f"{GREEDY}={value}: expected true or false")
    return options.get(GREEDY, "false") == "true"


PPO = PPOMethod()
