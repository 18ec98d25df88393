"""The daemon as a real process: files go into its inbox, and the store, the metrics and its end are looked at."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import time
from contextlib import closing
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from monitor.harness.waiting import PATIENCE_SECONDS, wait_until
from tests.support.daemon import Daemon

if TYPE_CHECKING:
    from pathlib import Path


def write_slowly(source: Path, target: Path, pieces: int = 5, pause: float = 0.05) -> None:
    """Write a file in pieces; the last holds only the format's end mark, so that the rest already decodes."""
    data = source.read_bytes()
    step = (len(data) - 2) // pieces + 1
    parts = [data[: len(data) - 2][start : start + step] for start in range(0, len(data) - 2, step)]
    with target.open("wb", buffering=0) as file:
        for part in [*parts, data[-2:]]:
            file.write(part)
            time.sleep(pause)


def feed(crops: list[Path], inbox: Path, staging: Path) -> list[Path]:
    """A third written slowly in pieces, a third renamed into place, a third copied; two in a sub-folder."""
    (inbox / "sub").mkdir(parents=True)
    staging.mkdir()
    targets = []
    writers = []
    for index, source in enumerate(crops):
        target = inbox / ("sub" if index % 5 == 0 else ".") / source.name
        targets.append(target)
        if index % 3 == 0:
            writers.append(Thread(target=write_slowly, args=(source, target)))
            writers[-1].start()
        elif index % 3 == 1:
            shutil.copyfile(source, staging / source.name)
            (staging / source.name).rename(target)
        else:
            shutil.copy2(source, target)
        time.sleep(0.005)
    for writer in writers:
        writer.join()
    return targets


def test_every_crop_has_one_row_and_one_decision_also_after_a_kill(
    daemon: Daemon, crops: list[Path], tmp_path: Path
) -> None:
    crops = crops[:90]
    daemon.inbox.mkdir()
    before = daemon.inbox / ("before_" + crops[0].name)
    shutil.copyfile(crops[0], before)
    first = daemon.start()
    feeder = Thread(target=feed, args=(crops, daemon.inbox, tmp_path / "staging"))
    feeder.start()
    wait_until(lambda: daemon.count() > 20, daemon.text)
    first.kill()
    first.wait()
    daemon.start()
    feeder.join()
    wait_until(lambda: daemon.count() >= len(crops) + 1, daemon.text)
    time.sleep(1.2)  # two scans more, which must not find anything new
    assert daemon.query("select count(*), count(distinct path), count(distinct sha256) from crops") == [
        (len(crops) + 1, len(crops) + 1, len(crops))
    ]
    assert daemon.query("select count(*), count(distinct crop_id) from scores") == [(len(crops) + 1,) * 2]
    assert daemon.count("state = 'failed'") == 0
    assert daemon.stop() == 0


def test_metrics_tell_what_the_store_holds(daemon: Daemon, crops: list[Path]) -> None:
    daemon.start()
    for source in crops[:30]:
        shutil.copyfile(source, daemon.inbox / source.name)
    (daemon.inbox / "text.jpg").write_text("no picture")
    wait_until(lambda: daemon.count() == 31, daemon.text)
    wait_until(lambda: daemon.metrics()["monitor_crops_scored_total"] == 30)
    wait_until(lambda: daemon.metrics().get('monitor_crops_failed_total{reason="unknown_format"}') == 1)
    metrics = daemon.metrics()
    verdicts = dict(daemon.query("select verdict, count(*) from scores group by verdict"))
    for verdict in ("proliv", "ne_proliv"):
        name = f'monitor_decisions_total{{detector="ae",verdict="{verdict}"}}'
        assert metrics[name] == verdicts.get(verdict, 0)
        assert metrics[f'monitor_verdicts_total{{verdict="{verdict}"}}'] == verdicts.get(verdict, 0)
    assert metrics["monitor_crops_seen_total"] == 31
    assert metrics["monitor_crops_retried_total"] >= 1
    assert metrics["monitor_decision_latency_seconds_count"] == 30
    assert metrics['monitor_mse_count{detector="ae"}'] == 30
    (total,) = daemon.query("select sum(mse) from scores")[0]
    assert metrics['monitor_mse_sum{detector="ae"}'] == pytest.approx(total, rel=1e-9)
    (threshold,) = daemon.query("select threshold from calibrations where state = 'active'")[0]
    assert metrics['monitor_threshold{detector="ae"}'] == threshold
    assert metrics["monitor_last_scored_timestamp_seconds"] == pytest.approx(time.time(), abs=PATIENCE_SECONDS)
    assert [value for name, value in metrics.items() if name.startswith("monitor_model_info")] == [1]
    assert {name for name in metrics if name.startswith("monitor_queue_depth")} == {
        f'monitor_queue_depth{{queue="{queue}"}}' for queue in ("paths", "scoring", "storing")
    }


