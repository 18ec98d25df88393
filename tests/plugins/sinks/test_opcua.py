"""The sink `opcua`, against a real OPC UA server in a process of its own."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from monitor.alarms.messages import SCHEMA_FILE
from monitor.alarms.trial import trial_message
from monitor.api import ConfigurationError, DeliveryError, HoleState
from plugins.sinks import packages
from plugins.sinks.opcua import Opcua
from plugins.sinks.opcua_settings import Settings
from tests.support import opcua_server
from tests.support.made_up_messages import heartbeat, message
from tests.support.opcua_server import HANDSHAKE, PlcServer, Program, nodes
from tests.support.requirements import go_without

if TYPE_CHECKING:
    from collections.abc import Iterator


HOLE_10 = HoleState("hole", "C", 10, "alarm", 12)


@pytest.fixture
def sinks() -> Iterator[list[Opcua]]:
    """Those that a test has made, to be hung up after it."""
    made: list[Opcua] = []
    yield made
    for one in made:
        if one._connection is not None and one._connection.usable:
            one._connection.close()


@pytest.fixture
def sink(plc_server: PlcServer, sinks: list[Opcua]) -> Opcua:
    plc_server.start()
    return opcua(plc_server, sinks)


def opcua(plc_server: PlcServer, sinks: list[Opcua], **settings: Any) -> Opcua:
    values = {"url": plc_server.url, "node": "ns=2;s=Monitor.{name}", "last_hole": 12, **settings}
    sinks.append(Opcua(Settings(**values)))
    return sinks[-1]


def test_each_hole_has_its_node_and_so_have_the_table_and_what_has_none(plc_server: PlcServer, sink: Opcua) -> None:
    sink.show([HOLE_10, HOLE_10._replace(hole=3, state="acknowledged")])
    assert plc_server.holes() == {"Hole10": 1, "Hole3": 2}
    sink.show([
        HOLE_10._replace(state="acknowledged"), HoleState("table", "C", None, "alarm", 13),
        HOLE_10._replace(hole=13), HoleState("file", None, None, "acknowledged", 14),
    ])  # fmt: skip
    assert plc_server.holes() == {"Hole10": 2, "Table": 1, "Other": 1}
    sink.show([])
    assert plc_server.holes() == {}


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("Boolean", {"Hole10": True}),
        ("String", {"Hole3": "acknowledged", "Hole10": "alarm"}),
        ("Byte", {"Hole3": 2, "Hole10": 1}),
        ("Float", {"Hole3": 2.0, "Hole10": 1.0}),
    ],
)
def test_values_have_the_type_of_their_node(
    plc_server: PlcServer, sinks: list[Opcua], kind: str, shown: dict[str, Any]
) -> None:
    plc_server.start(nodes=nodes(kind=kind))
    opcua(plc_server, sinks).show([HOLE_10, HOLE_10._replace(hole=3, state="acknowledged")])
    assert {name: value for name, value in plc_server.holes().items() if value != "quiet"} == shown


def test_a_server_has_the_holes_of_its_own_camera(plc_server: PlcServer, sinks: list[Opcua]) -> None:
    plain = {name: kind for name, kind in nodes().items() if name not in ("Ready", "Acknowledged")}
    plc_server.start(nodes=plain)
    sink = opcua(plc_server, sinks, camera="C", handshake=False)
    sink.show([HOLE_10, HOLE_10._replace(camera="D", hole=11)])
    sink.send(message("opened", camera="D"))
    assert plc_server.values("Sequence") == [0]
    sink.send(message("opened"))
    assert (plc_server.holes(), plc_server.values("Sequence")) == ({"Hole10": 1}, [1])


def test_a_message_is_taken_once_the_plc_has_confirmed_it(plc_server: PlcServer, sink: Opcua) -> None:
    sent = [message("opened", camera="Ж", about="hole 10 of camera Ж"), message("more", crops=2), message("closed")]
    with Program(plc_server) as plc:
        for one in sent:
            sink.send(one)
    assert plc.taken == list(enumerate(sent, start=1))
    assert plc_server.values("Sequence", "Acknowledged", "Ready") == [3, 3, False]
    for _, one in plc.taken:
        Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))).validate(one)


def test_a_message_that_is_not_confirmed_comes_again_under_its_number(
    plc_server: PlcServer, sinks: list[Opcua]
) -> None:
    plc_server.start()
    plc_server.write("Sequence", 32767)
    sink = opcua(plc_server, sinks, acknowledge_seconds=0.1)
    opened = message("opened")
    for _ in range(2):
        with pytest.raises(DeliveryError, match=r"ns=2;s=Monitor\.Acknowledged: is 0, so the message 1 is not confirm"):
            sink.send(opened)
    assert plc_server.values("Sequence", "Ready") == [1, True]
    plc_server.write("Acknowledged", 1)
    sink.send(opened)


def test_heartbeats_count_and_the_quality_ends_with_the_program(plc_server: PlcServer, sink: Opcua) -> None:
    sink.check()
    for count in (1, 2):
        sink.send(heartbeat())
        assert plc_server.values("Heartbeat", "Quality") == [count, True]
    sink.close()
    assert plc_server.values("Heartbeat", "Quality") == [2, False]


def test_a_test_by_hand_beside_the_daemon_changes_nothing_but_the_message(plc_server: PlcServer, sink: Opcua) -> None:
    sent = trial_message(datetime.now(UTC))
    with Program(plc_server) as plc:
        sink.show([HOLE_10])
        sink.send(heartbeat())
        by_hand = Opcua(sink.settings)
        by_hand.send(sent)
        by_hand.close()
    assert plc.taken == [(1, sent)]
    assert (plc_server.holes(), plc_server.values("Quality")) == ({"Hole10": 1}, [True])


def test_a_server_that_was_restarted_has_everything_again(plc_server: PlcServer, sink: Opcua) -> None:
    with Program(plc_server) as plc:
        sink.show([HOLE_10])
        sink.send(message("opened"))
        plc_server.kill()
        with pytest.raises(DeliveryError, match=rf"^opc\.tcp://127\.0\.0\.1:{plc_server.port}/plc: "):
            sink.show([HOLE_10])
        with pytest.raises(
            DeliveryError, match=r"/plc: Connection refused; check that it runs there, and its port \(the connection\)$"
        ):
            sink.show([HOLE_10])
        plc_server.start()
        sink.show([HOLE_10])
        sink.send(message("more"))
    assert plc_server.holes() == {"Hole10": 1}
    assert [number for number, _ in plc.taken] == [1, 1]


def test_a_server_that_hangs_is_given_up(plc_server: PlcServer, sinks: list[Opcua]) -> None:
    plc_server.start()
    sink = opcua(plc_server, sinks, timeout_seconds=1)
    sink.show([])
    plc_server.signal(signal.SIGSTOP)
    try:
        with pytest.raises(DeliveryError, match=r"does not answer in time"):
            sink.show([HOLE_10])
    finally:
        plc_server.signal(signal.SIGCONT)
    sink.show([HOLE_10])
    assert plc_server.holes() == {"Hole10": 1}


def test_stopping_does_not_wait_for_a_server_that_hangs(plc_server: PlcServer, sink: Opcua, sinks: list[Opcua]) -> None:
    sinks.append(Opcua(sink.settings.model_copy(update={"timeout_seconds": 1000})))
    sinks[-1].show([])
    plc_server.signal(signal.SIGSTOP)
    try:
        with pytest.raises(DeliveryError, match="does not answer in time"):
            sinks[-1].close()
    finally:
        plc_server.signal(signal.SIGCONT)
    assert sinks[-1]._connection is not None
    assert not sinks[-1]._connection.usable


def test_what_the_server_does_not_have_or_allow_is_said(plc_server: PlcServer, sinks: list[Opcua]) -> None:
    plc_server.start(nodes={**nodes(), "Hole7": "DateTime", "Hole8": "String", "Message": "Int32"}, locked=["Hole5"])
    with pytest.raises(DeliveryError, match=r"has no variable ns=2;s=Monitor\.Hole13 .*BadNodeIdUnknown; see node"):
        opcua(plc_server, sinks, last_hole=13).show([])
    with pytest.raises(DeliveryError, match=r"does not let ns=2;s=Monitor\.Hole5 be written: Bad"):
        opcua(plc_server, sinks, last_hole=6).show([])
    with pytest.raises(DeliveryError, match=r"ns=2;s=Monitor\.Hole7 has the type DateTime, which cannot hold"):
        opcua(plc_server, sinks, first_hole=7).show([])
    with pytest.raises(DeliveryError, match=r"ns=2;s=Monitor\.Message has the type Int32; make it a String"):
        opcua(plc_server, sinks).send(message("opened"))


def test_whom_the_server_refuses_is_told(plc_server: PlcServer, sinks: list[Opcua], tmp_path: Path) -> None:
    plc_server.start(user=["monitor", "пароль"])
    (tmp_path / "password").write_text("geheim\n")
    access = {"user": "monitor", "password_file": tmp_path / "password"}
    for wrong in ({}, access):
        with pytest.raises(DeliveryError, match=r"refuses: Bad\w+; see user and password_file \(the conn") as raised:
            opcua(plc_server, sinks, **wrong).send(heartbeat())
        assert "geheim" not in str(raised.value)
    (tmp_path / "password").write_text("пароль\n", encoding="utf-8")
    sinks[-1].send(heartbeat())


def made_certificate(folder: Path, name: str, uri: str) -> tuple[Path, Path]:
    """A certificate of an application, and its key."""
    file, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    names = ["-addext", f"subjectAltName=URI:{uri},DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(file)]
    subprocess.run([*command, *names], check=True, capture_output=True)
    return file, key


def test_with_certificates_the_server_has_to_be_the_one(
    plc_server: PlcServer, sinks: list[Opcua], tmp_path: Path
) -> None:
    file, key = made_certificate(tmp_path, "server", "urn:freeopcua:python:server")
    ours, our_key = made_certificate(tmp_path, "monitor", "urn:proliv-monitor")
    other, _ = made_certificate(tmp_path, "other", "urn:freeopcua:python:server")
    plc_server.start(certificate=str(file), key=str(key))
    mine = {"certificate": ours, "key": our_key}
    sink = opcua(plc_server, sinks, server_certificate=file, **mine)
    sink.check()
    sink.send(heartbeat())
    with pytest.raises(DeliveryError, match=rf"^{plc_server.url}: .*server_certificate"):
        opcua(plc_server, sinks, server_certificate=other, **mine, timeout_seconds=1).send(heartbeat())
    with pytest.raises(DeliveryError, match=rf"^{plc_server.url}: offers no connection like this one; see certificate"):
        opcua(plc_server, sinks).send(heartbeat())


def test_certificates_that_cannot_work_are_said_before_they_are_needed(
    plc_server: PlcServer, sinks: list[Opcua], tmp_path: Path
) -> None:
    ours, key = made_certificate(tmp_path, "monitor", "urn:proliv-monitor")
    _, other_key = made_certificate(tmp_path, "other", "urn:proliv-monitor")
    locked = tmp_path / "locked.pem"
    command = ["openssl", "rsa", "-aes256", "-passout", "pass:geheim", "-in", str(key), "-out", str(locked)]
    subprocess.run(command, check=True, capture_output=True)
    unnamed = tmp_path / "monitor.crt"
    unnamed.write_bytes(ours.read_bytes())
    right = {"certificate": ours, "key": key, "server_certificate": ours}
    for wrong, said in (
        ({"server_certificate": tmp_path / "none.pem"}, r"none\.pem: cannot be read: No such file"),
        ({"certificate": key}, r"monitor-key\.pem: holds no certificate in PEM format"),
        ({"certificate": unnamed}, r"monitor\.crt: holds no certificate in DER format; the name of a file in PEM"),
        ({"key": locked}, r"locked\.pem: holds no key without a password in PEM format"),
        ({"key": other_key}, r"certificate and key: .*monitor\.pem and .*other-key\.pem are no pair"),
    ):
        sink = opcua(plc_server, sinks, **{**right, **wrong})
        with pytest.raises(DeliveryError, match=said):
            sink.check()
        # Nobody is asked for anything with what cannot work: the server is not started.
        with pytest.raises(DeliveryError, match=said):
            sink.show([])


@pytest.mark.parametrize("answer", [None, b"", b"HTTP/1.0 400 Bad Request\r\n\r\n", b"\xff" * 100])
def test_a_receiver_that_is_no_server_is_said(sinks: list[Opcua], answer: bytes | None) -> None:
    if reason := opcua_server.missing():
        go_without("opcua", reason)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"opc.tcp://127.0.0.1:{silent.getsockname()[1]}"
        sinks.append(Opcua(Settings(url=url, node="ns=2;s={name}", timeout_seconds=0.5)))
        with pytest.raises(DeliveryError, match=rf"^{url}: .*\(the connection\)$"):
            sinks[-1].send(heartbeat())
        if answer is not None:
            connection, _ = silent.accept()
            connection.close()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"url": "http://plc"}, "is not the address of an OPC UA server; write one such as opc.tcp://host:4840/path"),
        ({"url": "opc.tcp://anna:geheim@plc"}, "has a name or a password in it"),
        *(
            ({"node": node}, "and a text with {name} in it once, such as ns=2;s=Monitor.{name}")
            for node in (
                *("ns=2;s=Monitor", "Monitor.{name}", "ns=2;i={name}", "nsu=urn:plc;s={name}", "ns={name};s=Monitor"),
                *("ns=2;s={name}{name}", "ns=2;s={name}\n"),
            )
        ),
        ({"first_hole": 9, "last_hole": 8}, "the lowest and highest of up to 1000 holes"),
        ({"last_hole": 1001}, "the lowest and highest of up to 1000 holes"),
        ({"password_file": "geheim"}, "password_file needs a user"),
        ({"certificate": "a.pem"}, "certificate, key and server_certificate belong together"),
    ],
)
def test_a_wrong_setting_is_refused_and_not_shown(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Settings(**{"url": "opc.tcp://plc", "node": "ns=2;s={name}", **wrong})
    assert said in str(raised.value)
    assert "geheim" not in str(raised.value)


def test_a_missing_package_is_said_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda _name: None)
    with pytest.raises(ConfigurationError, match=r"asyncua, which is not installed; .*'proliv-monitor\[opcua\]'"):
        Opcua(Settings(url="opc.tcp://plc", node="ns=2;s={name}"))


def test_the_nodes_of_the_tests_are_those_of_the_documentation() -> None:
    text = (Path(__file__).parents[3] / "docs" / "field-buses.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in text for name in (*HANDSHAKE, "Table", "Other"))
