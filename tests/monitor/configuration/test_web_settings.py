from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.configuration.file import load
from monitor.configuration.web_settings import is_loopback
from monitor.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

PAIR = "certificate = 'c.pem'\nkey = 'k.pem'\n"
USERS = "users = 'state/web.users'\n"


def web(folder: Path, text: str) -> None:
    (folder / "config.toml").write_text(f"[web]\n{text}")
    load(folder / "config.toml")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host = '::1'",
        "host = '127.0.0.7'",
        USERS,
        USERS + "hosts = ['monitor.plant.example', '[2001:db8::1]', '10.1.2.3']",
        USERS + PAIR + "host = '0.0.0.0'",
        USERS + PAIR + "host = 'foundry'\nhosts = ['foundry']",
        PAIR,
    ],
)
def test_what_is_safe(tmp_path: Path, text: str) -> None:
    web(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("host = '0.0.0.0'", "people have to log in"),
        ("host = '::'\n" + PAIR, "people have to log in"),
        ("host = '0.0.0.0'\n" + USERS, "passwords must not cross a network in the clear"),
        ("host = 'localhost.evil.example'\n" + PAIR, "people have to log in"),
        ("hosts = ['monitor.plant.example']", "people have to log in"),
        (USERS + "hosts = ['monitor.plant.example:8464']", "write it without scheme and port"),
        (USERS + "hosts = ['']", "is not a host"),
        ("certificate = 'c.pem'", "belong together"),
    ],
)
def test_what_would_let_in_anybody(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        web(tmp_path, text)


def test_the_loopback_is_this_machine_alone() -> None:
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.255.0.1", "::1")))
    assert not any(map(is_loopback, ("", "0.0.0.0", "::", "10.1.2.3", "foundry", "localhost.evil.example")))
