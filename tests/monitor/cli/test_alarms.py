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


@pytest.fixture
def alarmed(trained: Path, small_dataset: Path, monitor: Run) -> Path:
    """The home in which the proliv were decided as if by the daemon."""
    assert monitor("score", small_dataset / "proliv", "--as-inbox", "--exit-zero").returncode == 0
    return trained


def listed(monitor: Run, *options: str) -> list[dict[str, Any]]:
    outcome = monitor("alarms", "list", "--format", "json", *options)
    assert outcome.returncode == 0
    return [json.loads(line) for line in outcome.stdout.splitlines()]


def test_scoring_by_hand_makes_no_alarms(trained: Path, small_dataset: Path, monitor: Run, rows: Rows) -> None:
    assert monitor("score", small_dataset / "proliv", "--exit-zero").returncode == 0
    assert rows("select count(*) from crops where verdict = 'proliv'")[0][0] > 0
    assert rows("select count(*) from alarm_crops") == [(0,)]
    assert monitor("alarms", "list").stderr == "no alarm is open; older ones: monitor alarms list --closed\n"
    assert monitor("alarms", "list", "--closed").stderr == "there are no alarms\n"


def test_alarms_are_listed_and_shown(alarmed: Path, monitor: Run, rows: Rows) -> None:
    found = listed(monitor)
    assert sum(one["crops"] for one in found) == rows("select count(*) from crops where verdict = 'proliv'")[0][0]
    assert listed(monitor, "--limit", "1") == found[:1]
    newest = found[0]
    text = monitor("alarms", "list").stdout
    assert newest["about"] in text
    shown = json.loads(monitor("alarms", "show", str(newest["id"]), "--format", "json").stdout)
    assert {key: shown[key] for key in newest} == newest
    assert shown["newest_crops"]
    for_people = monitor("alarms", "show", str(newest["id"])).stdout
    assert newest["about"] in for_people
    assert shown["newest_crops"][0]["path"] in for_people


def test_acknowledging_and_closing(alarmed: Path, monitor: Run) -> None:
    first, second = (str(one["id"]) for one in listed(monitor)[:2])
    done = monitor("alarms", "ack", first, "--author", "anna", "--note", "metal stopped")
    assert (done.returncode, done.stdout.partition(":")[0]) == (
        0, f"alarm {first} is acknowledged, it is closed once the event is over"
    )  # fmt: skip
    assert "by anna at" in monitor("alarms", "show", first).stdout
    twice = monitor("alarms", "ack", first)
    assert twice.returncode == 65
    assert "was acknowledged by anna at" in twice.stderr
    assert monitor("alarms", "close", second, "--author", "ben").stdout.startswith(f"alarm {second} is closed: ")
    closed = monitor("alarms", "ack", second)
    assert closed.returncode == 65
    assert "was closed by ben at" in closed.stderr
    assert "already; nothing is changed" in monitor("alarms", "close", second).stderr
    assert second not in {str(one["id"]) for one in listed(monitor)}
    assert second in {str(one["id"]) for one in listed(monitor, "--closed")}


def test_an_alarm_that_is_unknown_is_said_and_a_word_is_no_alarm(alarmed: Path, monitor: Run) -> None:
    for command in ("show", "ack", "close"):
        outcome = monitor("alarms", command, "4711")
        assert (outcome.returncode, outcome.stderr) == (
            65, "monitor: there is no alarm 4711; see: monitor alarms list --closed\n"
        )  # fmt: skip
        assert monitor("alarms", command, "x").returncode == 2
    assert monitor("alarms", "ack", "1", "--author", " ").returncode == 2
