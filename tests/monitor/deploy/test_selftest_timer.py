"""The timer of self-tests and its unit, as systemd's own programs judge them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from monitor.configuration.file import load
from monitor.deploy import selftest_timer, systemd
from monitor.deploy.systemd import Access
from monitor.errors import ConfigurationError
from tests.support.systemd_judge import assert_nothing_is_wrong_and_little_exposed

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.configuration.resolved import Configuration
    from tests.conftest import RunMonitor

CAMERA = Access("hall-2", groups=("camera",))
FILE = """
[plant]
time_zone = "Europe/Moscow"

[paths]
inbox = "/srv/camera/holes"
state = "/var/lib/monitor"
labelled = ""
"""
SINK = '[alarms.sinks.log]\nkind = "log"\n'


def configured(folder: Path, *sections: str) -> Configuration:
    (folder / "config.toml").write_text(FILE + "".join(sections), encoding="utf-8")
    return load(folder / "config.toml")


def values(text: str, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)


def test_the_timer_keeps_the_plants_clock(tmp_path: Path) -> None:
    written = selftest_timer.files(configured(tmp_path), CAMERA, ("05:30", "17:30", "05:30"))
    assert values(written["hall-2-selftest.timer"], "OnCalendar") == [
        "*-*-* 05:30:00 Europe/Moscow",
        "*-*-* 17:30:00 Europe/Moscow",
    ]


@pytest.mark.parametrize("time", ["5:30", "24:00", "05:60", "daily", "05:30\n"])
def test_what_is_no_time_of_the_day_is_refused(tmp_path: Path, time: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--selftest-at: .* is no time of the day; write it as 05:30"):
        selftest_timer.files(configured(tmp_path), CAMERA, (time,))


def test_the_unit_is_locked_up_as_the_daemon_and_may_write_into_the_inbox(tmp_path: Path) -> None:
    configuration = configured(tmp_path)
    own = selftest_timer.files(configuration, CAMERA, ("05:30",))["hall-2-selftest.service"]
    (daemon,) = systemd.files(configuration, CAMERA).values()
    # From the user on, but for the folders.
    mine, its = (
        re.findall(r"^(\w+=.*)$", text[text.index("DynamicUser=") :].partition("[Install]")[0], re.MULTILINE)
        for text in (own, daemon)
    )
    assert set(mine) - set(its) == {"ReadWritePaths=/srv/camera/holes"}
    assert set(its) <= set(mine)
    assert values(own, "ExecStart")[0].endswith(f" -m monitor --config {tmp_path}/config.toml selftest")
    assert (values(own, "Type"), values(own, "After")[0], values(own, "Restart")) == (["oneshot"], "hall-2.service", [])


@pytest.mark.process
def test_systemd_understands_both(tmp_path: Path) -> None:
    written = selftest_timer.files(configured(tmp_path), CAMERA, ("05:30",))
    for name, text in written.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert_nothing_is_wrong_and_little_exposed(*(tmp_path / name for name in written))


def test_what_would_keep_it_from_being_of_use_is_said(tmp_path: Path) -> None:
    found = selftest_timer.warnings(configured(tmp_path), Access())
    assert [re.sub(r"^[^:]*: ", "", sentence).partition(",")[0] for sentence in found] == [
        "no sink is configured",
        "alerts.selftest_hours is 0",
        "the self-test writes there as a user that owns nothing; name a group that may write there with --group",
    ]
    assert selftest_timer.warnings(configured(tmp_path, SINK, "[alerts]\nselftest_hours = 26\n"), CAMERA) == []


def test_the_command_writes_them_beside_the_daemons_unit(run_monitor: RunMonitor, tmp_path: Path) -> None:
    configured(tmp_path, SINK)
    ended = run_monitor("deploy", "systemd", "--output", "units", "--group", "root", "--selftest-at", "05:30")
    assert ended.returncode == 0, ended.stderr
    assert sorted(path.name for path in (tmp_path / "units").iterdir()) == [
        "monitor-selftest.service", "monitor-selftest.timer", "monitor.service",
    ]  # fmt: skip
    assert "enable --now monitor-selftest.timer" in ended.stdout
    assert "alerts.selftest_hours is 0" in ended.stderr
