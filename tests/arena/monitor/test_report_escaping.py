"""Whatever a store says is text on the report, in elements and in attributes alike."""

from __future__ import annotations

import ast
import dataclasses
import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jinja2
import pytest

import arena.monitor.report
from agents.progress import Measured
from arena.monitor.history import History, Timeline
from arena.monitor.report.page import report_html
from arena.monitor.report.rendering import environment, render
from envs.tic_tac_toe import GAME
from store import checkpoints
from store.run import Run
from tests.arena.journals import BEGUN, make_run, record_match, stage, write_session

HOSTILE = "</title></style><script>alert('1')</script>\" onload=\"alert(2)\" x='&amp;"
PACKAGE = Path(arena.monitor.report.__file__).parent
TEMPLATES = sorted((PACKAGE / "templates").iterdir())


class Page(HTMLParser):
    """Notes the elements, the names of attributes, and the texts outside and inside attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.texts += [value or "" for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def page_with(tmp_path: Path, text: str) -> Page:
    """The page of a run in which every name, notice and fact is this text."""
    run = make_run(str(tmp_path), "r", learner={text: text}, **{text: 1})
    write_session(run, [stage(30.0, notices=(text,))], BEGUN, cpu=text, packages={text: text})
    timeline = History(run).timeline()
    moments = [dataclasses.replace(m, progress=named(m.progress, text)) for m in timeline.moments]
    info = dataclasses.replace(run.info, game=text, versions={text: text}, created=text)
    hostile = Run(text, run.files, info)
    record_match(run, (text, f"{text}@1"), [[2, 2]])
    for step in (1, 2):
        record_match(run, (f"{text}@{step}", "r@2"), [[2, 1]])
        checkpoints.save(run, step, {"model.safetensors": b"w"}, {"counters": {"games": 1}})
    return Page(report_html(hostile, Timeline(moments, timeline.sessions), None, BEGUN))


def named(progress: Any, text: str) -> Any:
    return dataclasses.replace(progress, measured=(Measured(text, 60.0, {text: 0.5}),))


def test_names_and_notices_are_escaped_everywhere(tmp_path: Path) -> None:
    plain = page_with(tmp_path / "plain", "plain")
    hostile = page_with(tmp_path / "hostile", HOSTILE)
    assert hostile.elements == plain.elements
    assert hostile.attributes == plain.attributes
    everywhere = sum("plain" in text for text in plain.texts)
    assert everywhere > 12
    assert sum(HOSTILE in text for text in hostile.texts) == everywhere


def test_the_texts_of_a_game_are_escaped(tmp_path: Path) -> None:
    piece = {"text": HOSTILE, "colour": HOSTILE}
    game = {
        "when": HOSTILE, "problem": "", "result": HOSTILE, "origin": HOSTILE, "moves": HOSTILE,
        "boards": [{"pieces": [piece, {"text": HOSTILE, "colour": ""}], "caption": HOSTILE}],
    }  # fmt: skip
    module: Any = environment().get_template("game.html").module
    for drawn in (game, {**game, "problem": HOSTILE}):
        html = str(module.draw(drawn))
        assert "<script" not in html
        assert Page(html).attributes == ({"class"} if not drawn["problem"] else set())
    assert GAME.title in report_html(make_run(str(tmp_path)), Timeline(), GAME, BEGUN)


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="page"):
        render("page.html")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_turns_escaping_off(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe\b|autoescape|Markup", source)


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.name)
def test_only_templates_hold_markup(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    assert not [t for t in texts if isinstance(t, str) and re.search(r"</?[a-z]|/>", t)]


def test_the_templates_are_installed_with_the_package() -> None:
    root = PACKAGE.parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["arena.monitor.report"]
    installed = {path for pattern in patterns for path in PACKAGE.glob(pattern)}
    assert set(TEMPLATES) <= installed
