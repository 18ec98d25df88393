"""The wheel holds all that the program needs: it is built, installed apart from the checkout, and used."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.wheel import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.process

CHECKOUT = Path(__file__).parents[1]
PACKAGES = ("monitor/", "plugins/", "generators/", "migrations/")


def call(folder: Path, *command: str | Path) -> str:
    """Run a command in a folder, without anything that configures monitor or Python's search for modules."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MONITOR", "PYTHONPATH"))}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return ended.stdout


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., str]:
    return partial(call, tmp_path)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """The programs of a new virtual environment that holds the wheel; it borrows its dependencies from this one."""
    home = tmp_path_factory.mktemp("installed") / "venv"
    run = partial(call, home.parent)
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
    files = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    sources = {file for file in files if file.startswith(PACKAGES)}
    assert sources <= names
    assert {"migrations/script.py.mako", "migrations/versions/0001_first_tables.py", "monitor/py.typed"} <= names
    packed = {"monitor/configuration/sample.toml"}
    name = "-".join(wheel.name.split("-")[:2])
    assert {name.partition("/")[0] for name in names - sources - packed} == {f"{name}.dist-info", f"{name}.data"}
    pages = {*(file for file in files if file.startswith("docs/")), "README.md", "CHANGELOG.md", "CONTRIBUTING.md"}
    told = {f"{name}.data/data/share/doc/proliv-monitor/{page}" for page in (*pages, "LICENSE", "config.toml")}
    assert {one for one in names if "/share/doc/" in one} == told
    manual = {file.partition("docs/man/")[2] for file in files if file.startswith("docs/man/")}
    assert {one for one in names if "/share/man/" in one} == {
        f"{name}.data/data/share/man/man1/{one}" for one in manual
    }
    assert {"monitor.1", "monitor-score.1", "monitor-gen-crops.1"} <= manual


def test_pages_lead_from_one_to_another_and_alerts_to_their_page(
    tmp_path: Path, programs: Path, run: Callable[..., str]
) -> None:
    folder = programs.parent / "share" / "doc" / "proliv-monitor"
    for page in folder.rglob("*.md"):
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert page.parent.joinpath(link).exists(), f"{page.relative_to(folder)}: {link}"
    run(programs / "monitor", "deploy", "prometheus", "--output", "out")
    rules = (tmp_path / "out" / "monitor.alerts.yml").read_text(encoding="utf-8")
    places = re.findall(r"runbook: \"?(.*)#(\w+)\"?$", rules, re.MULTILINE)
    sections = {
        line[4:].lower() for line in (folder / "docs" / "alerts.md").read_text().splitlines() if line[:4] == "### "
    }
    assert {place for place, _ in places} == {str(folder / "docs" / "alerts.md")}
    assert {section for _, section in places} <= sections
    assert len(places) == rules.count("runbook_url: ") == rules.count(f"file://{folder}/docs/alerts.md#") > 20


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
