"""The import rules and the sizes of the packages, read from the sources by `ast`.

Every import counts, wherever it is: inside a function, under `if TYPE_CHECKING`, or as a
literal passed to `importlib.import_module`. To change a rule, change IMPORT_RULES and
docs/architecture.md together. What exceeds a size limit today is listed with its size, which may
only shrink.
"""

import ast
import io
import re
import sys
import tokenize
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent


class ImportRules(NamedTuple):
    """What a package may import besides itself and the standard library."""

    ours: frozenset[str]
    third_party: frozenset[str]  # dotted prefixes: "ray.rllib" does not admit "ray.serve"


def _rules(ours: str, third_party: str) -> ImportRules:
    return ImportRules(frozenset(ours.split()), frozenset(third_party.split()))


# A key may be a folder inside a package; the longest matching key decides.
IMPORT_RULES = {
    "envs": _rules("", "numpy numba llvmlite msgspec gymnasium pettingzoo ale_py chess"),
    "store": _rules("", "numpy pyarrow fsspec safetensors"),
    "mcts": _rules("envs", "numpy numba msgspec"),
    "agents": _rules("envs store mcts", "numpy numba msgspec torch safetensors"),
    "agents/ppo": _rules(
        "envs store mcts", "numpy numba msgspec torch safetensors gymnasium ray.rllib ray.kill"
    ),
    "selfplay": _rules("envs store mcts agents", "numpy torch tensorboard ray"),
    "arena": _rules(
        "envs store mcts agents",
        "numpy numba scipy openskill rich textual textual_serve matplotlib jinja2 ray av PIL",
    ),
    "configs": _rules("envs store mcts agents selfplay arena", ""),
    "benchmarks": _rules(
        "envs store mcts agents selfplay arena configs",
        "numpy numba torch ray jax mctx pgx pyspiel",
    ),
    "benchmarks/arena/clock.py": _rules("envs store mcts agents arena", "chess"),
    "benchmarks/hosts/s3_server.py": _rules("", "moto werkzeug"),
    "benchmarks/learning/sb3_peer.py": _rules("", "torch ale_py gymnasium stable_baselines3"),
    "benchmarks/replay/sb3_peer.py": _rules("", "numpy torch gymnasium stable_baselines3"),
    "benchmarks/rules/perft_peers.py": _rules("", "chess cshogi shogi"),
    "commands": _rules("envs store mcts agents selfplay arena configs benchmarks", "argcomplete"),
    "ludens.py": _rules("envs store mcts agents selfplay arena configs benchmarks commands", ""),
}
PACKAGES = frozenset(key for key in IMPORT_RULES if "/" not in key and not key.endswith(".py"))
OURS = PACKAGES | {"ludens", "tests"}

HOMELESS = re.compile(r"_?(utils?|commons?|core|misc)")

# What `ludens --help` cannot afford: each costs 0.1 s to several seconds to import.
HEAVY = frozenset(
    {"torch", "numba", "ray", "jax", "scipy", "pyarrow", "tensorboard", "gymnasium"}
    | {
        "pettingzoo",
        "safetensors",
        "fsspec",
        "matplotlib",
        "textual",
        "jinja2",
        "ale_py",
        "av",
        "PIL",
    }
)


MOST_FILES = 15  # Python files right in one folder
MOST_CODE_LINES = 400  # of a file: without blank lines, comments and docstrings
MOST_FUNCTION_LINES = 50  # from `def` to the last line, docstring included

# What is larger today, with its size. An entry may only shrink, and goes when it fits the limit.
LARGE_FOLDERS: dict[str, int] = {}
LARGE_FILES: dict[str, int] = {}
LONG_FUNCTIONS: dict[str, int] = {}

