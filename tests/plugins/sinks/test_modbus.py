"""The sink `modbus`, against a real Modbus server in a process of its own."""

from __future__ import annotations

import signal
import socket
from contextlib import closing
from datetime import UTC, datetime
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from monitor.alarms.trial import trial_message
from monitor.api import ConfigurationError, DeliveryError, HoleState
from plugins.sinks import packages
from plugins.sinks.modbus import Modbus
from plugins.sinks.modbus_settings import Settings
from tests.support import modbus_device
from tests.support.made_up_messages import heartbeat, message
from tests.support.modbus_device import Device, Program
from tests.support.requirements import go_without

if TYPE_CHECKING:
    from collections.abc import Iterator

HOLE_10 = HoleState("hole", "C", 10, "alarm", 12)


@pytest.fixture
def device(device: Device) -> Device:
    device.start()
    return device


@pytest.fixture
def sinks() -> Iterator[list[Modbus]]:
    """Those that a test has made, to be hung up after it."""
    made: list[Modbus] = []
    yield made
    for one in made:
        if one._connection is not None:
            one._connection.close()


@pytest.fixture
def sink(device: Device, sinks: list[Modbus]) -> Modbus:
    return modbus(device, sinks)


def modbus(device: Device, sinks: list[Modbus], **settings: Any) -> Modbus:
    values = {"host": "127.0.0.1", "port": device.port, "holes": 40, "timeout_seconds": 1, **settings}
    sinks.append(Modbus(Settings(**values)))
    return sinks[-1]


def test_each_hole_in_alarm_has_its_coil_and_so_have_the_table_and_what_has_none(device: Device, sink: Modbus) -> None:
    sink.show([
        HOLE_10, HOLE_10._replace(hole=0), HOLE_10._replace(hole=40), HOLE_10._replace(hole=3, state="acknowledged"),
    ])  # fmt: skip
    assert (device.coils(), device.registers(10, 2)) == ([0, 10, 40], [3, 1])
    sink.show([HoleState("table", "C", None, "alarm", 13)])
    assert (device.coils(), device.registers(10, 2)) == ([41], [0, 0])
    for nowhere in (HOLE_10._replace(hole=41), HoleState("file", None, None, "alarm", 14)):
        sink.show([nowhere])
        assert device.coils() == [42]
    sink.show([])
    assert device.coils() == []


def test_a_plc_has_its_own_place_and_the_holes_of_its_own_camera(device: Device, sinks: list[Modbus]) -> None:
    sink = modbus(device, sinks, camera="C", first_coil=100, first_register=50, handshake=False)
    sink.show([HOLE_10, HOLE_10._replace(camera="D", hole=11), HoleState("table", "D", None, "alarm", 15)])
    sink.send(message("opened", camera="D"))
    assert device.registers(50)[3] == 0
    sink.send(message("opened"))
    assert device.coils() == [110]
    assert device.registers(50) == [0, 0, 1, 1, 1, 1, 10, 0, 12, 1, 1, 0]
    assert device.registers(0) == [0] * 12


def test_a_message_is_taken_once_the_plc_has_confirmed_it(device: Device, sink: Modbus) -> None:
    sink.show([])
    with Program(device) as plc:
        sink.send(message("opened"))
        sink.send(message("more", id=70_000, crops=99_999))
        sink.send(message("acknowledged", kind="table", hole=None, holes=[1, 2]))
        sink.send(message("closed", kind="file", hole=None, camera=None, path="a.jpg"))
    assert plc.taken == [
        [1, 1, 1, 10, 0, 12, 1], [2, 2, 1, 10, 1, 4464, 65535], [3, 3, 3, 65535, 0, 12, 1], [4, 4, 2, 65535, 0, 12, 1]
    ]  # fmt: skip
    assert device.registers(0, 4) == [4, 0, 1, 4]


def test_a_message_that_is_not_confirmed_comes_again_under_its_number(device: Device, sinks: list[Modbus]) -> None:
    sink = modbus(device, sinks, acknowledge_seconds=0.1)
    opened, more = message("opened"), message("more")
    sink.show([])
    said = r"holding register 0: is 0, so the message 1 is not confirmed; let the PLC copy .* or set handshake = false"
    for _ in range(2):
        with pytest.raises(DeliveryError, match=said):
            sink.send(opened)
    device.write(0, 1)
    sink.send(opened)
    # Another one has another number, and is not taken for one that was confirmed.
    with pytest.raises(DeliveryError, match="holding register 0: is 1, so the message 2 is not confirmed"):
        sink.send(more)
    with pytest.raises(DeliveryError, match="holding register 0: is 1, so the message 3 is not confirmed"):
        sink.send(opened)
    assert device.registers(2, 2) == [3, 3]


def test_numbers_go_on_after_a_restart_and_never_become_0(device: Device, sinks: list[Modbus]) -> None:
    device.write(3, 65534)
    with Program(device) as plc:
        for _ in range(3):
            modbus(device, sinks).send(message("opened"))
    assert [one[0] for one in plc.taken] == [65535, 1, 2]


