"""DQN under the loop: it trains, is resumed with its replay, and shows in every command."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import ludens
from agents.dqn.config import DQNConfig
from agents.progress import Progress
from configs.loader import load_config_of
from selfplay.journal import Journal
from selfplay.loop import Training, train
from store.run import open_run
from store.upkeep.archive import export_run, import_run
from store.upkeep.verify import verify

RUN = "pole"
CONFIG = load_config_of(
    DQNConfig,
    "dqn",
    {
        "minutes": "0",
        "games": "60",
        "learner.start_rows": "200",
        "network.hidden": "16",
        "replay.rows": "5000",
        "replay.segment_rows": "300",
        "device": "cpu",
    },
)


def run_to_the_end(store: Path, config: DQNConfig) -> Progress:
    with Journal(str(store), RUN, {"cores": 2}) as journal:
        for stage in train(config, store_url=str(store), run_name=RUN):
            journal.show(stage)
    return stage


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Progress]:
    store = tmp_path_factory.mktemp("pole")
    return store, run_to_the_end(store, CONFIG)


def test_it_trains_and_tells_scores(trained: tuple[Path, Progress]) -> None:
    _, last = trained
    assert last.games >= 60
    score = last.metrics["score"]
    assert score is not None
    assert 8 < score < 100
    assert last.learner_steps == (last.positions - 200) * 8 // 64
    assert 0.05 < (last.metrics["epsilon"] or 0.0) < 1.0


def test_the_same_seed_trains_the_same(trained: tuple[Path, Progress], tmp_path: Path) -> None:
    _, last = trained
    again = run_to_the_end(tmp_path, CONFIG)
    assert again.positions == last.positions
    assert again.metrics["loss"] == last.metrics["loss"]


def test_a_resumed_run_has_its_replay(trained: tuple[Path, Progress]) -> None:
    store, last = trained
    more = replace(CONFIG, games=80)
    run = open_run(str(store), RUN)
    with run.lock_trainer():
        training = Training(run, more)
        learner = training.trainer.learner
        assert learner.rows_added == last.positions
        assert learner.window_rows >= last.positions  # and the last frames of episodes
        assert learner.steps == last.learner_steps
        training.close()
    longer = run_to_the_end(store, more)
    assert longer.games >= 80
    assert longer.positions > last.positions


def test_it_shows_in_the_commands(
    trained: tuple[Path, Progress], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    store, _ = trained
    page = tmp_path / "page.html"
    told = {}
    for words in (
        ["runs"],
        ["watch", RUN, "--once"],
        ["report", RUN, "--out", str(page)],
        ["evaluate", RUN, "--games", "4", "--json"],
    ):
        assert ludens.main([*words, "--store", str(store)]) == 0, words
        told[words[0]] = capsys.readouterr().out
    assert "CartPole-v1" in told["runs"]
    assert re.search(r"score\s+[0-9]", told["watch"])
    assert "score" in page.read_text()
    result = json.loads(told["evaluate"])
    assert {"mean", "deviation", "games", "protocol", "human_normalised"} <= result.keys()


def test_a_run_imported_under_another_name_makes_streams_of_its_own(
    trained: tuple[Path, Progress], tmp_path: Path
) -> None:
    store, last = trained
    export_run(open_run(store, RUN), tmp_path / "pole.tar")
    import_run(tmp_path, tmp_path / "pole.tar", "copy")
    for games in (last.games + 10, last.games + 20):
        config = replace(CONFIG, games=games)
        for _ in train(config, store_url=str(tmp_path), run_name="copy"):
            pass
    found = verify(str(tmp_path), "copy")
    assert found.episodes > 60
    assert found.duplicates == 0


def test_what_belongs_to_board_games_is_refused(
    trained: tuple[Path, Progress], capsys: pytest.CaptureFixture[str]
) -> None:
    store, _ = trained
    assert ludens.main(["match", "connect_four", RUN, "random", "--store", str(store)]) != 0
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1
