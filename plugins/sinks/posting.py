"""Posts to a web service, within bounds of time and of what is read; redirects are not followed."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator

from monitor.api import DeliveryError, connection_problem, tls_context
from plugins.sinks.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugins.sinks.settings import ConnectionSettings

# No more of an answer is read.
MOST_ANSWER_BYTES: Final = 64 * 1024
QUOTED: Final = 200


def _address(value: str) -> str:
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


# http or https, without a name or a password in it.
WebAddress = Annotated[str, AfterValidator(_address)]


def post(url: str, body: bytes, headers: Mapping[str, str], settings: ConnectionSettings) -> None:
    """Post JSON; it is taken when the answer's status is 2xx. Raises `DeliveryError` where it is not."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    # Without the path and the query, which may hold a secret.
    host = f"{parts.scheme}://{parts.netloc}"
    connection = _connection(url, settings)
    given = {"Content-Type": "application/json", "User-Agent": "proliv-monitor", **headers}
    with Deadline(settings.timeout_seconds) as deadline:
        deadline.watch(connection)
        try:
            connection.request("POST", target, body, given)
            with connection.getresponse() as answer:
                said = answer.read(MOST_ANSWER_BYTES)
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = "does not answer in time" if deadline.over else _reason(error)
            raise DeliveryError(f"{host}: {reason}") from None
        finally:
            connection.close()
    if not 200 <= answer.status < 300:
        where = ", and redirects are not followed" if 300 <= answer.status < 400 else ""
        quoted = " ".join(said[:QUOTED].decode(errors="replace").split())
        raise DeliveryError(f"{host}: answered {answer.status}{where}: {quoted or 'it said nothing'}")


def _connection(url: str, settings: ConnectionSettings) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    assert parts.hostname is not None
    timeout = settings.timeout_seconds
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    context = tls_context(settings.certificate_authority)
    return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=context)


def _reason(error: Exception) -> str:
    if isinstance(error, http.client.HTTPException):
        return f"closed the connection, or gives no answer that can be understood ({type(error).__name__})"
    return connection_problem(error)
