"""The daemon as a real process sends heartbeats as long as it decides, and no longer."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from monitor.harness.waiting import wait_until
from tests.support.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.daemon import Daemon

CONFIGURATION = """
[alarms.sinks.siren]
kind = "webhook"
url = "http://127.0.0.1:{port}/"
heartbeat_seconds = 1

[alarms.sinks.program]
kind = "log"
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.start()
    yield receiver
    receiver.stop()


def beats(receiver: Receiver) -> list[dict[str, Any]]:
    return [one for one in list(receiver.got) if one["kind"] == "heartbeat"]


# A writer that waits for the database for a minute hangs, and one that is refused tries again and again.
@pytest.mark.parametrize(("busy_seconds", "watchdog"), [("60", "1500000"), ("1", "60000000")])
def test_heartbeats_stop_when_nothing_can_be_decided_and_come_again(
    daemon: Daemon, small_dataset: Path, receiver: Receiver, busy_seconds: str, watchdog: str
) -> None:
    (daemon.home / "config.toml").write_text(CONFIGURATION.format(port=receiver.port), encoding="utf-8")
    daemon.environment |= {"MONITOR__DATABASE__BUSY_SECONDS": busy_seconds, "WATCHDOG_USEC": watchdog}
    daemon.start()
    wait_until(lambda: len(beats(receiver)) >= 2, daemon.text)
    interval = daemon.metrics()['monitor_alarm_heartbeat_interval_seconds{sink="siren"}']
    assert interval == 1
    assert not any('"program"' in name for name in daemon.metrics() if "heartbeat" in name)
    source = next(path for path in sorted((small_dataset / "proliv").glob("*.jpg")))
    with closing(sqlite3.connect(daemon.database, isolation_level=None)) as other:
        other.execute("begin immediate")
        shutil.copyfile(source, daemon.inbox / source.name)
        wait_until(lambda: "sink siren gets no heartbeat, because nothing is decided" in daemon.text(), daemon.text)
        stopped = daemon.metrics()['monitor_alarm_heartbeat_timestamp_seconds{sink="siren"}']
        before = len(beats(receiver))
        other.execute("rollback")
    wait_until(lambda: len(beats(receiver)) > before and daemon.count() == 1, daemon.text)
    daemon.until(lambda: daemon.metrics()['monitor_alarm_heartbeat_timestamp_seconds{sink="siren"}'] > stopped)
    assert daemon.stop() == 0


def test_a_heartbeat_tells_a_receiver_which_alarms_are_open_also_after_restarts(
    daemon: Daemon, small_dataset: Path, receiver: Receiver
) -> None:
    (daemon.home / "config.toml").write_text(CONFIGURATION.format(port=receiver.port), encoding="utf-8")
    daemon.start()
    source = next(path for path in sorted((small_dataset / "proliv").glob("*.jpg")))
    shutil.copyfile(source, daemon.inbox / source.name)
    wait_until(lambda: any(one["alarms"] for one in beats(receiver)), daemon.text)
    daemon.kill()
    receiver.stop()
    receiver.got.clear()
    daemon.start()
    wait_until(lambda: "sink siren has not taken a heartbeat: " in daemon.text(), daemon.text)
    receiver.start()
    wait_until(lambda: bool(beats(receiver)), daemon.text)
    (alarm,) = beats(receiver)[0]["alarms"]
    assert (alarm["id"], alarm["state"]) == (1, "open")
    assert daemon.query("select count(*) from alarm_messages where kind = 'heartbeat'") == [(0,)]
    assert daemon.stop() == 0
