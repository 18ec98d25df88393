"""State folders with trained models, made by the program itself."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


def make_state(home: Path, data: Path, commands: Iterable[Sequence[str]], *, site: Path | None = None) -> Path:
    """Run commands on the labelled folder ``data`` in ``home``; returns its state folder.

    ``site``: a further folder for Python's path, such as one with a distribution of a third party.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MONITOR")}
    if site is not None:
        environment["PYTHONPATH"] = str(site)
    for arguments in commands:
        command = [sys.executable, "-m", "monitor", *arguments, "--data", str(data)]
        subprocess.run(command, cwd=home, env=environment, check=True, capture_output=True)
    return home / "state"
