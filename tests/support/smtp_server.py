"""A real SMTP server in a process of its own, on loopback, which keeps what it takes as files.

Run as a program with settings as JSON: see `Server`.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from contextlib import contextmanager
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.harness.daemon import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage


class Server:
    """One that can be ended and started again at the same port.

    ``security``: starttls, tls or none; ``login``: user and password that it asks for. Recipients that begin with
    "refused" are refused, and of senders that begin with "busy" nothing is taken.
    """

    def __init__(self, folder: Path, security: str = "none", login: tuple[str, str] | None = None, **more: Any) -> None:
        self.port = free_port()
        self.folder = folder
        folder.mkdir()
        self._settings = {"port": self.port, "folder": str(folder), "security": security, "login": login, **more}
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        program = [sys.executable, __file__, json.dumps(self._settings)]
        self._process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    @contextmanager
    def running(self) -> Iterator[Server]:
        self.start()
        try:
            yield self
        finally:
            self.kill()

    def envelopes(self) -> list[dict[str, Any]]:
        """From whom and to whom each mail was, in their order."""
        return [json.loads(file.read_text()) for file in sorted(self.folder.glob("*.json"))]

    def mails(self) -> list[EmailMessage]:
        parser: BytesParser[EmailMessage] = BytesParser(policy=policy.default)
        return [parser.parsebytes(file.read_bytes()) for file in sorted(self.folder.glob("*.eml"))]


def main(settings: dict[str, Any]) -> None:
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult

    folder = Path(settings["folder"])

    class Handler:
        async def handle_RCPT(self, *given: Any) -> str:  # noqa: N802 - the library's name
            _server, _session, envelope, address, _options = given
            if address.startswith("refused"):
                return "550 no such mailbox here"
            envelope.rcpt_tos.append(address)
            return "250 OK"

        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
            if envelope.mail_from.startswith("busy"):
                return "452 the disk is full"
            name = f"{len(list(folder.glob('*.eml'))):06}"
            (folder / f"{name}.json").write_text(json.dumps({"from": envelope.mail_from, "to": envelope.rcpt_tos}))
            (folder / f"{name}.part").write_bytes(envelope.original_content)
            (folder / f"{name}.part").rename(folder / f"{name}.eml")
            return "250 taken"

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> Any:
        user, password = settings["login"]
        return AuthResult(success=(given.login, given.password) == (user.encode(), password.encode()), handled=False)

    options: dict[str, Any] = {}
    if settings["login"]:
        options = {"auth_required": True, "authenticator": authenticate, "auth_require_tls": False}
    if settings["security"] != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings["certificate"], settings["key"])
        if settings["security"] == "tls":
            options["ssl_context"] = context
        else:
            options |= {"tls_context": context, "require_starttls": True}
    controller = Controller(Handler(), hostname="127.0.0.1", port=settings["port"], **options)
    controller.start()
    print("ready", flush=True)
    sys.stdin.read()  # until the test ends


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
