import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from arena.opponents.process import HangError, Program, ProgramError


def runs(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_nothing_is_left_of_a_program_that_is_no_longer_used() -> None:
    program = Program(["sh", "-c", "sleep 60 & echo $! $$; wait"])
    child, itself = map(int, program.read_line(time.monotonic() + 20).split())
    assert runs(child)
    assert runs(itself)
    del program
    with pytest.raises(ProcessLookupError):
        os.kill(itself, 0)  # not even a zombie
    end = time.monotonic() + 20
    while runs(child) and time.monotonic() < end:
        time.sleep(0.01)
    assert not runs(child)


HANGING = """
import signal, sys, time
import ludens
from arena.opponents.process import Program
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it
ludens._end_by_signals()
program = Program(["sh", "-c", "echo $$; exec sleep 60"])
print(program.read_line(time.monotonic() + 20), flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_no_program_outlives_a_command_that_a_signal_ends(number: signal.Signals) -> None:
    command = subprocess.Popen([sys.executable, "-c", HANGING], stdout=subprocess.PIPE, text=True)
    assert command.stdout is not None
    with command:
        program = int(command.stdout.readline())
        assert runs(program)
        command.send_signal(number)
        assert command.wait(60) == 128 + number
    assert not runs(program)


def test_lines_are_waited_for_and_no_longer() -> None:
    program = Program(["sh", "-c", "echo one; echo two; sleep 60"])
    deadline = time.monotonic() + 20
    assert [program.read_line(deadline) for _ in range(2)] == ["one", "two"]
    with pytest.raises(HangError, match="no answer in time"):
        program.read_line(time.monotonic() + 0.1)
    program.stop()


def test_what_cannot_be_run_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF")
    broken.chmod(0o755)
    with pytest.raises(ProgramError, match="broken: Exec format error"):
        Program([str(broken)])
