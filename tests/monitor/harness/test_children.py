from __future__ import annotations

import os
from pathlib import Path

import pytest

from monitor.errors import MonitorError, OutputError
from monitor.harness import children
from tests.support.daemon import wait_until

# Its child holds 60 MB of its own, and both hold 40 MB that were there before it was started.
PARENT = """
import os, time
shared = bytearray(os.urandom(1)) * 40_000_000
if os.fork() == 0:
    own = bytearray(os.urandom(1)) * 60_000_000
    time.sleep(0.9)
    os._exit(0)
os.wait()
"""


def test_memory_is_that_of_all_processes_with_shared_pages_once(tmp_path: Path) -> None:
    ended = children.run(["-c", PARENT], tmp_path / "messages")
    assert 100e6 < ended.peak_bytes < 135e6
    assert ended.wall_seconds > 0.9
    assert 0 < ended.cpu_seconds < 0.9


def test_the_memory_of_the_program_that_starts_it_does_not_count(tmp_path: Path) -> None:
    own = bytearray(b"x") * 200_000_000
    ended = children.run(["-c", "import time; time.sleep(0.5)"], tmp_path / "messages")
    assert 0 < ended.peak_bytes < 50e6
    assert own


def test_a_failure_says_what_the_program_said(tmp_path: Path) -> None:
    with pytest.raises(MonitorError, match=r"ended with 7 while it was measured(?s:.*)no luck") as caught:
        children.run(["-c", "import sys; print('no luck', file=sys.stderr); sys.exit(7)"], tmp_path / "messages")
    assert not isinstance(caught.value, OutputError)
    with pytest.raises(OutputError, match="set TMPDIR"):
        children.run(["-c", "import sys; sys.exit(73)"], tmp_path / "messages")


def test_what_is_left_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    program = "import os, time; os.fork(); time.sleep(60)"
    with children.running(["-c", program], tmp_path / "messages") as running:
        wait_until(lambda: bool(children.descendants(running.process.pid)))
        (child,) = children.descendants(running.process.pid)
        assert child in children.descendants(os.getpid())
    assert running.process.returncode is not None
    wait_until(lambda: not _runs(child))


def test_a_program_that_has_ended_by_itself_is_noticed(tmp_path: Path) -> None:
    with children.running(["-c", "raise SystemExit('gone')"], tmp_path / "messages") as running:
        wait_until(lambda: not _runs(running.process.pid))
        with pytest.raises(MonitorError, match="gone"):
            running.require_running()


def _runs(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
