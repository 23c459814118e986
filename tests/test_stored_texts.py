"""Nothing that was stored can run: every command is walked over a forged store and archive.

The store holds paths of Python files wherever it holds a text, and pickles that call. Each leaves a
marker when it runs; the marker must never appear.
"""

from __future__ import annotations

import ast
import builtins
import io
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import ludens
from arena import names as agent_names
from configs.command_line import make_parser
from store.run import RUN_FILE
from tests.forged_store import EVIL, GAME, OLD_RUNS, STEP, forge_archive, forge_store, run_file
from tests.forged_store import NEW_RUNS as NEW

ROOT = Path(__file__).parents[1]
RUNS = (*OLD_RUNS, *NEW)

# Words after each command, in which RUN becomes each forged run. To cover a new command, add it.
WALK: dict[str, tuple[str, ...]] = {
    "train": (f"{GAME} --run RUN --minutes 0.001", f"{GAME} --game RUN --minutes 0.001"),
    "surgery": (
        *("RUN --config ppo --run cut-RUN", f"RUN@{STEP} --config lanes_1v1 --json"),
        "path_in_config --config RUN",
    ),
    "watch": ("RUN --once", "RUN --once --json"),
    "report": ("RUN", "RUN path_in_config", "--sweep RUN"),
    "play": (
        *(f"{GAME} --plain", f"{GAME} --agent RUN --plain", f"RUN --agent {GAME} --plain"),
        *("FrozenLake-v1 --agent RUN --plain", "RUN --agent random --plain"),
    ),
    "record": ("RUN --out f.gif", f"RUN@{STEP} --strip s.png", "random --env RUN --out f.gif"),
    "trajectories": ("RUN", "RUN --json", "RUN --npz 1 --out a.npz", "RUN --replay 1"),
    "analyze": (f"{GAME} --agent RUN --simulations 1", f"{GAME} --agent RUN@{STEP}:sims=0"),
    "match": (
        f"{GAME} RUN:sims=0 random --games 2",
        "RUN random random --games 2",
        *("lanes_1v1 RUN fighter --games 2", f"lanes_1v1 fighter RUN@{STEP} --games 2"),
    ),
    "rate": ("RUN --simulations 0 --anchors random --games 4", "path_in_config RUN --games 2"),
    "evaluate": ("RUN", f"RUN@{STEP} --json", "random --env RUN --games 1"),
    "ablate": (f"{GAME} --without cache --runs walk --minutes 0.001 --turn 0.001",),
    "runs": (
        *("", "--json", "verify RUN", "prune RUN --keep-last 1"),
        *(f"keep RUN@{STEP} first", "release RUN first", "export RUN RUN.tar"),
        *("import RUN.tar --run again-RUN", "import names.tar", "import code.tar"),
    ),
    "doctor": (f"{GAME} --seconds 0",),
    "perft": (f"{GAME} 2", "RUN 2"),
    "check-game": (f"{GAME} --games 1", "RUN"),
    "completion": ("bash",),
    "engine": ("--agent RUN --prepare",),
    "bench": (
        *("search RUN --seconds 0.01", "selfplay RUN --seconds 0.01"),
        *("acting RUN --seconds 0.01", "learning RUN --seconds 0.01"),
        "environment RUN --seconds 0.01",
    ),
}

# What must come to its end, so that the walk is known to get as far as the stored texts.
SUCCEED = (
    f"play {GAME} --plain",
    f"play {GAME} --agent path_in_config --plain",
    f"analyze {GAME} --agent path_in_config@{STEP}:sims=0",
    f"match {GAME} path_in_config:sims=0 random --games 2",
    "rate path_in_config --simulations 0 --anchors random --games 4",
    "watch path_v2 --once",
    "report path_v2",
    "runs --json",
    "runs export path_v2 path_v2.tar",
    "runs import path_v2.tar --run again-path_v2",
)


@pytest.fixture(scope="module")
def forged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a forged store, whose texts name files in it."""
    folder = tmp_path_factory.mktemp("forged")
    forge_store(folder / "runs", folder / "ran")
    return folder


@pytest.fixture
def marker(forged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The forged store as ./runs, and forged archives beside it; what its code would leave."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("LUDENS_DEBUG", raising=False)
    shutil.copytree(forged / "runs", "runs")
    found, evil = forged / "ran", forged / "runs/path_v2" / EVIL
    forge_archive(Path("names.tar"), "names", {RUN_FILE: run_file("path_v2", str(evil))})
    code = {RUN_FILE: run_file("path_v2", f"runs/code/{EVIL}"), EVIL: evil.read_bytes()}
    forge_archive(Path("code.tar"), "code", code)
    yield found
    assert not found.exists()


def run(line: str, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    status = ludens.main(line.split())
    out, err = capsys.readouterr()
    return status, out, err


def test_the_walk_knows_every_command() -> None:
    assert WALK.keys() == ludens.COMMANDS.keys()
    parser = make_parser("runs", ludens.COMMANDS["runs"])
    (actions,) = [set(a.choices) for a in parser._actions if isinstance(a.choices, dict)]
    assert {words.partition(" ")[0] for words in WALK["runs"]} >= actions


@pytest.mark.parametrize("command", list(WALK))
def test_no_command_runs_what_was_stored(
    command: str, marker: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in WALK[command]:
        for name in RUNS if "RUN" in words else ("",):
            line = f"{command} {words}".replace("RUN", name)
            status, _, err = run(line, capsys, monkeypatch)
            assert not marker.exists(), line
            assert "internal error" not in err, f"{line}: {err}"
            assert status == 0 or err or command in ("runs", "doctor"), line
            if line in SUCCEED:
                assert status == 0, f"{line}: {err}"


def test_all_that_must_succeed_is_walked() -> None:
    walked = {
        f"{command} {words}".replace("RUN", name).strip()
        for command, lines in WALK.items()
        for words in lines
        for name in RUNS
    }
    assert set(SUCCEED) <= walked


def test_the_code_would_leave_its_marker(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a marker that does not appear says something: who names the file runs it."""
    forge_store(tmp_path / "runs", tmp_path / "ran")
    status, _, err = run(f"perft {tmp_path}/runs/own/{EVIL} 1", capsys, monkeypatch)
    assert (status, "must define GAME" in err) == (2, True)
    assert (tmp_path / "ran").exists()


