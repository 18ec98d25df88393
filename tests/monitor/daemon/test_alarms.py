"""The daemon as a real process: no proliv is stored without its alarm, whatever kills it."""

from __future__ import annotations

import os
import re
import shutil
import sysconfig
from pathlib import Path
from subprocess import run
from typing import TYPE_CHECKING

import pytest

from monitor.harness.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.daemon import Daemon

PROLIV = "select count(*) from crops where verdict = 'proliv' and source = 'inbox'"
# Each with its alarm, whose own count is right.
KEPT = f"""
select ({PROLIV}),
       (select count(*) from alarm_crops join crops on crops.id = crop_id where verdict = 'proliv' and alarm_id > 0),
       (select sum(crops) from alarms where part_of is null)
"""


@pytest.fixture(scope="module")
def crops(small_dataset: Path) -> list[Path]:
    return sorted([*(small_dataset / "proliv").glob("*.jpg"), *(small_dataset / "test").rglob("*.jpg")])


def command(daemon: Daemon, *arguments: str) -> tuple[int, str]:
    program = Path(sysconfig.get_path("scripts")) / "monitor"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MONITOR")}
    done = run([program, *arguments], cwd=daemon.home, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_every_proliv_is_stored_with_its_alarm_also_after_kills(daemon: Daemon, crops: list[Path]) -> None:
    # Few crops in a transaction, so that kills fall between and into them.
    daemon.environment["MONITOR__PIPELINE__BATCH_SIZE"] = "2"
    daemon.inbox.mkdir()
    for source in crops:
        shutil.copyfile(source, daemon.inbox / source.name)
    for stored in (3, 20, 40):
        process = daemon.start()
        wait_until(lambda: daemon.count() >= stored, daemon.text)  # noqa: B023 - it is called at once
        process.kill()
        process.wait()
        proliv, *kept = daemon.query(KEPT)[0]
        assert kept == [proliv, proliv or None]
    daemon.start()
    daemon.until(lambda: daemon.count() == len(crops))
    proliv, *kept = daemon.query(KEPT)[0]
    assert proliv >= 20
    assert kept == [proliv, proliv]
    assert daemon.query("select count(*) from (select crop_id from alarm_crops group by 1 having count(*) > 1)") == [
        (0,)
    ]
    assert daemon.stop() == 0


def test_an_alarm_is_told_counted_acknowledged_and_closed(daemon: Daemon, small_dataset: Path) -> None:
    daemon.environment["MONITOR__ALARMS__PAUSE_SECONDS"] = "1"
    daemon.start()
    source = next(path for path in sorted((small_dataset / "proliv").glob("*.jpg")))
    shutil.copyfile(source, daemon.inbox / source.name)
    daemon.until(lambda: daemon.metrics().get('monitor_alarms_running{state="open"}') == 1)
    assert daemon.metrics()['monitor_alarms_opened_total{kind="hole"}'] == 1
    assert daemon.metrics()["monitor_alarms_oldest_open_seconds"] > 0
    assert re.search(r"alarm 1: hole \d+ of camera \w+", daemon.text())
    assert "1 open, 0 acknowledged; one has waited since" in command(daemon, "status")[1]
    code, said = command(daemon, "alarms", "ack", "1", "--author", "anna")
    assert code == 0, said
    daemon.until(lambda: daemon.query("select state, acknowledged_by from alarms") == [("closed", "anna")])
    daemon.until(lambda: daemon.metrics()['monitor_alarms_running{state="open"}'] == 0)
    assert daemon.metrics()["monitor_alarms_oldest_open_seconds"] == 0
    assert daemon.stop() == 0
