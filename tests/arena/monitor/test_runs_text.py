"""Runs as people read them, through the commands of the front door."""

import json

import pytest

import ludens
from arena.monitor.panel import duration
from arena.monitor.runs_text import pruning_text, runs_table, size_text, verification_text
from arena.rating.recorded import Best
from store import checkpoints
from store.progress.summary import RunSummary
from store.run import open_run
from store.upkeep.holds import Hold
from store.upkeep.retention import PrunePlan
from store.upkeep.verify import Verification
from tests.arena.journals import record_match
from tests.store.small_runs import SmallRun, contents

FULL = RunSummary(
    "connect_four-1", "", "connect_four", "training", 754.0, 3600.0, 12345, 0, 45678, 3210, 4,
    12_345_678, 1_790_000_000 * 10**9,
)  # fmt: skip


def test_the_table_lines_up_and_says_how_the_best_was_found():
    runs = [FULL, RunSummary("new", game="othello", state="stopped")]
    table = runs_table(runs, {FULL.name: Best(2000, 200, 83.6, 21.2), "new": None}, "runs")
    head, full, new = table.splitlines()
    words = " ".join(full.split())
    assert words.startswith("connect_four-1 connect_four training 12:34 of 1:00:00 12,345 45,678 ")
    assert " 3,210 4 12.3 MB 2026-09-2" in words
    assert words.endswith(" 2000 (+84 +-21 Elo)")
    assert new.split()[:5] == ["new", "othello", "stopped", "-", "-"]
    for title, cell in (("game", "connect_four  "), ("state", "training"), ("best", "2000")):
        assert head.index(title) == full.index(cell)  # on the left
    for title, cell in (("games", "12,345"), ("size", "12.3 MB")):
        assert head.index(f" {title} ") + len(title) + 1 == full.index(cell) + len(cell)
    assert not any(line.endswith(" ") for line in table.splitlines())


def test_a_best_by_no_match_is_said_to_be_the_newest():
    table = runs_table([RunSummary("r")], {"r": Best(7)}, "runs")
    assert "7 (newest)" in table
    assert "(newest) where there are none" in table


def test_a_damaged_run_is_told_below_the_others():
    table = runs_table([RunSummary("bad", "run 'bad': cannot read it"), FULL], {}, "runs")
    assert table.splitlines()[1].split()[:3] == ["bad", "-", "damaged"]
    assert table.splitlines()[-1] == "error: run 'bad': cannot read it"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_499, "999.5 kB"), (999_600, "1.0 MB"),
     (12_345_678, "12.3 MB"), (4 * 10**15, "4000.0 TB")],
)  # fmt: skip
def test_sizes(size, text):
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (36_061, "10:01:01")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_problems_are_counted_and_named():
    found = Verification("r", 2, 30, 1, ["alphazero/1"], [5, 9], {"a": "bad"})
    found.notes["b"], found.quarantine["c"] = "new", "d"
    text = verification_text(found)
    assert "2 intact, 30 episodes of alphazero/1, 1 duplicates" in text
    assert "2 intact, steps 5 to 9" in text
    for line in ("  problem: a: bad", "  note: b: new", "  c: d"):
        assert line in text.splitlines()
    assert text.splitlines()[-1] == "1 problem"
    assert verification_text(Verification("r")).splitlines()[-1] == "no problem"


def test_a_plan_says_why_not_more_goes():
    plan = PrunePlan([1], [], ["x", "y"], [4], 9, 1500, ["process 7 on pc"], 4, "why")
    text = pruning_text(plan, dry_run=True)
    assert text.splitlines()[:2] == [
        "would drop 1 checkpoint (1) and 2 segments, 1.5 kB",
        "keeps 1 checkpoint, step 4 and 9 segments",
    ]
    assert "checkpoint 4 needs more rows" in text
    assert "held by process 7 on pc: --wait" in text
    assert "no segment goes: why" in text


