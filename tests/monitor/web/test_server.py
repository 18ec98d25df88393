"""The page as a process of its own, on a real port."""

from __future__ import annotations

import shutil
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from http.client import RemoteDisconnected
from typing import TYPE_CHECKING

import pytest

from monitor.harness.daemon import free_port
from monitor.harness.waiting import wait_until
from monitor.web.access.passwords import hashed
from monitor.web.access.users import User, changing
from tests.support.certificates import new_certificate
from tests.support.stored_crops import opened
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.process

# What a client may send before it is hung up on; see `monitor.web.access.connections`.
IMPATIENT = """
from monitor.web.access import connections
connections.LOOK_SECONDS = 0.2
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with opened(f"sqlite:///{tmp_path / 'state' / 'monitor.db'}") as database:
        upgrade(database)
    return tmp_path


def add_user(folder: Path) -> None:
    with changing(folder / "state" / "web.users") as users:
        users["anna"] = User(name="anna", role="viewer", password=hashed("molten metal"))


@contextmanager
def page(folder: Path, web: str = "", *, before: str = "") -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """`monitor web` with these lines in [web]; its port and its process. ``before``: what runs in it first."""
    port = free_port()
    (folder / "config.toml").write_text(f"[web]\nport = {port}\n{web}\n")
    code = f"{before}\nimport sys\nsys.argv = ['monitor', 'web']\nfrom monitor.cli import main\nmain()"
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-c", code], cwd=folder, stderr=log, text=True)
    try:
        wait_until(lambda: process.poll() is not None or reaches(port))
        assert process.poll() is None, (folder / "log").read_text()
        yield port, process
    finally:
        process.terminate()
        process.wait(30)


def reaches(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


def test_a_hundred_megabytes_are_refused_and_the_page_goes_on(folder: Path) -> None:
    with page(folder) as (port, process):
        with socket.create_connection(("127.0.0.1", port), 30) as client:
            head = f"POST /alarms/1/close HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {100 * 2**20}\r\n\r\n"
            client.sendall(head.encode())
            sent, piece = 0, b"x" * 2**20
            try:
                for _ in range(100):
                    client.sendall(piece)
                    sent += 1
                answer = client.recv(100)
            except (ConnectionResetError, BrokenPipeError):
                answer = b""
        assert sent < 100 or b" 413 " in answer
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as response:
            assert response.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_header_without_an_end_is_refused(folder: Path) -> None:
    with page(folder) as (port, _), socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 40_000)
        assert b" 400 " in client.recv(100)


@pytest.mark.parametrize(
    "beginning", [b"", b"GET / HT", b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"]
)
def test_clients_that_never_finish_a_request_are_hung_up_on(folder: Path, beginning: bytes) -> None:
    with page(folder, before=IMPATIENT) as (port, _), socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(beginning)
        try:
            rest = client.recv(100)
            while rest and b"HTTP/1.1" not in rest:
                rest = client.recv(100)
        except ConnectionResetError:
            rest = b""
        # Nothing, or the answer to what can be refused before its body has come.
        assert rest == b"" or b" 403 " in rest


def test_https_and_another_certificate_on_sighup(folder: Path) -> None:
    add_user(folder)
    old, key = new_certificate(folder, "old")
    with page(folder, f"users = 'state/web.users'\ncertificate = '{old}'\nkey = '{key}'") as (port, process):
        assert fetch(port, old) == 200
        new, new_key = new_certificate(folder, "new")
        shutil.copy(new, old)
        process.send_signal(signal.SIGHUP)  # the key is still the old one
        wait_until(lambda: "those in use stay" in (folder / "log").read_text())
        shutil.copy(new_key, key)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: "is read again" in (folder / "log").read_text())
        assert fetch(port, new) == 200
        with pytest.raises(RemoteDisconnected), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30):
            pass  # no plain HTTP


def fetch(port: int, trusted: Path) -> int:
    context = ssl.create_default_context(cafile=str(trusted))
    with urllib.request.urlopen(f"https://127.0.0.1:{port}/login", timeout=30, context=context) as response:
        return int(response.status)


@pytest.mark.parametrize(
    ("web", "sentence"),
    [
        ("host = '0.0.0.0'", "people have to log in"),
        ("host = 'foundry'\ncertificate = 'c'\nkey = 'k'", "people have to log in"),
        ("host = '::'\nusers = 'state/web.users'", "passwords must not cross a network in the clear"),
        ("hosts = ['monitor.plant.example']", "people have to log in"),
        ("hosts = ['https://monitor.plant.example/']", "is not a host as browsers name it"),
        ("users = 'state/none'", "make it: monitor web user add NAME"),
        ("host = '127.0.0.1'\nusers = 'state/web.users'\ncertificate = 'c'\nkey = 'k'", "web.certificate"),
    ],
)
def test_what_would_be_unsafe_does_not_start(folder: Path, web: str, sentence: str) -> None:
    add_user(folder)
    (folder / "config.toml").write_text(f"[web]\nport = 0\n{web}\n")
    done = subprocess.run(
        [sys.executable, "-m", "monitor", "web"], cwd=folder, capture_output=True, text=True, timeout=100
    )
    assert done.returncode in (66, 78), done
    assert sentence in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
