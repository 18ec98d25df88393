"""What sinks share: secrets in files, and errors in words."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import TYPE_CHECKING

import pytest

from monitor.api import DeliveryError, connection_problem, read_secret, read_secret_line, tls_context

if TYPE_CHECKING:
    from pathlib import Path


def test_a_secret_is_what_is_in_its_file_at_the_time(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    for content, secret in ((b"one\n", b"one"), (b" t\nwo \r\n\n", b" t\nwo "), (b"\xff\x00", b"\xff\x00")):
        file.write_bytes(content)
        assert read_secret(file) == secret
    file.write_text("пароль\n", encoding="utf-8")
    assert read_secret_line(file) == "пароль"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "secret: cannot be read: No such file or directory; a secret belongs into it"),
        (b"\r\n", "secret: is empty; a secret belongs into it"),
        (b"geheim\xff", "secret: is no text in UTF-8"),
        (b"geheim\nX-Header: y\n", "secret: holds more than one line"),
    ],
)
def test_what_is_no_secret_is_said_without_it(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DeliveryError, match=said) as raised:
        read_secret_line(file)
    assert "geheim" not in str(raised.value)


def test_what_holds_no_certificates_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    (tmp_path / "text.pem").write_text("certainly")
    for name in ("empty.pem", "text.pem", "absent.pem"):
        with pytest.raises(DeliveryError, match=f"{name}: holds no certificates that can be read"):
            tls_context(tmp_path / name)
    assert tls_context().check_hostname


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TimeoutError("timed out"), "does not answer in time"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "closed the connection"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "Connection refused; check that it runs"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('::1', 1)"), "Connection refused; check"),
        (OSError(errno.EHOSTUNREACH, "Connect call failed"), "No route to host"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not known; check the name"),
        (UnicodeError("label empty or too long"), "is not the name of a host that can be looked up"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "does not speak TLS as it should"),
        (OSError("odd"), "odd"),
    ],
)
def test_why_there_is_no_connection_is_said(error: Exception, said: str) -> None:
    assert connection_problem(error).startswith(said)
