"""What systemd's own programs say of a unit."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.support.requirements import go_without

if TYPE_CHECKING:
    from pathlib import Path


def assert_nothing_is_wrong_and_little_exposed(unit: Path, *others: Path) -> None:
    """``others``: units that it belongs to, such as its timer; they are verified with it."""
    if shutil.which("systemd-analyze") is None:
        go_without("systemd", "needs systemd-analyze: apt-get install systemd")
    verified = subprocess.run(["systemd-analyze", "verify", unit, *others], capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")
    # In tenths: an exposure of 1.5 at most.
    judge = ["systemd-analyze", "security", "--offline=true", "--threshold=15", str(unit)]
    judged = subprocess.run(judge, capture_output=True, text=True)
    assert judged.returncode == 0, judged.stdout
