from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.configuration.file import load
from tests.support.configurations import problems, written

if TYPE_CHECKING:
    from pathlib import Path


def test_who_decides_is_checked(tmp_path: Path) -> None:
    assert problems('[decision]\ndetectors = ["ae", "mnad", "ae"]\ndecide = "vote"', tmp_path) == [
        "decision.detectors: names ae more than once; name each detector once, the primary first "
        "(got ['ae', 'mnad', 'ae'])",
        "decision.decide: should be 'primary', 'any', 'all', 'majority' or 'rank-mean' (got 'vote')",
    ]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ('["1-x"]', "'1-x' names no holes"),
        ('["1-10", "9-12"]', "row '9-12': hole 9 is in another row already"),
        ('["1-600", "601-1200"]', "names more than 1000 holes"),
    ],
)
def test_rows_have_to_name_each_hole_once(tmp_path: Path, rows: str, reason: str) -> None:
    (line,) = problems(f"plant.rows = {rows}", tmp_path)
    assert line.startswith("plant.rows: ")
    assert reason in line


@pytest.mark.parametrize("value", ["", "Europe", "../UTC", "/etc/localtime", "UTC\\u0000", "Moscow"])
def test_a_time_zone_has_to_be_known(tmp_path: Path, value: str) -> None:
    (line,) = problems(f'plant.time_zone = "{value}"', tmp_path)
    assert line.startswith("plant.time_zone: is not a known time zone; use a name such as")


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ('""', "is empty; write a path"),
        ('" "', "is empty; write a path"),
        ("'C:\\crops\\new'", "is a Windows path, and monitor runs on Linux: mount the share there"),
        ('"C:\\new"', "is a Windows path"),  # the backslash and the n are a line break here
        ("'c:/crops'", "is a Windows path"),
        ("'\\\\server\\share'", "is a Windows path"),
        ("'smb://server/share'", "is an address and not a path; mount what is there"),
        ("'$HOME/x'", "has $HOME in it, which is not replaced by anything; write the path itself"),
        ("'/srv/${LINE}/x'", "has ${LINE} in it"),
        ("'%USERPROFILE%/x'", "has %USERPROFILE% in it"),
        ("'/'", "is the root of the file system, with everything in it; name a folder below it"),
        ("'/tmp/..'", "is the root of the file system"),
        ('"a\\u0000b"', "is not a path that can be followed: "),
    ],
)
@pytest.mark.parametrize("key", ["inbox", "quarantine"])
def test_what_is_no_path_of_this_system_is_refused(tmp_path: Path, key: str, value: str, sentence: str) -> None:
    if key == "quarantine" and value == '""':
        assert load(written(tmp_path, 'paths.quarantine = ""')).quarantine is None
        return
    (line,) = problems(f"paths.{key} = {value}", tmp_path)
    assert line.startswith(f"paths.{key}: {sentence}")


@pytest.mark.parametrize("value", ["/srv/C$/holes", "inbox 100%", "a:b", "~", "Печь 3", "./x/../y"])
def test_unusual_paths_are_paths_all_the_same(tmp_path: Path, value: str) -> None:
    load(written(tmp_path / "conf", f"paths.inbox = '{value}'\npaths.state = '/srv/state'\npaths.labelled = ''"))


def test_the_path_of_a_database_is_checked_like_others(tmp_path: Path) -> None:
    (line,) = problems("database.url = 'sqlite:///$HOME/monitor.db'", tmp_path)
    assert line.startswith("database.url: has $HOME in it")


@pytest.mark.parametrize("value", ["0.5", "-1", "86401", "nan", "inf", "true", '"often"', "[60]"])
def test_what_is_no_interval_of_heartbeats_is_refused(tmp_path: Path, value: str) -> None:
    (line,) = problems(f'[alarms.sinks.hall]\nkind = "log"\nheartbeat_seconds = {value}', tmp_path)
    assert "hall.heartbeat_seconds should be a number of seconds from 1 to 86400, or 0" in line


@pytest.mark.parametrize(("value", "seconds"), [("60", 60.0), ("1.5", 1.5), ("0", 0.0)])
def test_an_interval_of_heartbeats_is_a_number_also_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, seconds: float
) -> None:
    text = '[alarms.sinks.hall]\nkind = "log"\n'
    monkeypatch.setenv("MONITOR__ALARMS__SINKS__HALL__HEARTBEAT_SECONDS", value)
    found = load(written(tmp_path, text)).settings.alarms.sinks["hall"]
    assert found == {"kind": "log", "heartbeat_seconds": seconds}
    monkeypatch.delenv("MONITOR__ALARMS__SINKS__HALL__HEARTBEAT_SECONDS")
    assert load(written(tmp_path, f"{text}heartbeat_seconds = {value}")).settings.alarms.sinks["hall"] == found
