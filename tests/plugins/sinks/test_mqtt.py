"""The sink `mqtt`, against a real mosquitto."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from monitor.alarms.messages import HEARTBEAT_SCHEMA_FILE, SCHEMA_FILE
from monitor.alarms.trial import trial_message
from monitor.api import ConfigurationError, DeliveryError, HoleState
from monitor.harness.waiting import wait_until
from plugins.sinks import packages
from plugins.sinks.mqtt import Mqtt
from plugins.sinks.mqtt_settings import Settings, level_of
from tests.support.certificates import Certificate, make
from tests.support.made_up_messages import heartbeat, message
from tests.support.mosquitto import Broker, Listener

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLE_10 = HoleState("hole", "C", 10, "alarm", 12)
OPENED, BEAT = message("opened"), heartbeat()
STATE_10 = "proliv-monitor/C/10/state"


@pytest.fixture
def sinks() -> Iterator[list[Mqtt]]:
    """Those that a test has made, to be closed after it."""
    made: list[Mqtt] = []
    yield made
    for one in made:
        one.close()


@pytest.fixture
def sink(broker: Broker, sinks: list[Mqtt]) -> Mqtt:
    broker.start()
    return mqtt(broker, sinks)


def mqtt(broker: Broker, sinks: list[Mqtt], **settings: Any) -> Mqtt:
    values = {"url": f"mqtt://127.0.0.1:{broker.port}", "timeout_seconds": 2, **settings}
    sinks.append(Mqtt(Settings(**values)))
    return sinks[-1]


def state(listener: Listener, topic: str = STATE_10) -> tuple[str, int | None]:
    found = json.loads(listener.newest()[topic])
    return found["state"], found["alarm"]


def in_its_form(payload: bytes, schema: Path) -> Any:
    """What is in a payload, which must fit the schema that is shipped."""
    found = json.loads(payload)
    Draft202012Validator(json.loads(schema.read_text(encoding="utf-8"))).validate(found)
    return found


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_messages_come_in_their_form_and_states_are_retained(broker: Broker, sinks: list[Mqtt], protocol: str) -> None:
    broker.start()
    sink = mqtt(broker, sinks, protocol=protocol, topic="plant/hall-2")
    early = Listener(broker)
    sink.check()
    sink.show([HOLE_10])
    sink.send(OPENED)
    # Whoever subscribes later gets the states, and no message that is over.
    late = Listener(broker)
    late.wait_for(["plant/hall-2/C/10/state", "plant/hall-2/status"])
    assert late.newest() == {
        "plant/hall-2/C/10/state": b'{"state": "alarm", "alarm": 12, "kind": "hole", "camera": "C", "hole": 10}',
        "plant/hall-2/status": b"online",
    }
    assert all(retained for _, _, retained in late.got)
    early.wait_for(["plant/hall-2/messages"])
    (payload,) = early.payloads("plant/hall-2/messages")
    assert in_its_form(payload, SCHEMA_FILE) == OPENED
    sink.send(BEAT)
    early.wait_for(["plant/hall-2/heartbeat"])
    assert in_its_form(early.newest()["plant/hall-2/heartbeat"], HEARTBEAT_SCHEMA_FILE) == BEAT
    sink.show([HOLE_10._replace(state="acknowledged")])
    sink.show([])
    wait_until(lambda: state(late, "plant/hall-2/C/10/state") == ("quiet", None))
    states = [json.loads(one)["state"] for one in late.payloads("plant/hall-2/C/10/state")]
    assert states == ["alarm", "acknowledged", "quiet"]
    for one in (early, late):
        one.stop()


def test_a_hole_that_is_quiet_after_a_restart_is_said_to_be(broker: Broker, sink: Mqtt, sinks: list[Mqtt]) -> None:
    sink.show([HOLE_10, HoleState("table", "C", None, "alarm", 13)])
    sink.close()
    # What was closed while the program did not run is told by messages.
    other = mqtt(broker, sinks)
    other.show([])
    other.send(message("closed", kind="table", hole=None, holes=[9, 10]))
    listener = Listener(broker)
    listener.wait_for([STATE_10, "proliv-monitor/C/9/state", "proliv-monitor/C/table/state"])
    topics = [topic for topic in listener.newest() if topic.endswith("/state")]
    assert {state(listener, topic) for topic in topics} == {("quiet", None)}
    listener.stop()


def test_an_alarm_that_the_broker_alone_remembers_is_quieted_and_what_others_retain_is_left_alone(
    broker: Broker, sink: Mqtt, sinks: list[Mqtt]
) -> None:
    sink.show([HOLE_10, HoleState("hole", "C", 11, "alarm", 13)])
    sink.close()
    listener = Listener(broker)
    for topic, payload in (("C/12", b"on"), ("C/13", b'{"state": "alarm"}')):
        listener.publish(f"proliv-monitor/{topic}/state", payload)
    # The alarms were closed and the daemon started again; then the broker comes back with what it had kept long before.
    other = mqtt(broker, sinks)

    def is_quieted() -> bool:
        other.show([HOLE_10._replace(alarm_id=14)])
        return state(listener, "proliv-monitor/C/11/state") == ("quiet", None)

    wait_until(is_quieted)
    assert state(listener) == ("alarm", 14)
    left = Listener(broker, "proliv-monitor/C/+/state")
    left.wait_for([f"proliv-monitor/C/{hole}/state" for hole in (10, 11, 12, 13)])
    assert left.newest()["proliv-monitor/C/12/state"] == b"on"
    assert left.newest()["proliv-monitor/C/13/state"] == b'{"state": "alarm"}'
    for one in (listener, left):
        one.stop()


def test_the_worse_of_two_states_under_one_topic_counts(broker: Broker, sink: Mqtt) -> None:
    quieter = HoleState("hole", None, 10, "acknowledged", 14)
    sink.show([quieter, HOLE_10._replace(camera="unknown"), quieter._replace(camera="unknown")])
    listener = Listener(broker)
    listener.wait_for(["proliv-monitor/unknown/10/state"])
    assert state(listener, "proliv-monitor/unknown/10/state") == ("alarm", 12)
    listener.stop()


@pytest.mark.parametrize("camera", ["../../messages", "+/#", "a\n\x00\x1b[2J", "$SYS", "%2F", "Ж\u202e\ufffe\udc80"])
def test_a_hostile_name_stays_within_its_level(broker: Broker, sink: Mqtt, camera: str) -> None:
    sink.show([HOLE_10._replace(camera=camera)])
    sink.send(message("opened", camera=camera))
    listener = Listener(broker, "proliv-monitor/+/+/state")
    listener.wait_for([f"proliv-monitor/{level_of(camera)}/10/state"])
    assert len(listener.got) == 1
    listener.stop()


def test_levels_differ_where_names_do_and_what_is_safe_is_left_alone() -> None:
    names = ["C", "Ж 1", "a/b", "a%2Fb", "a+b", "#", "\x00", "\U0010ffff"]
    assert [level_of(name) for name in names] == [
        "C", "Ж 1", "a%2Fb", "a%252Fb", "a%2Bb", "%23", "%00", "%F4%8F%BF%BF"
    ]  # fmt: skip


def test_a_broker_that_is_killed_and_started_again_has_everything(broker: Broker, sink: Mqtt) -> None:
    sink.show([HOLE_10])
    broker.kill()
    with pytest.raises(DeliveryError, match=rf"^mqtt://127\.0\.0\.1:{broker.port}: (Connection refused|has closed)"):
        sink.send(OPENED)
    broker.start()
    listener = Listener(broker)
    sink.show([HOLE_10])
    sink.send(OPENED)
    listener.wait_for([STATE_10, "proliv-monitor/messages"])
    assert len(listener.payloads("proliv-monitor/messages")) == 1
    listener.stop()


def test_the_connection_comes_back_by_itself_with_what_the_broker_has_lost(
    broker: Broker, sink: Mqtt, tmp_path: Path
) -> None:
    sink.show([HOLE_10])
    broker.kill()
    for file in (tmp_path / "mosquitto").iterdir():
        file.unlink()
    broker.start()
    listener = Listener(broker)
    listener.wait_for([STATE_10, "proliv-monitor/status"])
    assert (state(listener), listener.newest()["proliv-monitor/status"]) == (("alarm", 12), b"online")
    listener.stop()


def test_what_the_broker_has_not_confirmed_is_not_delivered(broker: Broker, sinks: list[Mqtt]) -> None:
    broker.start()
    sink = mqtt(broker, sinks, timeout_seconds=1)
    sink.show([])
    broker.signal(signal.SIGSTOP)
    try:
        with pytest.raises(DeliveryError, match="does not confirm a message in time"):
            sink.send(OPENED)
        with pytest.raises(DeliveryError, match="does not answer in time"):
            sink.send(OPENED)
    finally:
        broker.signal(signal.SIGCONT)
    wait_until(lambda: _delivered(sink))
    listener = Listener(broker)
    listener.wait_for(["proliv-monitor/status"])
    assert listener.newest()["proliv-monitor/status"] == b"online"
    listener.stop()


def _delivered(sink: Mqtt) -> bool:
    try:
        sink.send(OPENED)
    except DeliveryError:
        return False
    return True


def test_whoever_vanishes_or_leaves_is_said_to_be_gone(broker: Broker, sink: Mqtt, sinks: list[Mqtt]) -> None:
    sink.show([])
    listener = Listener(broker)
    sink.close()
    wait_until(lambda: listener.newest().get("proliv-monitor/status") == b"offline")
    other = mqtt(broker, sinks)
    other.show([])
    wait_until(lambda: listener.newest()["proliv-monitor/status"] == b"online")
    assert other._connection is not None
    vanished: Any = other._connection._client.socket()
    vanished.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: listener.payloads("proliv-monitor/status")[-2:] == [b"offline", b"online"])
    listener.stop()


def test_a_test_by_hand_beside_the_daemon_says_nothing_about_states(
    broker: Broker, sink: Mqtt, sinks: list[Mqtt]
) -> None:
    sink.show([HoleState("file", None, None, "alarm", 12)])
    listener = Listener(broker)
    by_hand = mqtt(broker, sinks)
    by_hand.send(trial_message(datetime.now(UTC)))
    by_hand.close()
    listener.wait_for(["proliv-monitor/messages"])
    sink.send(BEAT)
    listener.wait_for(["proliv-monitor/heartbeat"])
    assert listener.payloads("proliv-monitor/status") == [b"online"]
    assert len(listener.payloads("proliv-monitor/unknown/files/state")) == 1
    assert state(listener, "proliv-monitor/unknown/files/state") == ("alarm", 12)
    listener.stop()


def test_whom_the_broker_refuses_is_told(broker: Broker, sinks: list[Mqtt], tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text("monitor:пароль\nother:geheim\n", encoding="utf-8")
    subprocess.run(["mosquitto_passwd", "-U", tmp_path / "passwords"], check=True)
    (tmp_path / "access").write_text("user monitor\ntopic proliv-monitor/#\n")
    lines = ("allow_anonymous false", f"password_file {tmp_path / 'passwords'}", f"acl_file {tmp_path / 'access'}")
    broker.configure(*lines)
    broker.start()
    (tmp_path / "password").write_text("geheim\n")
    refusal = "does not let us in: Not authorized; see user, password_file and protocol"
    for protocol in ("5", "3.1.1"):
        for access in ({}, {"user": "monitor"}, {"user": "monitor", "password_file": tmp_path / "password"}):
            with pytest.raises(DeliveryError, match=refusal):
                mqtt(broker, sinks, protocol=protocol, **access).send(OPENED)
    # The file can be exchanged at any time.
    (tmp_path / "password").write_text("пароль\n", encoding="utf-8")
    sinks[-1].send(OPENED)
    (tmp_path / "password").write_text("geheim\n")
    stranger = mqtt(broker, sinks, user="other", password_file=tmp_path / "password")
    with pytest.raises(DeliveryError, match=r"does not take what is published to proliv-monitor/.*: Not authorized"):
        stranger.send(OPENED)


@pytest.fixture
def certificate(tmp_path: Path, starts_processes: None) -> Certificate:
    return make(tmp_path)


def test_tls_is_spoken_with_whom_is_trusted(broker: Broker, sinks: list[Mqtt], certificate: Certificate) -> None:
    file, key = certificate
    lines = (f"certfile {file}", f"keyfile {key}", f"cafile {file}", "require_certificate true")
    broker.configure(*lines)
    broker.start()
    here, there = f"mqtts://localhost:{broker.port}", f"mqtts://127.0.0.1:{broker.port}"
    trusted = {"certificate_authority": file, "certificate": file, "key": key}
    with pytest.raises(DeliveryError, match="has a certificate that is not trusted: self-signed certificate; name its"):
        mqtt(broker, sinks, url=here).send(OPENED)
    with pytest.raises(DeliveryError, match="has a certificate that is not trusted: IP address mismatch"):
        mqtt(broker, sinks, url=there, **trusted).send(OPENED)
    with pytest.raises(DeliveryError, match=r"before it let us in|does not speak TLS as it should"):
        mqtt(broker, sinks, url=here, certificate_authority=file).send(OPENED)
    with pytest.raises(DeliveryError, match="before it let us in"):
        mqtt(broker, sinks, url=f"mqtt://localhost:{broker.port}").send(OPENED)
    sink = mqtt(broker, sinks, url=here, **trusted)
    sink.check()
    sink.send(OPENED)


def test_a_pair_that_is_none_is_said_before_it_is_needed(
    sinks: list[Mqtt], certificate: Certificate, broker: Broker, tmp_path: Path
) -> None:
    file, key = certificate
    locked = tmp_path / "locked.pem"
    subprocess.run(
        ["openssl", "rsa", "-aes256", "-passout", "pass:geheim", "-in", key, "-out", locked],
        check=True, capture_output=True,
    )  # fmt: skip
    for wrong in (locked, file, tmp_path / "none"):
        sink = mqtt(broker, sinks, url="mqtts://localhost", certificate=file, key=wrong)
        with pytest.raises(DeliveryError, match=r"certificate\.pem and .* are no pair in PEM format whose key has no"):
            sink.check()


def test_a_receiver_that_is_no_broker_is_said(broker: Broker, sinks: list[Mqtt]) -> None:
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"mqtt://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(DeliveryError, match="does not answer in time"):
            mqtt(broker, sinks, url=url, timeout_seconds=0.3).send(OPENED)
        with pytest.raises(DeliveryError, match="does not answer in time"):
            mqtt(broker, sinks, url=url.replace("mqtt", "mqtts"), timeout_seconds=0.3).send(OPENED)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"url": "http://host"}, "is not the address of an MQTT broker; write one such as mqtts://host"),
        ({"url": "mqtt://anna:geheim@host"}, "has a name or a password in it; give the name as user"),
        ({"url": "mqtt://host/topic"}, "has more than a host and a port; give the topic by itself: topic"),
        *(
            ({"topic": topic}, "is not what topics can begin with")
            for topic in ("", "/a", "a//b", "a/#", "$SYS", "a\n")
        ),
        ({"topic": "ж" * 101}, "is longer than 200 bytes"),
        ({"password_file": "geheim"}, "password_file needs a user"),
        ({"url": "mqtts://host", "key": "key.pem"}, "key needs a certificate"),
        ({"certificate_authority": "ca.pem"}, "certificates are of no use without TLS; write the url with mqtts://"),
        ({"protocol": "4"}, "Input should be '5' or '3.1.1'"),
        ({"timeout_seconds": 26}, "less than or equal to 25"),
    ],
)
def test_a_wrong_setting_is_refused_and_not_shown(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Settings(**{"url": "mqtt://host", **wrong})
    assert said in str(raised.value)
    assert "geheim" not in str(raised.value)


def test_a_missing_package_is_said_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda _name: None)
    with pytest.raises(ConfigurationError, match=r"paho-mqtt, which is not installed; .*'proliv-monitor\[mqtt\]'"):
        Mqtt(Settings(url="mqtt://host"))