def test_a_database_that_is_replaced_while_in_use_ends_the_daemon(daemon: Daemon, crops: list[Path]) -> None:
    process = daemon.start()
    copy = daemon.home / "copy.db"
    with closing(sqlite3.connect(daemon.database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    copy.rename(daemon.database)
    shutil.copyfile(crops[0], daemon.inbox / "crop.jpg")
    assert process.wait(PATIENCE_SECONDS) == 75  # systemd starts it again, with the database that is there now
    assert "removed or replaced while it was in use" in daemon.text()


def test_what_is_known_is_not_told_again(daemon: Daemon, small_dataset: Path) -> None:
    daemon.start()
    path = daemon.inbox / "proliv.jpg"
    shutil.copyfile(max((small_dataset / "proliv").glob("*.jpg"), key=lambda crop: crop.stat().st_size), path)
    (daemon.inbox / "text.jpg").write_text("no picture")
    wait_until(lambda: daemon.count() == 2, daemon.text)
    assert daemon.query("select verdict from scores") == [("proliv",)]
    for _ in range(3):
        for known in (path, daemon.inbox / "text.jpg"):
            os.utime(known)
            known.open("ab").close()
        time.sleep(2.5)  # events, scans, and the time after which a file is given up
    assert daemon.text().count("proliv: hole") == 1
    assert daemon.text().count("recorded as failed") == 1
    metrics = daemon.metrics()
    assert metrics["monitor_crops_scored_total"] == 1
    assert metrics['monitor_crops_failed_total{reason="unknown_format"}'] == 1


def test_a_locked_database_does_not_hold_up_the_stop(daemon: Daemon, crops: list[Path]) -> None:
    daemon.environment["MONITOR__PIPELINE__BATCH_SIZE"] = "2"
    daemon.start()
    with closing(sqlite3.connect(daemon.database, isolation_level=None)) as blocker:
        blocker.execute("begin immediate")
        for source in crops[:20]:
            shutil.copyfile(source, daemon.inbox / source.name)
        wait_until(lambda: "decisions wait" in daemon.text(), daemon.text)
        assert daemon.stop() == 0
        assert "they stay in the inbox" in daemon.text()
        blocker.execute("rollback")
    daemon.start()
    wait_until(lambda: daemon.count() == 20, daemon.text)


def test_the_first_signal_drains_and_a_restart_finds_the_rest(daemon: Daemon, crops: list[Path]) -> None:
    daemon.inbox.mkdir()
    for source in crops:
        shutil.copyfile(source, daemon.inbox / source.name)
    daemon.start()
    assert daemon.stop(signal.SIGINT) == 0
    assert daemon.query("select count(*) from crops where id not in (select crop_id from scores)") == [(0,)]
    daemon.start()
    wait_until(lambda: daemon.count() == len(crops), daemon.text)
    assert daemon.query("select count(*) from scores") == [(len(crops),)]


def test_a_second_daemon_on_the_same_database_is_refused(daemon: Daemon) -> None:
    first = daemon.start()
    second = Daemon(daemon.home)
    assert second.start(ready=False).wait(PATIENCE_SECONDS) == 75
    assert f"a daemon works on this database (process {first.pid})" in second.text()
    assert daemon.stop() == 0


def test_a_port_in_use_is_a_sentence(daemon: Daemon) -> None:
    daemon.start()
    port = re.findall(r"http://127\.0\.0\.1:(\d+)/metrics", daemon.text())[-1]
    other = Daemon(daemon.home / "other")
    other.home.mkdir()
    shutil.copytree(daemon.home / "state", other.home / "state")
    other.environment["MONITOR__METRICS__PORT"] = port
    assert other.start(ready=False).wait(PATIENCE_SECONDS) == 69
    assert f"metrics.port {port}" in other.text()


def test_a_locked_database_only_delays_decisions(daemon: Daemon, crops: list[Path]) -> None:
    daemon.start()
    with closing(sqlite3.connect(daemon.database, isolation_level=None)) as blocker:
        blocker.execute("begin immediate")
        for source in crops[:20]:
            shutil.copyfile(source, daemon.inbox / source.name)
        wait_until(lambda: "decisions wait" in daemon.text(), daemon.text)
        assert daemon.count() == 0
        blocker.execute("rollback")
    wait_until(lambda: daemon.count() == 20, daemon.text)
    assert daemon.metrics()["monitor_store_failures_total"] >= 1
    assert daemon.stop() == 0


def test_systemd_is_told(daemon: Daemon, tmp_path: Path) -> None:
    import socket

    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(address))
        receiver.settimeout(PATIENCE_SECONDS)
        daemon.environment |= {"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "300000"}
        daemon.start()
        before: list[bytes] = []
        while not (message := receiver.recv(4096)).startswith(b"READY=1\n"):
            before.append(message)
        # While the database is opened, which may take long, more time is asked for as well.
        statuses = [one for one in before if one.startswith(b"STATUS=")]
        assert statuses[0] == b"STATUS=opening the database"
        assert statuses[-1] == b"STATUS=loading the models"
        assert message.startswith(b"READY=1\nSTATUS=watching ")
        assert b"WATCHDOG=1" in receiver.recv(4096).splitlines()
        assert daemon.stop() == 0
        messages: list[bytes] = []
        while not messages or not messages[-1].startswith(b"STOPPING=1\nSTATUS=finishing the crops"):
            messages.append(receiver.recv(4096))


@pytest.mark.process
def test_without_an_active_model_the_daemon_says_what_to_do(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    assert daemon.start(ready=False).wait(PATIENCE_SECONDS) == 4
    assert "monitor train contrast --data DIR" in daemon.text()
