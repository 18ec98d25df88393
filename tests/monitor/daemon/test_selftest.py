"""`monitor selftest` with the daemon as a real process, real receivers, and every leg that may fail."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from monitor.harness.waiting import wait_until
from tests.support.modbus_device import Program
from tests.support.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.daemon import Daemon
    from tests.support.modbus_device import Device

SIREN = """
[alarms.sinks.siren]
kind = "webhook"
url = "http://127.0.0.1:{port}/alarms"
timeout_seconds = 1
"""

PLC = """
[alarms.sinks.plc]
kind = "modbus"
host = "127.0.0.1"
port = {port}
timeout_seconds = 1
"""

# It takes its message only after a minute.
SLOW = """
[alarms.sinks.slow]
kind = "command"
command = ["/bin/sleep", "45"]
timeout_seconds = 50
"""

# What a self-test must leave as it is.
STATISTICS = (
    "crops", "scores", "alarms", "alarm_crops", "alarm_messages", "alarm_deliveries", "alarm_evidence", "kept_crops",
    "kept_contents", "crop_tallies", "score_tallies", "labels", "audit_crops",
)  # fmt: skip


@pytest.fixture
def siren() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.start()
    yield receiver
    receiver.stop()


def configured(daemon: Daemon, small_dataset: Path, *sections: str) -> None:
    """A configuration with crops of which it is known what they show, and these sinks."""
    proliv, normal = (next(iter(sorted((small_dataset / part).glob("*.jpg")))) for part in ("proliv", "train"))
    own = f'[alarms.selftest]\nproliv_crop = "{proliv}"\nnormal_crop = "{normal}"\n'
    (daemon.home / "config.toml").write_text(own + "".join(sections), encoding="utf-8")


def selftest(daemon: Daemon, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """The exit code, what is printed as JSON, and the complaint."""
    ended = daemon.command("selftest", "--format", "json", *arguments)
    return ended.returncode, json.loads(ended.stdout or "{}"), ended.stderr


def statistics(daemon: Daemon) -> dict[str, list[Any]]:
    return {table: daemon.query(f"select * from {table}") for table in STATISTICS}


def counters(daemon: Daemon) -> dict[str, float]:
    """What is counted of crops, decisions and alarms, and when each hole had its last crop."""
    names = tuple(
        f"monitor_{one}" for one in ("crops", "decision", "score", "mse", "alarm", "unusual", "tidied", "hole")
    )
    kinds = ("_total", "_count", "_sum", "_bucket", "_crop_timestamp_seconds")
    return {
        name: value
        for name, value in daemon.metrics().items()
        if name.startswith(names) and name.partition("{")[0].endswith(kinds)
    }


def folder(daemon: Daemon) -> list[str]:
    """Every name in the inbox, hidden ones as well."""
    return sorted(path.name for path in daemon.inbox.iterdir())


@pytest.mark.parametrize("after", ["keep", "delete", "archive"])
def test_two_crops_go_all_the_way_and_leave_nothing(
    daemon: Daemon, small_dataset: Path, siren: Receiver, device: Device, after: str
) -> None:
    inbox = f'[inbox]\nafter = "{after}"\n'
    archive = f'[paths]\narchive = "{daemon.home / "archive"}"\n' if after == "archive" else ""
    sinks = SIREN.format(port=siren.port) + PLC.format(port=device.port)
    configured(daemon, small_dataset, inbox, archive, sinks)
    device.start()
    daemon.start()
    # A crop of the line, so that there are statistics to disturb, and an alarm whose coil is on.
    for source in sorted((small_dataset / "proliv").glob("*.jpg"))[:1]:
        shutil.copyfile(source, daemon.inbox / source.name)
    with Program(device) as plc:
        daemon.until(lambda: device.coils() != [] and len(plc.taken) == 1)
        daemon.until(lambda: daemon.query("select count(*) from alarm_deliveries where delivered_at is null") == [(0,)])
        daemon.until(lambda: daemon.query("select count(*) from kept_crops where state = 'due'") == [(0,)])
        if after != "keep":
            daemon.until(lambda: folder(daemon) == [])
        files, coils, before, counted = folder(daemon), device.coils(), statistics(daemon), counters(daemon)
        code, printed, said = selftest(daemon)
        assert (code, said, printed["passed"], printed["problem"]) == (0, "", True, None)
        assert [(leg["leg"], leg["what"]) for leg in printed["legs"]] == [
            ("folder", "proliv"), ("detector", "proliv"), ("store", "proliv"), ("alarm", "proliv"),
            ("folder", "ne_proliv"), ("detector", "ne_proliv"), ("store", "ne_proliv"), ("sink", "siren"),
            ("sink", "plc"),
        ]  # fmt: skip
        assert all(leg["seconds"] >= 0 for leg in printed["legs"])
        assert (device.coils(), plc.taken[-1][1]) == (coils, 5)
    assert (siren.got[-1]["kind"], siren.got[-1]["selftest"], siren.got[-1]["alarm"]["id"]) == ("test", 1, 0)
    daemon.until(lambda: daemon.metrics()["monitor_selftest_passed"] == 1)
    after_it, counted_then = statistics(daemon), counters(daemon)
    assert {table: after_it[table] for table in STATISTICS if after_it[table] != before[table]} == {}
    assert {name: value for name, value in counted_then.items() if counted.get(name) != value} == {}
    assert folder(daemon) == files
    # Hours may be summed up at any time, and an empty one has a row as well.
    assert daemon.query("select * from score_summaries where crops > 1") == []
    status = json.loads(daemon.command("status", "--format", "json").stdout)["selftest"]
    assert (status["id"], status["passed"], status["problem"]) == (1, True, None)
    assert "self-test      1 at " in daemon.command("status").stdout
    assert daemon.stop() == 0
    assert folder(daemon) == files


def test_while_nothing_is_cast_and_everything_is_paused_it_is_told(
    daemon: Daemon, small_dataset: Path, siren: Receiver
) -> None:
    configured(daemon, small_dataset, SIREN.format(port=siren.port))
    daemon.start()
    assert daemon.command("pause", "--all", "--for", "1h", "--reason", "work").returncode == 0
    assert daemon.command("cast", "start", "4711", "--phase", "idle").returncode == 0
    assert selftest(daemon)[0] == 0
    assert [one["kind"] for one in siren.got] == ["test"]


def test_a_sink_whose_receiver_is_gone_is_named_and_the_others_have_taken_it(
    daemon: Daemon, small_dataset: Path, siren: Receiver, device: Device
) -> None:
    configured(daemon, small_dataset, SIREN.format(port=siren.port), PLC.format(port=device.port))
    device.start()
    daemon.start()
    device.kill()
    code, printed, said = selftest(daemon, "--within", "4")
    assert code == 69
    assert said.startswith("monitor: leg sink, plc: not taken: 127.0.0.1:")
    legs = {leg["what"]: leg for leg in printed["legs"] if leg["leg"] == "sink"}
    assert (legs["siren"]["passed"], legs["plc"]["passed"]) == (True, False)
    assert (printed["passed"], printed["seconds"]) == (False, None)
    daemon.until(lambda: daemon.metrics()["monitor_selftest_timestamp_seconds"] > 0)
    assert daemon.metrics()["monitor_selftest_passed"] == 0
    assert ": FAILED: leg sink, plc: not taken" in daemon.command("status").stdout
    # Only that of the other sink is asked for.
    assert selftest(daemon, "--sink", "siren")[0] == 0
    # Once its receiver is back, everything arrives, and nothing of the test before comes.
    device.start()
    with Program(device) as plc:
        assert selftest(daemon)[0] == 0
        assert [message[1] for message in plc.taken] == [5]


def test_a_sink_that_the_daemon_has_not_read_yet_is_named(daemon: Daemon, small_dataset: Path, siren: Receiver) -> None:
    configured(daemon, small_dataset)
    daemon.start()
    configured(daemon, small_dataset, SIREN.format(port=siren.port))
    code, _, said = selftest(daemon)
    assert (code, "the running daemon does not know this sink" in said) == (69, True)
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "the sinks are now: siren" in daemon.text(), daemon.text)
    assert selftest(daemon)[0] == 0


def test_what_is_only_named_like_one_is_a_crop_as_any_other(
    daemon: Daemon, small_dataset: Path, siren: Receiver
) -> None:
    configured(daemon, small_dataset, SIREN.format(port=siren.port))
    daemon.start()
    (source, *_) = sorted((small_dataset / "proliv").glob("*.jpg"))
    shutil.copyfile(source, daemon.inbox / f"monitor-selftest-{'0' * 32}-proliv.jpg")
    daemon.until(lambda: daemon.count("verdict = 'proliv'") == 1)
    daemon.until(lambda: [one["kind"] for one in siren.got] == ["opened"])


def test_what_a_killed_self_test_left_counts_nowhere_and_is_removed_by_the_next(
    daemon: Daemon, small_dataset: Path, siren: Receiver
) -> None:
    configured(daemon, small_dataset, SLOW)
    daemon.start()
    command = [sys.executable, "-m", "monitor", "selftest", "--within", "60"]
    environment = {name: value for name, value in daemon.environment.items() if "PORT" not in name}
    with subprocess.Popen(command, cwd=daemon.home, env=environment) as killed:
        daemon.until(lambda: daemon.query("select count(verdict) from selftest_crops") == [(2,)])
        killed.kill()
    assert len(folder(daemon)) == 2
    assert daemon.stop() == 0
    daemon.start()
    proof = next(iter(sorted((small_dataset / "train").glob("*.jpg"))))
    shutil.copyfile(proof, daemon.inbox / proof.name)
    daemon.until(lambda: daemon.count() == 1)
    left = [name for name in folder(daemon) if name != proof.name]
    assert len(left) == 2
    # Its time is over.
    with closing(sqlite3.connect(daemon.database, timeout=30)) as connection, connection:
        connection.execute("update selftests set ends_at = '2024-01-01 00:00:00.000000'")
    configured(daemon, small_dataset, SIREN.format(port=siren.port))
    assert daemon.stop() == 0
    daemon.start()
    assert selftest(daemon)[0] == 0
    assert folder(daemon) == [proof.name]
    assert daemon.count() == 1


def test_without_a_daemon_that_watches_this_inbox_it_says_so(
    daemon: Daemon, small_dataset: Path, siren: Receiver
) -> None:
    configured(daemon, small_dataset, SIREN.format(port=siren.port))
    code, _, said = selftest(daemon)
    assert (code, said) == (
        69, "monitor: leg folder: the daemon is not running: systemctl start monitor, or monitor run\n"
    )  # fmt: skip
    daemon.start()
    daemon.until(lambda: daemon.query("select count(*) from daemons") == [(1,)])
    daemon.environment["MONITOR__PATHS__INBOX"] = "elsewhere"
    code, _, said = selftest(daemon)
    assert (code, f"the daemon watches {daemon.inbox}, and " in said) == (69, True)


def test_a_model_that_would_pass_the_known_proliv_is_named(
    daemon: Daemon, small_dataset: Path, siren: Receiver
) -> None:
    configured(daemon, small_dataset, SIREN.format(port=siren.port))
    assert daemon.command("threshold", "set", "1e9", "--why", "a test", "--accept").returncode == 0
    daemon.start()
    code, printed, said = selftest(daemon)
    assert code == 65
    assert "alarms.selftest.proliv_crop" in said
    assert "decides none to be proliv" in said
    assert printed["legs"] == []
    assert folder(daemon) == []
