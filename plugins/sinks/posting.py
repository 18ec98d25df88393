"""Posts to a web service, within bounds of time and of what is read; redirects are not followed."""

from __future__ import annotations

import http.client
import socket
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator

from monitor.api import DeliveryError, connection_problem, tls_context
from plugins.sinks.addresses import plain_address
from plugins.sinks.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

    from plugins.sinks.settings import ConnectionSettings

# No more of an answer is read.
MOST_ANSWER_BYTES: Final = 64 * 1024
QUOTED: Final = 200
# What an address may hold of other letters is written as %XX; these are not.
AS_IT_IS: Final = "!#$%&'()*+,/:;=?@[]~"


def _address(value: str) -> str:
    remedy = "put a token into a file and name that: token_file"
    return plain_address(value, ("http", "https"), what="a web service", example="https://host/path", remedy=remedy)


# http or https, without a name or a password in it.
WebAddress = Annotated[str, AfterValidator(_address)]


def post(url: str, body: bytes, headers: Mapping[str, str], settings: ConnectionSettings) -> None:
    """Post JSON; it is taken when the answer's status is 2xx. Raises `DeliveryError` where it is not."""
    parts = urlsplit(url)
    target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=AS_IT_IS)
    # Without the path and the query, which may hold a secret.
    host = f"{parts.scheme}://{parts.netloc}"
    context = tls_context(settings.certificate_authority) if parts.scheme == "https" else None
    connection = _connection(parts, settings)
    given = {"Content-Type": "application/json", "User-Agent": "proliv-monitor", **headers}
    with Deadline(settings.timeout_seconds) as deadline:
        try:
            plain = _connected(connection.host, connection.port, deadline)
            connection.sock = plain
            if context is not None:
                connection.sock = context.wrap_socket(plain, server_hostname=parts.hostname)
            connection.request("POST", target, body, given)
            with connection.getresponse() as answer:
                # The status says whether the message was taken; what follows need not ever end.
                status = answer.status
                said = b"" if 200 <= status < 300 else _words(answer)
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = "does not answer in time" if deadline.over else _reason(error)
            raise DeliveryError(f"{host}: {reason}") from None
        finally:
            connection.close()
    if not 200 <= status < 300:
        where = ", and redirects are not followed" if 300 <= status < 400 else ""
        quoted = " ".join(said[:QUOTED].decode(errors="replace").split())
        raise DeliveryError(f"{host}: answered {status}{where}: {quoted or 'it said nothing'}")


def _connection(parts: SplitResult, settings: ConnectionSettings) -> http.client.HTTPConnection:
    """One that is not connected yet, with its port: the library would look for one in an address of IPv6."""
    assert parts.hostname is not None
    timeout = settings.timeout_seconds
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout)
    return http.client.HTTPSConnection(parts.hostname, parts.port or 443, timeout=timeout)


def _connected(host: str, port: int, deadline: Deadline) -> socket.socket:
    """A connection to the first address of a host that takes one in time; raises `OSError`."""
    refused: OSError = TimeoutError()
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        left = deadline.seconds
        if not left:
            break
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(left)
            connection.connect(address)
        except OSError as error:
            connection.close()
            refused = error
        else:
            deadline.hold(connection)
            return connection
    raise refused


def _words(answer: http.client.HTTPResponse) -> bytes:
    """The beginning of what an answer says; empty where it breaks off."""
    try:
        return answer.read(MOST_ANSWER_BYTES)
    except (OSError, http.client.HTTPException):
        return b""


def _reason(error: Exception) -> str:
    if isinstance(error, http.client.HTTPException):
        return f"closed the connection, or gives no answer that can be understood ({type(error).__name__})"
    return connection_problem(error)
