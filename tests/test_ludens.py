import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ludens
from arena import names as agent_names
from commands import training

Run = Any


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command line; answers status, standard output and standard error."""
    monkeypatch.delenv("LUDENS_DEBUG", raising=False)

    def run_words(*words: str) -> tuple[int, str, str]:
        status = ludens.main(words)
        out, err = capsys.readouterr()
        return status, out, err

    return run_words


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    code = "import sys, ludens; ludens.main(['--help']); print(sorted(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    text, modules = found.stdout.rsplit("[", 1)
    assert all(f"  {name}" in text for name in ludens.COMMANDS)
    loaded = set(modules.strip(" ]\n").replace("'", "").split(", "))
    assert not loaded & {"numpy", "torch", "numba", "rich", "argparse", "tomllib", "pyarrow"}


@pytest.mark.parametrize("command", list(ludens.COMMANDS))
def test_every_command_explains_itself_with_examples(run: Run, command: str) -> None:
    status, out, _ = run(command, "--help")
    assert status == 0
    assert "examples:" in out
    assert f"ludens {command}" in out


def test_training_help_says_what_every_setting_means(run: Run) -> None:
    _, out, _ = run("train", "--help")
    assert "--learner.batch-size" in out
    assert "AlphaZero: 4096" in " ".join(out.split())
    # Before Python 3.13 each spelling of an option has its placeholder, since then the last one.
    for shape in ("passes X", "batch_size N", "value_mixing outcomes|scalar"):
        assert f"--learner.{shape}" in out, shape
    assert "--search.solve true|false" in out


def test_help_is_a_word_too(run: Run) -> None:
    assert run("help", "train") == run("train", "--help")
    assert run("help") == run("--help")
    status, _, told = run("help", "trian")
    assert (status, "did you mean 'train'?" in told) == (2, True)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("trian", "unknown command 'trian'; did you mean 'train'?"),
        ("train", "required: PRESET"),
        ("ablate connect_four", "nothing to leave out: expected some of playout_cap"),
        ("ablate connect_four --without cash", "no technique 'cash'; did you mean 'cache'?"),
        ("ablate connect_four --without cache --turn 0", "--turn 0: expected minutes above 0"),
        ("ablate connect_four --with c_init=2", "no such setting; did you mean 'search.c_init'?"),
        ("ablate lanes_1v1 --without lstn", "no technique 'lstn'; did you mean 'lstm'?"),
        (
            "ablate lanes_1v1 --without lstm --width 9",
            "is for board games, and lanes_1v1 is a game",
        ),
        (
            "ablate dqn --without double --openings a.txt",
            "--openings: is for board games, and Cart",
        ),
        ("ablate dqn --without double --cores 0", "--cores 0: expected 1 or more"),
        ("train connect_for", "no preset 'connect_for'; did you mean 'connect_four'?"),
        ("train connect_four --minute 3", "unknown argument '--minute'; did you mean '--minutes'?"),
        ("train connect_four --minutes ten", "minutes = 'ten': expected a number"),
        ("train connect_four --lerner.passes 2", "did you mean '--learner.passes'?"),
        ("train connect_four --run mcts", "run name 'mcts' is an agent's name"),
        ("perft conect_four 3", "did you mean 'connect_four'?"),
        ("perft tic_tac_toe 3 --position z9", "'z9'"),
        ("perft tic_tac_toe many", "invalid int value: 'many'"),
        ("match tic_tac_toe randon random", "no agent 'randon'; did you mean 'random'?"),
        ("analyze tic_tac_toe --agent human", "ludens play"),
        ("bench speed connect_four", "invalid choice: 'speed'"),
    ],
)
def test_a_mistake_is_one_clear_line_and_status_2(
    run: Run, line: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run(*line.split())
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert told in err
    assert list(tmp_path.iterdir()) == []  # nothing was begun


def test_a_failure_is_one_clear_line_and_status_1(run: Run) -> None:
    status, _, err = run("analyze", "tic_tac_toe", "--agent", "random", "--positions", "/no/file")
    assert status == 1
    assert err == "error: /no/file: No such file or directory\n"


def test_tracebacks_are_for_those_who_ask(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUDENS_DEBUG", "1")
    with pytest.raises(ludens.UsageError):
        ludens.main(["trian"])


def test_an_error_of_the_program_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(args: object) -> int:
        raise KeyError("lost")

    broken = ludens.COMMANDS["perft"]._replace(run=fail)
    monkeypatch.setitem(ludens.COMMANDS, "perft", broken)
    status, _, err = run("perft", "tic_tac_toe", "3")
    assert status == 1
    assert "internal error, KeyError: 'lost'" in err


def test_no_run_can_have_an_agents_name() -> None:
    assert set(training.RESERVED) == set(agent_names.RESERVED)


def test_perft_counts_and_divides(run: Run) -> None:
    assert run("perft", "tic_tac_toe", "5")[:2] == (0, "15,120\n")
    status, out, _ = run("perft", "connect_four", "3", "--position", "44", "--divide", "--json")
    answer = json.loads(out)
    assert (status, answer["nodes"], answer["divided"]["4"]) == (0, 343, 49)


def test_check_game_reports_every_check(run: Run) -> None:
    status, out, _ = run("check-game", "tic_tac_toe", "--games", "5")
    assert status == 0
    assert "every check passed" in out


def test_analyze_answers_one_object_a_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    positions = tmp_path / "positions.txt"
    positions.write_text("# corners\n\na1\nz9\nb2 a1\n")
    words = ("tic_tac_toe", "--agent", "solver", "--positions", str(positions), "--json")
    status, out, err = run("analyze", *words)
    answers = [json.loads(line) for line in out.splitlines()]
    assert status == 1
    assert "line 4" in err
    assert [a["position"] for a in answers] == ["a1", "b2 a1"]
    assert answers[0]["move"] == "b2"
    assert {"position", "move", "value", "visits"} <= answers[0].keys()


def test_match_is_the_same_from_the_same_seed(run: Run) -> None:
    words = ("match", "tic_tac_toe", "mcts:20", "random", "--games", "20", "--seed", "3", "--json")
    first, again = run(*words), run(*words)
    assert first[0] == 0
    assert first[1] == again[1]
    assert json.loads(first[1])["score"] > 0.6


def test_play_ends_cleanly_at_the_end_of_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["b2", "undo"])

    def read(prompt: str) -> str:
        try:
            return next(answers)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", read)
    status, out, _ = run("play", "tic_tac_toe", "--agent", "mcts:10")
    assert status == 0
    assert out.rstrip().endswith("game: (no moves)")
    assert "\x1b" not in out  # colours are for terminals


def test_play_without_an_agent_says_whom_it_chose(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("builtins.input", lambda prompt: "quit")
    for more in ((), ("--plain",)):
        status, out, _ = run("play", "tic_tac_toe", "--store", str(tmp_path), *more)
        assert status == 0
        assert out.startswith(f"no run of Tic-tac-toe in {str(tmp_path)!r}: you play mcts:1000")
        assert "Tic-tac-toe: you as X (red) against mcts:1000" in out


@pytest.mark.slow
def test_train_continue_and_play(run: Run, tmp_path: Path) -> None:
    store = ("--store", str(tmp_path))
    small = ("--minutes", "0", "--publish-rows", "200", "--selfplay.games", "32")
    status, out, _ = run("train", "tic_tac_toe", *store, *small, "--games", "60")
    assert status == 0
    assert "trained, to step" in out
    status, out, _ = run("train", "tic_tac_toe", *store, *small, "--games", "60")
    assert "was trained already" in out
    words = ("match", "tic_tac_toe", "tic_tac_toe:sims=16", "tic_tac_toe:sims=0", "--games", "4")
    assert run(*words, *store)[0] == 0


def test_a_match_begins_from_the_openings_of_a_file(run: Run, tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text("b2 a1\nb2 b1\n", encoding="utf-8")
    words = ("match", "tic_tac_toe", "random", "mcts:20", "--openings", str(book))
    status, out, _ = run(*words, "--games", "4", "--json")
    assert status == 0
    assert json.loads(out)["openings"].startswith("book:book.txt:")
    status, _, err = run(*words, "--games", "6")
    assert status == 1
    assert "there are 2 book:book.txt:" in err
    status, _, err = run(*words, "--opening-plies", "2")
    assert status == 2
    assert err == "error: --opening-plies: those of --openings have their own lengths\n"
    status, _, err = run(*words, "--balanced")
    assert status == 2
    status, _, err = run("match", "tic_tac_toe", "random", "mcts:20", "--openings", "no.txt")
    assert status == 1
    assert "no.txt" in err


def test_an_ablation_trains_its_variants_and_rates_them(run: Run, tmp_path: Path) -> None:
    small = (
        "--minutes 0 --games 20 --publish-rows 16 --device cpu --search.simulations 8 "
        "--search.lookahead 1 --network.blocks 1 --network.filters 8 --learner.batch-size 16 "
        "--selfplay.games 8 --selfplay.shards 1 --selfplay.fast-simulations 4"
    )
    words = f"ablate tic_tac_toe --without noise --no-control {small} --width 1900 --simulations 2"
    status, out, _ = run(*words.split(), "--json", "--store", str(tmp_path))
    assert status == 0
    found = json.loads(out)
    full, without = found["outcomes"]
    assert [full["variant"], without["variant"]] == ["full", "without noise"]
    assert full["elo"] == 0.0
    assert without["games"] > 0
    assert 0 <= without["errors"]["searched"]["all positions"] <= 1
    status, out, _ = run("runs", "--json", "--store", str(tmp_path))
    names = [found["name"] for found in json.loads(out)["runs"]]
    assert names == ["tic_tac_toe-ablation-full", "tic_tac_toe-ablation-without-noise"]


def test_an_ablation_of_an_environment_compares_scores(run: Run, tmp_path: Path) -> None:
    small = "--minutes 0 --rows 64 --publish-rows 32 --learner.start-rows 0 --device cpu"
    words = f"ablate dqn --without double --no-control {small} --rating-games 2"
    status, out, _ = run(*words.split(), "--json", "--store", str(tmp_path))
    assert status == 0
    full, without = json.loads(out)["outcomes"]
    assert [full["variant"], without["variant"]] == ["full", "without double"]
    assert (full["run"], full["games"]) == ("dqn-ablation-full", 2)
    assert without["mean"] > 0.0
    status, out, _ = run(*words.split(), "--store", str(tmp_path))
    assert status == 0
    assert "without double" in out.splitlines()[-3]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("ablate dqn --without double --rating-games 0", "games = 0: expected 1 or more"),
        ("ablate lanes_1v1 --without lstm --rating-games 3", "games = 3: expected an even number"),
        ("ablate connect_four --without cache --width 0", "width = 0: expected Elo points above 0"),
        ("ablate connect_four --without cache --openings no.txt", "no.txt"),
    ],
)
def test_what_cannot_compare_variants_is_refused_before_they_train(
    run: Run, tmp_path: Path, line: str, told: str
) -> None:
    status, out, err = run(*line.split(), "--store", str(tmp_path / "runs"))
    assert (status, out) == (1, "")
    assert told in err
    assert not (tmp_path / "runs").exists()
