"""A run goes on whatever became of the settings since, and says what a longer budget means.

`data/store-before` was written by the program as it was before formats and settings had their
rules: run.json 2, no formats in holds and states, no budget in checkpoints.
"""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

import ludens
from agents.alphazero.config import AlphaZeroConfig, LearnerConfig, SelfPlayConfig
from agents.alphazero.player import network_player, playing_config
from agents.dqn.config import DQNConfig
from arena.match.records import read_matches
from arena.monitor.history import History
from configs.loader import asked_settings, load_config, load_config_of
from envs.registry import find_game
from selfplay.loop import train
from selfplay.resuming import check_resumable, continue_run, extension_notice, settings_of
from store import checkpoints
from store.errors import RunMismatchError
from store.progress.summary import summarize_store
from store.run import RUN_FILE, create_run, open_run
from store.seals import seal_of
from store.upkeep.verify import verify

BEFORE = Path(__file__).parent / "data" / "store-before"
NAME = "tic_tac_toe"


@pytest.fixture
def store(tmp_path):
    return shutil.copytree(BEFORE, tmp_path / "store")


def altered(store, change):
    """Let another version of the program have written the run's settings."""
    path = store / NAME / RUN_FILE
    document = json.loads(path.read_text())
    change(document["config"])
    document.pop("seal")
    path.write_text(json.dumps(document | {"seal": seal_of(document)}))
    return open_run(store, NAME)


# --- a store of before ----------------------------------------------------------------------------


def test_a_store_of_before_is_listed_read_and_sound(store):
    (found,) = summarize_store(store)
    assert (found.name, found.game, found.state, found.problem) == (NAME, NAME, "finished", "")
    assert (found.games, found.games_goal, found.rows, found.checkpoints) == (42, 40, 98, 1)
    assert verify(store, NAME).problems == {}
    run = open_run(store, NAME, game=NAME)
    assert [batch.end for _, batch in read_matches(run.files)] == [2]

    assert History(run).timeline().moments[-1].progress.games == 42


def test_every_command_reads_a_store_of_before(store, tmp_path, capsys):
    """Its journal has the figures as fields, and its run.json names no algorithm."""

    def said(*words):
        assert ludens.main([*words, "--store", str(store)]) == 0
        return capsys.readouterr().out

    assert NAME in said("runs")
    watched = said("watch", NAME, "--once")
    assert "42 of 40 games" in watched
    assert "policy loss 2." in watched or "policy loss 1." in watched
    page = tmp_path / "page.html"
    said("report", NAME, "--out", str(page))
    assert "cache hits" not in page.read_text()  # it is on the panel, not on the page
    assert "policy loss" in page.read_text()
    assert "10 games" in said("match", NAME, NAME, "random", "--games", "10")


def test_a_run_of_before_plays(store):
    run, game = open_run(store, NAME), find_game(NAME)
    player = network_player(game, run, None, playing_config(run), name="old", device="cpu")
    position = game.position(game.parse_moves("a1 b1 a2 b2"))
    (move,) = player.choose(np.atleast_1d(position), np.random.default_rng(0))
    assert game.format_action(move) == "a3"


def test_a_run_of_before_trains_on_by_the_command_that_began_it(store, capsys):
    """Of the preset, all but the budget that is asked for gives way to the run's own settings."""
    words = ["train", NAME, "--store", str(store), "--games", "60"]
    assert ludens.main(words) == 0
    out = capsys.readouterr().out
    assert "run 'tic_tac_toe' keeps the settings that it began with: " in out
    assert "network.filters is 2, not 16" in out
    assert "0 minutes" not in out
    assert "extended from 40 games to 60 games: as in a run of that length, the learning" in out
    assert "more --games trains on" in out
    (found,) = summarize_store(store)
    assert (found.state, found.games_goal, found.checkpoints) == ("finished", 60, 2)
    assert found.games >= 60
    metadata = checkpoints.read_metadata(open_run(store, NAME), found.step)
    assert metadata["budget"] == {"minutes": 0.0, "games": 60, "rows": 0}
    assert ludens.main(words[:-2]) == 0  # nothing asked for: the newest budget, which is used
    assert "was trained already" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config["network"].pop("precision"),
        lambda config: config["selfplay"].pop("proof_playout_share"),
        lambda config: config.pop("checkpoint_rows"),
        lambda config: config.pop("rows", None),
        lambda config: config.pop("cluster"),
        lambda config: config["network"].update(attention=4),
        lambda config: config["search"].update(telepathy={"strength": 1}),
        lambda config: config.update(flags=["a"]),
    ],
)
def test_settings_that_came_or_went_break_neither_training_nor_playing(store, change):
    run = altered(store, change)
    config = continue_run(str(store), NAME, AlphaZeroConfig(game=NAME), asked=()).config
    check_resumable(run, config)
    with pytest.raises(RunMismatchError, match=r"publish_rows is 64, not 65"):
        check_resumable(run, replace(config, publish_rows=65))
    assert (config.network.filters, config.selfplay.games, config.games) == (2, 8, 40)
    started = next(train(config, store_url=str(store), run_name=NAME))
    assert (started.games, started.learner_steps) == (42, 12)
    network_player(find_game(NAME), run, None, playing_config(run), name="x", device="cpu")


