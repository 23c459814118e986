"""An algorithm with a loop of its own shares the run, its lock, its store and its displays."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import pytest

import ludens
from agents.registry import algorithm_of, method_of
from agents.running import session as sessions
from selfplay import doctor
from selfplay.interleaved import train_in_turns
from selfplay.journal import Journal
from selfplay.loop import train
from selfplay.package_check import ROOT
from selfplay.tensorboard_log import scalars
from store import checkpoints
from store.errors import RunLockedError, RunMismatchError, StoreUrlError
from store.progress.summary import summarize_store
from store.replay.log import ReplayLog
from store.run import open_run
from store.upkeep.keeps import kept_names
from store.upkeep.minutes import at_minutes
from tests.random_search import METRICS, RANDOM_SEARCH, SCHEMA, RandomSearch, Search, SearchConfig

RUN = "search"
CONFIG = SearchConfig(minutes=0, games=80, seed=5, checkpoint_rows=600)


def stages_of(store, config=CONFIG, **words):
    return train(config, store_url=str(store), run_name=RUN, **words)


def finish(store, config=CONFIG):
    return [*stages_of(store, config)][-1]


def outcome(store):
    """What a run came to: the weights, the counters and the step, and not the time it took."""
    saved = checkpoints.latest_valid(open_run(str(store), RUN))
    rest, counters = saved.metadata["rest"], saved.metadata["counters"]
    return saved.step, rest, counters, saved.files[checkpoints.MODEL_FILE]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    store = tmp_path_factory.mktemp("search")
    with Journal(str(store), RUN, {"cores": 2}) as journal:
        for stage in stages_of(store):
            journal.show(stage)
    return store, stage


def test_it_learns_and_ends_with_its_budget(trained):
    store, last = trained
    assert (last.event, last.games, last.games_goal, last.learner_steps) == ("finished", 80, 80, 20)
    assert last.budget_is_used
    assert last.games_in_flight == 4
    assert last.metrics["best_return"] > 100  # a policy that does nothing has about 9
    step, rest, counters, _ = outcome(store)
    assert (step, counters["games"], rest["best"]) == (20, 80, last.metrics["best_return"])
    assert last.metrics["mean_return"] == counters["returns"] / 80 == counters["rows"] / 80
    curves = dict(scalars(last, METRICS))
    assert curves["learner/best_return"] == last.metrics["best_return"]


def test_the_games_that_it_committed_are_those_that_it_counted(trained):
    store, last = trained
    log = ReplayLog(open_run(str(store), RUN), SCHEMA)
    batches = log.poll()
    assert sum(map(len, batches)) == 80
    assert sum(batch.rows("action") for batch in batches) == last.positions


def test_stopped_it_saves_and_goes_on_to_the_same_end(trained, tmp_path):
    seen = []
    for stage in stages_of(tmp_path, stop=lambda: len(seen) >= 5):
        seen.append(stage)
    assert seen[0].event == "compiling"
    assert seen[-1].event == "finished"
    assert not seen[-1].budget_is_used
    step, _, counters, _ = outcome(tmp_path)
    assert step == seen[-1].learner_steps < 20
    assert counters["games"] == seen[-1].games == 4 * step
    resumed = next(stages_of(tmp_path))
    assert (resumed.games, resumed.learner_steps) == (4 * step, step)
    assert finish(tmp_path).games == 80
    assert outcome(tmp_path) == outcome(trained[0])
    again = [*stages_of(tmp_path)]  # nothing is left
    assert [stage.event for stage in again] == ["started", "finished"]


def test_a_closed_generator_saves_and_an_error_within_a_step_does_not(tmp_path, monkeypatch):
    stages = stages_of(tmp_path, replace(CONFIG, checkpoint_rows=10**6))
    while next(stages).learner_steps < 3:
        pass
    stages.close()
    assert outcome(tmp_path)[0] == 3
    whole = Search.step

    def broken(self, number):
        if number == 5:
            raise ArithmeticError("half of a step")
        return whole(self, number)

    monkeypatch.setattr(Search, "step", broken)
    with pytest.raises(ArithmeticError, match="half of a step"):
        finish(tmp_path, replace(CONFIG, checkpoint_rows=10**6))
    assert outcome(tmp_path)[0] == 3


KILLED = """
import os, sys
from selfplay.loop import train
from tests.selfplay.test_self_driven import CONFIG, RUN
for at in (1, 4, 9):
    child = os.fork()
    if not child:
        for number, _ in enumerate(train(CONFIG, store_url=f"{sys.argv[1]}/{at}", run_name=RUN)):
            if number == at:
                os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
