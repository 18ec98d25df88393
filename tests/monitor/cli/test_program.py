from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import click
import pytest

from monitor import __version__
from monitor.cli import COMMANDS
from monitor.cli.program import parse_assignments
from monitor.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]


def test_help_names_every_command_and_every_exit_code(monitor: Run) -> None:
    text = " ".join(monitor("--help").stdout.split())
    assert all(f"{name} {summary}" in text for name, summary in COMMANDS.items())
    assert "gen Draw styles, avatars and crops at random." in text
    assert all(f"{code.value} {code.name.lower().replace('_', ' ')}" in text for code in ExitCode)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(monitor: Run, name: str) -> None:
    outcome = monitor(name, "--help")
    assert outcome.returncode == 0
    assert outcome.stdout.startswith(f"Usage: monitor {name} ")
    assert COMMANDS[name].removesuffix(".") in " ".join(outcome.stdout.split())


def test_the_version(monitor: Run) -> None:
    assert monitor("--version").stdout == f"monitor, version {__version__}\n"


def test_the_short_name_of_the_version(monitor: Run) -> None:
    assert monitor("-V").stdout == monitor("--version").stdout


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("stauts",), "Did you mean 'status'?"),
        (("labels", "lsit"), "Did you mean 'list'?"),
        (("gen", "cops"), "Did you mean 'crops'?"),
        (("status", "--mising"), "'--missing'"),
    ],
)
def test_what_is_mistyped_is_answered_with_what_is_like_it(monitor: Run, words: tuple[str, ...], meant: str) -> None:
    outcome = monitor(*words)
    assert (outcome.returncode, meant in outcome.stderr) == (2, True), outcome.stderr


@pytest.mark.parametrize("words", [(), ("nix",), ("score",), ("score", "a", "b"), ("status", "--nix")])
def test_wrong_command_lines(monitor: Run, words: tuple[str, ...]) -> None:
    outcome = monitor(*words)
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith("Usage: monitor ")


def test_a_configuration_that_is_not_there(home: Path, monitor: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = monitor("--config", "nowhere.toml", "status")
    assert outcome.returncode == 78
    assert "nowhere.toml: no such configuration file (named by --config)" in outcome.stderr
    monkeypatch.setenv("MONITOR_CONFIG", "elsewhere.toml")
    assert "elsewhere.toml: no such configuration file (named by MONITOR_CONFIG)" in monitor("status").stderr


def test_every_problem_of_a_configuration_is_told_at_once(home: Path, monitor: Run) -> None:
    (home / "config.toml").write_text('[metrics]\nport = 70000\n[crops]\ncolour = "red"\n', encoding="utf-8")
    outcome = monitor("status")
    assert outcome.returncode == 78
    assert f"monitor: {home}/config.toml:2: metrics.port: " in outcome.stderr
    assert f"monitor: {home}/config.toml:4: crops.colour: unknown key" in outcome.stderr


@pytest.mark.process
@pytest.mark.parametrize("closed", [">&-", ">&- 2>&- <&-"])
def test_closed_streams_are_no_defect(home: Path, closed: str) -> None:
    command = f"{sys.executable} -m monitor plugins {closed}"
    assert subprocess.run(["sh", "-c", command], cwd=home, capture_output=True).returncode == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_in_a_removed_working_folder_every_command_says_so(
    tmp_path: Path, monitor: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    outcome = monitor(name)
    assert (outcome.returncode, outcome.stdout) == (66, "")
    assert outcome.stderr == (
        "monitor: the working folder cannot be used: No such file or directory; it may have been removed: change to "
        "another one, such as with cd /\n"
    )


@pytest.mark.process
def test_a_removed_working_folder_is_no_defect_for_python_either(tmp_path: Path) -> None:
    command = f"mkdir gone && cd gone && rmdir ../gone && {sys.executable} -m monitor"
    for words, code in (("--help", 0), ("status", 66), ("config show detectors", 66)):
        ended = subprocess.run(["sh", "-c", f"{command} {words}"], cwd=tmp_path, capture_output=True, text=True)
        assert (ended.returncode, "Traceback" in ended.stderr) == (code, False)


def test_a_defect_is_told_from_a_mistake(monitor: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_path: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("monitor.configuration.file.load", fail)
    outcome = monitor("status")
    assert outcome.returncode == 1
    assert "RuntimeError: a defect" in outcome.stderr
    assert "this is a defect of monitor; please report it with the lines above" in outcome.stderr


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("key=3", 3),
        ("key = 0.5", 0.5),
        ("key=true", True),
        ('key="3"', "3"),
        ("key=dense-30x50", "dense-30x50"),
        ("key=[1, 2]", [1, 2]),
        ("key=a=b", "a=b"),
        ("key=", ""),
        (f"key={'[' * 3000}", "[" * 3000),
    ],
)
def test_assignments(assignment: str, value: Any) -> None:
    parsed = parse_assignments((assignment,))
    assert parsed == {"key": value}
    assert type(parsed["key"]) is type(value)


@pytest.mark.parametrize("assignment", ["key", "=3", " =3"])
def test_what_is_no_assignment(assignment: str) -> None:
    with pytest.raises(click.BadParameter, match="is not KEY=VALUE"):
        parse_assignments((assignment,))
