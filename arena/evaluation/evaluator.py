"""Evaluate a run's checkpoints in its environment, each once.

An evaluation's key says what the scores are of: environment, step, protocol, epsilon and seed. The
run's store has the evaluations that were made, and one of the same key with enough games is read,
not played again. It counts in however many environments at once it was played: these decide which
games a seed plays, but not how likely a score is.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np

from agents.environment_agents import EnvironmentAgent, RandomAgent
from agents.learning_method import LearningMethod
from agents.registry import method_of_run
from arena.evaluation.best import ReadOnce, note_best_scored
from arena.evaluation.games import Report, play_games
from arena.evaluation.records import (
    Evaluation,
    EvaluationKey,
    find_evaluation,
    read_evaluations,
    store_evaluation,
)
from arena.evaluation.settings import DEFAULT_PROTOCOL, EvaluationSettings, no_report
from arena.evaluation.teams import TeamSetting
from arena.names import AgentNameError
from envs.atari.protocol import find_protocol
from envs.vector import (
    EnvironmentClass,
    EnvironmentNameError,
    EnvironmentSpec,
    UnsupportedEnvironmentError,
    find_environment,
    make_vector,
)
from store import checkpoints
from store.errors import CheckpointError, StoreWriteError
from store.run import Run, RunInfo

_logger = logging.getLogger("ludens.arena")


class Setting:
    """An environment under a protocol, in which agents are evaluated.

    Args:
        name: of the environment; a class of a user's own as typed, never as stored.
        protocol: of an Atari game.
        settings: see there.

    Attributes:
        spec: of the environment.
        epsilon: share of random actions.

    Raises:
        ValueError: there is no such environment or protocol, or a protocol is asked for where there
            is none.
    """

    def __init__(
        self, name: str | EnvironmentClass, protocol: str, settings: EvaluationSettings
    ) -> None:
        self._name = name
        self.settings = settings
        self._protocol = find_protocol(protocol)
        self.spec: EnvironmentSpec = find_environment(name, self._protocol)
        is_atari = self.spec.kind == "atari"
        if settings.protocol and not is_atari:
            raise ValueError(
                f"protocol {settings.protocol!r}: {self.spec.name!r} is no game of Atari, and has "
                "its own rules alone"
            )
        self._frames_a_step = self._protocol.frame_skip if is_atari else 1
        own_epsilon = self._protocol.evaluation_epsilon if is_atari else 0.0
        self.epsilon = own_epsilon if settings.epsilon is None else settings.epsilon

    @property
    def protocol(self) -> str:
        """Return the name of the protocol; "" for other environments than Atari."""
        return self.spec.protocol

    def key(self, step: int | None) -> EvaluationKey:
        """Return the key of the evaluation of a checkpoint, or of another agent."""
        spec = self.spec
        return EvaluationKey(spec.name, step, spec.protocol, self.epsilon, self.settings.seed)

    def play(
        self, agent: EnvironmentAgent, step: int | None, report: Report = no_report
    ) -> Evaluation:
        """Play the games of an agent.

        The same seed repeats them with as many games in as many environments at once.
        """
        settings = self.settings
        environment = make_vector(
            self._name,
            min(settings.environments, settings.games),
            seed=settings.seed,
            protocol=self._protocol,
            training=False,
            threads=settings.threads,
        )
        try:
            rng = np.random.default_rng([settings.seed, 1])
            measures = self.spec.measures
            games = play_games(agent, environment, settings.games, rng, report, measures)
        finally:
            environment.close()
        frames = int(games.lengths.sum()) * self._frames_a_step
        counts = {m.name: games.counts[:, place] for place, m in enumerate(measures)}
        return Evaluation(self.key(step), games.scores, games.lengths, frames, counts=counts)

    def play_random(self, report: Report = no_report) -> Evaluation:
        """Play the games of an agent of random actions, which is what an epsilon of 1 means."""
        self.epsilon = 1.0
        return self.play(RandomAgent(self.spec.num_actions), None, report)

    def play_run(
        self, method: LearningMethod[Any], run: Run, step: int, name: str, report: Report
    ) -> Evaluation:
        """Play the games of a checkpoint; raises as `LearningMethod.environment_agent`."""
        agent = method.environment_agent(
            run,
            step,
            {"epsilon": str(self.epsilon)},
            spec=self.spec,
            name=name,
            device=self.settings.device,
        )
        return self.play(agent, step, report)


def find_setting(
    name: str | EnvironmentClass, protocol: str, settings: EvaluationSettings
) -> Setting | TeamSetting:
    """Find an environment as one of one player with choices, or else as one of a team.

    Raises as `Setting` for a name that is neither.
    """
    try:
        return Setting(name, protocol, settings)
    except (EnvironmentNameError, UnsupportedEnvironmentError) as error:
        try:
            return TeamSetting(name, settings)
        except (EnvironmentNameError, UnsupportedEnvironmentError) as other:
            raise (other if "." in str(name) else error) from None  # "mpe2.simple_spread_v3"


def evaluate_random(
    name: str | EnvironmentClass, settings: EvaluationSettings, report: Report = no_report
) -> Evaluation:
    """Evaluate random play in an environment; raises as `find_setting`."""
    setting = find_setting(name, settings.protocol or DEFAULT_PROTOCOL, settings)
    return setting.play_random(report)


class Evaluator:
    """Evaluates checkpoints of one run.

    Args:
        run: the run.
        settings: see there.
        environment: as a person named it, where the run learned a class of their own.

    Raises:
        AgentNameError: the run learned a board game, or another environment than the one named, or
            one that has to be named, or other actions than the protocol asked for has.
        ValueError: as `Setting`.
    """

    def __init__(
        self,
        run: Run,
        settings: EvaluationSettings,
        environment: str | EnvironmentClass | None = None,
    ) -> None:
        self.run = run
        self.settings = settings
        self._read_once = ReadOnce(run.files)
        self._algorithm = method_of_run(run.info)
        if not self._algorithm.acts_in(run.info.game):
            raise AgentNameError(
                f"run {run.name!r} learned {run.info.game!r}, where agents play matches and have "
                f"no scores: `ludens rate {run.name}` rates its checkpoints"
            )
        name, own = _environment_of(run, environment), own_protocol(run.info)
        find = find_setting if self._algorithm.learns_teams else Setting
        self.setting: Setting | TeamSetting = find(name, settings.protocol or own, settings)
        if settings.protocol not in ("", own) and isinstance(self.setting, Setting):
            _check_actions(run, find_environment(name, own), self.setting.spec)

    def recorded(self) -> list[Evaluation]:
        """Read the stored evaluations, by step: those of these settings, with enough games."""
        return [
            evaluation
            for evaluation in read_evaluations(self.run.files)
            if evaluation.key == self.setting.key(evaluation.key.step)
            and evaluation.games >= self.settings.games
        ]

    def find(self, step: int) -> Evaluation | None:
        """Read the evaluation of a checkpoint; None if it was not evaluated."""
        return find_evaluation(self.run.files, self.setting.key(step), self.settings.games)

    def evaluate(
        self, step: int, report: Report = no_report, *, must_record: bool = True
    ) -> Evaluation:
        """Return the evaluation of a checkpoint, played and stored unless it is there.

        Notes the run's best checkpoint by score, so that pruning keeps it.

        Args:
            step: of the checkpoint.
            report: is called as games end.
            must_record: raise where the evaluation cannot be stored; else warn, as the scores of
                minutes of play are worth something without.

        Raises the store's errors, among them CheckpointNotFoundError.
        """
        if (stored := self.find(step)) is not None:
            note_best_scored(self.run, self._read_once)
            return stored
        evaluation = self._played(step, report)
        try:
            evaluation = store_evaluation(self.run.files, evaluation)
        except StoreWriteError as error:
            if must_record:
                raise
            _logger.warning("the evaluation of %s is not recorded: %s", self.run.name, error)
            return evaluation
        note_best_scored(self.run, self._read_once)
        return evaluation

    def _played(self, step: int, report: Report) -> Evaluation:
        saved = self._metadata(step)
        name = self.agent_name(step)
        played = self.setting.play_run(self._algorithm, self.run, step, name, report)
        rows, seconds = saved.get("counters", {}).get("rows"), saved.get("elapsed_s")
        return replace(
            played,
            minutes=None if seconds is None else float(seconds) / 60.0,
            rows=None if rows is None else int(rows),
        )

    def agent_name(self, step: int) -> str:
        """Return the exact name of a checkpoint as it is evaluated."""
        name = f"{self.run.name}@{step}"
        if isinstance(self.setting, TeamSetting):
            return name
        return f"{name}:epsilon={self.setting.epsilon:g}"

    def _metadata(self, step: int) -> dict[str, Any]:
        try:
            return checkpoints.read_metadata(self.run, step)
        except CheckpointError:  # loading the agent says what is wrong with it
            return {}


def _check_actions(run: Run, learned: EnvironmentSpec, asked: EnvironmentSpec) -> None:
    """Raise AgentNameError where an action's number does not mean what it meant in training."""
    if learned.action_names != asked.action_names:
        raise AgentNameError(
            f"run {run.name!r} learned the {learned.num_actions} actions of protocol "
            f"{learned.protocol!r}, and {asked.protocol!r} has {asked.num_actions} in "
            f"{asked.name!r}: its agents cannot act by it"
        )


def own_protocol(info: RunInfo) -> str:
    """Return the protocol that a run was trained by."""
    table = info.config.get("environment")
    named = table.get("protocol") if isinstance(table, dict) else None
    return str(named or DEFAULT_PROTOCOL)


def _environment_of(run: Run, named: str | EnvironmentClass | None) -> str | EnvironmentClass:
    """Return the run's environment. A store never says where code is, so a person has to."""
    learned = run.info.game
    if named is None:
        if ":" in learned:
            raise AgentNameError(
                f"run {run.name!r} learned {learned!r}, an environment of its own; a store never "
                f"says where code is, so name it: --env {learned}"
            )
        return learned
    if str(named) != learned and find_environment(named).name != learned:
        raise AgentNameError(f"run {run.name!r} learned {learned!r}, not {str(named)!r}")
    return named