_NO_CODE = frozenset(
    {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    | {tokenize.ENDMARKER}
)


class Import(NamedTuple):
    """One imported name, absolute and dotted, and the line it is on."""

    name: str
    line: int

    @property
    def top(self) -> str:
        """The package it belongs to."""
        return self.name.partition(".")[0]


# --- reading ------------------------------------------------------------------------------------


@cache
def _parsed(source: str) -> ast.Module:
    return ast.parse(source)


def _imports_of(node: ast.AST, path: str) -> Iterator[Import]:
    """Yield the names that one statement or call imports; `path` is relative to the root."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name, node.lineno)
    elif isinstance(node, ast.ImportFrom):
        package = Path(path).parent.parts
        depth = max(0, len(package) + 1 - node.level) if node.level else 0
        base = ".".join(package[:depth])
        module = ".".join(part for part in (base, node.module) if part)
        for alias in node.names:
            yield Import(f"{module}.{alias.name}", node.lineno)
    elif isinstance(node, ast.Call) and node.args:
        called = ast.unparse(node.func).rpartition(".")[2]
        first = node.args[0]
        if called in {"import_module", "__import__"} and isinstance(first, ast.Constant):
            yield Import(str(first.value), node.lineno)


def all_imports(source: str, path: str) -> list[Import]:
    """Return every import of a file, at any depth."""
    return [found for node in ast.walk(_parsed(source)) for found in _imports_of(node, path)]


def imports_when_loaded(source: str, path: str) -> list[Import]:
    """Return the imports that run on import: not in functions, not for type checkers."""
    found: list[Import] = []
    pending: list[ast.AST] = [_parsed(source)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            pending.extend(node.orelse)
            continue
        found.extend(_imports_of(node, path))
        pending.extend(ast.iter_child_nodes(node))
    return found


# --- judging ------------------------------------------------------------------------------------


def _rules_of(path: str) -> tuple[str, ImportRules]:
    inside = [key for key in IMPORT_RULES if path == key or path.startswith(f"{key}/")]
    key = max(inside, key=len)
    return key, IMPORT_RULES[key]


def _admits(allowed: frozenset[str], name: str) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in allowed)


def rule_violations(source: str, path: str) -> list[str]:
    """`file:line: rule` for each import of `source` that breaks a rule."""
    key, rules = _rules_of(path)
    package = key.partition("/")[0]
    problems = []
    for found in all_imports(source, path):
        if found.top in OURS:
            if found.top != package and found.top not in rules.ours:
                may = ", ".join(sorted(rules.ours)) or "nothing of ours"
                rule = f"{key} may not import {found.top} ({found.name}); it may import {may}"
                problems.append(f"{path}:{found.line}: {rule}")
        elif found.top not in sys.stdlib_module_names and not _admits(
            rules.third_party, found.name
        ):
            may = ", ".join(sorted(rules.third_party))
            rule = f"{key} may not use {found.name}; of third parties it may use {may}"
            problems.append(f"{path}:{found.line}: {rule}")
    return problems


def homeless_names(paths: list[str]) -> list[str]:
    """Report modules and folders whose names say nothing."""
    return [
        f"{path}:1: '{part}' says nothing: name the module after what it holds"
        for path in paths
        for part in Path(path).with_suffix("").parts
        if HOMELESS.fullmatch(part)
    ]


def _files_loaded_by(name: str, root: Path) -> list[str]:
    """Return our files that run when `name` is imported: packages on the way, then the module."""
    files = []
    for depth in range(1, name.count(".") + 2):
        stem = Path(*name.split(".")[:depth])
        for candidate in (stem / "__init__.py", stem.with_suffix(".py")):
            if (root / candidate).is_file():
                files.append(candidate.as_posix())
    return files


def heavy_imports_at_start(start: str, root: Path) -> list[str]:
    """`file:line: rule` for each heavy package that importing `start` would import."""
    problems = []
    pending = [(start, start)]
    seen = {start}
    while pending:
        path, chain = pending.pop()
        for found in imports_when_loaded((root / path).read_text(encoding="utf-8"), path):
            if found.top in HEAVY:
                rule = f"{found.top} is imported as `ludens --help` starts ({chain})"
                problems.append(f"{path}:{found.line}: {rule}; import it in the function")
            for file in _files_loaded_by(found.name, root) if found.top in OURS else []:
                if file not in seen:
                    seen.add(file)
                    pending.append((file, f"{chain} > {file}"))
    return sorted(problems)


def import_circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the import cycles, each once, files in alphabetical order.

    Two cycles that share a file are merged.
    """
    reached: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        pending = [*graph[start]]
        while pending:
            if (file := pending.pop()) not in seen:
                seen.add(file)
                pending.extend(graph.get(file, ()))
        reached[start] = seen
    circular = [file for file in graph if file in reached[file]]
    return [
        circle
        for file in circular
        if (circle := [f for f in circular if f in reached[file] and file in reached[f]])[0] == file
    ]


def code_lines(source: str) -> int:
    """Count the lines of a file that hold code: not blank, no comment, no docstring."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    code = {
        line
        for token in tokens
        if token.type not in _NO_CODE
        for line in range(token.start[0], token.end[0] + 1)
    }
    for node in ast.walk(_parsed(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            if isinstance(node.value.value, str):
                code -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(code)


def function_lengths(source: str) -> dict[str, int]:
    """Count the lines of each function by name; of one name, the longest."""
    found: dict[str, int] = {}
    for node in ast.walk(_parsed(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            found[node.name] = max(lines, found.get(node.name, 0))
    return found


def size_problems(sizes: Mapping[str, int], limit: int, known: Mapping[str, int]) -> list[str]:
    """Report what is over the limit and not listed, larger than listed, or listed needlessly."""
    problems = []
    for name in sorted({*sizes, *known}):
        size, listed = sizes.get(name, 0), known.get(name)
        if listed is None and size > limit:
            problems.append(f"{name}: {size}, expected {limit} at most: split it")
        elif listed is not None and size > listed:
            problems.append(f"{name}: {size}, it was {listed} and may only shrink")
        elif listed is not None and size <= limit:
            problems.append(f"{name}: {size} is within {limit}: take it off the list")
        elif listed is not None and size < listed:
            problems.append(f"{name}: {size}, the list says {listed}: lower it")
    return problems


# --- the packages as they are -------------------------------------------------------------------


def _sources(*folders: str) -> list[str]:
    files = [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]
    return [file.relative_to(ROOT).as_posix() for file in files]


def _report(problems: list[str]) -> str:
    return "\n" + "\n".join(problems) + "\n(see docs/architecture.md)"


@pytest.mark.parametrize("package", [*sorted(PACKAGES), "ludens.py"])
def test_imports_follow_the_rules(package: str) -> None:
    paths = ["ludens.py"] if package == "ludens.py" else _sources(package)
    assert paths, f"{package} has no sources"
    problems = [
        problem
        for path in paths
        for problem in rule_violations((ROOT / path).read_text(encoding="utf-8"), path)
    ]
    assert not problems, _report(problems)


def test_no_module_is_named_after_nothing() -> None:
    problems = homeless_names(_sources(*PACKAGES, "tests"))
    assert not problems, _report(problems)


def test_help_imports_nothing_heavy() -> None:
    problems = heavy_imports_at_start("ludens.py", ROOT)
    assert not problems, _report(problems)


def test_no_files_form_an_import_cycle() -> None:
    graph = {}
    for path in _sources(*PACKAGES):
        imports = all_imports((ROOT / path).read_text(encoding="utf-8"), path)
        names = {found.name for found in imports if found.top in OURS}
        files = {file for name in names for file in _files_loaded_by(name, ROOT)}
        graph[path] = {file for file in files if not file.endswith("__init__.py")}
    problems = [" > ".join(circle) for circle in import_circles(graph)]
    assert not problems, _report(problems)


def test_no_folder_has_many_files() -> None:
    folders = Counter(Path(path).parent.as_posix() for path in _sources(*PACKAGES))
    problems = size_problems(folders, MOST_FILES, LARGE_FOLDERS)
    assert not problems, _report(problems)


def test_no_file_is_long() -> None:
    sizes = {path: code_lines((ROOT / path).read_text("utf-8")) for path in _sources(*PACKAGES)}
    problems = size_problems(sizes, MOST_CODE_LINES, LARGE_FILES)
    assert not problems, _report(problems)


def test_no_function_is_long() -> None:
    sizes = {
        f"{path}:{name}": lines
        for path in _sources(*PACKAGES)
        for name, lines in function_lengths((ROOT / path).read_text("utf-8")).items()
    }
    problems = size_problems(sizes, MOST_FUNCTION_LINES, LONG_FUNCTIONS)
    assert not problems, _report(problems)


def test_arrows_run_one_way() -> None:
    assert "arena" not in IMPORT_RULES["selfplay"].ours
    assert "selfplay" not in IMPORT_RULES["arena"].ours
    for key, rules in IMPORT_RULES.items():
        for lower in rules.ours:
            missing = IMPORT_RULES[lower].ours - rules.ours
            assert not missing, f"{key} may import {lower}, but not {missing} below it"
            assert key.partition("/")[0] not in IMPORT_RULES[lower].ours, (
                f"{key} and {lower}: a cycle"
            )


def test_every_package_is_installed_and_has_import_rules() -> None:
    tops = [init.parent for init in ROOT.glob("*/__init__.py") if init.parent.name != "tests"]
    folders = {init.parent.relative_to(ROOT) for top in tops for init in top.rglob("__init__.py")}
    packages = {".".join(folder.parts) for folder in folders}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(project["tool"]["setuptools"]["packages"]) == packages
    assert {package.partition(".")[0] for package in packages} == PACKAGES


def _project() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _declared() -> list[Requirement]:
    project = _project()
    extras = project["optional-dependencies"].values()
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    return [Requirement(line) for line in lines]


def _pins() -> dict[str, str]:
    """The version of each package in constraints.txt, by its canonical name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    inexact = [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9a-z.]+", pin)]
    assert not inexact, f"expected NAME==VERSION without a local suffix, got {inexact}"
    found = {canonicalize_name(pin.partition("==")[0]): pin.partition("==")[2] for pin in pins}
    assert len(found) == len(pins)
    return found


def outside_their_range(declared: list[Requirement], pins: dict[str, str]) -> list[str]:
    """The pins that the ranges of pyproject.toml do not admit."""
    return [
        f"{wanted}, but constraints.txt has {pins[name]}"
        for wanted in declared
        if (name := canonicalize_name(wanted.name)) in pins
        and not wanted.specifier.contains(pins[name])
    ]


def test_every_dependency_has_one_exact_version_within_its_range() -> None:
    pins = _pins()
    assert {canonicalize_name(wanted.name) for wanted in _declared()} <= set(pins)
    assert outside_their_range(_declared(), pins) == []


def test_pytorch_may_be_the_machines_own() -> None:
    (torch,) = [wanted for wanted in _declared() if wanted.name == "torch"]
    assert torch.specifier.contains("2.11.0+cu130")
    assert not torch.specifier.contains("2.10.1")


def test_makefile_and_classifiers_name_the_pythons_that_are_admitted() -> None:
    project = _project()
    admitted = SpecifierSet(project["requires-python"])
    pythons = [f"3.{minor}" for minor in range(30) if admitted.contains(f"3.{minor}.1")]
    assert pythons == ["3.11", "3.12", "3.13"]
    prefix = "Programming Language :: Python :: 3."
    named = [line[len(prefix) - 2 :] for line in project["classifiers"] if line.startswith(prefix)]
    assert named == pythons
    newest_first = " ".join(f"python{version}" for version in reversed(pythons))
    for file in ("Makefile", ".ci/run"):
        assert f"for name in {newest_first}; do" in (ROOT / file).read_text(encoding="utf-8")


# Where an algorithm may be named: its own folder, the registry, and what judges its players.
ALGORITHM_WORDS = re.compile(r"alphazero|policy_loss|value_loss|simulations_per|Shard\b", re.I)
WITHOUT_ALGORITHMS = ("selfplay", "configs", "commands", "store", "arena/monitor")
EXAMPLES = {"store/replay/episodes.py", "store/upgrades.py"}  # of kinds of episodes, in docstrings


def test_no_algorithm_is_named_outside_its_folder() -> None:
    problems = [
        f"{path}:{number}: names an algorithm: {line.strip()}"
        for path in _sources(*WITHOUT_ALGORITHMS)
        if path not in EXAMPLES
        for number, line in enumerate((ROOT / path).read_text().splitlines(), start=1)
        if ALGORITHM_WORDS.search(line)
    ]
    assert not problems, _report(problems)


# --- the checks can fail ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("envs/chess.py", "import mcts.search", "envs may not import mcts (mcts.search)"),
        ("envs/chess.py", "from mcts import search", "envs may not import mcts (mcts.search)"),
        ("envs/chess.py", "import torch.nn as nn", "envs may not use torch.nn"),
        ("store/log.py", "import os, envs.api", "store may not import envs"),
        ("mcts/tree.py", "def f():\n    import torch", "mcts may not use torch"),
        ("mcts/tree.py", "if TYPE_CHECKING:\n    from agents import net", "may not import agents"),
        ("agents/net.py", "import ray", "agents may not use ray"),
        ("agents/dqn.py", "from ray.rllib import x", "agents may not use ray.rllib.x"),
        ("agents/ppo/loop.py", "from ray import serve", "agents/ppo may not use ray.serve"),
        ("agents/ppo/loop.py", "import selfplay.loop", "agents/ppo may not import selfplay"),
        (
            "selfplay/loop.py",
            "from arena.monitor.panel import Panel",
            "selfplay may not import arena",
        ),
        ("arena/monitor/panel.py", "from selfplay import loop", "arena may not import selfplay"),
        (
            "arena/monitor/panel.py",
            "import_module('selfplay.loop')",
            "arena may not import selfplay",
        ),
        (
            "arena/monitor/panel.py",
            "importlib.import_module('ludens')",
            "arena may not import ludens",
        ),
        ("arena/monitor/panel.py", "import tests.golden", "arena may not import tests"),
        ("configs/load.py", "import yaml", "configs may not use yaml"),
        (
            "benchmarks/store/throughput.py",
            "import commands.runs",
            "benchmarks may not import commands",
        ),
        ("commands/rating.py", "import ludens", "commands may not import ludens"),
        ("commands/rating.py", "def rate():\n    import ray", "commands may not use ray"),
        ("ludens.py", "def train():\n    import numpy", "ludens.py may not use numpy"),
    ],
)
def test_a_forbidden_import_is_found(path: str, source: str, expected: str) -> None:
    (problem,) = rule_violations(source, path)
    assert problem.startswith(f"{path}:{source.count(chr(10)) + 1}: ")
    assert expected in problem


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("envs/chess.py", "from . import api\nfrom .api import step\nimport envs.go, numba"),
        ("agents/ppo/loop.py", "from .. import net\nfrom ..net import N\nfrom ray import rllib"),
        ("arena/monitor/panel.py", "import asyncio\nimport rich.live\nfrom agents.net import load"),
        ("ludens.py", "import argparse\nimport selfplay.loop, arena.monitor.panel, benchmarks"),
    ],
)
def test_an_allowed_import_is_not(path: str, source: str) -> None:
    assert rule_violations(source, path) == []


