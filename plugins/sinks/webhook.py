"""The sink that posts each message as JSON to a web address, signed where a secret is given."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import socket
import ssl
import time
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from monitor.api import DeliveryError, Sink

if TYPE_CHECKING:
    from collections.abc import Mapping

# No more of an answer is read.
MOST_ANSWER_BYTES: Final = 64 * 1024
QUOTED: Final = 200


class Settings(BaseModel):
    """``url``: http or https. ``secret_file``: its content signs; ``token_file``: its content is sent as a bearer's."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str
    secret_file: Path | None = None
    token_file: Path | None = None
    certificate_authority: Path | None = None
    timeout_seconds: float = Field(10.0, gt=0, le=50)

    @field_validator("url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable or any(character.isspace() or not character.isprintable() for character in value):
            raise ValueError("is not the address of a web service; write one such as https://host/path")
        if parts.username is not None or parts.password is not None:
            raise ValueError("has a name or a password in it; put a token into a file and name that: token_file")
        return value


class Webhook(Sink):
    """Posts a message; it is taken when the answer's status is 2xx. Redirects are not followed."""

    name = "webhook"
    Settings = Settings

    def send(self, message: Mapping[str, Any]) -> None:
        """Post the message."""
        body = json.dumps(message, ensure_ascii=False).encode()
        headers = self._headers(message, body)
        parts = urlsplit(self.settings.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = self._connection()
        # The library's own limit is for each read: whoever sends a byte now and then would hold us for hours.
        limit = Timer(self.settings.timeout_seconds, _hang_up, [connection])
        limit.daemon = True
        limit.start()
        try:
            connection.request("POST", target, body, headers)
            with connection.getresponse() as answer:
                said = answer.read(MOST_ANSWER_BYTES)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise DeliveryError(f"{self._host}: {_reason(error)}") from None
        finally:
            limit.cancel()
            connection.close()
        if not 200 <= answer.status < 300:
            where = ", and redirects are not followed" if 300 <= answer.status < 400 else ""
            quoted = " ".join(said[:QUOTED].decode(errors="replace").split())
            raise DeliveryError(f"{self._host}: answered {answer.status}{where}: {quoted or 'it said nothing'}")

    def check(self) -> None:
        """The files that are named must be readable."""
        for file in (self.settings.secret_file, self.settings.token_file):
            if file is not None:
                _secret(file)
        self._context()

    def _headers(self, message: Mapping[str, Any], body: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "proliv-monitor",
            "Monitor-Message-Id": message["id"],
        }
        if self.settings.secret_file is not None:
            now = str(int(time.time()))
            signed = hmac.new(_secret(self.settings.secret_file), f"{now}.".encode() + body, hashlib.sha256)
            headers |= {"Monitor-Timestamp": now, "Monitor-Signature": f"v1={signed.hexdigest()}"}
        if self.settings.token_file is not None:
            token = _secret(self.settings.token_file).decode("latin-1")
            if not token.isprintable():
                raise DeliveryError(f"{self.settings.token_file}: holds more than one line; a token is a single one")
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.settings.url)
        assert parts.hostname is not None
        timeout = self.settings.timeout_seconds
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=self._context())

    def _context(self) -> ssl.SSLContext:
        authority = self.settings.certificate_authority
        try:
            return ssl.create_default_context(cafile=authority)
        except (OSError, ssl.SSLError) as error:
            raise DeliveryError(f"{authority}: holds no certificates that can be read: {error}") from None

    @property
    def _host(self) -> str:
        # Without the path and the query, which may hold a secret.
        parts = urlsplit(self.settings.url)
        return f"{parts.scheme}://{parts.netloc}"


def _secret(file: Path) -> bytes:
    """The content of a file without the line break at its end; read each time, so that it can be exchanged."""
    try:
        content = file.read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise DeliveryError(f"{file}: cannot be read: {error.strerror}; a secret belongs into it") from None
    if not content:
        raise DeliveryError(f"{file}: is empty; a secret belongs into it")
    return content


def _hang_up(connection: http.client.HTTPConnection) -> None:
    with suppress(OSError, AttributeError):  # it may not be connected yet, or no more
        connection.sock.shutdown(socket.SHUT_RDWR)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that is not trusted: {error.verify_message}; name its issuer: certificate_authority"
    if isinstance(error, TimeoutError):
        return "does not answer in time"
    if isinstance(error, http.client.HTTPException):
        return f"closed the connection, or gives no answer that can be understood ({type(error).__name__})"
    return str(getattr(error, "strerror", None) or error)