# --- the commands ---------------------------------------------------------------------------------


@pytest.fixture
def runs(capsys, tmp_path, monkeypatch):
    """Runs `ludens runs ...` on a store of two runs; status, standard output and error."""
    monkeypatch.delenv("LUDENS_DEBUG", raising=False)
    for name in ("first", "second"):
        small = SmallRun(tmp_path / "store", name)
        for step in (1, 2, 3):
            small.segment()
            small.checkpoint(step)

    def run_words(*words):
        status = ludens.main(["runs", *words, "--store", str(tmp_path / "store")])
        return (status, *capsys.readouterr())

    return run_words


def test_runs_lists_them(runs, tmp_path):
    status, out, _ = runs()
    assert status == 0
    assert [line.split()[:1] for line in out.splitlines()[1:3]] == [["first"], ["second"]]
    listed = json.loads(runs("--json")[1])
    assert [run["name"] for run in listed["runs"]] == ["first", "second"]
    assert listed["runs"][0]["best"] == {"step": 3, "games": 0, "elo": None, "error": None}


def test_an_empty_store_is_one_helpful_line(capsys, tmp_path):
    assert ludens.main(["runs", "--store", str(tmp_path / "none")]) == 0
    out, err = capsys.readouterr()
    assert (out.count("\n"), err) == (1, "")
    assert "`ludens train connect_four` begins one" in out
    assert list(tmp_path.iterdir()) == []


def test_one_damaged_run_does_not_hide_the_others(runs, tmp_path):
    (tmp_path / "store/first/run.json").write_text("{")
    status, out, _ = runs()
    assert status == 0
    assert "first   -            damaged" in out
    assert "second  tic_tac_toe  stopped" in out


def test_verify_fails_when_there_is_a_problem(runs, tmp_path):
    assert runs("verify", "first")[0] == 0
    (segment,) = (tmp_path / "store/first").glob("replay/*/000000001*")
    segment.write_bytes(b"")
    before = contents(tmp_path)
    status, out, _ = runs("verify", "first")
    assert status == 1
    assert f"{segment.name}: checksum" in out
    status, out, _ = runs("verify", "first", "--json")
    found = json.loads(out)
    assert (status, found["ok"]) == (1, False)
    assert list(found["problems"]) == [f"replay/{'a' * 32}/{segment.name}"]
    assert contents(tmp_path) == before


def test_prune_tells_first_and_then_does_it(runs, tmp_path):
    before = contents(tmp_path)
    words = ("prune", "first", "--keep-last", "1", "--keep-rows", "0")
    status, out, _ = runs(*words, "--dry-run")
    assert (status, contents(tmp_path)) == (0, before)
    assert out.startswith("would drop 2 checkpoints (1, 2) and 1 segment, ")
    status, out, _ = runs(*words)
    assert out.startswith("dropped 2 checkpoints (1, 2) and 1 segment, ")
    plan = json.loads(runs(*words, "--json")[1])
    assert (plan["drop_steps"], plan["kept_steps"]) == ([], [3])
    status, _, err = runs("prune", "first")
    assert status == 2
    assert "say what to keep" in err


def test_prune_keeps_the_best_and_milestones(runs, tmp_path):
    run = open_run(tmp_path / "store", "first")
    record_match(run, ("first@1", "first@3"), [[2, 2]] * 10)
    best = json.loads(runs("--json")[1])["runs"][0]["best"]
    assert (best["step"], best["games"]) == (1, 20)
    assert f"  1 ({best['elo']:+.0f} +-{best['error']:.0f} Elo)\n" in runs()[1]
    runs("prune", "first", "--keep-every", "5")
    assert checkpoints.steps(run) == [1, 3]


def test_prune_spares_what_a_reader_holds_unless_forced(runs, tmp_path):
    run = open_run(tmp_path / "store", "first")
    with Hold(run, checkpoints=[1]):
        _, out, _ = runs("prune", "first", "--keep-last", "1")
        assert "more is held by process" in out
        assert checkpoints.steps(run) == [1, 3]
        _, _, err = runs("prune", "first", "--keep-last", "1", "--force")
        assert "are dropped too" in err
        assert checkpoints.steps(run) == [3]


