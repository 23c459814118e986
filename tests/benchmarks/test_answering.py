"""A script in a process of its own."""

import sys
from pathlib import Path

import pytest

from benchmarks.answering import Answering, has_package


def test_a_script_answers_a_line_with_a_line_until_it_ends(tmp_path: Path) -> None:
    script = tmp_path / "doubles.py"
    script.write_text(
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    number = json.loads(line)['number']\n"
        "    if not number: sys.exit(3)\n"
        "    print(json.dumps({'twice': 2 * number}), flush=True)\n"
    )
    process = Answering(sys.executable, script)
    try:
        assert process.ask({"number": 4}) == {"twice": 8}
        with pytest.raises(RuntimeError, match="ended with status 3"):
            process.ask({"number": 0})
    finally:
        process.close()


def test_a_python_is_asked_for_a_package() -> None:
    assert has_package(sys.executable, "numpy")
    assert not has_package(sys.executable, "no_such_package")
