"""The unit that `monitor deploy systemd` writes, under a real systemd: what it starts, watches, restarts and stops."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.system.conftest import CONFIGURATION, PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.container import Container

UNIT: Final = "monitor.service"
DROP_INS: Final = "/run/systemd/system/monitor.service.d"
DATABASE: Final = "/var/lib/private/monitor/monitor.db"
INBOX: Final = "/srv/camera/holes"


class Service:
    """The unit in the container, and what a test does with it."""

    def __init__(self, machine: Container, crops: list[Path]) -> None:
        self.machine = machine
        self._crops = crops
        self._name = 0

    def start(self) -> None:
        self.machine.run("systemctl", "start", UNIT)

    def change(self, directives: str) -> None:
        """Put directives over those of the unit, for this test."""
        self.machine.write(f"{DROP_INS}/test.conf", f"[Service]\n{directives}\n")
        self.machine.run("systemctl", "daemon-reload")

    def show(self, name: str) -> str:
        return self.machine.show(UNIT, name)[name]

    def feed(self, count: int) -> list[str]:
        """Write crops into the inbox as the camera does, under new names; returns these."""
        names = []
        for crop in self._crops[:count]:
            self._name += 1
            names.append(f"{os.getpid()}-{id(self)}-{self._name}.jpg")
            hidden = self.machine.path(f"{INBOX}/.{names[-1]}")
            shutil.copyfile(crop, hidden)
            hidden.rename(hidden.with_name(names[-1]))
        return names

    def decided(self, names: list[str]) -> int:
        """How many of these crops have a decision."""
        query = "select path from crops join scores on scores.crop_id = crops.id"
        with closing(sqlite3.connect(self.machine.disk(DATABASE), timeout=30)) as connection:
            paths = [path for (path,) in connection.execute(query)]
        assert len(paths) == len(set(paths))
        return len({path.rpartition("/")[2] for path in paths} & set(names))

    def until_decided(self, names: list[str]) -> None:
        self.machine.wait_until(lambda: self.decided(names) == len(names), UNIT)

    def fetch(self, address: str) -> str | None:
        """The metrics as text; none where nothing answers."""
        fetch = (
            f"import urllib.request as r; print(r.urlopen('http://{address}:9464/metrics', timeout=2).read().decode())"
        )
        fetched = self.machine.run("/opt/monitor/bin/python", "-c", fetch, check=False)
        return fetched.stdout.strip() if fetched.returncode == 0 else None

    def metrics(self) -> dict[str, float]:
        text = self.fetch("127.0.0.1")
        assert text is not None, self.machine.messages(UNIT)
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    @contextmanager
    def locked_database(self) -> Iterator[None]:
        with closing(sqlite3.connect(self.machine.disk(DATABASE), isolation_level=None, timeout=30)) as connection:
            connection.execute("begin immediate")
            yield
            connection.execute("rollback")

    def journal(self) -> list[dict[str, Any]]:
        """What the program itself wrote since the service was last started by hand."""
        return [entry for entry in self.machine.journal(UNIT) if entry.get("SYSLOG_IDENTIFIER") == "monitor"]


@pytest.fixture
def service(machine: Container, small_dataset: Path) -> Iterator[Service]:
    """The service, stopped; quick to restart."""
    crops = sorted((small_dataset / "train").glob("*.jpg"))
    service = Service(machine, crops)
    machine.run("journalctl", "--rotate", "--vacuum-time=1s", check=False)
    service.change("RestartSec=100ms")
    yield service
    machine.run("systemctl", "stop", UNIT, check=False)
    machine.run("systemctl", "reset-failed", UNIT, check=False)
    shutil.rmtree(machine.path(DROP_INS))
    machine.path("/etc/monitor/config.environment").unlink(missing_ok=True)
    machine.run("systemctl", "daemon-reload")


def test_it_decides_and_is_back_after_a_kill_with_what_it_knew(service: Service) -> None:
    machine = service.machine
    machine.run("systemctl", "enable", "--now", UNIT)
    assert service.show("ActiveState") == "active"
    assert f"watching {INBOX}" in service.show("StatusText")
    first = service.feed(12)
    service.until_decided(first)
    machine.wait_until(lambda: "12 crops decided since the start, the last at " in service.show("StatusText"), UNIT)
    assert service.metrics()["monitor_crops_scored_total"] == 12
    process = service.show("MainPID")
    assert machine.run("stat", "--format=%U", f"/proc/{process}").stdout == "monitor\n"

    machine.run("systemctl", "kill", "--signal=KILL", UNIT)
    machine.wait_until(lambda: service.show("NRestarts") == "1" and service.show("ActiveState") == "active", UNIT)
    assert service.show("MainPID") != process
    second = service.feed(5)
    service.until_decided(second)
    assert service.decided(first) == 12
    assert service.metrics()["monitor_crops_scored_total"] == 5

    machine.run(PROGRAM, "threshold", "set", "0.0", "--why", "a test", "--accept")
    machine.run("systemctl", "reload", UNIT)
    machine.wait_until(lambda: service.metrics().get('monitor_threshold{detector="ae"}') == 0.0, UNIT)
    service.until_decided(service.feed(1))
    priorities = {entry["PRIORITY"] for entry in service.journal() if "proliv: hole" in entry["MESSAGE"]}
    assert priorities == {"4"}
    watching = [entry for entry in service.journal() if entry["MESSAGE"] == f"INFO watching {INBOX}"]
    assert {entry["PRIORITY"] for entry in watching} == {"6"}
    machine.run(PROGRAM, "threshold", "rollback")


def test_a_hung_pipeline_is_killed_and_the_crop_decided_after_the_restart(service: Service) -> None:
    service.change("RestartSec=100ms\nWatchdogSec=3s")
    service.start()
    # Longer than the watchdog waits, the writer is inside of one commit; the other threads go on.
    with service.locked_database():
        names = service.feed(3)
        # On a busy machine it may be killed at another place first; the message says where each thread was.
        service.machine.wait_until(lambda: "in _commit" in service.machine.messages(UNIT), UNIT)
    service.until_decided(names)
    service.machine.wait_until(lambda: service.show("ActiveState") == "active", UNIT)
    told = service.machine.messages(UNIT)
    assert "Failed with result 'watchdog'" in told
    assert "Fatal Python error: Aborted" in told


def test_a_stop_decides_what_was_taken(service: Service) -> None:
    service.start()
    with service.locked_database():
        names = service.feed(60)
        service.machine.wait_until(lambda: service.metrics()["monitor_crops_seen_total"] == 60, UNIT)
        service.machine.wait_until(lambda: "; 60 wait" in service.show("StatusText"), UNIT)
        service.machine.run("systemctl", "stop", "--no-block", UNIT)
        service.machine.wait_until(lambda: "finishing the crops that were taken" in service.show("StatusText"), UNIT)
        assert service.show("ActiveState") == "deactivating"
        assert service.decided(names) == 0
    service.machine.wait_until(lambda: service.show("ActiveState") == "inactive", UNIT)
    assert service.decided(names) == 60
    assert (service.show("Result"), service.show("ExecMainStatus")) == ("success", "0")


def test_the_kernel_keeps_others_away_even_where_the_program_would_let_them_in(service: Service) -> None:
    service.machine.run("ip", "address", "replace", "192.0.2.9/24", "dev", "lo")
    service.machine.write("/etc/monitor/config.environment", "MONITOR__METRICS__HOST=0.0.0.0\n", 0o600)
    service.start()
    assert service.fetch("127.0.0.1") is not None
    assert service.fetch("192.0.2.9") is None
    service.change("IPAddressAllow=192.0.2.0/24")
    service.machine.run("systemctl", "restart", UNIT)
    assert service.fetch("192.0.2.9") is not None


def test_a_state_that_cannot_be_written_is_a_sentence_with_a_priority(service: Service) -> None:
    service.change("RestartSec=1h\nReadOnlyPaths=/var/lib/private/monitor")
    # Both by the file that may hold passwords, and which only systemd needs to read.
    service.machine.write("/etc/monitor/config.environment", "MONITOR__LOGGING__FORMAT=json\n", 0o600)
    assert service.machine.run("systemctl", "start", UNIT, check=False).returncode != 0
    assert service.show("ExecMainStatus") == "73"
    (entry,) = [entry for entry in service.journal() if entry["PRIORITY"] == "3"]
    told = json.loads(entry["MESSAGE"])
    assert told["level"] == "error"
    assert "/var/lib/private/monitor/monitor.db" in told["message"]


def test_a_service_without_a_model_waits_for_a_person(machine: Container) -> None:
    configuration = CONFIGURATION.replace("/var/lib/monitor", "/var/lib/monitor-second")
    machine.write("/etc/monitor/second.toml", configuration)
    deploy = ("deploy", "systemd", "--output", "/run/systemd/system", "--name", "monitor-second", "--group", "camera")
    machine.run(PROGRAM, "--config", "/etc/monitor/second.toml", *deploy)
    machine.run("systemctl", "daemon-reload")
    assert machine.run("systemctl", "start", "monitor-second", check=False).returncode != 0
    shown = machine.show("monitor-second", "ActiveState", "ExecMainStatus", "NRestarts")
    assert shown == {"ActiveState": "failed", "ExecMainStatus": "4", "NRestarts": "0"}
    assert "monitor train" in machine.messages("monitor-second")


def test_the_self_test_is_the_daemons_user_and_leaves_nothing(service: Service, small_dataset: Path) -> None:
    machine, unit = service.machine, "monitor-selftest"
    deploy = ("deploy", "systemd", "--output", "/run/systemd/system", "--group", "camera", "--selftest-at", "05:30")
    machine.run(PROGRAM, "--config", "/etc/monitor/config.toml", *deploy)
    machine.run("mkdir", "--parents", "/srv/known")
    known = {"PROLIV": "proliv", "NORMAL": "train"}
    lines = []
    for name, part in known.items():
        shutil.copyfile(min((small_dataset / part).glob("*.jpg")), machine.path(f"/srv/known/{part}.jpg"))
        lines.append(f"Environment=MONITOR__ALARMS__SELFTEST__{name}_CROP=/srv/known/{part}.jpg\n")
    machine.run("chmod", "--recursive", "a+rX", "/srv/known")
    machine.write(f"/run/systemd/system/{unit}.service.d/test.conf", f"[Service]\n{''.join(lines)}")
    machine.run("systemctl", "daemon-reload")
    service.start()
    before = sorted(path.name for path in machine.path(INBOX).iterdir())
    started = machine.run("systemctl", "start", unit, check=False)
    assert started.returncode == 0, machine.messages(unit)
    assert "everything arrived after" in machine.messages(unit)
    assert sorted(path.name for path in machine.path(INBOX).iterdir()) == before
    with closing(sqlite3.connect(machine.disk(DATABASE), timeout=30)) as connection:
        query = "select count(*) from crops where path like '%monitor-selftest-%'"
        assert connection.execute(query).fetchone() == (0,)
    machine.run("systemctl", "start", f"{unit}.timer")
    assert machine.show(f"{unit}.timer", "ActiveState") == {"ActiveState": "active"}
    machine.run("systemctl", "stop", f"{unit}.timer", UNIT)
    assert machine.run("systemctl", "start", unit, check=False).returncode != 0
    assert machine.show(unit, "ExecMainStatus") == {"ExecMainStatus": "69"}
