from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from monitor.harness import children
from monitor.harness.memory import tree_bytes

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process

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


def test_the_kernel_remembers_a_peak_that_nobody_saw() -> None:
    # In a process of its own, because this one may have had a higher peak before.
    code = "own = bytearray(b'x') * 200_000_000; del own; print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        together, alone = tree_bytes(child.pid)
        child.stdin.write(b"\n")
    assert alone - together > 150e6


def test_a_process_that_has_ended_takes_none() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    assert ended.wait() == 0
    assert tree_bytes(ended.pid) == (0, 0)
