"""The sink `email`, against a real SMTP server in a process of its own."""

from __future__ import annotations

import json
import socket
import time
from contextlib import closing, contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from monitor.api import DeliveryError
from plugins.sinks.email import Email
from plugins.sinks.letter import letter
from tests.support.made_up_messages import heartbeat, message
from tests.support.smtp_server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.certificates import Certificate

PASSWORD = "geheim-17"


def email(port: int, **settings: Any) -> Email:
    given = {"host": "localhost", "port": port, "security": "none", "to": ["shift@plant.example"], **settings}
    return Email(Email.Settings(**{"from": "monitor@hall-2.plant.example", **given}))


def of(server: Server, **settings: Any) -> Email:
    return email(server.port, **settings)


@pytest.fixture
def server(tmp_path: Path, starts_processes: None) -> Iterator[Server]:
    with Server(tmp_path / "mails").running() as server:
        yield server


def test_a_mail_says_what_happened_and_has_the_message_with_it(server: Server) -> None:
    sink = of(server, to=["shift@plant.example", "anna@plant.example"])
    sink.check()
    opened = message("opened", camera="Ж")
    sink.send(opened)
    (mail,) = server.mails()
    assert server.envelopes() == [
        {"from": "monitor@hall-2.plant.example", "to": ["shift@plant.example", "anna@plant.example"]}
    ]
    assert mail["Subject"] == "Alarm 12 opened: hole 10 of camera Ж"
    assert (mail["From"], mail["To"]) == (
        "monitor@hall-2.plant.example", "shift@plant.example, anna@plant.example"
    )  # fmt: skip
    assert mail["Message-ID"] == f"<{opened['id']}@hall-2.plant.example>"
    assert mail["Date"].datetime.isoformat() == "2026-03-01T05:39:28+00:00"
    assert mail["Auto-Submitted"] == "auto-generated"
    text, attached = mail.iter_parts()
    assert (attached.get_content_type(), attached.get_filename()) == ("application/json", "message.json")
    assert json.loads(attached.get_content()) == opened
    lines = text.get_content().splitlines()
    assert lines[:3] == ["Alarm 12 opened: hole 10 of camera Ж", "", "State:          open"]
    assert "Opened:         2026-03-01 05:39:28 UTC" in lines
    assert "monitor alarms ack 12" in lines


def test_a_repeat_can_be_recognised_and_mails_about_one_alarm_belong_together(server: Server) -> None:
    sink = of(server)
    opened = message("opened")
    for one in (opened, opened, message("more", crops=4), message("acknowledged"), message("closed")):
        sink.send(one)
    mails = server.mails()
    identities = [mail["Message-ID"] for mail in mails]
    assert identities[0] == identities[1]
    assert len(set(identities)) == 4
    assert {mail["References"] for mail in mails} == {"<alarm-12-20260301053928@hall-2.plant.example>"}
    assert [mail["Subject"] for mail in mails][2:] == [
        "Alarm 12 goes on, 4 crops: hole 10 of camera C",
        "Alarm 12 acknowledged by anna: hole 10 of camera C",
        "Alarm 12 closed: hole 10 of camera C",
    ]
    last = next(mails[-1].iter_parts()).get_content()
    assert "Closed:         at 2026-03-01 05:50:00 UTC: it was acknowledged, and its event is over" in last
    assert "monitor alarms ack" not in last


@pytest.mark.parametrize(
    ("ended", "line"),
    [
        ({"ended_by": "person", "closed_by": "{anna}"}, "at 2026-03-01 05:50:00 UTC: by {anna}"),
        ({"ended_by": "table", "part_of": 13}, "at 2026-03-01 05:50:00 UTC: it became part of alarm 13"),
    ],
)
def test_why_an_alarm_is_closed_and_what_people_noted_is_said(ended: dict[str, Any], line: str) -> None:
    mail = letter(message("closed", note="a shadow", **ended), "monitor@plant.example", ["shift@plant.example"])
    lines = next(mail.iter_parts()).get_content().splitlines()
    assert lines[-4:-1] == [f"Closed:         {line}", "Note:           a shadow", ""]
    assert lines.count("Note:           a shadow") == 2


@pytest.mark.parametrize(
    ("cast", "line"),
    [
        ({"cast": "4711", "alloy": "6063", "phase": "start"}, "4711, alloy 6063, phase start"),
        ({"cast": "4711", "phase": "start"}, "4711, phase start"),
        ({"phase": "idle"}, "none, phase idle"),
        ({}, None),
    ],
)
def test_the_cast_is_said_as_far_as_it_was_known(cast: dict[str, Any], line: str | None) -> None:
    mail = letter(message("opened", **cast), "monitor@plant.example", ["shift@plant.example"])
    lines = next(mail.iter_parts()).get_content().splitlines()
    said = [one for one in lines if one.startswith("Cast:")]
    assert said == ([] if line is None else [f"Cast:           {line}"])


