from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest

from monitor.errors import MonitorError, OutputError
from monitor.harness import children
from monitor.harness.children import Running
from monitor.harness.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process


STOPPABLE = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
print("up", file=sys.stderr)
time.sleep(60)
"""


def test_a_failure_says_what_the_program_said(tmp_path: Path) -> None:
    messages = tmp_path / "messages"
    messages.write_text("of another run\n")
    with pytest.raises(MonitorError, match=r"ended with exit code 7(?s:.*)no luck") as caught:
        children.run(["-c", "import sys; print('no luck', file=sys.stderr); sys.exit(7)"], messages)
    assert not isinstance(caught.value, OutputError)
    assert "of another run" not in str(caught.value)
    with pytest.raises(OutputError, match="set TMPDIR"):
        children.run(["-c", "import sys; sys.exit(73)"], messages)
    assert messages.read_text() == "of another run\nno luck\n"


def test_it_runs_where_and_with_what_it_is_told(tmp_path: Path) -> None:
    program = "import os, sys; print(os.getcwd(), os.environ['WORD'], 'HOME' in os.environ, file=sys.stderr)"
    with Running(["-c", program], tmp_path / "messages", folder=tmp_path, environment={"WORD": "told"}) as running:
        assert running.ended().messages == f"{tmp_path} told False\n"


def test_what_is_left_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    program = "import os, time; os.fork(); time.sleep(60)"
    with Running(["-c", program], tmp_path / "messages") as running:
        parent = psutil.Process(running.process.pid)
        wait_until(lambda: bool(parent.children()))
        (child,) = parent.children()
    assert running.process.returncode is not None
    wait_until(lambda: not _runs(child))


def test_a_program_that_has_ended_by_itself_is_noticed(tmp_path: Path) -> None:
    with Running(["-c", "raise SystemExit('gone')"], tmp_path / "messages") as running:
        running.require_running()
        wait_until(running.has_ended)
        with pytest.raises(MonitorError, match="gone"):
            running.require_running()


def test_a_program_that_is_stopped_tells_its_exit_code(tmp_path: Path) -> None:
    with Running(["-c", STOPPABLE], tmp_path / "messages") as running:
        wait_until(lambda: running.text() == "up\n")
        assert running.stop() == 5
    with Running(["-c", "import time; time.sleep(60)"], tmp_path / "messages") as running:
        assert running.stop(9) == -9


def _runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
