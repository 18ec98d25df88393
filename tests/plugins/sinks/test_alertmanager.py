"""The sink `alertmanager`, against a real Alertmanager, and against a server that misbehaves."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from monitor.api import DeliveryError
from monitor.harness.waiting import wait_until
from plugins.sinks.alertmanager import Alertmanager
from tests.support import alertmanager
from tests.support.alertmanager import Server
from tests.support.made_up_messages import heartbeat, message
from tests.support.requirements import go_without
from tests.support.web_server import server, status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

    from tests.support.certificates import Certificate
    from tests.support.web_server import Answer

Posted = list[tuple[str, Any, bytes]]


def sink(url: str, **settings: Any) -> Alertmanager:
    return Alertmanager(Alertmanager.Settings(url=url, **settings))


@pytest.fixture
def told(starts_servers: None) -> Iterator[tuple[str, Posted]]:
    """What Alertmanager tells people of."""
    if reason := alertmanager.missing():
        go_without("alertmanager", reason)
    with server(status(200)) as (url, posted):
        yield url, posted


@pytest.fixture
def running(tmp_path: Path, told: tuple[str, Posted]) -> Iterator[Server]:
    with Server(tmp_path / "alertmanager", told[0]).running() as running:
        yield running


def notified(posted: Posted) -> list[tuple[str, str]]:
    """Of which alarms it told, and whether they were firing or resolved."""
    return [
        (alert["labels"].get("alarm", alert["labels"]["alertname"]), alert["status"])
        for _, _, body in list(posted)
        for alert in json.loads(body)["alerts"]
    ]


def test_an_alarm_is_an_alert_from_its_beginning_to_its_end(running: Server, told: tuple[str, Posted]) -> None:
    kept = sink(running.url, labels={"plant": "Литейная", "severity": "page"})
    kept.check()
    kept.send(message("opened"))
    (alert,) = running.alerts().values()
    assert alert["labels"] == {
        "alertname": "Proliv", "alarm": "12", "about": "hole", "camera": "C", "hole": "10", "severity": "page",
        "plant": "Литейная",
    }  # fmt: skip
    assert alert["annotations"]["summary"] == "Alarm 12: hole 10 of camera C"
    assert alert["annotations"]["description"].startswith("1 crop, the last at 2026-03-01T05:39:40Z; highest score 2.3")
    assert datetime.fromisoformat(alert["startsAt"]) == datetime.fromisoformat("2026-03-01T05:39:28.104000+00:00")
    # It does not end by itself when Alertmanager's own time is over, which is a second here.
    assert datetime.fromisoformat(alert["endsAt"]) > datetime.now(UTC) + timedelta(hours=23)
    wait_until(lambda: notified(told[1]) == [("12", "firing")], running.text)
    kept.send(message("more", crops=8))
    kept.send(message("acknowledged", crops=9))
    (alert,) = running.alerts().values()
    assert "9 crops" in alert["annotations"]["description"]
    assert "acknowledged by anna" in alert["annotations"]["description"]
    closed = message("closed")
    kept.send(closed)
    kept.send(closed)
    wait_until(lambda: notified(told[1])[-1] == ("12", "resolved"), running.text)
    assert running.alerts() == {}


def test_the_cast_is_an_annotation_and_no_label(running: Server) -> None:
    kept = sink(running.url)
    kept.send(message("opened", id=1, cast_id=3, cast="4711", phase="steady"))
    kept.send(message("more", id=1, cast_id=3, cast="4711", alloy="6063", phase="steady"))
    kept.send(message("opened", id=2))
    alerts = running.alerts()
    assert alerts["1"]["annotations"]["cast"] == "4711, alloy 6063, phase steady"
    assert alerts["1"]["annotations"]["description"].endswith("; cast 4711, alloy 6063, phase steady")
    assert "cast" not in alerts["2"]["annotations"]
    assert alerts["1"]["labels"].keys() == alerts["2"]["labels"].keys()
    assert len(alerts) == 2


def test_what_is_about_a_table_or_a_file_is_told_apart_and_hostile_names_are_values(running: Server) -> None:
    kept = sink(running.url)
    hostile = 'C"\r\n{{ .Labels }}\u202e\x00'
    kept.send(message("opened", id=1, kind="table", hole=None, holes=[1, 2], about="the table", camera=hostile))
    kept.send(message("opened", id=2, kind="file", hole=None, camera=None, path=hostile, about=hostile))
    alerts = running.alerts()
    assert alerts["1"]["labels"] == {
        "alertname": "Proliv", "alarm": "1", "about": "table", "camera": hostile, "severity": "critical"
    }  # fmt: skip
    assert alerts["2"]["labels"] == {"alertname": "Proliv", "alarm": "2", "about": "file", "severity": "critical"}
    assert alerts["2"]["annotations"]["summary"] == f"Alarm 2: {hostile}"


def test_a_clock_that_was_put_back_ends_an_alarm_all_the_same(running: Server) -> None:
    kept = sink(running.url)
    kept.send(message("opened"))
    kept.send(message("closed", closed_at="2026-03-01T05:00:00Z"))
    assert running.alerts() == {}


def test_what_a_restart_made_it_forget_comes_back_with_the_next_heartbeat(running: Server) -> None:
    kept = sink(running.url)
    about = [message("opened", id=number, hole=number) for number in (1, 2, 3)]
    for one in about:
        kept.send(one)
    running.kill()
    with pytest.raises(DeliveryError, match=rf"http://localhost:{running.port}: .*[Cc]onnection refused"):
        kept.send(heartbeat(*about))
    running.start()
    assert running.alerts() == {}
    kept.send(heartbeat())
    assert running.alerts() == {}
    kept.send(heartbeat(*about[:2]))
    assert running.alerts().keys() == {"1", "2"}


def test_an_alert_can_stand_for_heartbeats_and_ends_without_them(running: Server, told: tuple[str, Posted]) -> None:
    kept = sink(running.url, heartbeat_alert="MonitorAlive", labels={"plant": "A"})
    now = datetime.now(UTC)
    kept.send(heartbeat(at=now.isoformat()))
    (alert,) = running.alerts().values()
    assert alert["labels"] == {"alertname": "MonitorAlive", "host": "hall-2", "plant": "A", "severity": "none"}
    until = datetime.fromisoformat(alert["endsAt"]) - now
    assert abs(until - timedelta(seconds=180)) < timedelta(milliseconds=2)
    wait_until(lambda: notified(told[1]) == [("MonitorAlive", "firing")], running.text)
    # Of those of another machine no second one comes.
    kept.send({**heartbeat(at=datetime.now(UTC).isoformat()), "every_seconds": 2.0, "host": "hall-3"})
    wait_until(
        lambda: notified(told[1])[1:] == [("MonitorAlive", "firing"), ("MonitorAlive", "resolved")], running.text
    )
    (alert,) = running.alerts().values()
    assert alert["labels"]["host"] == "hall-2"


def test_a_login_over_https(tmp_path: Path, told: tuple[str, Posted], certificate: Certificate) -> None:
    (tmp_path / "password").write_text(f"{alertmanager.PASSWORD}\n")
    (tmp_path / "wrong").write_text("geheim-17\n")
    login: dict[str, Any] = {"user": alertmanager.USER, "certificate_authority": certificate.file}
    with Server(tmp_path / "alertmanager", told[0], certificate).running() as running:
        sink(f"{running.url}/", password_file=tmp_path / "password", **login).send(message("opened"))
        assert running.alerts().keys() == {"12"}
        with pytest.raises(DeliveryError, match="answered 401: Unauthorized") as raised:
            sink(running.url, password_file=tmp_path / "wrong", **login).send(message("opened"))
        assert "geheim" not in str(raised.value)
        with pytest.raises(DeliveryError, match="has a certificate that is not trusted"):
            sink(running.url).send(message("opened"))


def half(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 2")
    handler.connection.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (status(500, b'{"error": "out of order"}'), 'answered 500: {"error": "out of order"}'),
        (status(400, b"start time must be before end time"), "answered 400: start time must be before end time"),
        (status(307, Location="http://127.0.0.1:1/"), "answered 307, and redirects are not followed"),
        (half, "closed the connection, or gives no answer that can be understood"),
        (status(503, b"x" * 10_000_000), "answered 503: xxx"),
    ],
)
def test_why_alerts_were_not_taken_is_said(answer: Answer, said: str) -> None:
    with server(answer) as (url, posted), pytest.raises(DeliveryError, match=said) as raised:
        sink(f"{url}/prefix").send(message("opened"))
    assert [path for path, _, _ in posted] == ["/prefix/api/v2/alerts"]
    assert len(str(raised.value)) < 500


def test_a_token_is_sent_and_a_long_answer_is_not_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n")
    with server(status(200, b"x" * 10_000_000)) as (url, posted):
        sink(url, token_file=tmp_path / "token").send(message("opened"))
    assert posted[0][1]["Authorization"] == "Bearer abc"
    with pytest.raises(DeliveryError, match="absent: cannot be read"):
        sink(url, token_file=tmp_path / "absent").check()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"url": "alertmanager:9093"}, "is not the address of a web service"),
        ({"url": "http://host/api/v2/alerts"}, "should be the address of Alertmanager itself"),
        ({"url": "http://host/?a=b"}, "should be the address of Alertmanager itself"),
        ({"url": "http://anna:geheim@host/"}, "has a name or a password in it"),
        ({"labels": {"alarm": "x"}}, "alarm is a label that alarms have"),
        ({"labels": {"a-b": "x"}}, "'a-b' is no name of a label"),
        ({"user": "anna"}, "user and password_file belong together"),
        ({"user": "anna", "password_file": "x", "token_file": "y"}, "are two ways to log in"),
        ({"resolve_seconds": 1}, "greater than or equal to 60"),
    ],
)
def test_settings_that_cannot_be_are_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as raised:
        sink(**{"url": "http://host:9093", **changed})
    assert "geheim" not in str(raised.value)
