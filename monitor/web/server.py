"""Serves the page until it is stopped."""

from __future__ import annotations

import logging
import signal
import socket
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from monitor.errors import AddressInUseError, MonitorError
from monitor.files.certificates import load_certificate, server_context
from monitor.web.app import application
from monitor.web.connections import MOST_HEADER_BYTES, ImpatientProtocol

if TYPE_CHECKING:
    import ssl
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
    app = application(site)
    context = None if certificate is None else server_context(*certificate, "web")
    secure: dict[str, Any] = {} if context is None else {"ssl_context_factory": lambda *_: context}
    bound = _bind(settings.host, settings.port)
    config = uvicorn.Config(
        app,
        http=ImpatientProtocol,
        ws="none",
        lifespan="off",
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
        # At its end the server sends itself the signal that it was stopped by.
        for stop in (signal.SIGINT, signal.SIGTERM):
            signal.signal(stop, lambda *_: None)
        uvicorn.Server(config).run(sockets=[bound])


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
