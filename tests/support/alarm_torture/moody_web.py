"""An HTTP receiver in a process of its own that is not always well: it refuses, hangs up half-way, or is slow.

Run as a program with settings as JSON. Each message that comes is a line of its file before it is answered.
"""

from __future__ import annotations

import json
import random
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

# How often it does what, if it is moody at all.
MOODS: Final = {"well": 0.7, "refuses": 0.12, "hangs up": 0.09, "is slow": 0.09}


def main(settings: dict[str, Any]) -> None:
    """Serve until it is killed. ``port``, ``file``, ``moody``, ``slow_seconds``."""
    chance = random.Random()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            at = time.time()
            moods, shares = zip(*MOODS.items(), strict=True)
            mood = chance.choices(moods, shares)[0] if settings["moody"] else "well"
            # Who hangs up, or answers too late, has the message all the same, and gets it again.
            line = json.dumps({"at": at, "taken": mood != "refuses", "message": json.loads(body)})
            with Path(settings["file"]).open("a", encoding="utf-8") as file:
                file.write(line + "\n")
            if mood == "is slow":
                time.sleep(settings["slow_seconds"])
            if mood == "hangs up":
                self.wfile.write(b"HTTP/1.1 20")
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(500 if mood == "refuses" else 204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:  # whoever it is slow to has hung up
                return

    ThreadingHTTPServer(("127.0.0.1", settings["port"]), Handler).serve_forever()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
