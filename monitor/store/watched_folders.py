"""Which folder is known to be the inbox, and crops whose files show that a folder is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from monitor.store.database.rows import columns_of, select_rows
from monitor.store.database.schema import crops, watched_folders
from monitor.store.database.upsert import upsert
from monitor.store.retention import last_old_id

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

INBOX = "inbox"


class WatchedFolder(NamedTuple):
    """A folder that is known: its path as text and the inode that it had. ``confirmed``: a person said so."""

    path: str
    inode: int
    confirmed: bool = False


class Witness(NamedTuple):
    """A crop that was decided in an inbox, with what its file looked like."""

    path: str
    size_bytes: int
    mtime_ns: int


def known_inbox(connection: Connection) -> WatchedFolder | None:
    """The folder that is known to be the inbox, if any is."""
    query = select(*columns_of(watched_folders, WatchedFolder)).where(watched_folders.c.name == INBOX)
    return next(iter(select_rows(connection, WatchedFolder, query)), None)


def note_inbox(connection: Connection, folder: WatchedFolder, now: datetime) -> None:
    """Take this folder for the inbox from now on."""
    values = {"name": INBOX, **folder._asdict(), "known_since": now}
    statement = upsert(connection.dialect.name, watched_folders).values(values)
    changes = {name: value for name, value in values.items() if name != "name"}
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changes))


def witnesses(connection: Connection, most: int, *, before: datetime | None = None) -> list[Witness]:
    """The first and the last ``most`` crops that were found in an inbox, of those that were seen before then."""
    query = select(*columns_of(crops, Witness)).where(crops.c.source == "inbox")
    if before is not None:
        # Up to the last of them: where there are fewer, the search would go on through all crops that are kept.
        query = query.where(crops.c.seen_at < before, crops.c.id <= last_old_id(connection, before))
    ends = (query.order_by(crops.c.id).limit(most), query.order_by(crops.c.id.desc()).limit(most))
    return [row for end in ends for row in select_rows(connection, Witness, end)]
