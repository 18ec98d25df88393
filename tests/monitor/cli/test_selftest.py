"""What `monitor selftest` says before anything is sent; the rest is tried with a daemon (test_selftest.py there)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.monitor.cli.conftest import Rows, Run

SINK = '\n[alarms.sinks.log]\nkind = "log"\n'


def test_a_sink_that_is_not_configured_is_refused(home: Path, monitor: Run) -> None:
    refused = monitor("selftest", "--sink", "siren")
    assert refused.returncode == 2
    assert "there is no sink 'siren'; configured are: none" in refused.stderr


def test_without_a_database_there_is_no_model(home: Path, monitor: Run) -> None:
    refused = monitor("selftest")
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "there is no database yet" in refused.stderr


def test_without_a_sink_it_fails_and_the_failure_is_remembered(trained: Path, monitor: Run, rows: Rows) -> None:
    failed = monitor("selftest", "--format", "json")
    assert failed.returncode == 78
    assert failed.stderr.endswith(
        "config.toml: leg sink: no sink is configured, so nobody would be told of an alarm; see [alarms.sinks]\n"
    )
    printed = json.loads(failed.stdout)
    assert (printed["passed"], printed["legs"]) == (False, [])
    assert f"monitor: {printed['problem']}\n" == failed.stderr
    assert rows("select passed, problem from selftests") == [(0, printed["problem"])]


def test_without_a_daemon_nothing_is_written(trained: Path, monitor: Run) -> None:
    with (trained / "config.toml").open("a", encoding="utf-8") as file:
        file.write(SINK)
    failed = monitor("selftest")
    assert (failed.returncode, failed.stdout) == (69, "self-test 1: FAILED\n")
    assert failed.stderr == "monitor: leg folder: the daemon is not running: systemctl start monitor, or monitor run\n"
    assert not (trained / "inbox").exists()


@pytest.mark.parametrize("seconds", ["0", "4000", "soon"])
def test_a_time_that_cannot_be_is_refused(home: Path, monitor: Run, seconds: str) -> None:
    assert monitor("selftest", "--within", seconds).returncode == 2
