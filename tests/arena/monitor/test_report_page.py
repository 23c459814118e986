"""The report: well-formed, self-contained, escaped, small, and with everything on it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ludens
from agents.alphazero.episodes import SCHEMA, GameRecord, Policies, to_episode
from arena.monitor.history import History, Timeline
from arena.monitor.report.games import Piece, coloured_pieces, draw_game, sample_games
from arena.monitor.report.page import report_html, write_report
from arena.monitor.report.sections import MOST_CHECKPOINTS
from envs.connect_four import GAME as CONNECT_FOUR
from envs.tic_tac_toe import GAME
from store import checkpoints
from store.files.local import LocalFiles
from store.replay.segments import SegmentWriter
from store.run import Run
from tests.arena.journals import BEGUN, make_run, record_match, stage, write_session

VOID = {"meta", "br", "hr", "img", "link"}
DRAWN = {"line", "circle", "polyline"}  # of SVG, which may close themselves
LOADING = {"src", "href", "srcset", "data", "action", "poster", "xlink:href"}


class Strict(HTMLParser):
    """Raises where elements do not nest; notes texts, elements and what would be loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[str] = []
        self.loads: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append(tag)
        self.loads += [f"{tag} {name}" for name, _ in attrs if name in LOADING or name[:2] == "on"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.handle_starttag(tag, attrs)
        assert tag in VOID | DRAWN, f"<{tag}/> is no void element"
        if tag in DRAWN:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parsed(page: str) -> Strict:
    parser = Strict()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    assert not set(parser.elements) & {"script", "link", "iframe", "object", "img", "base"}
    assert parser.loads == []
    assert "http:" not in page
    assert "https:" not in page
    assert "url(" not in page
    assert "@import" not in page
    return parser


def add_games(run: Run, *games: tuple[list[int], float]) -> None:
    """A segment for each game of moves and outcome."""
    writer = SegmentWriter(run, SCHEMA, writer="a" * 32)
    nothing = np.zeros(0, np.float32)
    for number, (moves, outcome) in enumerate(games):
        plies = np.zeros(0, np.uint16)
        policies = Policies.of(np.zeros((0, 9), np.uint16), np.zeros((0, 9), np.float32))
        made = np.array(moves, np.uint16)
        record = GameRecord(made, 1, outcome, 7 * number, plies, policies, nothing, nothing)
        writer.append(to_episode(record, number.to_bytes(16, "big")))
        writer.commit()


@pytest.fixture
def full(tmp_path: Path) -> Run:
    """A run with everything: two sessions, matches, checkpoints, games, notices."""
    run = make_run(str(tmp_path), "full-run", minutes=2.0, learner={"rate<": "<script>alert(1)"})
    told = [stage(20.0, notices=("worker 3 died (<b>&)",)), stage(30.0, workers_wanted=3)]
    write_session(run, told, BEGUN, cpu="a <processor>", cores=2, packages={"numpy": "2.4"})
    write_session(run, [stage(40.0, event="finished")], BEGUN + 60, cores=9)
    record_match(run, ("full-run@2", "full-run@1"), [[2, 2]])
    record_match(run, ("<i>", "full-run@2"), [[0, 1]])
    for step in range(MOST_CHECKPOINTS + 10):
        metadata = {"elapsed_s": 1.0 * step, "counters": {"games": step, "rows": 2 * step}}
        checkpoints.save(run, step, {"model.safetensors": b"w"}, metadata)
    add_games(run, ([4, 0, 8, 2, 6, 1], -1.0), ([0, 4], 0.0), ([0, 3, 1, 4, 2], 1.0))
    return run


def test_everything_is_on_the_page(full: Run) -> None:
    parser = parsed(report_html(full, History(full).timeline(), GAME, BEGUN + 101))
    text = " ".join(parser.text)
    for wanted in (
        "full-run: Tic-tac-toe", "not being trained now (stopped), last seen 0:01 ago", "losses",
        "learning rate", "lose the result: no search", "(64 simulations)", "workers", "middle easy",
        "full-run@2", "evenly chosen", "The first game", "The middle game", "The newest game",
        "X (red) wins", "a draw, decided before its end", "worker 3 died (<b>&)", "learner.rate<",
        "<script>alert(1)", "a <processor>", "numpy 2.4", "python 3.11",
    ):  # fmt: skip
        assert wanted in text, wanted
    assert parser.elements.count("svg") == 8  # seven of metrics, one of Elo
    assert "prefers-color-scheme: dark" in text


def test_a_run_of_nothing_but_settings_has_a_page(tmp_path: Path) -> None:
    run = make_run(str(tmp_path), minutes=1.0)
    text = " ".join(parsed(report_html(run, Timeline(), None, BEGUN)).text)
    assert "no journal" in text
    assert "minutes" in text


def test_a_day_takes_little_room() -> None:
    run = make_run("memory://report-of-a-day")
    write_session(run, (stage(10.0 * i, notices=("x" * 80,)) for i in range(1, 8641)))
    timeline = History(run).timeline()
    assert timeline.moments[-1].progress.elapsed_s == 86_400
    page = report_html(run, timeline, None, BEGUN + 86_400)
    parsed(page)
    assert "24:00:00" in page
    assert len(page.encode()) < 200_000


def test_samples_are_the_first_the_middle_and_the_newest(full: Run) -> None:
    samples = {s.when: s for s in sample_games(full.files)}
    assert [s.moves[0] for s in samples.values()] == [4, 0, 0]
    assert samples["newest"].moves == (0, 3, 1, 4, 2)
    assert samples["newest"].network_step == 14
    assert samples["middle"].outcome == 0.0


def test_damaged_and_foreign_segments_are_passed_over(full: Run) -> None:
    assert isinstance(full.files, LocalFiles)
    for path in full.files.root.glob("replay/*/*"):
        path.write_bytes(path.read_bytes()[:40])
    assert sample_games(full.files) == []


def test_an_illegal_move_is_told_and_not_played(full: Run) -> None:
    run = make_run(full.files.url + "-worse", "b")
    add_games(run, ([4, 4], 1.0), ([99], 1.0))
    problems = [draw_game(GAME, sample).problem for sample in sample_games(run.files)]
    assert "move 2 is action 4, which is not legal there" in problems[0]
    assert "move 1 is action 99" in problems[-1]
    page = report_html(run, Timeline(), GAME, BEGUN)
    assert "cannot be replayed: move 2 is action 4" in " ".join(parsed(page).text)


def test_boards_have_their_colours_without_their_codes() -> None:
    pieces = coloured_pieces(CONNECT_FOUR.render(CONNECT_FOUR.position([3, 3])))
    assert Piece("X", "first") in pieces
    assert Piece("O", "second") in pieces
    assert "\x1b" not in "".join(piece.text for piece in pieces)
    assert coloured_pieces("\x1b[91ma<\x1b[1mb") == [Piece("a<", "first"), Piece("b")]


def test_a_board_keeps_its_lines(full: Run) -> None:
    """A template's own blanks would shift the board."""
    page = report_html(full, Timeline(), GAME, BEGUN)
    boards = [re.sub("<[^>]*>", "", b) for b in re.findall("<pre>(.*?)</pre>", page, re.DOTALL)]
    assert re.sub(r"\x1b\[[0-9;]*m", "", GAME.render(GAME.position([4]))) in boards


def test_a_report_replaces_an_earlier_one(full: Run, tmp_path: Path) -> None:
    path = tmp_path / "out.html"
    path.write_text("an earlier one")
    written = write_report(full, path, GAME)
    assert path.stat().st_size == written.size
    assert [p.name for p in tmp_path.glob("*out*")] == ["out.html"]


def test_the_command_writes_and_tells(
    full: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = ["--store", str(tmp_path)]
    assert ludens.main(["report", "full-run", *store, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == "full-run.html"
    parsed((tmp_path / "full-run.html").read_text())
    assert ludens.main(["report", "ful-run", *store]) == 1
    assert "did you mean 'full-run'?" in capsys.readouterr().err
    assert ludens.main(["report", "full-run", *store, "--out", "/no/where.html"]) == 1
    assert capsys.readouterr().err == "error: '/no/where.html': there is no folder '/no'\n"
    assert ludens.main(["report", "full-run", *store, "--game", "tictactoe"]) == 2
    assert "did you mean 'tic_tac_toe'?" in capsys.readouterr().err
