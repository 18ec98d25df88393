from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.stored_crops import opened
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from monitor.store.database.engine import Database


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'state' / 'monitor.db'}"
    else:
        new_store: Callable[[], str] = request.getfixturevalue("new_postgresql_store")
        url = new_store()
    with opened(url) as database:
        upgrade(database)
        yield database
