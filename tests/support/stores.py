"""Databases for tests, with their tables: an empty SQLite file is copied, because making its tables takes longer.

On PostgreSQL the fixture `new_postgresql_store` gives such a copy.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from monitor.store.database.engine import Database
from monitor.store.database.schema import SCHEMA_REVISION
from monitor.store.database.upgrade import current_revision
from monitor.store.database.upgrade import upgrade as really_upgrade


def upgrade(database: Database) -> None:
    """Make the tables in a database; what comes of it is the same as of the function that it stands in for."""
    if database.file is None:
        if current_revision(database) != SCHEMA_REVISION:
            really_upgrade(database)
    elif database.file.exists():
        really_upgrade(database)
    else:
        database.make_folder()
        shutil.copyfile(_template(), database.file)


@cache
def _template() -> Path:
    """An empty database with all tables; it is made once for the process."""
    folder = tempfile.mkdtemp(prefix="monitor-tests-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = Path(folder) / "template.db"
    database = Database(f"sqlite:///{file}", busy_seconds=30)
    really_upgrade(database)
    database.close()
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    return file
