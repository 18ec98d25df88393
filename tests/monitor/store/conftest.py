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
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state' / 'monitor.db'}"
    new_database: Callable[[], str] = request.getfixturevalue("new_postgresql_database")
    return new_database()


@pytest.fixture
def empty(url: str) -> Iterator[Database]:
    with opened(url) as database:
        yield database


@pytest.fixture
def database(either_store: Database) -> Database:
    return either_store


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    """A database as the program makes it, closed."""
    file = tmp_path / "monitor.db"
    with opened(f"sqlite:///{file}") as database:
        upgrade(database)
    return file