def test_a_heartbeat_lists_what_is_not_closed(server: Server) -> None:
    of(server).send(heartbeat(message("opened"), running=3))
    (mail,) = server.mails()
    assert mail["Subject"] == "Heartbeat of hall-2: 3 alarms not closed"
    lines = next(mail.iter_parts()).get_content().splitlines()
    assert lines[2:5] == [
        "The daemon decides. The next heartbeat is due in 60 seconds.",
        "Alarm 12, open: hole 10 of camera C",
        "and 2 older ones",
    ]


HOSTILE = "C\r\nBcc: everybody@plant.example\r\n\r\n.\r\nQUIT\n\u2028\u202e\x00\udcff"


@pytest.mark.parametrize("kind", ["opened", "acknowledged", "closed"])
def test_what_names_a_hole_a_camera_or_a_person_is_text_and_nothing_else(server: Server, kind: str) -> None:
    hostile = message(kind, about=HOSTILE * 20, camera=HOSTILE, by=HOSTILE, note=HOSTILE)
    of(server).send(hostile)
    (mail,) = server.mails()
    assert server.envelopes()[0]["to"] == ["shift@plant.example"]
    assert sorted(mail.keys()) == sorted([
        "Subject", "From", "To", "Date", "Message-ID", "References", "Auto-Submitted", "MIME-Version", "Content-Type"
    ])  # fmt: skip
    assert mail["To"] == "shift@plant.example"
    # The library may double a space where it folds.
    assert len(" ".join(mail["Subject"].split())) <= 150
    assert mail["Subject"].isprintable()
    text, attached = mail.iter_parts()
    assert all(line.isprintable() for line in text.get_content().splitlines())
    assert json.loads(attached.get_content())["alarm"]["camera"] == HOSTILE


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_login_over_an_encrypted_connection(tmp_path: Path, certificate: Certificate, security: str) -> None:
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    files = {"certificate": str(certificate.file), "key": str(certificate.key)}
    settings: dict[str, Any] = {"security": security, "user": "monitor", "password_file": tmp_path / "password"}
    with Server(tmp_path / "mails", security, ("monitor", PASSWORD), **files).running() as server:
        sink = of(server, certificate_authority=certificate.file, **settings)
        sink.check()
        sink.send(message("opened"))
        assert len(server.mails()) == 1
        for changed, said in (
            ({"certificate_authority": None}, "has a certificate that is not trusted: self-signed certificate"),
            ({"host": "127.0.0.1"}, "has a certificate that is not trusted: IP address mismatch"),
            ({"user": "anna"}, "refuses the login of anna: 535 .*; see user and password_file"),
            ({"user": None, "password_file": None}, "refuses the sender .*530 .*, and whether a login is needed"),
        ):
            with pytest.raises(DeliveryError, match=said) as raised:
                of(server, **{"certificate_authority": certificate.file, **settings, **changed}).send(message("opened"))
            assert PASSWORD not in str(raised.value)
        # The password is read each time, so it can be exchanged.
        (tmp_path / "password").write_text("another\n")
        with pytest.raises(DeliveryError, match="refuses the login of monitor"):
            sink.send(message("opened"))
        (tmp_path / "password").write_text("пароль\n", encoding="utf-8")
        with pytest.raises(DeliveryError, match="beyond ASCII"):
            sink.send(message("opened"))
        assert len(server.mails()) == 1


def test_the_wrong_security_is_said(tmp_path: Path, server: Server, certificate: Certificate) -> None:
    with pytest.raises(DeliveryError, match="offers no STARTTLS; see security"):
        of(server, security="starttls").send(message("opened"))
    with pytest.raises(DeliveryError, match=r"does not speak TLS as it should .*see security"):
        of(server, security="tls").send(message("opened"))
    (tmp_path / "password").write_text(PASSWORD)
    files: dict[str, Any] = {"certificate": str(certificate.file), "key": str(certificate.key)}
    trusted: dict[str, Any] = {"certificate_authority": certificate.file}
    with Server(tmp_path / "later", "starttls", **files).running() as encrypted:
        with pytest.raises(DeliveryError, match="refuses the sender"):
            of(encrypted).send(message("opened"))
        of(encrypted, security="starttls", **trusted).send(message("opened"))
        assert len(encrypted.mails()) == 1
    with Server(tmp_path / "at-once", "tls", **files).running() as encrypted:
        sink = of(encrypted, security="tls", user="monitor", password_file=tmp_path / "password", **trusted)
        with pytest.raises(DeliveryError, match=r"offers no login that can be used: .*; see user"):
            sink.send(message("opened"))
        with pytest.raises(DeliveryError, match="does not answer in time"):
            of(encrypted, timeout_seconds=0.5).send(message("opened"))


