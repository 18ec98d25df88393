"""Brings a database's schema to this program's; Alembic is imported only when there is something to do."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import inspect, text

from monitor.errors import StoreSchemaError
from monitor.store.database.schema import SCHEMA_REVISION, metadata

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy.engine import Connection

    from monitor.store.database.engine import Database

_UPGRADE_LOCK: Final = 0x6D6F6E69746F72
"""PostgreSQL's locks of this kind are numbers; this one spells "monitor"."""


def current_revision(database: Database) -> str | None:
    """The revision of the database's schema; none when it is empty or not there yet."""
    if not database.exists:
        return None
    with database.read() as connection:
        return _revision(connection)


def require_current(database: Database) -> None:
    """Raise `StoreSchemaError` unless the database has this program's schema."""
    _refuse(database, current_revision(database))


def prepare(database: Database) -> None:
    """Make the schema in an empty database; raise `StoreSchemaError` when an existing one is not current."""
    database.make_folder()
    revision = current_revision(database)
    if revision is None:
        upgrade(database)
    else:
        _refuse(database, revision)


def upgrade(database: Database) -> str:
    """Bring the schema to this program's revision, whole or not at all; return the revision."""
    from alembic import command

    database.make_folder()
    with database.rebuild() as connection:
        if connection.dialect.name == "postgresql":
            # Two programs would make the same tables; a write transaction of SQLite keeps the other out by itself.
            connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
        revision = _revision(connection)
        if revision is not None and revision > SCHEMA_REVISION:
            _refuse(database, revision)
        command.upgrade(_alembic_configuration(connection), SCHEMA_REVISION)
    return SCHEMA_REVISION


def differences(database: Database) -> list[str]:
    """How the tables differ from those that this program declares, a line each; empty when they agree."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [str(difference) for difference in compare_metadata(context, metadata)]


def _refuse(database: Database, revision: str | None) -> None:
    if revision is None or revision < SCHEMA_REVISION:
        state = "is empty" if revision is None else f"has the older schema {revision}"
        raise StoreSchemaError(f"{database.description}: {state}; bring it up to date with: monitor db upgrade")
    if revision > SCHEMA_REVISION:
        raise StoreSchemaError(
            f"{database.description}: has the schema {revision}, which is newer than this program's "
            f"{SCHEMA_REVISION}; install the newer monitor that wrote it"
        )


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("select version_num from alembic_version")).scalar()


def _alembic_configuration(connection: Connection) -> Config:
    from alembic.config import Config

    specification = find_spec("migrations")
    assert specification is not None
    assert specification.submodule_search_locations is not None
    configuration = Config()
    # Alembic expands percent signs, as a folder's name may hold one.
    folder = str(Path(specification.submodule_search_locations[0]))
    configuration.set_main_option("script_location", folder.replace("%", "%%"))
    configuration.attributes["connection"] = connection
    return configuration


def damage(database: Database, *, full: bool = False) -> list[str]:
    """What SQLite's own check finds wrong with the file, a line each; ``full`` looks at every index as well.

    A server checks itself.
    """
    if database.file is None:
        return []
    with database.read() as connection:
        found = [str(row[0]) for row in connection.execute(text(f"pragma {'integrity' if full else 'quick'}_check"))]
    return [] if found == ["ok"] else found