def test_a_test_by_hand_beside_the_daemon_changes_nothing_but_the_message(device: Device, sinks: list[Modbus]) -> None:
    daemon = modbus(device, sinks, camera="C")
    with Program(device) as plc:
        daemon.show([HOLE_10])
        daemon.send(heartbeat())
        daemon.send(message("opened"))
        by_hand = modbus(device, sinks, camera="C")
        by_hand.send(trial_message(datetime.now(UTC)))
        by_hand.close()
        assert (device.coils(), device.registers(1, 2)) == ([10], [1, 1])
        daemon.send(message("more"))
        daemon.close()
        modbus(device, sinks).send(trial_message(datetime.now(UTC)))
    assert plc.taken == [
        [1, 1, 1, 10, 0, 12, 1], [2, 5, 2, 65535, 0, 0, 1], [3, 2, 1, 10, 0, 12, 1], [4, 5, 2, 65535, 0, 0, 1]
    ]  # fmt: skip
    assert device.registers(2, 1) == [0]


def test_a_number_that_the_plc_has_confirmed_already_is_left_out(device: Device, sinks: list[Modbus]) -> None:
    device.write(0, 1)
    with Program(device) as plc:
        modbus(device, sinks).send(message("opened"))
    assert [one[0] for one in plc.taken] == [2]


def test_heartbeats_count_and_the_quality_ends_with_the_program(device: Device, sink: Modbus) -> None:
    sink.check()
    for count in (1, 2, 3):
        sink.send(heartbeat())
        assert device.registers(1, 2) == [count, 1]
    sink._heartbeat = 65535
    sink.send(heartbeat())
    assert device.registers(1, 2) == [1, 1]
    sink.close()
    assert device.registers(1, 2) == [1, 0]


def test_a_plc_that_was_restarted_has_everything_again(device: Device, sink: Modbus) -> None:
    with Program(device) as plc:
        sink.show([HOLE_10])
        sink.send(message("opened"))
        device.kill()
        with pytest.raises(DeliveryError, match=rf"^127\.0\.0\.1:{device.port}: "):
            sink.show([HOLE_10])
        with pytest.raises(
            DeliveryError,
            match=rf"^127\.0\.0\.1:{device.port}: Connection refused; check that it runs there, and its port$",
        ):
            sink.show([HOLE_10])
        device.start()
        sink.show([HOLE_10])
        sink.send(message("more"))
    assert device.coils() == [10]
    assert [one[0] for one in plc.taken] == [1, 1]


def test_a_plc_that_hangs_is_given_up_and_its_late_answers_count_for_nothing(device: Device, sink: Modbus) -> None:
    sink.show([HOLE_10])
    device.signal(signal.SIGSTOP)
    try:
        with pytest.raises(DeliveryError, match=r"does not answer, or not what was asked \(coils 0 to 42 of unit 1\)"):
            sink.show([])
    finally:
        device.signal(signal.SIGCONT)
    sink.show([HOLE_10])
    assert device.coils() == [10]


def test_stopping_does_not_wait_for_a_plc_that_hangs(device: Device, sinks: list[Modbus]) -> None:
    settings = Settings(host="127.0.0.1", port=device.port).model_copy(update={"timeout_seconds": 1000})
    sinks.append(Modbus(settings))
    sinks[-1].show([])
    device.signal(signal.SIGSTOP)
    try:
        with pytest.raises(DeliveryError, match="does not answer"):
            sinks[-1].close()
    finally:
        device.signal(signal.SIGCONT)
    assert sinks[-1]._connection is not None
    assert not sinks[-1]._connection.usable


def test_what_the_plc_does_not_have_is_said(device: Device, sinks: list[Modbus]) -> None:
    refused = r"does not give or take coils 190 to 232 of unit 1: it has no such address \(exception 2\)"
    said = f"{refused}; see unit, first_coil, holes and first_register$"
    with pytest.raises(DeliveryError, match=said):
        modbus(device, sinks, first_coil=190).show([])
    with pytest.raises(DeliveryError, match=r"holding registers? 99 of unit 1|holding registers 101 to 102 of unit 1"):
        modbus(device, sinks, first_register=100).send(heartbeat())
    with pytest.raises(DeliveryError, match="of unit 7"):
        modbus(device, sinks, unit=7).send(heartbeat())


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.0 400 Bad Request\r\n\r\n", b"\x00" * 300, b"\xff" * 12])
def test_a_receiver_that_is_no_modbus_device_is_said(sinks: list[Modbus], answer: bytes) -> None:
    if reason := modbus_device.missing():
        go_without("modbus", reason)
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def once() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

        thread = Thread(target=once)
        thread.start()
        sinks.append(Modbus(Settings(host="127.0.0.1", port=server.getsockname()[1], timeout_seconds=0.5)))
        with pytest.raises(DeliveryError, match=r"does not answer, or not what was asked|closed the connection"):
            sinks[-1].show([])
        thread.join()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"host": "http://plc/"}, "is not the name or the address of a host"),
        (
            {"host": "plc:502"},
            "is not the name or the address of a host; write one such as plc.plant.example, and its port as port",
        ),
        ({"host": "plc..example"}, "is not the name or the address of a host"),
        ({"host": ""}, "is not the name or the address of a host"),
        ({"port": 0}, "greater than or equal to 1"),
        ({"unit": 256}, "less than or equal to 255"),
        ({"first_coil": 65530}, "first_coil and holes reach beyond the last coil, 65535"),
        ({"first_register": 65525}, "first_register is too high: 12 registers up to 65535 are needed"),
        ({"holes": 1001}, "less than or equal to 1000"),
        ({"coils": 1}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_setting_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Settings(**{"host": "plc", **wrong})
    assert said in str(raised.value)


def test_a_missing_package_is_said_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda _name: None)
    with pytest.raises(ConfigurationError, match=r"pymodbus, which is not installed; .*'proliv-monitor\[modbus\]'"):
        Modbus(Settings(host="plc"))
