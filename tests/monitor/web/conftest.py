"""The page over a store of its own, asked without a network."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from monitor.configuration.file import load
from monitor.registry import Registry
from monitor.store.database.engine import Database
from monitor.web.app import application
from monitor.web.site import Site
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """An installation in `tmp_path` with an empty store."""
    with made_site(tmp_path) as made:
        yield made


@contextmanager
def made_site(folder: Path, web: str = "") -> Iterator[Site]:
    """The same in a folder, with these lines in [web]."""
    file = folder / "config.toml"
    file.write_text(f'[plant]\ntime_zone = "Asia/Krasnoyarsk"\n[web]\n{web}\n', encoding="utf-8")
    configuration = load(file)
    database = Database(configuration.database_url, busy_seconds=5)
    upgrade(database)
    try:
        yield Site(configuration, Registry.load(), database)
    finally:
        database.close()


@pytest.fixture
def browser(site: Site) -> TestClient:
    """Asks the page as a browser on this machine does."""
    return browser_of(site)


def browser_of(site: Site) -> TestClient:
    """Asks a page as a browser on this machine does."""
    return TestClient(
        application(site),
        base_url="http://127.0.0.1:8464",
        headers={"sec-fetch-site": "same-origin"},
        raise_server_exceptions=False,
    )
