"""A real Alertmanager in a process of its own, on loopback."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from monitor.harness.daemon import free_port
from monitor.harness.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.certificates import Certificate

NAMES: Final = ("prometheus-alertmanager", "alertmanager")
# Of the password, which is Prometheus' own example of one.
USER, PASSWORD = "monitor", "test"
PASSWORD_HASH: Final = "$2b$12$hNf2lSsxfm0.i4a.1kVpSOVyBCfIB51VRjgBUyv6kdnyTlgWj81Ay"


def missing() -> str | None:
    """Why none can be started here; None if one can."""
    if _program() is None:
        return "needs Alertmanager (Debian: apt install prometheus-alertmanager)"
    return None


def _program() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Server:
    """One that can be killed and started again at the same port; ``told``: the address that it sends notifications to.

    With a certificate it speaks HTTPS and asks for a login.
    """

    def __init__(self, folder: Path, told: str, certificate: Certificate | None = None) -> None:
        self.port = free_port()
        self.url = f"{'http' if certificate is None else 'https'}://localhost:{self.port}"
        self._folder = folder
        self._certificate = certificate
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        route = {"receiver": "told", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"}
        hook = {"url": told, "send_resolved": True}
        configuration = {
            # It is much shorter than in any plant: nothing of ours is to depend on it.
            "global": {"resolve_timeout": "1s"},
            "route": {**route, "repeat_interval": "1h"},
            "receivers": [{"name": "told", "webhook_configs": [hook]}],
        }
        (folder / "alertmanager.yml").write_text(json.dumps(configuration))  # JSON is YAML
        web: dict[str, Any] = {}
        if certificate is not None:
            files = {"cert_file": str(certificate.file), "key_file": str(certificate.key)}
            web = {"tls_server_config": files, "basic_auth_users": {USER: PASSWORD_HASH}}
        (folder / "web.yml").write_text(json.dumps(web))

    def start(self) -> None:
        program = _program()
        assert program is not None
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(program, f"--config.file={self._folder / 'alertmanager.yml'}"),
                    *(f"--storage.path={self._folder / 'data'}", f"--web.config.file={self._folder / 'web.yml'}"),
                    *(f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address="),
                ],
                stdout=log,
                stderr=log,
            )
        wait_until(self._is_ready, self.text)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextmanager
    def running(self) -> Iterator[Server]:
        try:
            self.start()
            yield self
        finally:
            self.kill()

    def text(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    def alerts(self) -> dict[str, dict[str, Any]]:
        """The alerts that have not ended, by their label `alarm`, or else by their name."""
        found = json.loads(self._get("/api/v2/alerts"))
        return {one["labels"].get("alarm", one["labels"]["alertname"]): one for one in found}

    def _is_ready(self) -> bool:
        try:
            return bool(self._get("/-/ready"))
        except urllib.error.URLError:
            return False

    def _get(self, path: str) -> bytes:
        request = urllib.request.Request(f"{self.url}{path}")
        context = None
        if self._certificate is not None:
            context = ssl.create_default_context(cafile=self._certificate.file)
            request.add_header("Authorization", "Basic bW9uaXRvcjp0ZXN0")
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            content: bytes = answer.read()
        return content