def test_a_named_checkpoint_stays_until_its_name_is_taken_away(runs, tmp_path):
    run = open_run(tmp_path / "store", "first")
    status, out, _ = runs("keep", "first@1", "opening-study")
    assert (status, out) == (0, "checkpoint 1 of run 'first' stays, as 'opening-study'\n")
    assert runs("keep", "first@1", "opening-study")[0] == 0
    assert "\nkept in first: opening-study (step 1)\n" in runs()[1]
    assert json.loads(runs("--json")[1])["runs"][0]["kept"] == {"opening-study": 1}
    runs("prune", "first", "--keep-last", "1")
    assert checkpoints.steps(run) == [1, 3]
    status, out, _ = runs("release", "first", "opening-study", "--json")
    assert json.loads(out) == {"run": "first", "step": 1, "name": "opening-study"}
    runs("prune", "first", "--keep-last", "1")
    assert checkpoints.steps(run) == [3]


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ("keep first a", 2, "'first': expected RUN@STEP, as in RUN@12000"),
        ("keep first@one a", 2, "'first@one': expected RUN@STEP"),
        ("keep first@4 a", 1, "no checkpoint 4 of run 'first'; it has 1, 2, 3"),
        ("keep first@1 a/b", 1, "cannot be named 'a/b'"),
        ("keep first@1 taken", 1, "'taken' is that of checkpoint 2 of run 'first'; release it"),
        ("keep frist@1 a", 1, "did you mean 'first'"),
        ("release first a", 1, "keeps no checkpoint named 'a'; it has 'taken'"),
    ],
)
def test_mistakes_in_naming_change_nothing(runs, tmp_path, words, status, told):
    runs("keep", "first@2", "taken")
    before = contents(tmp_path)
    found = runs(*words.split())
    assert (found[0], found[1]) == (status, "")
    assert told in found[2]
    assert contents(tmp_path) == before


def test_export_and_import(runs, tmp_path):
    path = str(tmp_path / "first.tar")
    status, out, _ = runs("export", "first", path)
    assert status == 0
    assert f"{path}: run 'first', 10 files, " in out
    assert runs("import", path)[0] == 1
    status, out, _ = runs("import", path, "--run", "third", "--json")
    assert (status, json.loads(out)["run"]) == (0, "third")
    assert runs("verify", "third")[0] == 0
    (tmp_path / "first.tar").write_bytes(b"no archive")
    status, _, err = runs("import", path, "--run", "fourth")
    assert status == 1
    assert "truncated or not an archive" in err
    assert err.count("\n") == 1


def test_an_export_warns_of_what_it_leaves_out(runs, tmp_path):
    (tmp_path / "store/first/checkpoints/000000001/model.safetensors").write_bytes(b"")
    _, _, err = runs("export", "first", str(tmp_path / "x.tar"))
    assert err.startswith("warning: left out checkpoints/000000001: ")


@pytest.mark.parametrize("action", ["verify", "prune --keep-last 1", "export"])
def test_a_wrong_name_suggests_the_nearest(runs, tmp_path, action):
    words = [*action.split(), "frist"]
    status, out, err = runs(*words, *([str(tmp_path / "x.tar")] if action == "export" else []))
    assert (status, out) == (1, "")
    assert "did you mean 'first'" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("verfy first", "invalid choice: 'verfy'"),
        ("verify", "required: RUN"),
        ("verify first --jsn", "did you mean '--json'?"),
        ("prune first --keep-last few", "invalid int value: 'few'"),
    ],
)
def test_mistakes_are_one_line(runs, words, told):
    status, _, err = runs(*words.split())
    assert status == 2
    assert err.count("\n") == 1
    assert told in err
