"""The page over a store of its own, asked without a network."""

from __future__ import annotations

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
    file = tmp_path / "config.toml"
    file.write_text('[plant]\ntime_zone = "Asia/Krasnoyarsk"\n', encoding="utf-8")
    configuration = load(file)
    database = Database(configuration.database_url, busy_seconds=5)
    upgrade(database)
    yield Site(configuration, Registry.load(), database)
    database.close()


@pytest.fixture
def browser(site: Site) -> TestClient:
    """Asks the page as a browser on this machine does."""
    return TestClient(
        application(site),
        base_url="http://127.0.0.1:8464",
        headers={"sec-fetch-site": "same-origin"},
        raise_server_exceptions=False,
    )