def test_a_setting_that_came_later_has_its_default_and_no_other(store):
    altered(store, lambda config: config["selfplay"].pop("opening_plies"))
    changed = replace(SelfPlayConfig(), opening_plies=5)
    asked = replace(AlphaZeroConfig(game=NAME), selfplay=changed)
    found = continue_run(str(store), NAME, asked, asked=())
    assert found.config.selfplay.opening_plies == 16
    assert found.added["selfplay.opening_plies"] == 16
    assert found.kept["selfplay.opening_plies"] == (16, 5)
    with pytest.raises(RunMismatchError, match=r"selfplay\.opening_plies is 16, not 5"):
        continue_run(str(store), NAME, asked, asked={"selfplay.opening_plies"})


# --- whose settings count -------------------------------------------------------------------------

PRESET = replace(AlphaZeroConfig(), game=NAME, minutes=10.0, publish_rows=512)


@pytest.fixture
def begun(tmp_path):
    """A run that was begun with one value other than each default."""
    first = replace(PRESET, minutes=4.0, workers=3, seed=5)
    first = replace(first, learner=replace(first.learner, passes=2.0))
    create_run(tmp_path, "r", game=NAME, config=asdict(first), seed=5, versions={})
    return str(tmp_path)


def test_what_was_not_asked_for_is_the_runs_and_said(begun):
    found = continue_run(begun, "r", PRESET, asked={"game"})
    assert found.kept == {"learner.passes": (2.0, 4.0), "seed": (5, 0)}
    assert (found.config.learner.passes, found.config.seed) == (2.0, 5)
    assert (found.config.minutes, found.config.game) == (4.0, NAME)
    assert found.config.workers == 0  # of the machine and the moment
    assert settings_of(open_run(begun, "r")).workers == 3


def test_what_was_asked_for_is_taken_or_refused(begun):
    asked = replace(PRESET, minutes=30.0, device="cpu", seed=5)
    found = continue_run(begun, "r", asked, asked={"minutes", "device", "seed"})
    assert (found.config.minutes, found.config.device) == (30.0, "cpu")
    assert found.kept == {"learner.passes": (2.0, 4.0)}
    with pytest.raises(RunMismatchError, match=r"'r' was begun .*: seed is 5, not 6; leave them"):
        continue_run(begun, "r", replace(asked, seed=6), asked={"seed"})
    with pytest.raises(RunMismatchError, match=r"learner\.passes is 2\.0, not 4\.0"):
        continue_run(begun, "r", asked, asked={"learner.passes"})
    with pytest.raises(RunMismatchError, match=r"passes is 2\.0, not 4\.0, seed is 5, not 0"):
        check_resumable(open_run(begun, "r"), PRESET)


def test_the_budget_is_that_of_the_newest_session(begun):
    run = open_run(begun, "r")
    budget = {"minutes": 60.0, "games": 900, "rows": 5000}
    metadata = {"budget": budget, "elapsed_s": 1.0, "counters": {}}
    checkpoints.save(run, 3, {"model.safetensors": b"w"}, metadata)
    found = continue_run(begun, "r", PRESET, asked=()).config
    assert (found.minutes, found.games, found.rows) == (60.0, 900, 5000)
    found = continue_run(begun, "r", replace(PRESET, minutes=4.0), asked={"minutes"}).config
    assert (found.minutes, found.games) == (4.0, 900)


def test_a_run_that_does_not_exist_has_what_is_given(tmp_path):
    found = continue_run(str(tmp_path), "new", PRESET, asked=())
    assert found == (PRESET, {}, {})
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_another_game_is_refused(begun):
    with pytest.raises(RunMismatchError, match="of game 'tic_tac_toe', not 'othello'"):
        continue_run(begun, "r", replace(PRESET, game="othello"), asked={"game"})


