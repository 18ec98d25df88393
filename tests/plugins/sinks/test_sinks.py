"""The built-in sinks, against real programs and real servers on loopback."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import signal
import socket
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from pydantic import ValidationError

from monitor.api import DeliveryError
from monitor.harness.waiting import wait_until
from plugins.sinks.command import Command
from plugins.sinks.log import Log
from plugins.sinks.webhook import Webhook
from tests.support.made_up_messages import heartbeat
from tests.support.web_server import server, status

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

    from tests.support.certificates import Certificate
    from tests.support.web_server import Answer

MESSAGE = {
    "id": "8c0e", "kind": "opened", "alarm": {"id": 7, "about": "hole 10 of camera «Ж»\n", "crops": 1}
}  # fmt: skip


def webhook(url: str, **settings: Any) -> Webhook:
    return Webhook(Webhook.Settings(url=url, **settings))


def test_a_webhook_posts_json_with_a_signature_that_can_be_checked(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("красный\n", encoding="utf-8")
    (tmp_path / "token").write_text("abc\n")
    with server(status(204)) as (url, posted):
        sink = webhook(f"{url}/a/b?c=d", secret_file=tmp_path / "secret", token_file=tmp_path / "token")
        sink.check()
        sink.send(MESSAGE)
    ((path, headers, body),) = posted
    assert (path, json.loads(body)) == ("/a/b?c=d", MESSAGE)
    assert (headers["Content-Type"], headers["Monitor-Message-Id"]) == ("application/json", "8c0e")
    signed = f"{headers['Monitor-Timestamp']}.".encode() + body
    expected = hmac.new("красный".encode(), signed, hashlib.sha256).hexdigest()
    assert headers["Monitor-Signature"] == f"v1={expected}"
    assert headers["Authorization"] == "Bearer abc"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (status(500, b"out of order"), "answered 500: out of order"),
        (status(302, Location="http://127.0.0.1:1/"), "answered 302, and redirects are not followed: it said nothing"),
        (lambda handler: handler.connection.close(), "closed the connection"),
        (lambda handler: handler.wfile.write(b"\x00" * 100), "gives no answer that can be understood"),
    ],
)
def test_a_webhook_says_why_a_message_was_not_taken(answer: Answer, said: str) -> None:
    with server(answer) as (url, posted), pytest.raises(DeliveryError, match=said) as raised:
        webhook(f"{url}/secret-path").send(MESSAGE)
    assert len(posted) == 1
    assert "secret-path" not in str(raised.value)


def test_a_long_answer_is_not_read_to_its_end() -> None:
    with server(status(200, b"x" * 10_000_000)) as (url, posted):
        webhook(url).send(MESSAGE)
    assert len(posted) == 1


def test_a_receiver_that_sends_a_byte_now_and_then_is_given_up() -> None:
    def trickle(handler: BaseHTTPRequestHandler) -> None:
        for _ in range(300):
            try:
                handler.wfile.write(b"H")
                handler.wfile.flush()
            except OSError:
                return
            time.sleep(0.05)

    with server(trickle) as (url, _), pytest.raises(DeliveryError, match="does not answer in time"):
        webhook(url, timeout_seconds=0.5).send(MESSAGE)


def endless(handler: BaseHTTPRequestHandler) -> None:
    """Takes the message, and never ends what it answers."""
    status(200)(handler)
    with suppress(OSError):
        while True:
            handler.wfile.write(b": still here\n")
            time.sleep(0.05)


def endless_refusal(handler: BaseHTTPRequestHandler) -> None:
    status(500, b"out of paper")(handler)
    endless(handler)


def test_a_status_counts_although_the_answer_never_ends() -> None:
    with server(endless) as (url, posted):
        webhook(url, timeout_seconds=30).send(MESSAGE)
    assert len(posted) == 1
    with server(endless_refusal) as (url, _), pytest.raises(DeliveryError, match="answered 500: "):
        webhook(url, timeout_seconds=0.5).send(MESSAGE)


def test_a_refusal_that_breaks_off_is_told_by_its_status() -> None:
    answer = status(503, b"no", **{"Content-Length": "100"})
    with server(answer) as (url, _), pytest.raises(DeliveryError, match="answered 503"):
        webhook(url).send(MESSAGE)


def test_an_address_of_ipv6_and_letters_of_any_language_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(status(200)) as (url, posted):
        webhook(f"{url}/сирена?зал=2%20а").send(MESSAGE)
    assert [unquote(path) for path, _, _ in posted] == ["/сирена?зал=2 а"]
    asked = []

    def nowhere(host: str, port: int, *_: Any, **__: Any) -> None:
        asked.append((host, port))
        raise OSError("no route")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    for url in ("http://[::1]", "https://[::1]/", "http://[::1]:8080"):
        with pytest.raises(DeliveryError, match="no route"):
            webhook(url).send(MESSAGE)
    assert asked == [("::1", 80), ("::1", 443), ("::1", 8080)]


def test_a_receiver_that_is_not_there_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(DeliveryError, match=r"http://127\.0\.0\.1:\d+: .*[Cc]onnection refused"):
            webhook(f"http://127.0.0.1:{taken.getsockname()[1]}").send(MESSAGE)


def test_a_certificate_that_is_not_trusted_is_refused_and_its_issuer_can_be_named(certificate: Certificate) -> None:
    with server(status(200), certificate.context()) as (url, posted):
        with pytest.raises(DeliveryError, match="has a certificate that is not trusted: self-signed certificate"):
            webhook(url).send(MESSAGE)
        webhook(url, certificate_authority=certificate.file).send(MESSAGE)
    assert len(posted) == 1


@pytest.mark.parametrize("url", ["", "ftp://host/", "https://", "http://host:0/", "http://ho st/", "http://[::1/"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="is not the address of a web service"):
        webhook(url)


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(ValidationError, match="token_file") as raised:
        webhook("https://anna:geheim@host/")
    assert "geheim" not in str(raised.value)


def test_a_missing_or_empty_secret_is_said_before_and_when_it_is_needed(tmp_path: Path) -> None:
    sink = webhook("http://127.0.0.1:1", secret_file=tmp_path / "none")
    with pytest.raises(DeliveryError, match=r"none: cannot be read: No such file or directory; a secret belongs"):
        sink.check()
    (tmp_path / "none").write_text("\n")
    with pytest.raises(DeliveryError, match="none: is empty"):
        sink.send(MESSAGE)


def script(folder: Path, text: str) -> Path:
    file = folder / "receiver"
    file.write_text(f"#!{sys.executable}\n{text}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


def command(*arguments: str | Path, **settings: Any) -> Command:
    return Command(Command.Settings(command=tuple(map(str, arguments)), **settings))


@pytest.mark.process
def test_a_command_gets_the_message_and_a_documented_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITOR__DATABASE__URL", "geheim")
    text = "import json, os, sys; json.dump([sys.argv[2:], sys.stdin.read(), dict(os.environ)], open(sys.argv[1], 'w'))"
    sink = command(script(tmp_path, text), tmp_path / "out", "a b", "$(touch x)")
    sink.check()
    sink.send(MESSAGE)
    arguments, given, environment = json.loads((tmp_path / "out").read_text())
    assert (arguments, json.loads(given)) == (["a b", "$(touch x)"], MESSAGE)
    told = {name: value for name, value in environment.items() if name.startswith("MONITOR")}
    assert told == {"MONITOR_MESSAGE_ID": "8c0e", "MONITOR_MESSAGE_KIND": "opened", "MONITOR_ALARM_ID": "7"}
    sink.send(heartbeat())
    environment = json.loads((tmp_path / "out").read_text())[2]
    assert environment["MONITOR_MESSAGE_KIND"] == "heartbeat"
    assert "MONITOR_ALARM_ID" not in environment


@pytest.mark.process
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import sys; sys.exit('no\\npaper')", "receiver: ended with 1: no paper"),
        ("import time; time.sleep(60)", "receiver: has not ended within 0.5 s, and was killed"),
        ("import os; os.kill(os.getpid(), 9)", "receiver: ended with -9: it said nothing"),
    ],
)
def test_a_command_that_fails_has_not_taken_the_message(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DeliveryError, match=said):
        command(script(tmp_path, text), "--token=geheim", timeout_seconds=0.5).send(MESSAGE)


@pytest.mark.process
def test_what_a_command_says_without_end_fills_no_disk(tmp_path: Path) -> None:
    text = "import os, stat, sys; sys.stderr.write('x' * 20_000_000); sys.exit(stat.S_ISREG(os.fstat(2).st_mode))"
    command(script(tmp_path, text)).send(MESSAGE)
    with pytest.raises(DeliveryError, match=r"ended with 3: x{300}$"):
        command(script(tmp_path, text.replace("stat.S_ISREG(os.fstat(2).st_mode)", "3"))).send(MESSAGE)


@pytest.mark.process
def test_what_a_command_has_started_ends_with_it_unless_it_has_a_session_of_its_own(tmp_path: Path) -> None:
    text = (
        "import subprocess, sys; sleep = ['sleep', '600']; "
        "both = [subprocess.Popen(sleep), subprocess.Popen(sleep, start_new_session=True)]; "
        "open(sys.argv[1], 'w').write(' '.join(str(one.pid) for one in both))"
    )
    command(script(tmp_path, text), tmp_path / "started", timeout_seconds=30).send(MESSAGE)
    ended, left = map(int, (tmp_path / "started").read_text().split())
    try:
        assert Path(f"/proc/{left}/cmdline").read_bytes() == b"sleep\x00600\x00"
        # Killed; whoever takes over its orphans may not have collected it yet.
        wait_until(lambda: not Path(f"/proc/{ended}/exe").exists())
    finally:
        os.kill(left, signal.SIGKILL)


@pytest.mark.process
def test_a_command_that_is_not_there_is_said(tmp_path: Path) -> None:
    sink = command(tmp_path / "absent")
    with pytest.raises(DeliveryError, match="absent: there is no such program"):
        sink.check()
    with pytest.raises(DeliveryError, match="absent: cannot be run: "):
        sink.send(MESSAGE)
    with pytest.raises(ValidationError):
        command()


def test_the_log_has_a_line_for_each_message(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    sink = Log(Log.Settings())
    sink.check()
    sink.send(MESSAGE)
    sink.send({**MESSAGE, "kind": "closed"})
    sink.send(heartbeat(running=3))
    assert [(one.levelname, one.message.partition(":")[0]) for one in caplog.records] == [
        ("WARNING", "alarm 7 opened"), ("INFO", "alarm 7 closed"), ("INFO", "heartbeat")
    ]  # fmt: skip
