"""Databases of earlier revisions of the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alembic import command

from monitor.store.database.schema import SCHEMA_REVISION
from monitor.store.database.upgrade import _alembic_configuration, _revision

if TYPE_CHECKING:
    from monitor.store.database.engine import Database

EARLIER: Final = [f"{number:04}" for number in range(1, int(SCHEMA_REVISION))]


def migrate(database: Database, revision: str) -> None:
    """Bring a database to a revision, up or down."""
    database.make_folder()
    with database.rebuild() as connection:
        configuration = _alembic_configuration(connection)
        move = command.upgrade if revision > (_revision(connection) or "") else command.downgrade
        move(configuration, revision)