def test_a_users_own_preset_file_is_asked_for_and_ours_is_not(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('game = "tic_tac_toe"\n[learner]\npasses = 3.0\n')
    options = {"search.tree-reuse": "false"}
    assert asked_settings(str(path), options) == {"game", "learner.passes", "search.tree_reuse"}
    assert asked_settings(NAME, options) == {"search.tree_reuse"}
    assert (
        load_config(NAME).publish_rows != AlphaZeroConfig().publish_rows
    )  # it has values, unasked


# --- a longer budget and the learning rate --------------------------------------------------------


def rates_told(minutes, elapsed_s, now_minutes):
    learner = LearnerConfig(learning_rate=0.1, final_learning_rate=0.001, decay_start=0.5)
    config = replace(PRESET, minutes=now_minutes, learner=learner)
    saved = {"elapsed_s": elapsed_s, "counters": {"games": 1}}
    return extension_notice(config, {"minutes": minutes, "games": 0}, saved)


def test_an_extended_run_says_what_the_learning_rate_does():
    """The rate is that of a training of the new length at the same moment, by the cosine's value:
    finished at 10 of 10 minutes is 10 of 40, before the fall, or halfway down of 40 / 3."""
    assert rates_told(10.0, 600.0, 40.0) == (
        "extended from 10 minutes to 40 minutes: as in a run of that length, the learning "
        "rate goes from 0.001 to 0.1, and ends at 0.001",
    )
    (told,) = rates_told(10.0, 600.0, 40.0 / 3)
    assert "goes from 0.001 to 0.0505," in told
    assert "stays at 0.1" in rates_told(10.0, 60.0, 20.0)[0]
    assert "from 10 minutes to no limit" in rates_told(10.0, 600.0, 0.0)[0]
    assert rates_told(10.0, 600.0, 10.0) == rates_told(10.0, 600.0, 5.0) == ()
    assert rates_told(0.0, 600.0, 5.0) == ()  # it had no end before
    assert extension_notice(PRESET, {"minutes": 1.0}, {}) == ()  # nothing was trained yet


def test_more_rows_are_a_longer_budget_too():
    learner = LearnerConfig(learning_rate=0.1, final_learning_rate=0.001, decay_start=0.5)
    config = replace(PRESET, minutes=0.0, rows=4000, learner=learner)
    saved = {"elapsed_s": 9.0, "counters": {"rows": 1000}, "budget": {"minutes": 0, "rows": 1000}}
    (told,) = extension_notice(config, {"minutes": 0, "games": 0}, saved)
    assert "extended from 1,000 rows to 4,000 rows:" in told
    assert "goes from 0.001 to 0.1," in told
    assert extension_notice(replace(config, minutes=1.0, rows=1000), {}, saved) == ()


def test_the_learning_rate_of_an_extended_run_is_as_it_says(store):
    run = open_run(store, NAME)
    config = replace(settings_of(run), game=NAME, games=60)
    stages = train(config, store_url=str(store), run_name=NAME)
    started = next(stages)
    stages.close()
    learner = config.learner
    assert learner.final_learning_rate == learner.learning_rate_at(42 / 42)
    rate = started.metrics["learning_rate"]
    assert rate == learner.learning_rate_at(42 / 60) > 5 * learner.final_learning_rate
    (told,) = started.notices
    assert f"goes from {learner.final_learning_rate:g} to {rate:g}," in told


# --- what an algorithm allows ---------------------------------------------------------------------


def test_a_run_may_go_on_with_other_threads_where_its_algorithm_says_so(tmp_path):
    """The games of Atari depend on the actions alone: another machine may have other cores."""
    begun = load_config_of(DQNConfig, "dqn", {"environment.threads": "16"})
    create_run(
        tmp_path,
        "pole",
        algorithm="dqn",
        game=begun.game,
        config=asdict(begun),
        seed=0,
        versions={},
    )
    asking = load_config_of(DQNConfig, "dqn", {"environment.threads": "2"})
    unasked = continue_run(str(tmp_path), "pole", asking, []).config
    assert unasked.environment.threads == 16
    resumed = continue_run(str(tmp_path), "pole", asking, ["environment.threads"]).config
    assert resumed.environment.threads == 2
    check_resumable(open_run(tmp_path, "pole"), resumed)
    other = load_config_of(DQNConfig, "dqn", {"environment.stack": "2"})
    with pytest.raises(RunMismatchError, match=r"environment\.stack is 1, not 2"):
        continue_run(str(tmp_path), "pole", other, ["environment.stack"])


# --- what is dropped ------------------------------------------------------------------------------


def test_a_run_that_keeps_all_keeps_it_unless_asked(tmp_path):
    config = load_config(NAME)
    for name, kept in (("all", True), ("some", False)):
        create_run(
            tmp_path,
            name,
            game=NAME,
            config=asdict(replace(config, keep_all=kept)),
            seed=0,
            versions={},
        )
    assert continue_run(str(tmp_path), "all", config, []).config.keep_all
    assert not continue_run(str(tmp_path), "all", config, ["keep_all"]).config.keep_all
    asking = replace(config, keep_all=True)
    assert continue_run(str(tmp_path), "some", asking, ["keep_all"]).config.keep_all
    check_resumable(open_run(tmp_path, "some"), asking)


def test_a_run_of_before_is_told_to_drop_what_is_old(store, capsys):
    words = ["train", NAME, "--run", NAME, "--store", str(store), "--games", "40"]
    assert ludens.main(words) == 0
    out = capsys.readouterr().out
    assert "keep_all = False" in out
    assert "drops old checkpoints and replay (--keep-all keeps all)" in out
    assert ludens.main([*words, "--keep-all"]) == 0
    assert "keeps all checkpoints and replay" in capsys.readouterr().out
