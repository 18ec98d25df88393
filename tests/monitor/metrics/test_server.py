"""How the metrics are served, and what no client can do."""

from __future__ import annotations

import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request
from contextlib import suppress
from threading import Thread, active_count
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from monitor.errors import AddressInUseError, ConfigurationError
from monitor.harness.waiting import wait_until
from monitor.metrics import Metrics
from monitor.metrics.server import MOST_CLIENTS, MetricsServer
from tests.support.certificates import new_certificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from prometheus_client import Metric

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def certificate(tmp_path: Path, starts_processes: None) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1, signed by itself, and its key."""
    return new_certificate(tmp_path, "own")


@pytest.fixture(params=["http", "https"])
def served(request: pytest.FixtureRequest, certificate: tuple[Path, Path]) -> Iterator[MetricsServer]:
    running = Metrics().serve("127.0.0.1", 0, certificate if request.param == "https" else None)
    assert running.url.startswith(f"{request.param}://127.0.0.1:")
    yield running
    running.stop()


def fetch(running: MetricsServer, trusted: Path, accept: str = "") -> tuple[str, bytes]:
    context = ssl.create_default_context(cafile=str(trusted)) if running.url.startswith("https") else None
    request = urllib.request.Request(running.url, headers={"Accept": accept, "Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, context=context, timeout=60) as answer:
        return answer.headers["Content-Type"], answer.read()


def test_a_client_gets_the_format_that_it_asks_for(served: MetricsServer, certificate: tuple[Path, Path]) -> None:
    kind, text = fetch(served, certificate[0])
    assert kind.startswith("text/plain; version=0.0.4")
    assert text.startswith(b"# HELP monitor_")
    kind, text = fetch(served, certificate[0], f"{OPENMETRICS},text/plain;version=0.0.4;q=0.5")
    assert kind.startswith("application/openmetrics-text")
    parsed = text_string_to_metric_families(text.decode())  # type: ignore[no-untyped-call] # the library's
    families = {family.name for family in parsed}
    assert {"monitor_score", "monitor_crops_seen", "process_cpu_seconds", "python_info"} <= families


def test_what_is_not_escaped_needs_no_escaping(served: MetricsServer, certificate: tuple[Path, Path]) -> None:
    """The library writes out every name letter by letter for those who take no other names than ours."""
    plain, any_name = (fetch(served, certificate[0], OPENMETRICS + more) for more in ("", "; escaping=allow-utf-8"))
    assert "escaping=underscores" in plain[0]
    names = [[line.rpartition(b" ")[0] for line in text.splitlines()] for _, text in (plain, any_name)]
    assert names[0] == names[1]
    assert all(line.startswith((b"#", b"monitor_", b"process_", b"python_")) for line in names[0])
    # Who wants the underscores written otherwise gets that.
    assert b"\nmonitor__build__info{" in fetch(served, certificate[0], OPENMETRICS + "; escaping=dots")[1]


class Slow(Collector):
    """Collects so slowly that two at a time would be noticed."""

    def __init__(self) -> None:
        self.most = self.now = self.times = 0

    def collect(self) -> list[Metric]:
        self.times += 1
        self.now += 1
        self.most = max(self.most, self.now)
        time.sleep(0.02)
        self.now -= 1
        return []


def test_many_clients_at_once_take_turns(certificate: tuple[Path, Path]) -> None:
    registry, slow = CollectorRegistry(), Slow()
    registry.register(slow)
    running = MetricsServer(registry, "127.0.0.1", 0)
    try:
        clients = [Thread(target=fetch, args=(running, certificate[0])) for _ in range(8)]
        for one in clients:
            one.start()
        for one in clients:
            one.join(60)
    finally:
        running.stop()
    assert slow.most == 1


def test_clients_that_had_to_give_way_cost_nothing() -> None:
    registry, slow = CollectorRegistry(), Slow()
    registry.register(slow)
    slow.times = 0
    running = MetricsServer(registry, "127.0.0.1", 0)
    threads = active_count()
    unfinished = []
    try:
        for _ in range(MOST_CLIENTS + 20):
            one = socket.create_connection(("127.0.0.1", running._server.server_port))
            one.sendall(b"GET /metrics HTTP/1.1\r\nX-Slow: ")
            unfinished.append(one)
        for one in unfinished[:20]:
            one.settimeout(60)
            with suppress(ConnectionResetError):
                assert one.recv(1) == b""
        wait_until(lambda: active_count() <= threads + MOST_CLIENTS)
        assert slow.times == 0
    finally:
        running.stop()
        for one in unfinished:
            one.close()


def test_silent_clients_hold_up_neither_others_nor_the_stop(
    served: MetricsServer, certificate: tuple[Path, Path]
) -> None:
    address = ("127.0.0.1", int(served.url.split(":")[2].split("/")[0]))
    # More than are served at once: none says a word, so neither a request nor a handshake ever comes.
    silent = [socket.create_connection(address) for _ in range(MOST_CLIENTS + 4)]
    try:
        assert fetch(served, certificate[0])[1]
        stop = Thread(target=served.stop)
        stop.start()
        stop.join(60)
        assert not stop.is_alive()
        silent[0].settimeout(60)
        assert silent[0].recv(1) == b""  # the oldest had to give way
    finally:
        for one in silent:
            one.close()


@pytest.mark.process
def test_a_certificate_is_renewed_without_a_restart(tmp_path: Path) -> None:
    old, key = new_certificate(tmp_path, "old")
    running = Metrics().serve("127.0.0.1", 0, (old, key))
    try:
        new, new_key = new_certificate(tmp_path, "new")
        shutil.copy(new, old)
        with pytest.raises(ConfigurationError):
            running.renew()  # the key is still that of before, and so is the certificate that is shown
        with pytest.raises(urllib.error.URLError):
            fetch(running, new)
        shutil.copy(new_key, key)
        running.renew()
        assert fetch(running, new)[1]
    finally:
        running.stop()


def test_a_port_that_is_taken_is_refused(served: MetricsServer) -> None:
    port = int(served.url.split(":")[2].split("/")[0])
    with pytest.raises(AddressInUseError, match=rf"metrics.port {port}: cannot be bound"):
        Metrics().serve("127.0.0.1", port)


def test_an_address_that_is_not_this_machines_is_refused() -> None:
    # 192.0.2.0/24 is reserved for documentation, so no machine has it.
    with pytest.raises(AddressInUseError, match=r"metrics.host 192\.0\.2\.1, .*; give an address of this machine"):
        Metrics().serve("192.0.2.1", 0)
