"""The sink that sends each message as a mail, by SMTP."""

from __future__ import annotations

import logging
import smtplib
import ssl
from contextlib import suppress
from email.headerregistry import Address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from monitor.api import DeliveryError, Sink, connection_problem, read_secret_line, tls_context
from plugins.sinks.addresses import HostName
from plugins.sinks.deadline import Deadline
from plugins.sinks.letter import letter, plain
from plugins.sinks.settings import ConnectionSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

log = logging.getLogger(__name__)

PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
QUOTED: Final = 200


def _mail_address(value: str) -> str:
    try:
        address = Address(addr_spec=value)
    except Exception:  # noqa: BLE001 - its parser raises whatever it stumbles over
        address = None
    if address is None or not (address.username and address.domain) or not value.isascii() or not value.isprintable():
        raise ValueError("is not the address of a mailbox; write one such as shift@plant.example, in ASCII")
    return value


MailAddress = Annotated[str, AfterValidator(_mail_address)]


class Settings(ConnectionSettings):
    """``security``: whether the connection is encrypted by STARTTLS, from its beginning, or not at all."""

    host: HostName
    port: int | None = Field(None, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = Field(None, min_length=1)
    password_file: Path | None = None
    sender: MailAddress = Field(alias="from")
    to: Annotated[tuple[MailAddress, ...], Field(min_length=1, max_length=50)]

    @model_validator(mode="after")
    def _login_is_whole_and_safe(self) -> Settings:
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file belong together; give both, or none for a server without login")
        if self.user is not None and self.security == "none":
            raise ValueError('security = "none" would send the password for anyone to read; use "starttls" or "tls"')
        return self


class Email(Sink):
    """Sends a mail; it is taken when the server takes it for at least one recipient."""

    name = "email"
    Settings = Settings

    def __init__(self, settings: BaseModel) -> None:
        super().__init__(settings)
        self._refused: set[str] = set()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send the mail."""
        settings = self.settings
        mail = letter(message, settings.sender, settings.to)
        password = read_secret_line(settings.password_file) if settings.password_file else None
        context = tls_context(settings.certificate_authority) if settings.security != "none" else None
        with Deadline(settings.timeout_seconds) as deadline:
            try:
                with _connected(deadline, settings, context) as server:
                    if settings.security == "starttls":
                        server.starttls(context=context)
                    if password is not None:
                        server.login(settings.user, password)
                    refused = server.send_message(mail, settings.sender, settings.to)
            except (OSError, ValueError) as error:  # an SMTPException is an OSError
                reason = "does not answer in time" if deadline.over else _reason(error, settings)
                raise DeliveryError(f"{self._server}: {reason}") from None
        self._tell_of_refused(refused)

    def check(self) -> None:
        """The files that are named must be readable."""
        if self.settings.password_file is not None:
            read_secret_line(self.settings.password_file)
        if self.settings.security != "none":
            tls_context(self.settings.certificate_authority)

    @property
    def _server(self) -> str:
        return f"{self.settings.host}:{_port(self.settings)}"

    def _tell_of_refused(self, refused: Mapping[str, tuple[int, bytes]]) -> None:
        """Log once of each recipient that is refused while others are not."""
        for address in sorted(refused.keys() - self._refused):
            log.warning(
                "%s refuses a recipient, and the others have the mail: %s; see to of the sink",
                *(self._server, _refusals({address: refused[address]})),
            )
        self._refused = set(refused)


class _Watched:
    """What the deadline hangs up, also while the connection is being made and the greeting is waited for."""

    def __init__(self, deadline: Deadline, *arguments: Any, **options: Any) -> None:
        deadline.watch(self)
        super().__init__(*arguments, **options)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Take leave; once the mail is taken, how that goes does not matter."""
        with suppress(OSError):
            if kind is None:
                self.quit()  # type: ignore[attr-defined] # of the class that it is mixed with
        self.close()  # type: ignore[attr-defined]


class _Plain(_Watched, smtplib.SMTP):
    """A connection that is not encrypted at first."""


class _Encrypted(_Watched, smtplib.SMTP_SSL):
    """A connection that is encrypted from its beginning."""


def _connected(deadline: Deadline, settings: Settings, context: ssl.SSLContext | None) -> _Plain | _Encrypted:
    if settings.security == "tls":
        return _Encrypted(
            *(deadline, settings.host, _port(settings)), timeout=settings.timeout_seconds, context=context
        )
    return _Plain(deadline, settings.host, _port(settings), timeout=settings.timeout_seconds)


def _port(settings: Settings) -> int:
    return settings.port or PORTS[settings.security]


def _reason(error: Exception, settings: Settings) -> str:
    """Why the mail was not taken, for a sentence that begins with the server's name."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"refuses the login of {settings.user}: {_answer(error)}; see user and password_file"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"refuses every recipient: {_refusals(error.recipients)}; see to"
    if isinstance(error, smtplib.SMTPSenderRefused):
        return f"refuses the sender {settings.sender}: {_answer(error)}; see from, and whether a login is needed"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"does not take the mail: {_answer(error)}"
    if isinstance(error, smtplib.SMTPServerDisconnected):
        late = isinstance(error.__context__, TimeoutError)
        return "does not answer in time" if late else "closed the connection"
    if isinstance(error, smtplib.SMTPNotSupportedError) and "STARTTLS" in str(error):
        return 'offers no STARTTLS; see security: "tls" is for servers that encrypt from the beginning'
    if isinstance(error, smtplib.SMTPException) and settings.user is not None:
        return f"offers no login that can be used: {plain(str(error))}; see user"
    if isinstance(error, UnicodeEncodeError):
        return "cannot be given a user or a password with characters beyond ASCII"
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLCertVerificationError):
        return f'{connection_problem(error)}; see security: "starttls" is for servers that do not encrypt at first'
    return connection_problem(error)


def _answer(error: smtplib.SMTPResponseException) -> str:
    return _quoted(error.smtp_code, error.smtp_error)


def _refusals(refused: Mapping[str, tuple[int, bytes]]) -> str:
    return ", ".join(f"{address} ({_quoted(*answer)})" for address, answer in refused.items())


def _quoted(code: int, said: bytes | str) -> str:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return plain(f"{code} {text[:QUOTED]}")
