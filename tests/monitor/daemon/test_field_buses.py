"""The daemon as a real process, and field buses whose servers are absent, killed and started again."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from monitor.alarms.acknowledgement import acknowledge
from monitor.configuration.settings import Alarms
from monitor.harness.waiting import wait_until
from tests.support import opcua_server
from tests.support.modbus_device import Device, Program
from tests.support.mosquitto import Broker, Listener
from tests.support.stored_crops import opened

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Daemon
    from tests.support.opcua_server import PlcServer

MQTT = """
[alarms]
pause_seconds = 1

[alarms.sinks.bus]
kind = "mqtt"
url = "mqtt://127.0.0.1:{port}"
topic = "plant"
timeout_seconds = 2
heartbeat_seconds = 1
"""

MODBUS = """
[alarms]
pause_seconds = 1

[alarms.sinks.bus]
kind = "modbus"
host = "127.0.0.1"
port = {port}
timeout_seconds = 1
heartbeat_seconds = 1
"""

OPCUA = """
[alarms]
pause_seconds = 1

[alarms.sinks.bus]
kind = "opcua"
url = "{url}"
node = "ns=2;s=Monitor.{{name}}"
last_hole = 64
timeout_seconds = 2
heartbeat_seconds = 1
"""


def feed(daemon: Daemon, crops: list[Path]) -> None:
    """Let the daemon decide on these crops."""
    before = daemon.count()
    for source in crops:
        shutil.copyfile(source, daemon.inbox / source.name)
    wait_until(lambda: daemon.count() == before + len(crops), daemon.text)


def nothing_is_due(daemon: Daemon) -> bool:
    return daemon.query("select count(*) from alarm_deliveries where delivered_at is null") == [(0,)]


def holes_in_alarm(daemon: Daemon, table: int) -> list[int]:
    """Those of alarms that wait, with ``table`` for one of the table."""
    found: set[int] = set()
    for hole, named in daemon.query("select hole, holes from alarms where state = 'open'"):
        holes = json.loads(named or "null")
        found |= {table, *holes} if holes else {hole}
    return sorted(found)


def acknowledge_all(daemon: Daemon) -> None:
    """Let a person do it, beside the daemon."""
    settings = Alarms(pause_seconds=1, sinks={"bus": {"kind": "mqtt"}})
    with opened(f"sqlite:///{daemon.database}") as database:
        for (number,) in daemon.query("select id from alarms where state = 'open'"):
            acknowledge(database, settings, number, by="anna", note=None, at=datetime.now(UTC), zone=UTC)


@pytest.fixture
def proliv(small_dataset: Path) -> list[Path]:
    return sorted((small_dataset / "proliv").glob("*.jpg"))


def test_an_mqtt_broker_has_every_message_and_the_state_of_every_hole(
    daemon: Daemon, proliv: list[Path], broker: Broker
) -> None:
    (daemon.home / "config.toml").write_text(MQTT.format(port=broker.port), encoding="utf-8")

    def is_told() -> bool:
        told = {json.loads(one)["id"] for one in listener.payloads("plant/messages")}
        return told == {uid for (uid,) in daemon.query("select uid from alarm_messages")}

    def in_alarm() -> set[str]:
        states = {topic: json.loads(one) for topic, one in listener.newest().items() if topic.endswith("/state")}
        return {f"{one['hole']}" for one in states.values() if one["kind"] == "hole" and one["state"] == "alarm"}

    # The broker keeps for it what comes while it is away.
    broker.start()
    listener = Listener(broker, "plant/#", "scada")
    broker.stop()
    process = daemon.start()
    feed(daemon, proliv[:7])
    wait_until(lambda: f"mqtt://127.0.0.1:{broker.port}: Connection refused" in daemon.text(), daemon.text)
    broker.start()
    wait_until(is_told, daemon.text)
    broker.kill()
    feed(daemon, proliv[7:14])
    process.kill()
    process.wait()
    broker.start()
    process = daemon.start()
    feed(daemon, proliv[14:])
    wait_until(is_told, daemon.text)
    wait_until(lambda: bool(listener.payloads("plant/heartbeat")), daemon.text)
    running = daemon.query("select hole, holes from alarms where state = 'open'")
    assert in_alarm() == {f"{one}" for hole, holes in running for one in json.loads(holes or "[]") or [hole]}
    acknowledge_all(daemon)
    wait_until(lambda: is_told() and not in_alarm(), daemon.text)
    process.kill()
    process.wait()
    wait_until(lambda: listener.newest()["plant/status"] == b"offline")
    daemon.start()
    wait_until(lambda: listener.newest()["plant/status"] == b"online")
    assert daemon.stop() == 0
    wait_until(lambda: listener.newest()["plant/status"] == b"offline")
    listener.stop()


def test_a_plc_takes_every_message_and_has_the_coils_of_the_holes_in_alarm(
    daemon: Daemon, proliv: list[Path], device: Device
) -> None:
    (daemon.home / "config.toml").write_text(MODBUS.format(port=device.port), encoding="utf-8")

    def is_shown() -> bool:
        # 65 is the coil of the table.
        return nothing_is_due(daemon) and device.coils() == holes_in_alarm(daemon, table=65)

    process = daemon.start()
    feed(daemon, proliv[:7])
    wait_until(lambda: f"sink bus: 127.0.0.1:{device.port}: Connection refused" in daemon.text(), daemon.text)
    with Program(device) as plc:
        device.start()
        wait_until(lambda: is_shown() and device.coils() != [], daemon.text)
        device.kill()
        feed(daemon, proliv[7:14])
        process.kill()
        process.wait()
        device.start()
        process = daemon.start()
        feed(daemon, proliv[14:])
        wait_until(is_shown, daemon.text)
        # Whatever the PLC confirmed was delivered, and nothing else; what came twice is a repeat.
        told = daemon.query("select alarm_id, kind from alarm_messages")
        kinds = {1: "opened", 2: "more", 3: "acknowledged", 4: "closed"}
        assert {(high << 16 | low, kinds[kind]) for _, kind, _, _, high, low, _ in plc.taken} == set(told)
        count = device.registers()[1]
        wait_until(lambda: device.registers()[1] != count, daemon.text)
        # What the PLC loses comes back by itself.
        device.kill()
        device.start()
        wait_until(lambda: is_shown() and device.registers()[2] & 1 == 1, daemon.text)
        acknowledge_all(daemon)
        wait_until(lambda: is_shown() and device.coils() == [], daemon.text)
    assert daemon.stop() == 0
    assert device.registers()[2] & 1 == 0


def test_an_opc_ua_server_gets_every_message_and_the_state_of_every_hole(
    daemon: Daemon, proliv: list[Path], plc_server: PlcServer
) -> None:
    (daemon.home / "config.toml").write_text(OPCUA.format(url=plc_server.url), encoding="utf-8")

    def is_shown() -> bool:
        if not nothing_is_due(daemon):
            return False
        shown = [65 if name == "Table" else int(name[4:]) for name, value in plc_server.holes().items() if value == 1]
        return sorted(shown) == holes_in_alarm(daemon, table=65)

    process = daemon.start()
    feed(daemon, proliv[:7])
    wait_until(lambda: f"sink bus: {plc_server.url}: Connection refused" in daemon.text(), daemon.text)
    plc_server.start(nodes=opcua_server.nodes(64))
    with opcua_server.Program(plc_server) as plc:
        wait_until(is_shown, daemon.text)
        plc_server.kill()
        feed(daemon, proliv[7:])
        process.kill()
        process.wait()
        plc_server.start()
        daemon.start()
        wait_until(is_shown, daemon.text)
        assert {one["id"] for _, one in plc.taken} == {uid for (uid,) in daemon.query("select uid from alarm_messages")}
        acknowledge_all(daemon)
        wait_until(lambda: is_shown() and plc_server.values("Quality") == [True], daemon.text)
    assert daemon.stop() == 0
    assert plc_server.values("Quality") == [False]
