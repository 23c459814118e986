import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest

import ludens
from arena.rating.elo import Results
from arena.rating.ladder import Ladder, LadderState
from arena.rating.ladder_text import table_text
from arena.rating.plot import check_path, default_path, write_plot
from arena.rating.rate import POLL_S, _more_comes, rate
from arena.rating.recorded import best_checkpoint
from arena.rating.table import RatingTable, Trend, table_of
from store.errors import StoreWriteError
from store.files.protocol import Files
from store.progress.lock_watch import LockWatch
from store.progress.summary import summarize_run
from store.run import open_run
from store.upkeep.holds import read_holds
from store.upkeep.keeps import kept_names
from store.upkeep.ratings import read_ratings
from tests.arena.ladders import make_ladder, make_run, save, use_skilled_players
from tests.store.counting_files import CountingFiles


@pytest.fixture(autouse=True)
def _players(monkeypatch: pytest.MonkeyPatch) -> None:
    use_skilled_players(monkeypatch)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run `r`, which was rated, and `s`."""
    folder = tmp_path_factory.mktemp("store")
    make_run(folder, "r", 10, 40, 70, 95)
    make_run(folder, "s", 20, 60)
    with pytest.MonkeyPatch.context() as patch:
        use_skilled_players(patch)
        rate(ladder(folder), settled=lambda state: None)
    return folder


def ladder(store: Path, *runs: str, games: int = 1000) -> Ladder:
    return make_ladder(store, *runs, anchors={"random": None}, width=70.0, games=games)


def table(store: Path, *runs: str) -> RatingTable:
    found = ladder(store, *runs, games=0)
    return table_of(found, found.state())


# --- the course of events -------------------------------------------------------------------------


def test_following_goes_on_with_each_checkpoint_until_training_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path, "r", 10, 90)
    is_training = iter([True, True, True, False])
    monkeypatch.setattr("arena.rating.rate._is_training", lambda _: next(is_training))
    pauses, told = [], []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            save(run, 95)

    found = make_ladder(tmp_path, width=100.0)
    assert rate(found, follow=True, settled=told.append, pause=pause)
    assert pauses == [POLL_S, POLL_S]
    assert [len(state.ratings.agents) for state in told] == [2, 3]
    assert list(is_training) == []


def test_a_run_that_nobody_trains_is_not_waited_for(tmp_path: Path) -> None:
    make_run(tmp_path, "r", 10, 90)
    told: list[LadderState] = []
    assert rate(make_ladder(tmp_path, games=64), follow=True, settled=told.append)
    assert len(told) == 1


def test_what_is_known_at_an_interruption_is_told(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", 10, 90)
    told: list[LadderState] = []

    def interrupt(state: LadderState) -> None:
        if state.new_games:
            raise KeyboardInterrupt

    assert not rate(make_ladder(tmp_path, width=1.0), progress=interrupt, settled=told.append)
    assert [state.new_games for state in told] == [64]
    assert kept_names(run.files).steps == {90}


def counting(store: Path, *steps: int) -> tuple[Ladder, CountingFiles]:
    run = make_run(store, "r", *steps)
    files = CountingFiles(run.files)
    found = make_ladder(store, games=64)
    found.runs = [dataclasses.replace(run, files=cast(Files, files))]
    return found, files


def test_an_empty_look_costs_the_same_however_much_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs = {}
    for name, steps in (("few", (10, 90)), ("many", tuple(range(10, 1000, 10)))):
        found, files = counting(tmp_path / name, *steps)
        watches = [LockWatch(run.files) for run in found.runs]
        for _ in range(3 if name == "few" else 200):
            files.create(f"replay/{'a' * 32}/{files.calls['create']:09d}-1-00000000.arrow", b"x")
            files.create(f"matches/{files.calls['create']:016x}-0000000-1.jsonl", b"{}")
        found.refresh()
        looks = iter([True, False])
        monkeypatch.setattr(
            "arena.rating.rate._is_training", lambda w, n=looks: _looked(w) and next(n)
        )
        files.reset()
        assert not _more_comes(found, watches, lambda seconds: None)
        costs[name] = files.requests
    assert costs["few"] == costs["many"] == 2 * 3  # lock's folder and file, checkpoints


def _looked(watches: Sequence[LockWatch]) -> bool:
    return all(watch.look() is False for watch in watches)


def test_checkpoints_are_held_while_they_play_and_the_best_is_noted(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", 10, 90)
    seen: list[set[int]] = []

    def progress(state: LadderState) -> None:
        seen.append({step for hold in read_holds(run.files) for step in hold.checkpoints})
        if len(seen) == 1:
            save(run, 95)

    assert rate(make_ladder(tmp_path), follow=True, progress=progress, settled=lambda _: None)
    assert (seen[0], seen[-1]) == ({10, 90}, {10, 90, 95})
    assert read_holds(run.files) == []
    ((matches, best),) = kept_names(run.files).best
    assert best == best_checkpoint(run).step  # type: ignore[union-attr]
    assert matches == len(run.files.names("matches")) > 0
    assert summarize_run(run.files, "r").best is not None


def test_a_store_that_takes_no_hold_is_rated_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_run(tmp_path, "r", 10, 90)

    def refused(*_: object, **__: object) -> None:
        raise StoreWriteError("read-only")

    monkeypatch.setattr("arena.rating.rate.Hold", refused)
    assert rate(make_ladder(tmp_path, games=64), settled=lambda _: None)
    assert "are not held: read-only" in caplog.text


# --- what it says ---------------------------------------------------------------------------------


def test_the_table_goes_from_the_strongest_down(store: Path) -> None:
    found = table(store)
    assert [row.step for row in found.rows if row.run] == [95, 70, 40, 10]
    assert [row.elo for row in found.rows] == sorted((r.elo for r in found.rows), reverse=True)
    top = found.rows[0]
    assert (top.minutes, top.trained_games, top.trained_simulations) == (95.0, 950, 95 * 99)
    assert top.superiority is not None
    assert top.superiority > 0.5
    assert found.rows[-1].superiority is None
    assert found.best["r"] == top
    assert found.is_reached


def test_a_training_that_gains_is_said_to(store: Path) -> None:
    found = table(store).trends["r"]
    assert found.checkpoints == 4
    assert found.verdict == "still gains"
    assert Trend(4, 5.0, 9.0).verdict == "shows no gain"
    assert Trend(4, -50.0, 9.0).verdict == "loses strength"


def test_the_text_says_all_of_it(store: Path) -> None:
    lines = table_text(table(store)).splitlines()
    assert lines[0].startswith("tic_tac_toe, 64 simulations a move, openings random:3, 0 new games")
    assert lines[1].split() == ["rank", "agent", "Elo", "+-", "games", "score", "LOS"]
    assert lines[2].split()[:2] == ["1", "r@95:sims=64"]
    assert lines[-1].startswith("r: best is step 95, +")
    assert "training still gains (+" in lines[-1]


def test_agents_that_are_not_known_well_are_noted(store: Path) -> None:
    assert "note: a bar is wider than +-70 Elo" in table_text(table(store, "r", "s"))


def test_a_circle_is_warned_of(store: Path) -> None:
    found = ladder(store, games=0)
    found.results = Results()
    wins = np.array([[0, 0, 0], [0, 0, 0], [0, 0, 30]])
    for one, other in ((10, 40), (40, 70), (70, 10)):
        found.results.add(f"r@{one}:sims=64", f"r@{other}:sims=64", wins)
    text = table_text(table_of(found, found.state()))
    assert "warning: no order fits r@10:sims=64, r@40:sims=64, r@70:sims=64" in text


# --- the picture ----------------------------------------------------------------------------------


def test_the_picture_of_one_run_is_over_time(store: Path, tmp_path: Path) -> None:
    png, svg = write_plot(table(store), tmp_path / "elo.png")
    assert (png.name, svg.name) == ("elo.png", "elo.svg")
    assert png.read_bytes().startswith(b"\x89PNG")
    text = svg.read_text()
    assert "minutes of training" in text
    assert "games of self-play" not in text
    before = svg.read_bytes()
    write_plot(table(store), tmp_path / "elo.png")
    assert svg.read_bytes() == before


def test_several_runs_stand_side_by_side(store: Path, tmp_path: Path) -> None:
    _, svg = write_plot(table(store, "r", "s"), tmp_path / "elo.svg")
    text = svg.read_text()
    for label in ("minutes of training", "games of self-play", "simulations of self-play"):
        assert label in text


def test_where_the_picture_goes(store: Path, tmp_path: Path) -> None:
    found = ladder(store, "r", "s")
    assert default_path([*found.runs][:1]) == store / "r/ratings.png"
    assert default_path([*found.runs]) == store / "r/ratings-s.png"
    many = [
        dataclasses.replace(found.runs[0], name=f"{'long' * 10}-{number}") for number in range(12)
    ]
    names = {default_path(many), default_path(many[::-1]), default_path(many[:8])}
    assert len(names) == 3
    assert all(path is not None and len(path.name) < 60 for path in names)
    far = make_run(f"memory://rate-{tmp_path.name}", "far", 10)
    assert default_path([far]) is None
    with pytest.raises(ValueError, match=r"elo.pdf': expected a name that ends in .png or .svg"):
        check_path(tmp_path / "elo.pdf")
    with pytest.raises(ValueError, match="there is no folder"):
        check_path(tmp_path / "none/elo.png")


# --- the command ----------------------------------------------------------------------------------


def test_the_command_prints_one_object_and_draws(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["rate", "r", "--store", str(store), "--anchors", "random", "--width", "70"]
    assert ludens.main([*words, "--json", "--plot", str(tmp_path / "elo.png")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["new_games"] == 0
    assert found["best"]["r"]["step"] == 95
    assert found["trends"]["r"]["verdict"] == "still gains"
    assert [Path(path).name for path in found["plots"]] == ["elo.png", "elo.svg"]
    noted = read_ratings(open_run(store, "r").files)
    assert noted is not None
    assert (noted.simulations, noted.anchors) == (64, {})
    shown = sorted((row["step"], row["elo"], row["error"]) for row in found["rows"] if row["run"])
    assert [(one.step, one.elo, one.error) for one in noted.ratings] == shown
    assert ludens.main([*words[:1], "q", *words[2:]]) == 1
    assert "no run 'q'" in capsys.readouterr().err


def test_a_table_is_printed_though_its_picture_cannot_be_written(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "elo.png").mkdir()
    words = ["rate", "r", "--store", str(store), "--anchors", "random", "--width", "70"]
    assert ludens.main([*words, "--plot", str(tmp_path / "elo.png")]) == 0
    out, err = capsys.readouterr()
    assert "r@95" in out
    assert "no plot: " in err
