"""Serves the page until it is stopped."""

from __future__ import annotations

import logging
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from monitor.errors import AddressInUseError, MonitorError
from monitor.files.certificates import load_certificate, server_context
from monitor.web.access.connections import MOST_HEADER_BYTES, ImpatientProtocol
from monitor.web.app import application
from monitor.web.table.streams import Streams
from monitor.web.templating import prepare

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.web.site import Site

log = logging.getLogger(__name__)

# How long requests may go on once the server is told to stop. Streams of events would go on for ever.
STOP_SECONDS: Final = 2
# How many connections are answered at once; more get 503.
MOST_CONNECTIONS: Final = 600


def serve(site: Site) -> None:
    """Serve until SIGINT or SIGTERM; on SIGHUP the certificate is read again.

    Raises `ConfigurationError`, `InputMissingError` and `OutputError` where the users, the certificate or the key of
    logins cannot be used, and `AddressInUseError` where the address cannot be bound.
    """
    settings, certificate = site.configuration.settings.web, site.configuration.web_certificate
    prepare()
    streams = Streams(site)
    app = application(site, streams)
    context = None if certificate is None else server_context(*certificate, "web")
    secure: dict[str, Any] = {} if context is None else {"ssl_context_factory": lambda *_: context}
    bound = _bind(settings.host, settings.port)
    config = uvicorn.Config(
        app,
        http=ImpatientProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_SECONDS,
        limit_concurrency=MOST_CONNECTIONS,
        h11_max_incomplete_event_size=MOST_HEADER_BYTES,
        **secure,
    )
    signal.signal(signal.SIGHUP, lambda *_: _renew(context, certificate))
    with bound:
        log.info("the page: %s", _address(bound, "http" if context is None else "https"))
        if site.configuration.web_users is None:
            log.info("nobody logs in: whoever uses this machine is an operator; see users in [web]")
        _Server(config, streams).run(sockets=[bound])


class _Server(uvicorn.Server):
    """Ends the streams before it waits for what is still being answered."""

    def __init__(self, config: uvicorn.Config, streams: Streams) -> None:
        super().__init__(config)
        self._streams = streams

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGINT and SIGTERM; the library would raise them once more at the end, as if the stop had failed."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop in order."""
        self._streams.end()
        await super().shutdown(sockets)


def _renew(context: ssl.SSLContext | None, certificate: tuple[Path, Path] | None) -> None:
    """Read the certificate and its key again, for new connections; where they cannot be used, those in use stay."""
    if context is None or certificate is None:
        return
    try:
        # Into another one first: half of a pair would be in use otherwise.
        server_context(*certificate, "web")
        load_certificate(context, *certificate, "web")
    except MonitorError as error:
        log.error("%s; those in use stay", error)  # noqa: TRY400 - the sentence says it all
    else:
        log.info("the certificate is read again")


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        raise AddressInUseError(
            f"web.host {host}, web.port {port}: cannot be bound: {error.strerror or error}; choose another port, or "
            "give an address of this machine"
        ) from None
    return bound


def _address(bound: socket.socket, scheme: str) -> str:
    host, port = bound.getsockname()[:2]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"
