"""Serves the metrics over HTTP or HTTPS; no client can delay another one, or the daemon."""

from __future__ import annotations

import errno
import logging
import socket
import ssl
import sys
from functools import partial
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from socketserver import TCPServer
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import MetricsHandler
from prometheus_client.exposition import choose_encoder

from monitor.errors import AddressInUseError
from monitor.files.certificates import server_context

if TYPE_CHECKING:
    from pathlib import Path

    from prometheus_client import CollectorRegistry

log = logging.getLogger(__name__)

# A client that neither sends nor receives anything for this long is disconnected.
CLIENT_SECONDS: Final = 10.0
# With more connections than this the oldest is closed.
MOST_CLIENTS: Final = 16


class MetricsServer:
    """Serves a registry until it is stopped, in the formats of prometheus_client, which include OpenMetrics."""

    def __init__(
        self, registry: CollectorRegistry, host: str, port: int, certificate: tuple[Path, Path] | None = None
    ) -> None:
        """Bind the address; port 0 chooses a free one. ``certificate``: the files (certificate, key) for HTTPS.

        Raises `AddressInUseError`, `InputMissingError` and `ConfigurationError`.
        """
        self._certificate = certificate
        context = None if certificate is None else server_context(*certificate, "metrics")
        handler = type("Handler", (_Handler,), {"registry": registry, "assembling": Lock()})
        try:
            family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
            kind = type("Server", (_Server,), {"address_family": family, "context": context})
            self._server = kind(address[:2], handler)
        except OSError as error:
            remedy = (
                "choose another port, or stop the program that has it"
                if error.errno == errno.EADDRINUSE
                else "give an address of this machine, and a port from 1024 on"
            )
            raise AddressInUseError(
                f"metrics.host {host}, metrics.port {port}: cannot be bound: {error.strerror or error}; {remedy}"
            ) from None
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{'http' if context is None else 'https'}://{shown}:{self._server.server_port}/metrics"
        self._thread = Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def renew(self) -> None:
        """Read the certificate and its key again for new connections; raises the same as the constructor."""
        if self._certificate is not None:
            self._server.context = server_context(*self._certificate, "metrics")

    def stop(self) -> None:
        """Stop serving, without waiting for connections in progress."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(MetricsHandler):
    """Answers a request for the metrics, at any path."""

    timeout = CLIENT_SECONDS
    assembling: Lock
    server: _Server

    def do_GET(self) -> None:  # noqa: N802 - the name is the library's
        """Write the metrics in the format that the client asks for.

        The library would compress them for clients that accept that, which would double the time.
        """
        encode, content_type = choose_encoder(self.headers.get("Accept", ""))
        if isinstance(encode, partial) and encode.keywords.get("escaping") == "underscores":
            # Nothing in our names needs escaping, but the library would check every letter.
            encode = partial(encode, escaping="allow-utf-8")
        # One at a time, so that many clients at once do not take the processor away from decisions.
        with self.assembling:
            # The cut-off request of a client that was disconnected for newer ones looks like a whole one.
            if not self.server.serves(self.request):
                return
            output = encode(self.registry)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(output)))
        self.end_headers()
        self.wfile.write(output)


class _Server(ThreadingHTTPServer):
    """Gives each connection a thread, in which all waiting for the client happens, even for the TLS handshake."""

    context: ssl.SSLContext | None = None
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: Any) -> None:
        self._clients: list[socket.socket] = []
        self._lock = Lock()
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind without looking up the host's name, which would wait for a name server that may not answer."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def get_request(self) -> tuple[Any, Any]:
        """Accept a connection without waiting for anything that the client sends."""
        client, address = super().get_request()
        client.settimeout(CLIENT_SECONDS)
        if self.context is not None:
            client = self.context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        return client, address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread; if there are too many, disconnect the oldest."""
        with self._lock:
            self._clients.append(request)
            if len(self._clients) > MOST_CLIENTS:
                _hang_up(self._clients.pop(0))
        super().process_request(request, client_address)

    def serves(self, request: Any) -> bool:
        """Whether a connection is still being served."""
        with self._lock:
            return request in self._clients

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Do the TLS handshake and answer, in the connection's own thread."""
        if isinstance(request, ssl.SSLSocket):
            request.do_handshake()
        super().finish_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection as well."""
        with self._lock:
            if request in self._clients:
                self._clients.remove(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the signature is the library's
        """Ignore clients that disconnect or do not speak TLS; log anything else, which is a defect."""
        if isinstance(sys.exception(), OSError):
            log.debug("metrics: %s", client_address, exc_info=True)
        else:
            log.exception("the metrics cannot be assembled because of a defect; the daemon goes on")


def _hang_up(client: socket.socket) -> None:
    try:
        # Bypasses the TLS layer, whose state belongs to the connection's own thread.
        socket.socket.shutdown(client, socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already
