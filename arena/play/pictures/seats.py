"""An environment with pictures and the agent that plays it, by their names.

An agent is `random`, `human`, RUN, RUN@STEP, or one of a run with a share of random actions of its
own, RUN:epsilon=0. The environment, its protocol and the share are the run's unless named.
"""

from __future__ import annotations

from dataclasses import dataclass

from agents.environment_agents import EnvironmentAgent, RandomAgent
from agents.registry import method_of_run
from arena.evaluation.evaluator import Evaluator, Setting
from arena.evaluation.settings import DEFAULT_PROTOCOL, EvaluationSettings
from arena.evaluation.teams import TeamSetting
from arena.match.contenders import newest_step
from arena.names import HUMAN, RESERVED, SCRIPTS, AgentNameError, parse_agent_name
from arena.play.pictures.session import PictureSession
from envs.pictures.finding import make_pictured
from envs.vector import EnvironmentClass, find_environment
from store import checkpoints
from store.errors import CheckpointNotFoundError, RunNameError, RunNotFoundError, StoreError
from store.run import Run, list_runs, nearest_names, open_run

RANDOM = "random"
Named = str | EnvironmentClass


@dataclass(frozen=True)
class Seat:
    """Who plays what.

    Attributes:
        environment: as `make_pictured` takes it.
        protocol: of a game of Atari.
        agent: None for a person alone.
        run: of the agent, or None.
        step: of its checkpoint, or None.
    """

    environment: Named
    protocol: str
    agent: EnvironmentAgent | None
    run: Run | None = None
    step: int | None = None

    def sit(self, seed: int) -> PictureSession:
        """Begin a session. Raises as `make_pictured`."""
        environment = make_pictured(self.environment, seed=seed, protocol=self.protocol)
        return PictureSession(environment, self.agent, seed=seed)


def find_seat(
    text: str,
    store_url: str,
    *,
    environment: Named | None = None,
    protocol: str = "",
    epsilon: float | None = None,
    device: str = "auto",
) -> Seat:
    """Find an agent of an environment.

    Args:
        text: the agent's name.
        store_url: of the runs.
        environment: what is played; None is what the run learned.
        protocol: of a game of Atari; "" is the run's own.
        epsilon: share of random actions; None is the protocol's.
        device: where its network runs.

    Raises:
        AgentNameError: there is no such agent, or it does not play this environment.
        ValueError: there is no such environment or protocol.
        StoreError: the run cannot be read.
    """
    name, step, options = parse_agent_name(text)
    settings = EvaluationSettings(protocol=protocol, epsilon=epsilon, device=device)
    if name in RESERVED:
        if name not in (RANDOM, HUMAN):
            games = "games of teams" if name in SCRIPTS else "board games"
            raise AgentNameError(
                f"agent {text!r} plays {games}; in an environment there are random, human, and "
                "the names of runs"
            )
        if environment is None:
            raise AgentNameError(f"agent {text!r}: name the environment, as in --env breakout")
        setting = Setting(environment, protocol or DEFAULT_PROTOCOL, settings)
        agent = RandomAgent(setting.spec.num_actions) if name == RANDOM else None
        return Seat(environment, protocol or DEFAULT_PROTOCOL, agent)
    return _seat_of_run(text, _find_run(name, store_url), step, options, settings, environment)


def _find_run(name: str, store_url: str) -> Run:
    """Open a run by its name; AgentNameError with the nearest name."""
    try:
        return open_run(store_url, name)
    except (RunNotFoundError, RunNameError):
        known = [RANDOM, HUMAN, *list_runs(store_url)]
        near = nearest_names(name, known)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        listed = ", ".join(known[:12]) + (", ..." if known[12:] else "")
        raise AgentNameError(f"no agent {name!r}{hint} (there are {listed})") from None


def _seat_of_run(
    text: str,
    run: Run,
    step: int | None,
    options: dict[str, str],
    settings: EvaluationSettings,
    environment: Named | None,
) -> Seat:
    evaluator = Evaluator(run, settings, environment)
    setting = evaluator.setting
    if isinstance(setting, TeamSetting):
        raise AgentNameError(
            f"agent {text!r} plays {setting.spec.name!r}, which has no screen here: "
            f"ludens evaluate {run.name} measures its score"
        )
    step = newest_step(run) if step is None else step
    is_own = settings.epsilon is not None or bool(options)  # then the name shows the share
    options = {"epsilon": f"{setting.epsilon:g}", **options}
    told = ",".join(f"{key}={options[key]}" for key in sorted(options)) if is_own else ""
    try:
        agent = method_of_run(run.info).environment_agent(
            run,
            step,
            options,
            spec=setting.spec,
            name=f"{run.name}@{step}" + (f":{told}" if told else ""),
            device=settings.device,
        )
    except CheckpointNotFoundError:
        listed = ", ".join(map(str, checkpoints.steps(run)[-8:])) or "none yet"
        raise AgentNameError(
            f"agent {text!r}: run {run.name!r} has no checkpoint {step}; the newest are {listed}"
        ) from None
    except ValueError as error:
        raise AgentNameError(f"agent {text!r}: {error}") from None
    protocol = setting.spec.protocol or DEFAULT_PROTOCOL
    return Seat(environment or run.info.game, protocol, agent, run, step)


def default_agent(environment: Named, store_url: str) -> tuple[str, str]:
    """Choose the environment's newest run with a checkpoint, else a person alone; say which.

    Unreadable runs, and those of algorithms for board games, are passed over.
    """
    name = find_environment(environment).name
    runs = [run for found in list_runs(store_url) if (run := _playable(found, name, store_url))]
    if not runs:
        there = f"no run of {name} in {store_url!r}"
        return HUMAN, f"{there}: you play alone (--agent random shows an agent)"
    newest = max(runs, key=lambda run: (run.info.created, run.name)).name
    return newest, f"{newest!r} is the newest run in {store_url!r} (--agent names another)"


def _playable(name: str, environment: str, store_url: str) -> Run | None:
    try:
        run = open_run(store_url, name)
        if run.info.game != environment or not checkpoints.steps(run):
            return None
        return run if method_of_run(run.info).acts_in(environment) else None
    except (StoreError, OSError):
        return None