def test_a_pin_outside_its_range_is_found() -> None:
    declared = [Requirement("torch>=2.11"), Requirement("ray[default]>=2.60,<3")]
    pins = {"torch": "2.10.0", "ray": "2.60.0", "numpy": "2.4.6"}
    assert outside_their_range(declared, pins) == ["torch>=2.11, but constraints.txt has 2.10.0"]


def test_a_homeless_module_is_found() -> None:
    paths = ["envs/utils.py", "arena/core/panel.py", "store/score.py", "tests/mcts/misc.py"]
    found = [problem.partition(":")[0] for problem in homeless_names(paths)]
    assert found == ["envs/utils.py", "arena/core/panel.py", "tests/mcts/misc.py"]


def test_a_heavy_import_behind_light_ones_is_found(tmp_path: Path) -> None:
    sources = {
        "ludens.py": "import configs.load\ndef play():\n    import arena.match.match\n",
        "configs/__init__.py": "",
        "configs/load.py": "try:\n    from agents import settings\nfinally:\n    pass\n",
        "agents/__init__.py": "if TYPE_CHECKING:\n    import torch\nelse:\n    import json\n",
        "agents/settings.py": "import dataclasses\nimport numba\n",
        "arena/match/match.py": "import torch\n",
    }
    for path, source in sources.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(source, encoding="utf-8")
    (problem,) = heavy_imports_at_start("ludens.py", tmp_path)
    assert problem.startswith("agents/settings.py:2: numba is imported as `ludens --help` starts")
    assert "ludens.py > configs/load.py > agents/settings.py" in problem


def test_an_import_cycle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": set(), "e": {"e"}, "f": {"a"}}
    assert import_circles(graph) == [["a", "b", "c"], ["e"]]


def test_lines_of_code_are_counted_without_words_about_them() -> None:
    module = '"""Doc\n\nstring."""\n\n# why\nx = """a\nb"""  # said\n\n\n'
    source = f'{module}def f():\n    """Doc."""\n    return x\n'
    assert code_lines(source) == 4
    assert function_lengths(source) == {"f": 3}


@pytest.mark.parametrize(
    ("size", "known", "problem"),
    [
        (10, {}, ""),
        (11, {}, "a: 11, expected 10 at most: split it"),
        (12, {"a": 12}, ""),
        (13, {"a": 12}, "a: 13, it was 12 and may only shrink"),
        (11, {"a": 12}, "a: 11, the list says 12: lower it"),
        (10, {"a": 12}, "a: 10 is within 10: take it off the list"),
    ],
)
def test_what_grows_over_its_limit_is_found(size: int, known: dict[str, int], problem: str) -> None:
    assert size_problems({"a": size}, 10, known) == [problem] * bool(problem)
