"""Games of teams on the command line: match, rate, report."""

import json
from pathlib import Path

import pytest
import torch

import ludens
from tests.arena.team_games import make_run, toy

__all__ = ["toy"]
pytestmark = pytest.mark.usefixtures("toy")


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a line on the store `runs`; answers standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LUDENS_DEBUG", raising=False)
    make_run(Path("runs"), "r", 3, 7)

    def run(line: str, status: int = 0) -> tuple[str, str]:
        found = ludens.main(line.split())
        out, err = capsys.readouterr()
        assert found == status, err
        return out, err

    threads = torch.get_num_threads()
    yield run
    torch.set_num_threads(threads)


def test_a_match_of_scripts(said) -> None:
    out, _ = said("match toy high low --games 20")
    assert out.startswith("high against low, toy, 20 matches:\n  score          ")
    found = json.loads(said("match toy high low --games 20 --json")[0])
    assert found["total"]["wins"] == 20
    assert found["score"] == 1.0
    assert found["as_left"]["wins"] == found["as_right"]["wins"] == 10


def test_a_match_of_a_run_is_recorded(said) -> None:
    first = json.loads(said("match toy r r@3 --games 20 --json")[0])
    assert first["agents"] == ["r@7", "r@3"]
    assert first["resumed_games"] == 0
    assert json.loads(said("match toy r r@3 --games 20 --json")[0])["resumed_games"] == 20
    fresh = json.loads(said("match toy r r@3 --games 20 --json --no-record")[0])
    assert (fresh["resumed_games"], fresh["total"]) == (0, first["total"])
    assert "7" in said("runs")[0]


def test_an_agent_against_itself(said) -> None:
    found = json.loads(said("match toy middle middle --games 200 --json")[0])
    low, high = found["interval"]
    assert low < 0.5 < high


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("match toy high lwo", "no agent 'lwo'; did you mean 'low'?"),
        ("match toyy high low", "unknown game 'toyy': did you mean 'toy'?"),
        ("match toy high mcts:10", "agent 'mcts:10' does not play 'toy'"),
        ("match tic_tac_toe fighter random", "agent 'fighter' plays games of teams"),
        ("match toy high low --balanced", "--balanced: toy is played from seeds"),
        ("match toy high low --workers 2", "--workers: toy is played from seeds"),
        ("perft lanes_5v5 2", "it is a game of teams, for `ludens train`"),
        ("rate r --simulations 3", "--simulations: run 'r' learned a game of teams"),
        ("rate r --epsilon 0.1", "--epsilon: run 'r' learned a game of teams"),
    ],
)
def test_a_mistake_is_one_clear_line(said, line: str, told: str) -> None:
    _, err = said(line, status=2)
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("line", ["match toy high low --games 7", "rate r --games 7"])
def test_an_odd_number_of_matches_is_refused(said, line: str) -> None:
    assert "7" in said(line, status=1)[1].partition("expected an even number")[0]


def test_checkpoints_are_rated_beside_the_scripts(said) -> None:
    out, _ = said("rate r --games 8")
    assert "toy, OpenSkill, Plackett-Luce" in out
    assert "r: best is step 7" in out
    assert "runs/r/ratings.png\n" in out
    found = json.loads(said("rate r --games 8 --json")[0])
    assert found["new_games"] == 0
    rows = {row["agent"]: row for row in found["rows"]}
    assert {*rows} == {"low", "middle", "high", "r@3", "r@7"}
    assert rows["r@7"]["skill"] > rows["r@3"]["skill"] > rows["low"]["skill"] == 0
    matrix = found["cross_play"]
    assert matrix["agents"] == [row["agent"] for row in found["rows"]]
    assert matrix["scores"][0][0] is None


def test_a_report_shows_skill_and_who_beats_whom(said) -> None:
    said("rate r --games 8")
    said("report r --out r.html")
    page = Path("r.html").read_text()
    assert "<h2>Skill</h2>" in page
    assert "share of the points of a row" in page
    assert page.count("r@7") >= 2
