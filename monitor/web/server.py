"""Serves the page until it is stopped."""

from __future__ import annotations

import logging
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import uvicorn

from monitor.errors import AddressInUseError
from monitor.web.app import application
from monitor.web.streams import Streams
from monitor.web.templating import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.web.site import Site

log = logging.getLogger(__name__)

# How long requests may go on once the server is told to stop. Streams of events would go on for ever.
STOP_SECONDS: Final = 2
# How many connections are answered at once; more get 503.
MOST_CONNECTIONS: Final = 600


def serve(site: Site) -> None:
    """Serve until SIGINT or SIGTERM; raises `AddressInUseError` where the address cannot be bound."""
    settings = site.configuration.settings.web
    prepare()
    bound = _bind(settings.host, settings.port)
    streams = Streams(site)
    config = uvicorn.Config(
        application(site, streams),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_SECONDS,
        limit_concurrency=MOST_CONNECTIONS,
    )
    with bound:
        log.info("the page: %s", _address(bound))
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


def _address(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"