def test_an_archive_with_code_in_it_is_refused_by_name(
    marker: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, _, err = run("runs import code.tar", capsys, monkeypatch)
    assert status == 1
    assert f"bad entry '{EVIL}': not the name of a file of a run" in err
    assert not Path("runs/code").exists()


TOLD = {
    f"play {GAME} --agent own --plain": "name it: ludens play events.py --agent own",
    "rate own": "name it: ludens rate own --game events.py",
    "evaluate own_environment": "a store never says where code is, so name it: --env ",
    "rate own_environment": "a store never says where code is, so name it: --env ",
    "report own": "name it: ludens report own --game events.py",
    f"train {GAME} --run own": "run 'own' in 'runs' is of game 'events', not 'tic_tac_toe'",
    "play events --agent own --plain": "named on the command line by the file that defines it",
    "rate path_v3": "expected a name of 1 to 100 characters, and no path of code",
}


@pytest.mark.parametrize("line", list(TOLD))
def test_who_has_to_name_a_file_is_told_what_to_type(
    line: str, marker: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, _, err = run(line, capsys, monkeypatch)
    assert TOLD[line] in err
    assert status == (0 if line.startswith("report") else 2 if "train" not in line else 1) or (
        line == "rate path_v3"
    )


# --- where code can come from ---------------------------------------------------------------------

# Who may turn a text into a game or an environment of a user's own, and where it comes from.
MAY_LOAD = {
    "envs/game_file.py",
    "envs/pettingzoo_env.py",  # an argument in Python
    "commands/options.py",  # a word of the command line
    "commands/rating.py",  # a word of the command line
    "commands/showing.py",  # a word of the command line
    "commands/evaluating.py",  # a word of the command line, or of a preset named there
    "envs/vector/finding.py",  # the definition
    "agents/alphazero/game.py",  # a TrainConfig, which comes from there
    "agents/dqn/algorithm.py",  # likewise, for training; an agent is given its environment
    "agents/dqn/playing/actor.py",  # likewise
    "agents/ppo/algorithm.py",  # likewise
    "agents/ppo/training.py",  # likewise
    "arena/match/workers.py",  # a `Path` from `commands.rating`
    "benchmarks/selfplay/search.py",  # a word of the command line
}
LOADERS = {"load_game_file", "find_or_load", "typed_game", "typed_environment", "EnvironmentClass"}
RUNNERS = {
    "exec": set(),
    "eval": set(),
    "compile": set(),
    "__import__": set(),
    # Of constants:
    "import_module": {
        "agents/registry.py",
        "arena/solvers/registry.py",
        "envs/registry.py",
        "selfplay/doctor.py",
        "envs/vector/finding.py",  # of a word that a person typed
        "envs/teams/finding.py",  # of a module in one of PARALLEL_PACKAGES, by a bounded pattern
    },
    "exec_module": {"envs/game_file.py"},
    "spec_from_file_location": {"envs/game_file.py"},
    "descr_to_dtype": set(),
    "Unpickler": set(),
    "TrainConfig": {"benchmarks"},  # of constants, in any of them
}


@cache
def _called(path: Path) -> list[tuple[str, ast.Call]]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return [(ast.unparse(node.func), node) for node in nodes if isinstance(node, ast.Call)]


SOURCES = [
    path
    for path in sorted(ROOT.rglob("*.py"))
    if path.relative_to(ROOT).parts[0] not in ("tests", ".venv")
]


def test_code_is_loaded_only_where_a_person_named_it() -> None:
    assert len(SOURCES) > 100
    for path in SOURCES:
        where = path.relative_to(ROOT).as_posix()
        for function, call in _called(path):
            name = function.rpartition(".")[2]
            if name in LOADERS:
                assert where in MAY_LOAD, f"{where}:{call.lineno}: {function}"
            if function in RUNNERS or (name in RUNNERS and name not in dir(builtins)):
                assert {where, where.partition("/")[0]} & RUNNERS[name], (
                    f"{where}:{call.lineno}: {function}"
                )


def test_nothing_is_unpickled() -> None:
    for path in SOURCES:
        for function, call in _called(path):
            words = {word.arg: ast.unparse(word.value) for word in call.keywords}
            if function == "torch.load":
                assert words.get("weights_only") == "True"
            assert function not in ("pickle.load", "pickle.loads", "joblib.load", "dill.loads")
            assert words.get("allow_pickle") in (None, "False")


def test_reading_an_agents_name_loads_nothing() -> None:
    source = Path(agent_names.__file__).read_text()
    assert not LOADERS & {node.id for node in ast.walk(ast.parse(source)) if hasattr(node, "id")}
