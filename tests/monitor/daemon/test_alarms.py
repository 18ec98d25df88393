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


def test_an_event_that_goes_on_when_its_pause_ends_is_told_then(daemon: Daemon, small_dataset: Path) -> None:
    (daemon.home / "config.toml").write_text('[alarms.sinks.office]\nkind = "log"\n', encoding="utf-8")
    code, said = command(daemon, "pause", "--all", "--for", "1h", "--reason", "lamps")
    assert code == 0, said
    daemon.start()
    daemon.until(lambda: daemon.metrics().get("monitor_alarm_pauses") == 1)
    source = next(path for path in sorted((small_dataset / "proliv").glob("*.jpg")))
    shutil.copyfile(source, daemon.inbox / source.name)
    daemon.until(lambda: daemon.metrics().get('monitor_alarms_running{state="withheld"}') == 1)
    assert daemon.metrics()['monitor_alarms_withheld_total{reason="pause"}'] == 1
    assert daemon.metrics()['monitor_alarms_running{state="open"}'] == 0
    assert "recorded, and not told: pause" in daemon.text()
    assert daemon.query("select count(*) from alarm_messages") == [(0,)]
    assert "0 open, 0 acknowledged, 1 withheld" in command(daemon, "status")[1]
    code, said = command(daemon, "pause", "end", "1")
    assert code == 0, said
    delivered = (
        "select kind from alarm_messages join alarm_deliveries on message_id = id where delivered_at is not null"
    )
    daemon.until(lambda: daemon.query(delivered) == [("opened",)])
    daemon.until(lambda: daemon.metrics()['monitor_alarms_running{state="open"}'] == 1)
    assert "alarm 1 is told now" in daemon.text()
    assert daemon.stop() == 0


def test_the_daemon_follows_the_cast_file(daemon: Daemon, small_dataset: Path) -> None:
    file = daemon.home / "cast.toml"

    def write(text: str) -> None:
        beside = file.with_suffix(".new")
        beside.write_text(text, encoding="utf-8")
        beside.replace(file)

    def phase(name: str) -> float | None:
        return daemon.metrics().get(f'monitor_cast_phase{{phase="{name}"}}')

    (daemon.home / "config.toml").write_text(
        '[alarms.cast]\nfile = "cast.toml"\n[alarms.sinks.office]\nkind = "log"\n', encoding="utf-8"
    )
    write('phase = "idle"')
    daemon.start()
    daemon.until(lambda: phase("idle") == 1)
    source = next(path for path in sorted((small_dataset / "proliv").glob("*.jpg")))
    shutil.copyfile(source, daemon.inbox / source.name)
    daemon.until(lambda: daemon.count() == 1)
    assert daemon.query("select withheld, phase from alarms") == [("idle", "idle")]
    assert daemon.metrics()['monitor_alarms_withheld_total{reason="idle"}'] == 1
    assert "none, phase idle: alarms are withheld" in command(daemon, "status")[1]
    write('number = 4711\nalloy = "6063"\nphase = "steady"')
    daemon.until(lambda: daemon.query("select kind from alarm_messages") == [("opened",)])
    daemon.until(lambda: phase("steady") == 1)
    # What goes wrong is said, and the last phase holds.
    write('number = 4711\nphase = "ste')
    daemon.until(lambda: daemon.metrics()["monitor_cast_in_doubt"] == 1)
    assert phase("steady") == 1
    code, status = command(daemon, "status")
    assert code == 0
    assert "4711, alloy 6063, phase steady; said by the cast file at" in status
    assert "in doubt: " in status
    assert "cast.toml: cannot be understood, or is half written" in status
    write('number = 4712\nphase = "start"')
    daemon.until(lambda: phase("start") == 1 and daemon.metrics()["monitor_cast_in_doubt"] == 0)
    assert daemon.query("select number, ended_at is null from casts order by id") == [("4711", 0), ("4712", 1)]
    assert daemon.stop() == 0


def test_while_idle_a_start_tells_nobody_of_what_waited_nor_of_what_was_withheld(
    daemon: Daemon, small_dataset: Path
) -> None:
    (daemon.home / "config.toml").write_text(
        '[alarms.cast]\nfile = "cast.toml"\n[alarms.sinks.office]\nkind = "log"\n', encoding="utf-8"
    )
    (daemon.home / "cast.toml").write_text('phase = "idle"', encoding="utf-8")
    source = next(path for path in sorted((small_dataset / "proliv").glob("*.jpg")))
    daemon.inbox.mkdir()
    shutil.copyfile(source, daemon.inbox / source.name)
    daemon.start()
    daemon.until(lambda: daemon.count() == 1)
    assert daemon.stop() == 0
    daemon.start()
    # The keeper of alarms has looked.
    daemon.until(lambda: daemon.metrics().get('monitor_cast_phase{phase="idle"}') == 1)
    assert daemon.query("select withheld, phase, state from alarms") == [("idle", "idle", "open")]
    assert daemon.query("select count(*) from alarm_messages") == [(0,)]
    assert daemon.stop() == 0
