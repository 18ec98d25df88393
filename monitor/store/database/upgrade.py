"""Upgrades a database to this program's schema, and checks it; Alembic is imported only when it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import inspect, text

from monitor.errors import StoreSchemaError
from monitor.files.packages import folder_of
from monitor.store.database.schema import SCHEMA_REVISION, metadata

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy.engine import Connection

    from monitor.store.database.engine import Database

# PostgreSQL identifies advisory locks by numbers; the bytes of this one spell "monitor".
_UPGRADE_LOCK: Final = 0x6D6F6E69746F72


def current_revision(database: Database) -> str | None:
    """The revision of the database's schema; None if it is empty or does not exist yet."""
    if not database.exists:
        return None
    with database.read() as connection:
        return _revision(connection)


def require_current(database: Database) -> None:
    """Raise `StoreSchemaError` unless the database has this program's schema."""
    _refuse(database, current_revision(database))


def older_revision(database: Database) -> str | None:
    """As `current_revision`; raises `StoreSchemaError` if the database is newer than this program."""
    revision = current_revision(database)
    if revision is not None and revision > SCHEMA_REVISION:
        _refuse(database, revision)
    return revision


def prepare(database: Database) -> None:
    """Create the schema in an empty database; raise `StoreSchemaError` if an existing one is not current."""
    database.make_folder()
    revision = current_revision(database)
    if revision is None:
        upgrade(database)
    else:
        _refuse(database, revision)


def upgrade(database: Database) -> str:
    """Upgrade the schema to this program's revision in one transaction; return the revision."""
    from alembic import command

    database.make_folder()
    with database.rebuild() as connection:
        if connection.dialect.name == "postgresql":
            # Keeps a second program from creating the same tables; SQLite allows only one writer anyway.
            connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
        revision = _revision(connection)
        if revision is not None and revision > SCHEMA_REVISION:
            _refuse(database, revision)
        command.upgrade(_alembic_configuration(connection), SCHEMA_REVISION)
    return SCHEMA_REVISION


def differences(database: Database) -> list[str]:
    """How the tables differ from those that this program declares, one line for each difference."""
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

    configuration = Config()
    # Alembic interprets percent signs, which a folder's name may contain.
    configuration.set_main_option("script_location", str(folder_of("migrations")).replace("%", "%%"))
    configuration.attributes["connection"] = connection
    return configuration


def damage(database: Database, *, full: bool = False) -> list[str]:
    """What SQLite's own check finds wrong with the file, one line for each; ``full`` checks every index as well.

    A database server is not checked.
    """
    if database.file is None:
        return []
    with database.read() as connection:
        found = [str(row[0]) for row in connection.execute(text(f"pragma {'integrity' if full else 'quick'}_check"))]
    return [] if found == ["ok"] else found
