"""Brings the database of an earlier version up to date, with a verified copy of it kept beside it.

The caller holds the daemon's lock. On a database server nothing is copied: its own program saves it.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monitor.errors import AlreadyRunningError, OutputError
from monitor.files.folders import flush
from monitor.files.ownership import give_same_owner
from monitor.files.text import printable
from monitor.store import daemons
from monitor.store.database import copying, upgrade
from monitor.store.database.schema import SCHEMA_REVISION
from monitor.store.database.size import size_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from monitor.store.database.engine import Database

# How many copies of earlier databases are kept.
KEPT: Final = 2
# The upgrade itself may write as much as the database holds: into SQLite's log, when tables are made anew.
SPACE_FACTOR: Final = 2


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What was done. ``before``: the schema that the database had, None if it was empty; ``copy``: where it is kept."""

    before: str | None
    copy: Path | None


def bring_up_to_date(
    database: Database,
    *,
    keep_copy: bool = True,
    begin: Callable[[str], None] = lambda _doing: None,
    progress: Callable[[str], None] = lambda _doing: None,
) -> Upgraded | None:
    """Upgrade the schema to this program's, completely or not at all; None if it has it already.

    ``begin`` is called with each step of an upgrade, ``progress`` also with how far the step is. Raises
    `StoreSchemaError` for a newer database, `OutputError` without space for the copy, and `AlreadyRunningError` while
    daemons of an earlier version work on a server's database.
    """
    before = upgrade.older_revision(database)
    if before == SCHEMA_REVISION:
        return None
    if before is None:
        upgrade.upgrade(database)
        return Upgraded(None, None)
    copy = None
    if database.file is None:
        _refuse_while_others_run(database)
    elif keep_copy:
        copy = _copy(database, database.file, before, begin, progress)
    begin(f"bringing the database from schema {before} to {SCHEMA_REVISION}")
    upgrade.upgrade(database)
    if database.file is not None and copy is not None:
        _forget_older_copies(database.file)
    return Upgraded(before, copy)


def copies(file: Path) -> list[Path]:
    """The copies that are kept of earlier databases, the newest schema last."""
    name = re.compile(rf"{re.escape(file.name)}\.schema-\d{{4}}", re.ASCII)
    return sorted(path for path in file.parent.iterdir() if name.fullmatch(path.name) and path.is_file())


def _refuse_while_others_run(database: Database) -> None:
    with database.read() as connection:
        running = [one.row for one in daemons.seen(connection) if one.alive]
    if running:
        named = ", ".join(f"process {row.process} on {row.host}, version {row.version}" for row in running)
        raise AlreadyRunningError(
            f"{database.description}: daemons of an earlier version work on it ({named}); stop all of them first, "
            "so that it can be brought up to date"
        )


def _copy(
    database: Database, file: Path, revision: str, begin: Callable[[str], None], progress: Callable[[str], None]
) -> Path:
    """A verified copy beside the file; one of the same schema from an earlier time is replaced."""
    target = file.with_name(f"{file.name}.schema-{revision}")
    unfinished = file.with_name(f"{file.name}.unfinished-copy")
    _require_space(database, file)
    doing = f"copying the database to {printable(target)} before its upgrade"
    begin(doing)
    try:
        unfinished.unlink(missing_ok=True)  # left by one that was killed
        try:
            with database.read() as connection:
                content = copying.copy_database(
                    connection,
                    unfinished,
                    lambda remaining, total: progress(f"{doing}: {1 - remaining / max(total, 1):.0%}"),
                )
            begin(f"checking {printable(target)}")
            copying.verify(unfinished, content, database.description)
            give_same_owner(unfinished, file)
            flush(unfinished)
            unfinished.replace(target)
            flush(file.parent)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(_no_copy(file, error)) from None
    return target


def _require_space(database: Database, file: Path) -> None:
    needed = SPACE_FACTOR * size_bytes(database)
    free = shutil.disk_usage(file.parent).free
    if free < needed:
        raise OutputError(
            f"{_no_copy(file, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))}: {needed / 1e6:.0f} MB are needed "
            f"there, {free / 1e6:.0f} MB are free"
        )


def _no_copy(file: Path, error: OSError) -> str:
    return (
        f"{printable(file)}: is not brought up to date, because no copy of it can be kept beside it "
        f"({error.strerror or error}); free some space, or save it yourself and then: monitor db upgrade --no-copy"
    )


def _forget_older_copies(file: Path) -> None:
    for path in copies(file)[:-KEPT]:
        path.unlink(missing_ok=True)