"""


@pytest.mark.slow
def test_killed_and_resumed_it_comes_to_the_same_weights(trained, tmp_path):
    """After a kill there may be games that no checkpoint knows: they stay, and nothing fails."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    subprocess.run(command, env=environment, cwd=ROOT, check=True)
    for store in (tmp_path / "1", tmp_path / "4", tmp_path / "9"):
        assert finish(store).games == 80
        assert outcome(store) == outcome(trained[0])
        assert not (store / RUN / "quarantine").exists()
        log = ReplayLog(open_run(str(store), RUN), SCHEMA)
        assert sum(map(len, log.poll())) == 80  # of a game made again one counts


def test_a_second_trainer_is_refused(tmp_path):
    stages = stages_of(tmp_path)
    next(stages)
    with pytest.raises(RunLockedError):
        next(stages_of(tmp_path))
    stages.close()
    assert finish(tmp_path).games == 80


def test_by_the_clock_its_minutes_are_named_and_a_larger_budget_is_told(tmp_path, monkeypatch):
    """With a step a minute: the first one after 2.5 minutes is the third."""
    now, whole = [0.0], Search.step

    def of_a_minute(self, number):
        now[0] += 60.0
        return whole(self, number)

    monkeypatch.setattr(Search, "step", of_a_minute)
    monkeypatch.setattr(RandomSearch, "clock", lambda self: now[0])
    monkeypatch.setattr(RandomSearch, "keep_minutes", (2.5, 60.0))
    config = replace(CONFIG, games=0, minutes=6, checkpoint_rows=0, checkpoint_minutes=4.0)
    stages = [*stages_of(tmp_path, config)]
    assert (stages[-1].elapsed_s, stages[-1].budget_s, stages[-1].learner_steps) == (360, 360, 6)
    run = open_run(str(tmp_path), RUN)
    assert at_minutes(kept_names(run.files)) == {2.5: 3}
    assert checkpoints.steps(run) == [3, 6]  # the last one; none was due four minutes after 3
    longer = stages_of(tmp_path, replace(config, minutes=8))
    (told,) = next(longer).notices
    assert told.startswith("extended from 6 minutes to 8 minutes")
    assert [stage.notices for stage in longer if stage.notices] == []
    assert checkpoints.steps(run) == [3, 6, 8]


def test_a_session_that_time_could_end_at_once_makes_a_step(tmp_path):
    config = replace(CONFIG, games=0, minutes=1e-9)
    assert finish(tmp_path, config).learner_steps == 1


def test_old_checkpoints_and_games_are_dropped(tmp_path):
    config = replace(CONFIG, games=96, checkpoint_rows=1, kept_rows=100)
    finish(tmp_path, config)
    run = open_run(str(tmp_path), RUN)
    steps = checkpoints.steps(run)
    assert {20, 21, 22, 23, 24} <= {*steps}
    assert len(steps) < 20
    rows = [batch.rows("action") for batch in ReplayLog(run, SCHEMA).poll()]
    assert len(rows) < 12  # of 24
    assert sum(rows) >= 100
    finish(tmp_path / "all", replace(config, games=64, keep_all=True))
    assert len(checkpoints.steps(open_run(str(tmp_path / "all"), RUN))) == 16


def test_turns_are_taken_with_it(tmp_path):
    configs = {name: replace(CONFIG, seed=seed, games=16) for name, seed in (("a", 1), ("b", 2))}
    last = {}
    for name, stage in train_in_turns(configs, store_url=str(tmp_path), turn_s=0.0):
        last[name] = stage
    assert {name: stage.games for name, stage in last.items()} == {"a": 16, "b": 16}


