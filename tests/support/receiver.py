"""A web server on loopback that takes messages about alarms."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from monitor.harness.daemon import free_port


class Receiver:
    """A web server on loopback that can be stopped and started again at the same port."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self._web: HTTPServer | None = None
        self.port = free_port()

    def start(self) -> None:
        got = self.got

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._web = HTTPServer(("127.0.0.1", self.port), Handler)
        Thread(target=self._web.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        if self._web is not None:
            self._web.shutdown()
            self._web.server_close()
            self._web = None

    def ids(self) -> set[str]:
        return {one["id"] for one in self.got}
