"""State folders with trained models, made by the program itself, and whatever else all workers of a run share."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that ``make`` fills once for all workers of a run, who have it at the same path; not to be written to.

    A worker that comes while another one makes it waits; what was left half made is made anew.
    """
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    shared = folder / name
    done = folder / f"{name} is made"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(shared, ignore_errors=True)
            shared.mkdir()
            make(shared)
            done.touch()
    return shared


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
