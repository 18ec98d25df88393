"""A store with one active model."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.store.database.engine import Database
from tests.support.made_up import store_model
from tests.support.operation_line import NOW
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'monitor.db'}", busy_seconds=30)
    upgrade(opened)
    with opened.write() as connection:
        store_model(connection, NOW, calibrated_at=NOW - timedelta(days=60))
    yield opened
    opened.close()