def test_settings_that_it_began_with_stay(trained):
    with pytest.raises(RunMismatchError, match="matches is 4, not 5"):
        next(stages_of(trained[0], replace(CONFIG, matches=5)))


def test_the_loop_of_an_actor_does_not_take_it():
    assert method_of(CONFIG) is RANDOM_SEARCH
    with pytest.raises(TypeError, match="'random_search' has a loop of its own"):
        algorithm_of(CONFIG)


def test_ray_is_started_around_it_if_it_has_workers(tmp_path, monkeypatch):
    events = []

    @contextmanager
    def connected(cpus):
        events.append(cpus)
        yield True
        events.append("closed")

    monkeypatch.setattr("selfplay.cluster.ray_session.connected", connected)
    config = replace(CONFIG, workers=2, games=8)
    assert finish(tmp_path, config).games == 8
    assert events == [3, "closed"]
    with pytest.raises(StoreUrlError, match="lives in one process"):
        next(train(config, store_url="memory://x", run_name=RUN))


def test_counters_of_a_writer_without_a_log_keep_their_place(tmp_path):
    """A session that opens no log of episodes forgets no cursor, so old games can be dropped."""
    finish(tmp_path, replace(CONFIG, games=8))
    run = open_run(str(tmp_path), RUN)
    before = checkpoints.newest_metadata(run)["cursor"]
    with run.lock_trainer():
        session = sessions.Session(run, replace(CONFIG, games=80), RANDOM_SEARCH)
        session.start()
        session.note(3, {}, games=4, rows=40)
        session.save({checkpoints.MODEL_FILE: b"x"})
    assert before == checkpoints.newest_metadata(run)["cursor"] != {}


def test_every_command_shows_it(trained, capsys, tmp_path):
    store, _ = trained

    def said(*words):
        assert ludens.main([*words, "--store", str(store)]) == 0
        return capsys.readouterr().out

    assert "CartPole-v1" in said("runs")
    (summary,) = summarize_store(str(store))
    assert (summary.state, summary.games, summary.step) == ("finished", 80, 20)
    watched = said("watch", RUN, "--once")
    assert "80 of 80 games" in watched
    assert "return a game" in watched
    found = json.loads(said("watch", RUN, "--once", "--json"))
    assert (found["state"], found["progress"]["learner_steps"]) == ("finished", 20)
    scores = json.loads(said("evaluate", RUN, "--games", "5", "--json"))
    assert scores["mean"] > 50
    page = tmp_path / "page.html"
    said("report", RUN, "--out", str(page))
    text = page.read_text()
    assert "best return" in text
    assert "<h2>Scores</h2>" in text
    assert "no problem" in said("runs", "verify", RUN)
    assert json.loads(said("runs", "prune", RUN, "--keep-rows", "0", "--dry-run", "--json"))


PRESET = """
algorithm = "random_search"
game = "CartPole-v1"
minutes = 0
games = 2000
"""


def test_ctrl_c_saves_and_the_same_command_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.toml").write_text(PRESET)
    whole = Search.step

    def interrupted(self, number):
        if number == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return whole(self, number)

    monkeypatch.setattr(Search, "step", interrupted)
    assert ludens.main(["train", "own.toml", "--run", RUN]) == 0
    assert "stopped at step 4; the same command goes on from there" in capsys.readouterr().out
    assert ludens.main(["train", "own.toml", "--run", RUN, "--games", "24"]) == 0
    assert "trained, to step 6" in capsys.readouterr().out
    (summary,) = summarize_store("runs")
    assert (summary.state, summary.games) == ("finished", 24)


def test_the_doctor_examines_it():
    found = doctor.cores(replace(CONFIG, workers=640), {})
    assert "workers' cores = 640" in found.text
    assert list(doctor.examine_speed(CONFIG, 1.0)) == []
    assert doctor.memory(RANDOM_SEARCH.memory_settings).name == "memory"


def test_another_seed_comes_to_other_weights(trained, tmp_path):
    """So equal outcomes above are no accident."""
    finish(tmp_path, replace(CONFIG, seed=6))
    assert outcome(tmp_path) != outcome(trained[0])