def test_a_recipient_that_is_refused_is_told_and_the_others_have_the_mail(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    sink = of(server, to=["refused@plant.example", "shift@plant.example"])
    sink.send(message("opened"))
    sink.send(message("more"))
    assert [envelope["to"] for envelope in server.envelopes()] == [["shift@plant.example"]] * 2
    (said,) = caplog.messages  # once
    assert "refuses a recipient, and the others have the mail: refused@plant.example (550 no such mailbox here)" in said
    with pytest.raises(DeliveryError, match=r"refuses every recipient: refused@plant\.example \(550 no such mailbox"):
        of(server, to=["refused@plant.example"]).send(message("opened"))


def test_a_server_that_is_busy_gone_or_back_is_said(server: Server) -> None:
    with pytest.raises(DeliveryError, match="does not take the mail: 452 the disk is full"):
        of(server, **{"from": "busy@plant.example"}).send(message("opened"))
    server.kill()
    with pytest.raises(DeliveryError, match=rf"localhost:{server.port}: .*[Cc]onnection refused"):
        of(server).send(message("opened"))
    server.start()
    of(server).send(message("opened"))
    assert len(server.mails()) == 1
    with pytest.raises(DeliveryError, match=r"^absent\.invalid:25: .*(Name|name|resolution)"):
        email(25, host="absent.invalid").send(message("opened"))


@contextmanager
def speaking(words: bytes, pause: float = 0.0, *, stays: bool = False) -> Iterator[int]:
    """The port of a server that says these words, with a pause a letter at a time, whatever it is told."""

    def serve() -> None:
        with closing(listener.accept()[0]) as connection:
            try:
                for first in range(0, len(words), step := 1 if pause else 1 << 20):
                    connection.sendall(words[first : first + step])
                    time.sleep(pause)
                while stays and connection.recv(4096):
                    pass
            except OSError:
                return

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(30)


@pytest.mark.parametrize(
    ("words", "pause", "stays", "said"),
    [
        (b"", 0.0, False, "closed the connection"),
        (b"220 hello\r\n250 ", 0.0, False, "closed the connection"),
        (b"554 go away\r\n", 0.0, False, "does not take the mail: 554 go away"),
        (b"220 hello\r\n", 0.0, True, "does not answer in time"),
        (b"220-" + b"x" * 4000, 0.02, False, "does not answer in time"),
        (b"x" * 100_000, 0.0, False, "does not take the mail: 500 Line too long"),
    ],
)
def test_a_server_that_speaks_no_smtp_or_never_ends_is_given_up(
    words: bytes, pause: float, stays: bool, said: str
) -> None:
    with speaking(words, pause, stays=stays) as port, pytest.raises(DeliveryError, match=said):
        email(port, host="127.0.0.1", timeout_seconds=0.5).send(message("opened"))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"to": []}, "at least 1 item"),
        ({"to": ["shift"]}, "is not the address of a mailbox"),
        ({"to": ["a@b\r\nBcc: c@d"]}, "is not the address of a mailbox"),
        ({"to": ["смена@plant.example"]}, "in ASCII"),
        ({"from": "Monitor <m@plant.example>"}, "is not the address of a mailbox"),
        ({"host": "smtp://host"}, "is not the name or the address of a host; write one"),
        *(
            ({"host": host}, "is not the name or the address of a host")
            for host in ("mail.example:25", "a@mail.example", "a b", "..mail")
        ),
        ({"host": ""}, "is not the name or the address of a host; write one"),
        ({"port": 0}, "greater than or equal to 1"),
        ({"security": "ssl"}, "'starttls', 'tls' or 'none'"),
        ({"user": "anna", "security": "tls"}, "user and password_file belong together"),
        ({"user": "anna", "password_file": "x"}, 'security = "none" would send the password for anyone to read'),
        ({"password": "geheim"}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_cannot_be_are_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as raised:
        email(**{"port": 25, **changed})
    assert "geheim" not in str(raised.value)


def test_ports_follow_the_security_and_what_lacks_is_said_before(tmp_path: Path) -> None:
    settings = {"host": "h", "from": "a@b", "to": ["a@b"]}
    made = {one: Email(Email.Settings(**{**settings, "security": one}))._server for one in ("starttls", "tls", "none")}
    assert made == {"starttls": "h:587", "tls": "h:465", "none": "h:25"}
    sink = Email(Email.Settings(**{**settings, "user": "u", "password_file": tmp_path / "none"}))
    with pytest.raises(DeliveryError, match="none: cannot be read"):
        sink.check()
