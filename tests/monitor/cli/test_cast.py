from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]
    Rows = Callable[[str], list[tuple[Any, ...]]]


def said(monitor: Run, *words: str) -> str:
    outcome = monitor(*words)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def test_a_cast_from_its_beginning_to_its_end(trained: Path, small_dataset: Path, monitor: Run) -> None:
    assert monitor("cast", "list").stderr == "there are no casts; begin one: monitor cast start NUMBER\n"
    assert json.loads(said(monitor, "status", "--format", "json"))["cast"] is None
    assert said(monitor, "cast", "start", "4711", "--alloy", "6063", "--author", "anna") == (
        "cast 4711 runs, phase start\n"
    )
    assert said(monitor, "cast", "phase", "steady") == "cast 4711: phase steady\n"
    assert "4711, alloy 6063, phase steady; said by" in said(monitor, "status")
    said(monitor, "score", str(small_dataset / "proliv"), "--as-inbox", "--exit-zero")
    found = [json.loads(line) for line in said(monitor, "alarms", "list", "--format", "json").splitlines()]
    assert found
    assert {(one["cast"], one["alloy"], one["phase"], one["withheld"]) for one in found} == {
        ("4711", "6063", "steady", None)
    }
    assert "4711, alloy 6063, phase steady" in said(monitor, "alarms", "show", str(found[0]["id"]))
    assert said(monitor, "cast", "start", "4712") == "cast 4711 is ended\ncast 4712 runs, phase start\n"
    assert len(said(monitor, "alarms", "list", "--cast", "4711", "--format", "json").splitlines()) == len(found)
    assert monitor("alarms", "list", "--cast", "4712").stderr.startswith("the cast has no alarms")
    quality = json.loads(said(monitor, "quality", "--cast", "4711", "--format", "json"))
    assert quality["windows"][0]["window"] == "cast 4711"
    assert quality["windows"][0]["alarms"] > 0
    assert json.loads(said(monitor, "quality", "--cast", "4712", "--format", "json"))["windows"][0]["alarms"] == 0
    assert said(monitor, "cast", "end") == "cast 4712 is ended\n"
    newest, oldest = (json.loads(line) for line in said(monitor, "cast", "list", "--format", "json").splitlines())
    assert [one["phase"] for one in oldest["phases"]] == ["start", "steady"]
    assert (oldest["number"], oldest["alloy"], newest["number"]) == ("4711", "6063", "4712")
    assert "start " in said(monitor, "cast", "list")


def test_while_idle_nobody_is_told(trained: Path, small_dataset: Path, monitor: Run, rows: Rows) -> None:
    with (trained / "config.toml").open("a", encoding="utf-8") as file:
        file.write('\n[alarms.sinks.office]\nkind = "log"\n')
    assert said(monitor, "cast", "phase", "idle") == "no cast runs: phase idle\n"
    assert "none, phase idle: alarms are withheld" in said(monitor, "status")
    said(monitor, "score", str(small_dataset / "proliv"), "--as-inbox", "--exit-zero")
    assert rows("select count(*) from alarm_messages") == [(0,)]
    assert "open, not told: idle" in said(monitor, "alarms", "list")
    assert said(monitor, "cast", "end") == "the phase idle is ended; no cast runs\n"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("cast phase casting", 2, "'casting' is not one of 'idle', 'start', 'steady', 'end'"),
        ("cast phase steady", 65, "no cast runs; begin one: monitor cast start NUMBER"),
        ("cast end", 65, "no cast runs, so there is none to end"),
        ("cast start " + 61 * "1", 2, "has 61 characters, and at most 60 are kept"),
        ("cast start 1 --alloy=", 2, "is empty"),
        ("alarms list --cast 9", 65, "there is no cast 9; see: monitor cast list"),
        ("alarms list --cast \udcff", 65, r"there is no cast \xff"),
        ("quality --cast 9", 65, "there is no cast 9"),
        ("status --missing --cast 9", 65, "there is no cast 9"),
        ("quality --cast 9 --window 1", 2, "--cast chooses the crops itself"),
        ("status --cast 9", 2, "add --missing"),
        ("status --missing --cast 9 --since 2024-05-01", 2, "--cast chooses the time itself"),
    ],
)
def test_what_cannot_be_is_said(trained: Path, monitor: Run, words: str, code: int, told: str) -> None:
    outcome = monitor(*words.split(" "))
    assert (outcome.returncode, outcome.stdout) == (code, "")
    assert told in outcome.stderr


def test_completeness_of_a_cast(trained: Path, monitor: Run) -> None:
    with (trained / "config.toml").open("a", encoding="utf-8") as file:
        file.write('\n[completeness]\ninterval_seconds = 10\n[completeness.cameras]\nC = "1-3"\n')
    said(monitor, "cast", "start", "1")
    assert " to " in said(monitor, "status", "--missing", "--cast", "1")


def test_where_a_file_says_which_cast_runs_nobody_else_does(trained: Path, monitor: Run) -> None:
    with (trained / "config.toml").open("a", encoding="utf-8") as file:
        file.write('\n[alarms.cast]\nfile = "cast.toml"\n')
    for words in (("start", "1"), ("phase", "idle"), ("end",)):
        outcome = monitor("cast", *words)
        assert outcome.returncode == 78
        assert "alarms.cast.file: cast.toml says which cast runs; change it there" in outcome.stderr
    assert monitor("cast", "list").returncode == 0


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("[alarms.phases.start]\nk = 2", "in the phase start, k = 2 proliv among n = 1 decisions cannot be"),
        ("[alarms.phases.idle]\nk = 1", "alarms.phases.idle"),
        ("[alarms.phases.start]\nm = 2", "alarms.phases.start.m: unknown key"),
        ('[alarms.cast]\nfile = "inbox/cast.toml"', "alarms.cast.file: must not lie inside the inbox"),
        ("[alarms.cast]\nmaximum_age_seconds = 0", "alarms.cast.maximum_age_seconds"),
    ],
)
def test_a_wrong_configuration_is_said(home: Path, monitor: Run, section: str, told: str) -> None:
    with (home / "config.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n{section}\n")
    outcome = monitor("config", "check")
    assert outcome.returncode == 78
    assert told in outcome.stdout + outcome.stderr
