"""The sink that posts each message as JSON to a web address, signed where a secret is given."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.api import Sink, read_secret, read_secret_line, tls_context
from plugins.sinks.posting import WebAddress, post
from plugins.sinks.settings import ConnectionSettings

if TYPE_CHECKING:
    from collections.abc import Mapping


class Settings(ConnectionSettings):
    """``secret_file``: its content signs; ``token_file``: its content is sent as a bearer's."""

    url: WebAddress
    secret_file: Path | None = None
    token_file: Path | None = None


class Webhook(Sink):
    """Posts a message; it is taken when the answer's status is 2xx. Redirects are not followed."""

    name = "webhook"
    Settings = Settings

    def send(self, message: Mapping[str, Any]) -> None:
        """Post the message."""
        body = json.dumps(message, ensure_ascii=False).encode()
        post(self.settings.url, body, self._headers(message, body), self.settings)

    def check(self) -> None:
        """The files that are named must be readable."""
        if self.settings.secret_file is not None:
            read_secret(self.settings.secret_file)
        if self.settings.token_file is not None:
            read_secret_line(self.settings.token_file)
        tls_context(self.settings.certificate_authority)

    def _headers(self, message: Mapping[str, Any], body: bytes) -> dict[str, str]:
        headers = {"Monitor-Message-Id": message["id"]}
        if self.settings.secret_file is not None:
            now = str(int(time.time()))
            signed = hmac.new(read_secret(self.settings.secret_file), f"{now}.".encode() + body, hashlib.sha256)
            headers |= {"Monitor-Timestamp": now, "Monitor-Signature": f"v1={signed.hexdigest()}"}
        if self.settings.token_file is not None:
            # A header is bytes, which the library writes as Latin-1.
            token = read_secret_line(self.settings.token_file).encode().decode("latin-1")
            headers["Authorization"] = f"Bearer {token}"
        return headers
