"""The wheel holds all that the program needs: it is built, installed apart from the checkout, and used."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.wheel import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.process

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture
def run(tmp_path: Path, clean_environment: dict[str, str]) -> Callable[..., str]:
    def run(*command: str | Path, code: int = 0) -> str:
        ended = subprocess.run(command, cwd=tmp_path, env=clean_environment, capture_output=True, text=True)
        assert ended.returncode == code, ended.stderr + ended.stdout
        return ended.stdout

    return run


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return build_wheel(tmp_path)


@pytest.fixture
def programs(tmp_path: Path, wheel: Path, run: Callable[..., str]) -> Path:
    """The programs of a new virtual environment that holds the wheel; it borrows its dependencies from this one."""
    home = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", home)
    python = home / "bin" / "python"
    offline = ("--no-index", "--no-deps", "--disable-pip-version-check", "--no-cache-dir")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", *offline, wheel)
    (site,) = home.glob("lib/python*/site-packages")
    # Folders that a .pth file names have their own .pth files ignored, that of an editable installation as well.
    borrowed = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (site / "borrowed.pth").write_text("".join(f"{folder}\n" for folder in borrowed))
    return python.parent


def test_the_wheel_holds_every_file_of_its_packages(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    copy = wheel.parent / "copy"
    sources = {path.relative_to(copy).as_posix() for path in copy.glob("*/**/*") if path.is_file()}
    assert sources <= names
    assert {"migrations/script.py.mako", "migrations/versions/0001_first_tables.py", "monitor/py.typed"} <= names
    packed = {"monitor/configuration/sample.toml"}
    information = f"{'-'.join(wheel.name.split('-')[:2])}.dist-info"
    assert {name.partition("/")[0] for name in names - sources - packed} == {information}


def test_the_installed_wheel_works_outside_the_checkout(
    tmp_path: Path, programs: Path, run: Callable[..., str]
) -> None:
    shown = "import generators, migrations, monitor, plugins; print(monitor.__file__, plugins.__file__, "
    for file in run(programs / "python", "-c", f"{shown}generators.__file__, migrations.__file__)").split():
        assert Path(file).is_relative_to(programs.parent)

    monitor = programs / "monitor"
    listed = json.loads(run(monitor, "plugins", "--format", "json"))
    assert {"ae", "balanced", "gen"} <= {row["name"] for row in listed["plugins"]}
    assert listed["broken"] == []
    assert run(monitor, "config", "init", "-") == (CHECKOUT / "config.toml").read_text(encoding="utf-8")
    run(monitor, "db", "upgrade")
    run(monitor, "db", "check")
    assert json.loads(run(monitor, "gen", "style", "--format", "json"))["probability"] > 0
    run(monitor, "gen", "crops", "data", "--train", "40", "--proliv", "8", "--test", "12")
    run(monitor, "train", "ae", "--data", "data", "--set", "epochs=2")
    run(monitor, "calibrate", "--data", "data")
    scored = [
        json.loads(line) for line in run(monitor, "score", "data", "--exit-zero", "--format", "json").splitlines()
    ]
    assert len(scored) == 60
    assert {row["verdict"] for row in scored} <= {"proliv", "ne_proliv"}
    assert all(row["model"].startswith("ae-") for row in scored)
