"""Folders with the names of our packages, in the working folder or on Python's path, stand before nothing of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunMonitor

OURS = ("plugins", "generators", "migrations")
RAISING = "raise SystemExit('a foreign module was imported: ' + __name__)\n"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A working folder of someone who has folders of these names."""
    for name in OURS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(RAISING)
        (tmp_path / name / "env.py").write_text(RAISING)
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ["plugins", "--format", "json"],
        ["db", "upgrade"],
        ["gen", "style", "--seed", "1"],
        ["threshold", "--help"],
    ],
)
def test_on_pythons_path(hostile: Path, run_monitor: RunMonitor, arguments: list[str]) -> None:
    ended = run_monitor(*arguments, environment={"PYTHONPATH": str(hostile)})
    assert (ended.returncode, ended.stderr) == (0, "")
    if arguments[0] == "plugins":
        shown = json.loads(ended.stdout)
        assert shown["broken"] == []
        assert {"ae", "quantile-midpoint", "gen"} <= {one["name"] for one in shown["plugins"]}


@pytest.mark.process
@pytest.mark.parametrize("arguments", [["plugins"], ["db", "upgrade"]])
def test_in_the_working_folder(hostile: Path, clean_environment: dict[str, str], arguments: list[str]) -> None:
    # Names that are not ours: with -m, Python looks into the working folder first for those as well.
    for name in ("click", "sqlalchemy", "tomllib", "json", "logging"):
        (hostile / f"{name}.py").write_text(RAISING)
    ended = subprocess.run(
        [sys.executable, "-m", "monitor", *arguments],
        cwd=hostile, env=clean_environment, capture_output=True, text=True,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
